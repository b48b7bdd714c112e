"""Trace: a Decision in words, stage by stage, for `repletion decide` and the workbench."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cards.assessment import Assessment, Finding
from cards.chart import Chart
from cards.evidence import Evidence
from cards.phrase import age, moment
from cards.plan import Plan
from cards.protocol import Protocol
from cards.quantity import places


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a decision in words: a title and its lines."""

    title: str
    lines: tuple[str, ...]


def trace(
    evidence: Evidence,
    assessment: Assessment,
    shown: tuple[Finding, ...],
    hushed: tuple[Finding, ...],
    plan: Plan | None,
    protocol: Protocol,
) -> tuple[Stage, ...]:
    """Evidence, facts, findings, plan: each with its source."""
    chart = assessment.chart
    return (
        Stage("What was not read", _not_read(evidence, chart)),
        Stage("Facts", _facts(chart)),
        Stage("Flags", tuple(_line(f) for f in assessment.flags.by_name.values())),
        Stage("Stops", _stops(assessment)),
        Stage("Regimens open now", _offers(assessment)),
        Stage("Findings", _shown(shown, hushed, protocol)),
        Stage("Plan", _plan(plan)),
    )


def _not_read(evidence: Evidence, chart: Chart) -> tuple[str, ...]:
    lines = [f"{gap.need}: {gap.reason}" for gap in evidence.gaps.values()]
    lines += [f"{u.resource} ({u.need}): {u.reason}" for u in evidence.unread]
    lines += [f"{s.resource}: not used, {s.reason}" for s in evidence.set_aside]
    lines += [f"{name}: collected in the future" for name in chart.magnesium.future]
    return tuple(lines) or ("everything asked for was read",)


def _facts(chart: Chart) -> tuple[str, ...]:
    setting = chart.setting if chart.setting_known else f"unknown, treated as {chart.setting}"
    lines = [
        f"now {moment(chart.now, chart.now)}",
        f"setting {setting}",
        f"age {chart.age[0]}" if chart.age else "age not known",
        f"sex {chart.sex or 'not known'}",
    ]
    result = chart.magnesium.result
    if result is None:
        lines.append("magnesium: no result")
    else:
        when = age(result.collected, chart.now) if result.collected else "no collection time"
        band = result.band.name if result.band else "no band"
        usable = "usable" if result.usable else "not usable: " + ", ".join(result.problems)
        lines.append(f"magnesium {result.shown()}, {when}, {band}, {usable} [{result.source}]")
    lines.append(f"kidney {chart.kidney.shown()} [{', '.join(chart.kidney.sources) or 'none'}]")
    for label, lab in (
        ("potassium", chart.potassium),
        ("calcium", chart.calcium),
        ("ionised calcium", chart.ionized_calcium),
        ("weight", chart.weight),
        ("QTc", chart.qtc),
        ("platelets", chart.platelets),
    ):
        if lab is not None:
            lines.append(f"{label} {lab.quantity}, {age(lab.collected, chart.now)} [{lab.source}]")
    if chart.corrected_calcium is not None:
        lines.append(f"corrected calcium {places(chart.corrected_calcium, 2)} mg/dL")
    if chart.weight_note:
        lines.append(chart.weight_note)
    for facts in chart.conditions.facts.values():
        for fact in facts:
            state = "current" if fact.current else "active" if fact.active else "history"
            lines.append(f"{fact.concept}: {fact.label}, {state} [{fact.source}]")
    for order in chart.medicines.orders:
        if order.groups:
            groups = ", ".join(sorted(order.groups))
            lines.append(f"order {order.label} ({groups}) [{order.reference}]")
    for given in chart.medicines.given:
        lines.append(f"given {given.identity.label} [{given.reference}]")
    return tuple(lines)


def _line(finding: Finding) -> str:
    evidence = f" [{', '.join(finding.evidence)}]" if finding.evidence else ""
    return f"{finding.status}: {finding.rule}: {finding.says}{evidence}"


def _stops(assessment: Assessment) -> tuple[str, ...]:
    lines = []
    for stop in assessment.stops.asked:
        relaxed = ", site-relaxed" if stop.relaxed else ""
        lines.append(f"{_line(stop.finding)} (blocks {stop.blocks}{relaxed})")
    return tuple(lines)


def _offers(assessment: Assessment) -> tuple[str, ...]:
    cap = assessment.cap
    lines = [f"24 h limit {places(cap.limit, 2)} g, left {places(cap.left, 2)} g"]
    for offer in assessment.offers:
        option = offer.option
        star = "★ " if offer.star else ""
        time = f" over {option.minutes} min" if option.minutes else ""
        daily = f" {option.per_day} x daily" if option.per_day else ""
        unit = offer.product.dose_unit
        lines.append(
            f"{star}{offer.regimen.id}: {offer.product.substance} {option.dose} {unit}{time}{daily}"
            f" — {offer.regimen.why} [{', '.join(offer.regimen.sources)}]"
        )
    return tuple(lines)


def _shown(
    shown: Iterable[Finding], hushed: Iterable[Finding], protocol: Protocol
) -> tuple[str, ...]:
    lines = [
        f"{finding.indicator}: {finding.rule}: {finding.says or finding.heading} "
        f"[{', '.join(protocol.rule(finding.rule).sources)}]"
        for finding in shown
    ]
    lines += [f"hushed: {finding.rule}: {finding.says}" for finding in hushed]
    return tuple(lines) or ("nothing to say",)


def _plan(plan: Plan | None) -> tuple[str, ...]:
    if plan is None:
        return ("no card",)
    lines = [f"{plan.indicator}: {plan.summary}"]
    for proposal in plan.proposals:
        star = "★ " if proposal.recommended else ""
        lines.append(f"{star}{proposal.label}")
    return tuple(lines)
