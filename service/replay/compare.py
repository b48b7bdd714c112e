"""Compare: what a second protocol did with the same call, and where the two part."""

from __future__ import annotations

import cards
from cards.assessment import Offer
from service.replay import describe
from service.replay.row import STAGES, Other

Key = tuple[object, ...]


def other(one: cards.Decision, two: cards.Decision) -> Other:
    """What ``two`` did, beside ``one``."""
    plan, result = two.plan, two.chart.magnesium.result
    stage = next((s for s in STAGES if _KEYS[s](one) != _KEYS[s](two)), None)
    return Other(
        lead=plan.rule if plan is not None else None,
        rules=two.rules,
        indicator=two.worst,
        suggestions=describe.suggestions(two),
        refusals=describe.refusals(two, two.protocol),
        hushed=describe.hushed(two),
        band=result.band.name if result is not None and result.band else None,
        stage=stage,
        visible=_plan(one) != _plan(two),
    )


def _chart(decision: cards.Decision) -> Key:
    chart = decision.chart
    result = chart.magnesium.result
    magnesium: Key = ()
    if result is not None:
        band = result.band
        magnesium = (
            result.version,
            result.value,
            band and (band.name, band.acts_as),
            result.problems,
            result.borderline,
        )
    labs = (chart.potassium, chart.calcium, chart.corrected_calcium, chart.weight, chart.qtc)
    return magnesium, chart.kidney, labs, chart.weight_note, chart.wide_qrs, chart.platelets


def _assessment(decision: cards.Decision) -> Key:
    assessment = decision.assessment
    return (
        tuple((f.rule, f.indicator, f.act, f.labs) for f in assessment.findings),
        tuple((stop.id, stop.blocks) for stop in assessment.stops.holding),
        tuple((name, f.status) for name, f in assessment.flags.by_name.items()),
        tuple(_offer(offer) for offer in assessment.offers),
        tuple(_offer(offer) for offer in assessment.infusion_offers),
    )


def _offer(offer: Offer) -> Key:
    option = offer.option
    dose = (option.dose, option.minutes, option.then_dose, option.then_minutes)
    return option.product, *dose, option.per_day, option.count, offer.star


def _quiet(decision: cards.Decision) -> Key:
    return tuple(f.rule for f in decision.shown), tuple(f.rule for f in decision.hushed)


def _plan(decision: cards.Decision) -> Key:
    plan = decision.plan
    if plan is None:
        return ()
    # Regimens are named by each protocol as it likes; what they order is in the suggestions.
    parts = [
        (s.label, s.route, s.dose, s.unit, s.minutes, s.recommended, s.labs, s.removes, s.updates)
        for s in describe.suggestions(decision)
    ]
    findings = tuple(finding.rule for finding in plan.findings)
    return plan.rule, plan.indicator, findings, tuple(parts)


def _card(decision: cards.Decision) -> Key:
    plan = decision.plan
    return () if plan is None else (plan.summary, plan.lines)


_KEYS = {
    "chart": _chart,
    "assessment": _assessment,
    "quiet": _quiet,
    "plan": _plan,
    "card": _card,
}
