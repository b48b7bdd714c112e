"""Orders beside a magnesium that cannot be used, or that nobody measured (N1-lab, N3-lab)."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.finding import Finding, met
from cards.assessment.state import read_state
from cards.assessment.triggers.context import TriggerContext, label
from cards.chart import PROBLEMS
from cards.orders import DraftOrder
from cards.phrase import bare, record
from cards.protocol import Indicator
from cards.protocol.rules import LISTENERS


def unusable(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """A magnesium that was not obtained matters to an order that magnesium matters to; one that
    came and cannot be used, only to a QT drug and digoxin (ruling 95)."""
    chart = context.chart
    result = chart.magnesium.result
    if (result is not None and result.usable) or "magnesium" in context.lab_drafts:
        return
    if chart.gap("magnesium") is not None:
        yield from _not_obtained(draft, context)
        return
    reading = chart.magnesium
    if (result is None and not (reading.unreadable or reading.future)) or context.replaced:
        return
    rule = next((rule for rule in ("N4", "N5") if _listens(rule, draft)), None)
    state = read_state(chart, context.flags, context.stops, context.protocol, maintenance=False)
    if rule is None or state is None:
        return
    life = state.rule.startswith("life")  # it waits for no level, a high one neither
    if result is not None and result.acts_as in ("high", "toxic") and not life:
        return
    drug = next(d for r, group in LISTENERS if r == rule and (d := draft.identity.find(group)))
    indicator = state.indicator or "info"
    heading = state.heading
    if result is not None:
        heading = f"magnesium {bare(result.shown(), 30)}: {heading}"
    yield met(
        context.protocol,
        rule,
        f"{label(draft, drug)}: {state.says}",
        draft=draft,
        indicator="warning" if indicator == "critical" and not life else indicator,
        labs=state.labs,
        heading=heading,
    )


def _listens(rule: str, draft: DraftOrder) -> bool:
    return any(r == rule and draft.identity.find(group) for r, group in LISTENERS)


def _not_obtained(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """Said beside oral magnesium too: nobody knows whether it is enough (ruling 123)."""
    drug = next((d for _, group in LISTENERS if (d := draft.identity.find(group))), None)
    gap, result = context.chart.gap("magnesium"), context.chart.magnesium.result
    if drug is None or gap is None or context.infused or context.magnesium_drafts:
        return
    heading = ""
    if result is not None:
        heading = f"only magnesium {bare(result.shown(), 30)} came along"
    severe = (
        result is not None
        and result.value is not None
        and result.value <= context.protocol.severe_high
        and result.band is not None
    )
    # A severe value that came along under another key is shown, and is no reason to dose.
    indicator: Indicator | None = "warning" if severe else None
    yield met(
        context.protocol,
        "not-obtained",
        f"{label(draft, drug)}: magnesium results could not be read ({record(gap.reason, 90)}).",
        draft=draft,
        indicator=indicator,
        labs=("magnesium",),
        heading=heading,
    )


def not_measured(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """Potassium for a low potassium, and no usable magnesium of the last day (N1-lab)."""
    chart = context.chart
    drug, k, result = draft.identity.find("potassium"), chart.potassium, chart.magnesium.result
    if drug is None or k is None or not context.low_potassium:
        return
    if "magnesium" in context.lab_drafts or chart.gap("magnesium") or context.replaced:
        return
    interval = context.protocol.file.limit.magnesium_lab_interval
    if result is not None and result.usable:
        recent = result.collected is not None and chart.now - result.collected <= interval.span
        if recent or result.low:
            return  # known; or low, and N1 speaks
    if result is not None and "unit-conflict" in result.problems:
        # A repeat would come the same way (ruling 106).
        yield met(
            context.protocol,
            "unit-conflict",
            f"{label(draft, drug)}: potassium {k.quantity}, and the magnesium cannot be used: "
            f"{PROBLEMS['unit-conflict']}. Ask the laboratory which unit it is: a repeat will "
            "come the same way.",
            draft=draft,
            indicator="info",
        )
        return
    why = ""
    if result is not None and result.problems:
        why = f" ({PROBLEMS[result.problems[0]]})"
    elif result is None and chart.magnesium.unreadable:
        why = " (a magnesium result could not be read)"
    yield met(
        context.protocol,
        "N1-lab",
        f"{label(draft, drug)}: potassium {k.quantity} and no usable magnesium in "
        f"{interval.said}{why}: order magnesium.",
        draft=draft,
        labs=("magnesium",),
    )


def baseline(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """An outpatient's PPI with digoxin or a diuretic and no magnesium ever on file (rulings 58,
    103)."""
    drug = draft.identity.find("ppi")
    chart = context.chart
    reading = chart.magnesium
    if drug is None or not chart.ambulatory or "magnesium" in context.lab_drafts:
        return
    if reading.result is not None or reading.unreadable or chart.gap("magnesium"):
        return
    partners = ("digoxin", "loop", "thiazide")
    beside = [*chart.medicines.active(*partners)]
    beside += [d for d in context.session if d is not draft and d.groups & set(partners)]
    if beside:
        yield met(
            context.protocol,
            "N3-lab",
            f"{label(draft, drug)} with {record(beside[0].label, 40)}: no magnesium on file, "
            "order a baseline.",
            draft=draft,
            labs=("magnesium",),
        )
