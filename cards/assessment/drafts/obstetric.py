"""The amounts of obstetrics on a drafted order, and what is beyond them (rulings 124, 160)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from cards.assessment.drafts.context import DraftContext, grams, label
from cards.assessment.drafts.level import missing_level
from cards.assessment.drafts.rate import push_or_fast
from cards.assessment.finding import Finding, met
from cards.orders import DoseLine, DraftOrder
from cards.phrase import record
from cards.units.quantity import figures

Kind = Literal["load", "maintenance", "bag", "unknown"]
_HAIR = Decimal("1e-9")
_BUTTOCK = re.compile(
    r"each (?:buttock|side|hip|glut)|both (?:buttocks|sides)|buttocks|glute", re.I
)


def check_obstetric(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """What is beyond the amounts of obstetrics."""
    if draft.route == "im":
        yield from _injected(draft, context)
    else:
        for line in draft.lines:
            yield from _infused(draft, line, context)
    yield from _kidney(draft, context)
    yield from _twice(draft, context)


def kind_of(draft: DraftOrder, line: DoseLine, context: DraftContext) -> Kind:
    """A load or the maintenance, which part at 3 g/h; a bag when no rate is readable."""
    limit = context.protocol.file.limit
    if draft.route == "im":
        return "load"
    rate = _per_hour(line)
    if rate is None:
        if line.dose is None:
            return "unknown"
        return "bag" if line.dose > limit.obstetric_bag.value * 1000 else "load"
    slow = rate <= limit.obstetric_rate.value * 1000 + _HAIR
    return "maintenance" if slow or line.dose is None else "load"


def _per_hour(line: DoseLine) -> Decimal | None:
    """Milligrams an hour by the fastest rate, or by how often a dose without one is given."""
    rates = [rate for rate in line.rates if rate > 0]
    if rates:
        return max(rates) * 60
    if line.dose is not None and line.per_day is not None and line.per_day > 4:
        return line.dose * line.per_day / 24
    return None


def _infused(draft: DraftOrder, line: DoseLine, context: DraftContext) -> Iterator[Finding]:
    limit = context.protocol.file.limit
    kind = kind_of(draft, line, context)
    rate, dose = _per_hour(line), line.dose or Decimal(0)
    name = label(draft, context)
    if kind == "bag":
        says = f"{name}: {grams(dose)} and no readable rate: rate?"
        yield met(
            context.protocol, "D1-sign", says, heading=f"{grams(dose)} in a bag: rate?", draft=draft
        )
        return
    if kind == "maintenance":
        if rate is not None and rate > limit.obstetric_rate.value * 1000 + _HAIR:
            reason = f"{figures(rate / 1000)} g/h; the fastest maintenance is "
            reason += limit.obstetric_rate.said
            yield _beyond(draft, reason, context)
        return
    if kind == "unknown" or _right_load(line, context):
        return
    yield from push_or_fast(draft, line, context)
    if dose > limit.obstetric_large_load.value * 1000:
        reason = f"{grams(dose)} in one dose; the largest load is {limit.obstetric_large_load.said}"
        yield _beyond(draft, reason, context)


def _right_load(line: DoseLine, context: DraftContext) -> bool:
    limit = context.protocol.file.limit
    rates = [rate for rate in line.rates if rate > 0]
    if line.dose is None or not rates:
        return False
    takes = line.dose / max(rates) + _HAIR
    return any(
        line.dose <= load.value * 1000 and takes >= time.value
        for load, time in (
            (limit.obstetric_load, limit.obstetric_load_time),
            (limit.obstetric_large_load, limit.obstetric_large_time),
        )
    )


def _injected(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    limit = context.protocol.file.limit
    total = sum((line.dose or Decimal(0) for line in draft.lines), Decimal(0))
    largest = max((line.dose or Decimal(0) for line in draft.lines), default=Decimal(0))
    halved = largest <= limit.obstetric_buttock.value * 1000 or any(
        _BUTTOCK.search(line.text) for line in draft.lines
    )
    if total > limit.obstetric_im.value * 1000 or not halved:
        reason = f"{grams(total)} intramuscular; right is {limit.obstetric_buttock.said} in each "
        yield _beyond(draft, reason + "buttock", context)


def _beyond(draft: DraftOrder, reason: str, context: DraftContext) -> Finding:
    says = f"{label(draft, context)}: {reason}."
    return met(context.protocol, "D4", says, heading=reason, draft=draft)


def _kidney(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """The kidney limits the maintenance, not the load."""
    kidney, limit = context.chart.kidney, context.protocol.file.limit
    kinds = {kind_of(draft, line, context) for line in draft.lines}
    name = label(draft, context)
    if kidney.id in ("R3", "R4"):
        small = all(
            (line.dose or Decimal(0)) <= limit.obstetric_load.value * 1000 for line in draft.lines
        )
        if kinds == {"load"} and small:
            says = f"{name}: renal class {kidney.id}: the load alone, then by levels; nephrology."
            heading = f"renal class {kidney.id}: the load alone, no maintenance"
            yield met(
                context.protocol, "D10", says, heading=heading, indicator="warning", draft=draft
            )
        else:
            says = f"{name}: renal class {kidney.id}: remove this order, nephrology."
            labs = missing_level(context)
            yield met(context.protocol, "D10", says, act="remove", labs=labs, draft=draft)
        return
    creatinine = context.chart.creatinine
    high = creatinine is not None and creatinine.at_least(limit.obstetric_creatinine.value)
    if kidney.id not in ("R1", "R2") and not high:
        return
    for line in draft.lines:
        rate = _per_hour(line)
        if kind_of(draft, line, context) != "maintenance" or rate is None:
            continue
        fast = rate > limit.obstetric_slow.value * 1000 + _HAIR
        hours = limit.obstetric_days.value
        amount = rate * hours if line.dose is None else min(line.dose, rate * hours)
        much = kidney.id == "R2" and amount > limit.obstetric_two_days.value * 1000
        if fast or much:
            advice = f"at most {limit.obstetric_slow.said}, levels, urine output"
            if much:
                advice += (
                    f"; at most {limit.obstetric_two_days.said} in {limit.obstetric_days.said}"
                )
            why = f"renal class {kidney.id}" if kidney.id in ("R1", "R2") else "creatinine raised"
            yield met(
                context.protocol,
                "D9",
                f"{name}: {why}: {advice}.",
                heading=f"{why}: {advice}",
                draft=draft,
            )
            return


def _twice(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """Two loads, or two maintenance orders, in one call; 5 g into each buttock is one load."""
    limit = context.protocol.file.limit.obstetric_buttock.value * 1000
    own = {kind_of(draft, line, context) for line in draft.lines}
    for other in context.session:
        if other is draft or other.magnesium is None or not other.parenteral:
            continue
        if draft.as_needed or other.as_needed:
            continue
        both = own & {kind_of(other, line, context) for line in other.lines} & {
            "load", "maintenance", "bag",
        }  # fmt: skip
        halves = draft.route == other.route == "im" and all(
            order.at_least_mg() <= limit for order in (draft, other)
        )
        if both and not halves:
            what = "two loads" if "load" in both else "two maintenance orders"
            says = f"{label(draft, context)}: also drafted: {record(other.told, 70)}: {what}: keep one."
            yield met(context.protocol, "D12", says, heading=f"{what}: keep one", draft=draft)
            return
