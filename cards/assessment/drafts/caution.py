"""D12, D13 and D15 to D21: what stands beside the order."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.drafts.context import DraftContext, label
from cards.assessment.finding import Finding, met
from cards.assessment.stops import given_words, may_run_words
from cards.orders import DraftOrder
from cards.phrase import record


def check_twice(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """Two parenteral drafts in one session are duplicates (ruling 49), unless a regimen says
    one after the other."""
    for other in context.session:
        if any(offer.both_steps(draft, other) for offer in context.offers):
            continue
        # PRN orders do not run: two tiers of a replacement set are no duplicates.
        if other is draft or not other.magnesium or draft.as_needed or other.as_needed:
            continue
        if other.parenteral and draft.parenteral:
            says = f"{label(draft)}: also drafted: {record(other.label, 40)}. Keep one."
            yield met(context.protocol, "D12", says, draft=draft)
            return


def check_duplicate(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    medicines = context.chart.medicines
    result = context.chart.magnesium.result
    collected = result.collected if result else None
    reason = None
    if draft.route != "po":
        running = medicines.running_parenteral
        given = medicines.given_since(collected) if result else ()
        if running:
            reason = f"running: {record(running[0].label, 40)}"
        elif given:
            reason = f"given since the result: {given_words(given[-1], context.chart)}"
        elif medicines.may_run:
            reason = may_run_words(medicines.may_run[0])
        else:
            yield from check_twice(draft, context)
            yield from _perhaps_treated(draft, context)
    else:
        since = medicines.oral_since(collected) if result else ()
        if since:
            reason = f"running: {record(since[0].label, 40)}"
        else:
            yield from _perhaps_treated(draft, context)
    if reason is not None:
        yield met(
            context.protocol,
            "D12",
            f"{label(draft)}: {reason}. Keep one.",
            draft=draft,
        )


def _perhaps_treated(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """An order or administration that could not be read may be magnesium (ruling 145)."""
    unread = context.chart.unread_medicines
    if not unread or context.flags.met("life"):
        return
    says = (
        f"{label(draft)}: {record(unread[0].resource, 60)} could not be read and may be magnesium, "
        "running or given: check the administration record."
    )
    heading = "a medication that may be magnesium could not be read"
    yield met(context.protocol, "D12", says, heading=heading, draft=draft)


def check_oral_only(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "po" or not context.urgent:
        return
    medicines = context.chart.medicines
    result = context.chart.magnesium.result
    parenteral = any(d.magnesium is not None and d.parenteral for d in context.session)
    given = medicines.given_since(result.collected if result else None)
    if parenteral or medicines.running_parenteral or given:
        return
    says = f"{label(draft)}: oral magnesium alone will not do here."
    yield met(context.protocol, "D13", says, act="replace", draft=draft)


def check_bleeding(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "im":
        return
    for flag in ("anticoagulant", "platelets-low"):
        if context.flags.met(flag):
            says = f"{label(draft)}: intramuscular with {context.flags.reason(flag)}."
            yield met(context.protocol, "D15", says, act="replace", draft=draft)
            return


def check_laxative(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    kidney = context.chart.kidney
    if kidney.id not in ("R2", "R3", "R4"):
        return
    reduced = kidney.id == "R2"
    says = f"{label(draft)}: renal class {kidney.id}: magnesium accumulates."
    yield met(
        context.protocol,
        "D16-r2" if reduced else "D16",
        says,
        draft=draft,
        act="none" if reduced else "remove",
    )


def check_carrier(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """A fluid or mixture that holds magnesium is no order of it; it is told above the level from
    which sources are looked for, and without a working kidney when its own name says magnesium
    sulfate (ruling 150). Dialysis and haemofiltration fluid is the treatment."""
    carrier = draft.identity.carrier
    if carrier is None or carrier.name == "dialysis fluid":
        return
    result = context.chart.magnesium.result
    limit = context.protocol.file.limit.high_card.value
    value = result.value if result is not None and result.usable else None
    if value is not None and result is not None and value > limit:
        says = f"magnesium is {record(result.shown(), 40)}"
    elif (
        context.chart.kidney.id in ("R3", "R4")
        and not context.chart.kidney.dialysis
        and draft.identity.says_sulfate
    ):
        says = f"renal class {context.chart.kidney.id}: magnesium accumulates"
    else:
        return
    yield met(context.protocol, "D21", f"{label(draft)} contains magnesium: {says}.", draft=draft)


def check_pregnancy(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not context.chart.pregnant or context.obstetric or context.flags.met("life"):
        return
    says = (
        f"{label(draft)}: pregnancy: obstetric co-management. "
        f"{context.protocol.file.wording.pregnancy_limit.text}"
    )
    yield met(context.protocol, "D17", says, draft=draft)


def check_kidney_unknown(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if context.chart.kidney.id != "RU" or context.protocol.relaxed("RU"):
        return
    if context.flags.met("life") or context.flags.met("torsades"):
        return
    says = f"{label(draft)}: renal function is not known: order creatinine."
    yield met(
        context.protocol,
        "D18",
        says,
        draft=draft,
        act="lab",
        labs=("creatinine",),
    )


def check_cautions(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not draft.parenteral:
        return
    for id_ in ("H5", "H8"):
        stop = context.stops.of(id_)
        if stop is not None:
            yield met(
                context.protocol,
                "D19",
                f"{label(draft)}: {stop.finding.says}",
                draft=draft,
                heading=stop.finding.heading,
            )
    if context.stops.of("H1") is not None:
        yield met(
            context.protocol,
            "D19-age",
            f"{label(draft)}: not evaluated for this age.",
            draft=draft,
        )


def check_ambulatory(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "iv" or not context.chart.ambulatory:
        return
    if context.stops.of("H11") is not None:
        says = (
            f"{label(draft)}: an outpatient at this level or with these symptoms: same-day "
            "emergency evaluation."
        )
        yield met(context.protocol, "D20-emergency", says, draft=draft)
    else:
        yield met(
            context.protocol,
            "D20",
            f"{label(draft)}: is an infusion centre meant?",
            draft=draft,
        )
