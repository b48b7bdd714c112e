"""D6 to D8, D10 and D11: whether the patient should get magnesium at all."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.drafts.context import DraftContext, bedside, label
from cards.assessment.finding import Act, Finding, met
from cards.chart import PROBLEMS, Chart
from cards.orders import DraftOrder
from cards.phrase import record
from cards.protocol import Indicator, Protocol


def check_level(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart = context.chart
    result = chart.magnesium.result
    if result is None or not result.usable:
        given = chart.medicines.given_since(result.collected if result else None)
        words = context.protocol.file.wording
        if context.flags.met("torsades"):
            # Life never waits for a level: the bedside words, and the order stands (ruling 7).
            says = f"{context.flags.reason('torsades')}: {words.emergency.text}"
            labs = ("magnesium", "potassium")
            yield met(context.protocol, "life-no-level", says, act="lab", labs=labs, draft=draft)
        elif not given:
            yield met(
                context.protocol,
                "D6",
                _no_level(context),
                draft=draft,
                act="lab",
                labs=("magnesium",),
            )
        return
    if result.acts_as != "normal" or context.indicated(draft) or result.value is None:
        return
    if continues(draft, context) is not None:
        return
    limit = context.protocol.file.limit
    k = chart.potassium
    low_k = k is not None and k.below(limit.potassium_low.value)
    if result.value < limit.supplement_high.value and (context.flags.met("risk") or low_k):
        return
    if draft.as_needed or not equilibrated(chart, context.protocol):
        return  # a PRN order is for the next low level, not for this one
    yield met(
        context.protocol,
        "D7",
        f"{label(draft)}: magnesium is normal and no other indication is coded: not indicated.",
        draft=draft,
        heading=f"magnesium {record(result.shown(), 30)} is normal: not indicated",
    )


def _no_level(context: DraftContext) -> str:
    chart = context.chart
    result = chart.magnesium.result
    gap = chart.gap("magnesium")
    if result is not None and result.problems:
        return f"No usable magnesium: {record(result.shown(), 40)}, {PROBLEMS[result.problems[0]]}."
    if result is None and chart.magnesium.future:
        return "No usable magnesium: the only result is dated in the future."
    if chart.magnesium.unreadable:
        return "No usable magnesium: a result could not be read."
    if gap is not None:
        return f"Magnesium results could not be read: {record(gap.reason, 120)}."
    return "Order magnesium before it is replaced."


def equilibrated(chart: Chart, protocol: Protocol) -> bool:
    """A normal value within 6 h of an infusion does not mean repleted (ruling 22)."""
    result = chart.magnesium.result
    end = chart.medicines.last_infusion_end()
    if result is None or result.collected is None or end is None or end > result.collected:
        return True
    settled = protocol.file.result.not_equilibrated.span
    return result.collected - end >= settled


def continues(draft: DraftOrder, context: DraftContext) -> DraftOrder | None:
    """The active order that a draft continues: same salt, same daily dose (rulings 47, 77)."""
    if draft.parenteral or draft.magnesium is None:
        return None
    for order in context.chart.medicines.running_oral:
        same = order.magnesium is not None and order.magnesium.salt == draft.magnesium.salt
        if same and order.daily_mg() is not None and order.daily_mg() == draft.daily_mg():
            return order
    return None


def check_remove_high(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart = context.chart
    result = chart.magnesium.result
    if result is None or not result.usable or result.acts_as not in ("high", "toxic"):
        return
    limit = context.protocol.file.limit.obstetric_high.value
    if (
        context.obstetric
        and chart.medicines.running_parenteral
        and result.value is not None
        and result.value <= limit
    ):
        return
    act: Act = "none" if bedside(draft, context) else "remove"
    says = f"{label(draft)}: magnesium is {record(result.shown(), 40)}: remove this order."
    yield met(context.protocol, "D8", says, act=act, draft=draft)


def check_contraindicated(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart, stops = context.chart, context.stops
    torsades = bedside(draft, context)
    act: Act = "none" if torsades else "remove"
    indicator: Indicator | None = "warning" if torsades else None
    if chart.kidney.id in ("R3", "R4"):
        says = f"{label(draft)}: renal class {chart.kidney.id}: remove this order, nephrology."
        yield met(context.protocol, "D10", says, act=act, indicator=indicator, draft=draft)
    block, nerve = stops.of("H4"), stops.of("H6")
    stop = nerve or (block if draft.route != "po" else None)
    if stop is not None:
        says = f"{label(draft)}: {stop.finding.says}"
        yield met(
            context.protocol,
            "D11",
            says,
            draft=draft,
            heading=f"{stop.finding.heading}: remove this order",
            act=act,
            indicator=indicator,
        )
