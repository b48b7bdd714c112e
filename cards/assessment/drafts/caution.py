"""D12, D13 and D15 to D21: what stands beside the order."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.drafts.context import DraftContext, emergency, label, single_dose
from cards.assessment.drafts.tiers import is_tier, scheduled
from cards.assessment.finding import Finding, met
from cards.assessment.stops import given_words, may_run_words
from cards.fhir import key_of
from cards.orders import DraftOrder
from cards.phrase import record


def check_twice(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """Two scheduled parenteral drafts in one session are duplicates (rulings 49, 101), unless a
    regimen says one after the other, or the one is the emergency dose (ruling 115)."""
    if not draft.parenteral or is_tier(draft, context):
        return
    for other in scheduled(context.session, context):
        if other is draft or partners(draft, other, context):
            continue
        says = f"{label(draft, context)}: also drafted: {record(other.told, 70)}. Keep one."
        heading = f"drafted beside {record(other.told, 60)}: keep one"
        yield met(context.protocol, "D12", says, heading=heading, draft=draft)
        return


def partners(one: DraftOrder, other: DraftOrder, context: DraftContext) -> bool:
    """Whether two parenteral drafts are one order: load and follow-on of a regimen, or an
    emergency dose beside a slower infusion (ruling 115)."""
    if any(offer.both_steps(one, other) for offer in context.offers):
        return True
    if not (context.flags.met("life") or context.flags.met("symp")):
        return False
    rates = [max((r for line in o.lines for r in line.rates), default=None) for o in (one, other)]
    small = [single_dose(o, context) for o in (one, other)]
    fast, slow = rates
    if fast is None or slow is None:
        return False
    return (small[0] and fast > slow) or (small[1] and slow > fast)


def check_duplicate(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    medicines = context.chart.medicines
    result = context.chart.magnesium.result
    collected = result.collected if result else None
    if draft.route == "po":
        since = medicines.oral_since(collected) if result else ()
        if since:
            yield _keep_one(draft, f"running: {record(since[0].label, 40)}", context)
        else:
            yield from _perhaps_treated(draft, context)
        return
    if draft.as_needed or is_tier(draft, context) or emergency(draft, context):
        return
    running = [
        order
        for order in scheduled(medicines.running_parenteral, context)
        if not _continues(draft, order)
    ]
    given = medicines.given_since(collected) if result else ()
    if running:
        yield _keep_one(draft, f"running: {record(running[0].told, 70)}", context)
    elif medicines.may_run:
        yield _keep_one(draft, may_run_words(medicines.may_run[0]), context)
    elif given and not _little(draft, context):
        says = (
            f"{label(draft, context)}: drafted; given since the result: "
            f"{given_words(given[-1], context.chart)}. Recheck before more."
        )
        heading = "magnesium was given since the result: recheck before more"
        yield met(context.protocol, "D12", says, heading=heading, draft=draft)
    else:
        yield from check_twice(draft, context)
        if not given:
            yield from _perhaps_treated(draft, context)


def _keep_one(draft: DraftOrder, reason: str, context: DraftContext) -> Finding:
    says = f"{label(draft, context)}: {reason}. Keep one."
    return met(context.protocol, "D12", says, draft=draft)


def _continues(draft: DraftOrder, order: DraftOrder) -> bool:
    """Whether a draft takes the place of a running order."""
    prior = draft.resource.priorPrescription
    key = key_of(prior)
    same = draft.resource.id is not None and draft.resource.id == order.resource.id
    return same or (key is not None and key[1] == order.resource.id)


def _little(draft: DraftOrder, context: DraftContext) -> bool:
    """Little enough, given since a low level and drafted, that no recheck is asked for."""
    result = context.chart.magnesium.result
    limit = context.protocol.file.limit
    most = {"R0": limit.more_since_full, "R1": limit.more_since_reduced}
    bound = most.get(context.chart.kidney.id)
    if bound is None or result is None or not result.usable or result.collected is None:
        return False
    medicines = context.chart.medicines
    given = medicines.grams_given(context.chart.now - result.collected)
    own = draft.daily_mg()
    if (
        given is None
        or own is None
        or any(t.begun for t in medicines.given_since(result.collected))
    ):
        return False
    return result.acts_as in ("severe", "moderate") and given * 1000 + own <= bound.value * 1000


def _perhaps_treated(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """An order or administration that could not be read may be magnesium (ruling 145)."""
    unread = context.chart.unread_medicines
    if not unread or context.flags.met("life"):
        return
    says = (
        f"{label(draft, context)}: {record(unread[0].resource, 60)} could not be read and may be "
        "magnesium, running or given: check the administration record."
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
    says = f"{label(draft, context)}: oral magnesium alone will not do here."
    yield met(context.protocol, "D13", says, act="replace", draft=draft)


def check_bleeding(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "im":
        return
    for flag in ("anticoagulant", "platelets-low"):
        if context.flags.met(flag):
            says = f"{label(draft, context)}: intramuscular with {context.flags.reason(flag)}."
            yield met(context.protocol, "D15", says, act="replace", draft=draft)
            return


def check_laxative(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    kidney = context.chart.kidney
    if kidney.id not in ("R2", "R3", "R4"):
        return
    reduced = kidney.id == "R2"
    says = f"{label(draft, context)}: renal class {kidney.id}: magnesium accumulates."
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
    yield met(
        context.protocol, "D21", f"{label(draft, context)} contains magnesium: {says}.", draft=draft
    )


def check_pregnancy(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not context.chart.pregnant or context.obstetric(draft) or context.flags.met("life"):
        return
    says = (
        f"{label(draft, context)}: pregnancy: obstetric co-management. "
        f"{context.protocol.file.wording.pregnancy_limit.text}"
    )
    yield met(context.protocol, "D17", says, draft=draft)


def check_kidney_unknown(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if context.chart.kidney.id != "RU" or context.protocol.relaxed("RU"):
        return
    if context.flags.met("life") or context.flags.met("torsades"):
        return
    says = f"{label(draft, context)}: renal function is not known: order creatinine."
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
    result = context.chart.magnesium.result
    usable_low = result is not None and result.usable and result.low
    for id_ in ("H5", "H8"):
        stop = context.stops.of(id_)
        # Coronary care units pass over the label's contraindication knowingly (ruling 152).
        coronary = id_ == "H5" and context.stops.of("H4") is None
        if stop is not None and not (coronary and context.at_sign and usable_low):
            yield met(
                context.protocol,
                "D19",
                f"{label(draft, context)}: {stop.finding.says}",
                draft=draft,
                heading=stop.finding.heading,
                indicator="info" if coronary else None,
            )
    if context.stops.of("H1") is not None:
        yield met(
            context.protocol,
            "D19-age",
            f"{label(draft, context)}: not evaluated for this age.",
            draft=draft,
        )


def check_ambulatory(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "iv" or not context.chart.ambulatory:
        return
    if context.stops.of("H11") is not None:
        says = (
            f"{label(draft, context)}: an outpatient at this level or with these symptoms: "
            "same-day emergency evaluation."
        )
        yield met(context.protocol, "D20-emergency", says, draft=draft)
    else:
        yield met(
            context.protocol,
            "D20",
            f"{label(draft, context)}: is an infusion centre meant?",
            draft=draft,
        )
