"""Treated: what magnesium that runs or was given means for the card on opening (ruling 96)."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cards.assessment.finding import Finding, met
from cards.assessment.flags import Flags
from cards.assessment.obstetric import in_obstetrics
from cards.assessment.offers import read_cap
from cards.assessment.stops import Stops
from cards.chart import Chart
from cards.orders import DraftOrder
from cards.phrase import age, listed, record
from cards.protocol import Protocol
from cards.units.quantity import places


def level_awaited(chart: Chart) -> bool:
    """Whether a magnesium level is ordered, or was drawn after the one that counts."""
    return "magnesium" in chart.labs_ordered or chart.magnesium.drawn_since


def failing(chart: Chart, flags: Flags, stops: Stops, protocol: Protocol) -> Finding | None:
    """Severe although it was collected hours into the schedule or infusion that still runs: not
    treated, but failing (c). ``symp`` and ``life`` speak for themselves."""
    result = chart.magnesium.result
    if result is None or not result.usable or result.acts_as != "severe":
        return None
    if flags.met("symp") or flags.met("life") or stops.met("H1"):
        return None
    since = protocol.file.limit.failing_after.span
    collected = result.collected
    order = next(
        (
            o
            for o in chart.medicines.running_parenteral
            if collected is not None and o.start is not None and collected - o.start >= since
        ),
        None,
    )
    if order is None or order.start is None or collected is None:
        return None
    amount = _in_a_day(order)
    into = age(order.start, collected).removesuffix(" ago")
    words = protocol.file.wording
    # No more of what is at its limit already: the dose is agreed, the line and specimen looked at.
    most = read_cap(chart, protocol, Decimal(0), suggesting=False).limit
    daily = order.daily_mg()
    raising = chart.kidney.id in ("R0", "R1") and (daily is None or daily / 1000 < most)
    advice = words.failing.text if raising else words.agree_dose.text
    return met(
        protocol,
        "failing",
        f"{record(result.shown(), 40)}, collected {into} into {record(order.label, 40)}"
        f"{f' ({amount})' if amount else ''}: {advice}",
        evidence=(result.source, order.reference),
        labs=("magnesium",),
    )


class Excess(Struct, frozen=True, gc=False):
    """Scheduled parenteral magnesium that runs beyond what the patient may have."""

    orders: tuple[DraftOrder, ...]
    why: str


def too_much(
    chart: Chart, flags: Flags, stops: Stops, protocol: Protocol, *, fails: bool
) -> Finding | None:
    """Whatever the level: what runs beyond the limits is named as the one to reduce or stop (d);
    ``fails``: the level does not rise on it either, which one sentence says with it."""
    if flags.met("torsades") or flags.met("arrest"):
        return None
    excess = _excess(chart, stops, protocol)
    if excess is None:
        return None
    labels = listed([record(o.label, 40) for o in excess.orders], 2)
    words = protocol.file.wording
    result = chart.magnesium.result
    if fails and result is not None:
        says = f"{record(result.shown(), 40)} on {labels}, {excess.why}: {words.agree_dose.text}"
    else:
        says = f"{labels}, running: {excess.why}. {words.too_much.text}"
    return met(
        protocol,
        "too-much",
        says,
        labs=("magnesium", "creatinine"),
        evidence=tuple(o.reference for o in excess.orders),
    )


def _excess(chart: Chart, stops: Stops, protocol: Protocol) -> Excess | None:
    running = chart.medicines.running_parenteral
    if not running:
        return None
    for id_ in ("H4", "H6"):
        stop = stops.of(id_)
        if stop is not None and stop.finding.met:
            return Excess(running, stop.finding.heading)
    kidney = chart.kidney.id
    if in_obstetrics(chart, protocol):
        return _obstetric_excess(running, chart, protocol)
    if stops.met("H1") or kidney not in ("R1", "R2", "R3", "R4"):
        return None
    amounts = [o.daily_mg() for o in running]
    known = [amount / 1000 for amount in amounts if amount is not None]
    total = sum(known, Decimal(0))
    unknown = len(known) < len(amounts)
    shown = f"kidney {record(chart.kidney.shown(), 100)}"
    if kidney in ("R1", "R2"):
        limit = read_cap(chart, protocol, Decimal(0), suggesting=False).limit
        if total <= limit:
            return None
        return Excess(
            running, f"{places(total, 1)} g in 24 h is over {places(limit, 1)} g; {shown}"
        )
    allowed = _allowed(chart, protocol)
    if not unknown and allowed is not None:
        one = max(
            (line.dose or Decimal(0) for o in running for line in o.lines), default=Decimal(0)
        )
        counted = one / 1000 if chart.filtered else total
        flows = any(line.flow is not None for o in running for line in o.lines)
        if counted <= allowed and not (chart.filtered and flows):
            return None
    amount = "an unknown amount" if unknown else f"{places(total, 1)} g"
    return Excess(running, f"{amount} in 24 h; {shown}")


def _obstetric_excess(
    running: tuple[DraftOrder, ...], chart: Chart, protocol: Protocol
) -> Excess | None:
    """In obstetrics the kidney limits the maintenance: its rate, and nothing in R3 or R4
    (ruling 124)."""
    limit = protocol.file.limit
    kidney = chart.kidney
    shown = f"kidney {record(kidney.shown(), 100)}"
    if kidney.id in ("R3", "R4"):
        return Excess(running, shown)
    reduced = kidney.id in ("R1", "R2") or (
        chart.creatinine is not None and chart.creatinine.at_least(limit.obstetric_creatinine.value)
    )
    rates = [rate for o in running for line in o.lines for rate in line.rates]
    fastest = max(rates, default=Decimal(0)) * 60 / 1000
    bound = limit.obstetric_slow
    if not reduced or fastest <= bound.value:
        return None
    return Excess(running, f"{places(fastest, 1)} g/h is over {bound.said}; {shown}")


def _allowed(chart: Chart, protocol: Protocol) -> Decimal | None:
    """Grams that may run in renal failure at this level (ruling 108); None where none may."""
    result = chart.magnesium.result
    if result is None or not result.usable or not result.low:
        return None
    limit = protocol.file.limit
    if chart.filtered:
        return limit.filtered_dose.value
    if chart.kidney.id == "R4":
        return limit.dialysed_dose.value if result.acts_as in ("severe", "moderate") else None
    return limit.failing_dose.value if result.acts_as == "severe" else None


def _in_a_day(order: DraftOrder) -> str:
    amount = order.daily_mg()
    return "" if amount is None else f"{places(amount / 1000, 1)} g in 24 h"
