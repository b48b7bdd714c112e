"""Describe: a Decision as the parts of a row, in our own words and numbers only."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime

from msgspec.structs import replace

import cards
from cards.assessment import StopFinding, Stops
from cards.assessment.offers import read_offers
from cards.chart import Kidney
from cards.orders import DraftOrder
from cards.plan import CreateDrug, CreateLab, DeleteOrder, Proposal, UpdateDraft
from cards.protocol import Protocol
from cards.protocol.rules import shown_rule
from cards.units.quantity import magnesium_unit
from service.replay.row import (
    AFTER_H,
    Followed,
    Level,
    Missing,
    Ordered,
    Refused,
    Suggestion,
)

_ASKS = ("offer", "update", "replace")
_HOUR = 3600


def hours(later: datetime, earlier: datetime) -> float:
    return round((later - earlier).total_seconds() / _HOUR, 2)


def utc(moment: datetime) -> str:
    """ISO 8601 in UTC with Z."""
    return moment.replace(tzinfo=None).isoformat() + "Z"


def ordered(order: DraftOrder, id_: str, *, relevant: bool, told: bool) -> Ordered:
    return Ordered(
        drug=" + ".join(dict.fromkeys(drug.name for drug in order.identity.drugs)),
        groups=tuple(sorted(order.groups)),
        magnesium=order.magnesium is not None,
        laxative=order.laxative is not None,
        route=order.route,
        as_needed=order.as_needed,
        relevant=relevant,
        resolved=order.identity.resolved,
        id=id_,
        told=told,
    )


def told(decision: cards.Decision, draft: bytes) -> bool:
    """Whether the card speaks of a draft of the call: a finding on it judges that order, or one
    judges the patient, whatever is ordered."""
    findings = decision.plan.findings if decision.plan is not None else ()
    return any(f.draft is None or f.draft.raw == draft for f in findings)


def level(decision: cards.Decision) -> Level | None:
    chart = decision.chart
    result = chart.magnesium.result
    if result is None:
        return None
    return Level(
        value=result.value,
        unit=magnesium_unit(result.unit) or "?",
        comparator=result.comparator if result.comparator in _COMPARATORS else None,
        band=result.band.name if result.band else None,
        acts_as=result.acts_as,
        usable=result.usable,
        problems=result.problems,
        age_h=hours(chart.now, result.collected) if result.collected else None,
    )


_COMPARATORS = ("<", "<=", ">", ">=")


def suggestions(decision: cards.Decision) -> tuple[Suggestion, ...]:
    plan = decision.plan
    return tuple(map(_suggestion, plan.proposals)) if plan is not None else ()


def _suggestion(proposal: Proposal) -> Suggestion:
    labs = tuple(a.lab for a in proposal.actions if isinstance(a, CreateLab))
    removes = sum(isinstance(a, DeleteOrder) for a in proposal.actions)
    drug = next((a for a in proposal.actions if isinstance(a, CreateDrug | UpdateDraft)), None)
    if drug is None:
        # What removes an order names it as the record does.
        label = "" if removes else proposal.label
        return Suggestion(label, recommended=proposal.recommended, labs=labs, removes=removes)
    offer = drug.step.offer
    return Suggestion(
        label=proposal.label,
        regimen=offer.regimen.id,
        route=offer.route,
        dose=drug.step.given.amount,
        unit=offer.product.dose_unit,
        minutes=drug.step.given.minutes,
        recommended=proposal.recommended,
        labs=labs,
        removes=removes,
        updates=isinstance(drug, UpdateDraft),
    )


def refusals(decision: cards.Decision, protocol: Protocol) -> tuple[Refused, ...]:
    """The stops that took something away: what would be open without any is looked up again."""
    assessment = decision.assessment
    result = decision.chart.magnesium.result
    holding = assessment.stops.holding
    if not holding or result is None or not result.low or result.borderline:
        return ()
    if not assessment.patient_view and not any(f.act in _ASKS for f in assessment.findings):
        return ()
    blocks = {"all"}
    if result.usable:
        flags = assessment.flags.plan_flags()
        # The renal stop (H2) also empties the table of regimens: asked as with sound kidneys.
        chart = decision.chart
        if any(stop.id.startswith("H2") for stop in holding):
            chart = replace(chart, kidney=Kidney("R0"))
        open_ = read_offers(chart, flags, Stops(()), protocol)
        if not open_:
            return ()
        if any(offer.parenteral for offer in open_):
            blocks.add("parenteral")
    return tuple(
        Refused(stop.id, stop.blocks, stop.finding.heading, _for_want_of_data(stop, decision))
        for stop in holding
        if stop.blocks in blocks
    )


def _for_want_of_data(stop: StopFinding, decision: cards.Decision) -> bool:
    """Not obtained; or obtained and empty: no creatinine, no birth date."""
    unknown = stop.finding.status == "unknown" or stop.id == "H2-unknown"
    return unknown or (stop.id == "H1" and decision.chart.age is None)


def gaps(decision: cards.Decision) -> tuple[Missing, ...]:
    evidence = decision.evidence
    missing = [Missing(gap.need, gap.reason) for gap in evidence.gaps.values()]
    # What could not be read is named without its id.
    seen = {gap.need for gap in missing}
    for unread in evidence.unread:
        if unread.need not in seen:
            seen.add(unread.need)
            missing.append(Missing(unread.need, "a resource could not be read"))
    return tuple(missing)


def hushed(decision: cards.Decision) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shown_rule(finding.rule) for finding in decision.hushed))


def followed(
    decision: cards.Decision, orders: Iterable[tuple[datetime, DraftOrder]], at_hand: Container[str]
) -> tuple[Followed, ...] | None:
    """The magnesium among ``orders`` within AFTER_H after a suggested drug; None without one.

    ``at_hand`` are the ids of the orders of the call, which do not follow themselves.
    """
    plan = decision.plan
    steps = [
        action.step
        for proposal in (plan.proposals if plan is not None else ())
        for action in proposal.actions
        if isinstance(action, CreateDrug | UpdateDraft)
    ]
    if not steps:
        return None
    now = decision.chart.now
    found = []
    for when, order in orders:
        after = hours(when, now)
        drug = order.magnesium
        if drug is None or not 0 <= after <= AFTER_H or order.resource.id in at_hand:
            continue
        doses = [line.dose for line in order.lines if line.dose is not None]
        found.append(
            Followed(
                hours=after,
                route=order.route,
                salt=drug.salt,
                dose=max(doses, default=None),
                as_needed=order.as_needed,
                same=any(step.offer.same_as(order) for step in steps),
            )
        )
    return tuple(found)
