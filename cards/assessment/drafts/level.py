"""D6 to D8 and D11: whether the patient should get magnesium at all."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.drafts.context import DraftContext, bedside, label
from cards.assessment.drafts.tiers import is_tier
from cards.assessment.finding import Act, Finding, met
from cards.chart import HEADINGS, PROBLEMS, Chart
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
            both = ("magnesium", "potassium")
            yield met(context.protocol, "life-no-level", says, act="lab", labs=both, draft=draft)
        elif not given and not high_unusable(context) and not is_tier(draft, context):
            # A repeat of a result whose code and unit disagree comes the same way (ruling 106).
            conflict = result is not None and "unit-conflict" in result.problems
            labs = () if conflict else ("magnesium",)
            yield met(context.protocol, "D6", _no_level(context), draft=draft, labs=labs)
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
    if is_tier(draft, context) or not equilibrated(chart, context.protocol):
        return  # a PRN order is for the next low level, not for this one
    if draft.route is None:
        return  # ruling 122
    yield met(
        context.protocol,
        "D7",
        f"{label(draft, context)}: magnesium is normal and no other indication is coded: not indicated.",
        draft=draft,
        heading=f"magnesium {record(result.shown(), 30)} is normal: not indicated",
    )


def _no_level(context: DraftContext) -> str:
    chart = context.chart
    result = chart.magnesium.result
    gap = chart.gap("magnesium")
    if result is not None and "unit-conflict" in result.problems:
        return (
            f"No usable magnesium: {record(result.shown(), 40)}: have the unit checked; this "
            "hospital's code and unit disagree, and another result will come the same way."
        )
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


# Such a high level may be lower than it says, and still stands against more (ruling 116).
_STANDS = frozenset({"haemolysed", "preliminary", "newer-unreadable", "contaminated", "stale"})


def high_unusable(context: DraftContext) -> bool:
    """Whether a level that may not be dosed on is high enough to stand against more."""
    chart = context.chart
    result = chart.magnesium.result
    if result is None or not result.problems or result.acts_as not in ("high", "toxic"):
        return False
    if not _STANDS.issuperset(result.problems):
        return False
    if "stale" not in result.problems or result.collected is None:
        return True
    file = context.protocol.file
    age = (file.result.age_ambulatory if chart.ambulatory else file.result.age_inpatient).span
    return chart.now - result.collected <= age + file.limit.unusable_high.span


def check_remove_high(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    result = context.chart.magnesium.result
    if result is None or result.acts_as not in ("high", "toxic") or result.value is None:
        return
    limit = context.protocol.file.limit
    if context.obstetric(draft) and result.value <= limit.obstetric_high.value:
        return
    shown = record(result.shown(), 40)
    if not result.usable:
        if high_unusable(context):
            why = PROBLEMS[result.problems[0]]
            says = f"{label(draft, context)}: magnesium is {shown}, but {why}: repeat now."
            heading = f"magnesium {shown}, {HEADINGS[result.problems[0]].split(':')[0]}: repeat now"
            labs = ("magnesium",)
            yield met(
                context.protocol, "D8", says, heading=heading, indicator="warning", act="lab",
                labs=labs, draft=draft,
            )  # fmt: skip
        return
    slight = result.value <= limit.high_card.value
    if slight and draft.laxative is not None and draft.magnesium is None and draft.as_needed:
        return  # ruling 104
    if slight and draft.magnesium is not None and is_tier(draft, context):
        says = f"{label(draft, context)}: magnesium is {shown}: nothing is due from it now."
        heading = f"magnesium is {shown}"
        yield met(context.protocol, "D8", says, heading=heading, indicator="info", draft=draft)
        return
    act: Act = "none" if bedside(draft, context) else "remove"
    says = f"{label(draft, context)}: magnesium is {shown}: remove this order."
    yield met(context.protocol, "D8", says, act=act, draft=draft)


def check_contraindicated(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    stops = context.stops
    torsades = bedside(draft, context)
    act: Act = "none" if torsades else "remove"
    indicator: Indicator | None = "warning" if torsades else None
    block, nerve = stops.of("H4"), stops.of("H6")
    stop = nerve or (block if draft.route != "po" else None)
    if stop is not None:
        says = f"{label(draft, context)}: {stop.finding.says}"
        yield met(
            context.protocol,
            "D11",
            says,
            draft=draft,
            heading=f"{stop.finding.heading}: remove this order",
            act=act,
            indicator=indicator,
            labs=missing_level(context),
        )


def missing_level(context: DraftContext) -> tuple[str, ...]:
    """The lab of D6, which goes along where another finding leads (ruling 129)."""
    result = context.chart.magnesium.result
    return () if result is not None and result.usable else ("magnesium",)
