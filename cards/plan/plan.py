"""Plan: indicator, summary, lines and proposals of the one card of a call."""

from __future__ import annotations

from msgspec import Struct

from cards.assessment import Assessment, Finding, StopFinding
from cards.phrase import bare
from cards.plan.proposal import CreateDrug, Proposal, UpdateDraft, propose
from cards.plan.words import Line, detail_lines
from cards.protocol import Indicator, Protocol
from cards.protocol.rules import RULES, shown_rule

SUMMARY_LIMIT = 139


class Plan(Struct, frozen=True, gc=False):
    """One card before it is JSON.

    ``rule`` is the worst finding's; ``rules`` all that are shown; ``sources`` the source keys
    the advice rests on; ``subject`` identifies what is judged (draft digest or result id).
    """

    rule: str
    indicator: Indicator
    summary: str
    lines: tuple[Line, ...]
    proposals: tuple[Proposal, ...]
    rules: tuple[str, ...]
    sources: tuple[str, ...]
    findings: tuple[Finding, ...]
    subject: str
    topic: str


def make_plan(
    assessment: Assessment,
    findings: tuple[Finding, ...],
    protocol: Protocol,
    banner: str | None = None,
) -> Plan | None:
    """The Plan of the findings that are to be shown; None when there are none."""
    if not findings:
        return None
    lead = findings[0]
    proposals = propose(assessment, findings, protocol)
    rules = tuple(
        dict.fromkeys(
            [
                *(shown_rule(f.rule) for f in findings),
                *(stop.id.removesuffix("-unknown") for stop in _cited_stops(assessment, findings)),
                *(regimen for regimen in _regimens(proposals)),
            ]
        )
    )
    sources = _sources(assessment, findings, proposals, protocol)
    return Plan(
        rule=shown_rule(lead.rule),
        indicator=lead.indicator or "info",
        summary=_summary(assessment, lead, proposals, protocol, banner),
        lines=detail_lines(assessment, findings, proposals, protocol, banner),
        proposals=proposals,
        rules=rules,
        sources=sources,
        findings=findings,
        subject=_subject(assessment, lead),
        topic=protocol.rule(lead.rule).title,
    )


def _cited_stops(assessment: Assessment, findings: tuple[Finding, ...]) -> tuple[StopFinding, ...]:
    asks = assessment.patient_view or any(f.act in ("offer", "update", "replace") for f in findings)
    return assessment.stops.holding if asks else ()


def _regimens(proposals: tuple[Proposal, ...]) -> list[str]:
    found = []
    for proposal in proposals:
        for action in proposal.actions:
            if isinstance(action, CreateDrug | UpdateDraft):
                found.append(action.step.offer.regimen.id)
    return found


def _sources(
    assessment: Assessment,
    findings: tuple[Finding, ...],
    proposals: tuple[Proposal, ...],
    protocol: Protocol,
) -> tuple[str, ...]:
    keys: list[str] = []
    for finding in findings:
        keys += protocol.rule(finding.rule).sources
    for stop in _cited_stops(assessment, findings):
        if stop.id in protocol.file.stop:
            keys += protocol.stop(stop.id).sources
    for proposal in proposals:
        for action in proposal.actions:
            if isinstance(action, CreateDrug | UpdateDraft):
                keys += action.step.offer.regimen.sources
    keys += protocol.renal(assessment.chart.kidney.id).sources
    return tuple(key for key in dict.fromkeys(keys) if key != "A") or ("design choice",)


def _summary(
    assessment: Assessment,
    lead: Finding,
    proposals: tuple[Proposal, ...],
    protocol: Protocol,
    banner: str | None,
) -> str:
    chart = assessment.chart
    result = chart.magnesium.result
    heading, kind = lead.heading, RULES[lead.rule]
    text = heading
    ordered = protocol.rule(lead.rule).says if kind.about == "order" else ""
    if ordered and result is not None and result.usable and result.low:
        text = f"Magnesium {bare(result.shown(), 30)} is low and {ordered}"
    elif kind.result and result is not None:
        text = f"Magnesium {bare(result.shown(), 30)}, {heading}"
    elif lead.draft is not None and kind.about != "state":
        text = f"{bare(lead.draft.label, 40)}: {heading}"
    starred = next((p for p in proposals if p.recommended), None)
    if starred is not None:
        replaces = lead.draft is not None and lead.act in ("update", "replace")
        label = starred.label.split(", with")[0]
        joint = "; instead: " if replaces else ": add " if ordered else ": "
        text += f"{joint}{label[0].lower()}{label[1:]}"
    elif not any(p.drug for p in proposals) and _wants_drug(assessment, lead):
        reasons = [stop.finding.heading for stop in assessment.stops.holding]
        if reasons:
            text += f": no magnesium order ({reasons[0]})"
    text = text[:1].upper() + text[1:]
    if banner:
        text = f"{banner}: {text}"
    return bare(text, SUMMARY_LIMIT)


def _wants_drug(assessment: Assessment, lead: Finding) -> bool:
    result = assessment.chart.magnesium.result
    low = result is not None and result.usable and result.low
    return low and (lead.act == "offer" or RULES[lead.rule].treats)


def _subject(assessment: Assessment, lead: Finding) -> str:
    if lead.draft is not None:
        return lead.draft.reference
    result = assessment.chart.magnesium.result
    return result.source if result is not None else "none"
