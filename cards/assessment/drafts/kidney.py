"""D10: magnesium for a patient whose kidney does not clear it (ruling 108)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cards.assessment.drafts.context import DraftContext, bedside, label, single_dose
from cards.assessment.drafts.dose import other_orders
from cards.assessment.drafts.level import continues, missing_level
from cards.assessment.finding import Finding, met
from cards.orders import DraftOrder

_DIALYSED = frozenset({"severe", "moderate"})
_FAILING = frozenset({"severe"})


def check_failing(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart = context.chart
    if chart.kidney.id not in ("R3", "R4"):
        return
    name = label(draft, context)
    if _may_stay(draft, context):
        if chart.filtered:
            says = f"{name}: CRRT clears magnesium: the unit's CRRT protocol, nephrology."
            heading = "CRRT clears magnesium: by the unit's CRRT protocol, with nephrology"
        else:
            says = (
                f"{name}: renal class {chart.kidney.id}: agree dose and next level with nephrology."
            )
            heading = f"renal class {chart.kidney.id}: agree it with nephrology"
        yield met(context.protocol, "D10", says, heading=heading, indicator="warning", draft=draft)
        return
    says = f"{name}: renal class {chart.kidney.id}: remove this order, nephrology."
    labs = missing_level(context)
    yield met(context.protocol, "D10", says, act="remove", labs=labs, draft=draft)


def _may_stay(draft: DraftOrder, context: DraftContext) -> bool:
    if bedside(draft, context):
        return True
    result = context.chart.magnesium.result
    low = result is not None and result.usable and result.low
    if not low or result is None:
        return False
    if context.flags.met("life") and single_dose(draft, context):
        return True
    if draft.route == "po":
        return continues(draft, context) is not None
    limit = context.protocol.file.limit
    if not draft.parenteral or draft.daily_mg() is None:
        return False
    if context.chart.filtered:
        largest = max(line.dose or line.mg_in_24h() or Decimal(0) for line in draft.lines)
        return largest <= limit.filtered_dose.value * 1000
    given = context.chart.medicines.grams_given(context.day)
    if given is None:
        return False
    others = sum((other.at_least_mg() for other in other_orders(draft, context)), Decimal(0))
    total = draft.at_least_mg() + given * 1000 + others
    if context.chart.kidney.dialysis:
        return result.acts_as in _DIALYSED and total <= limit.dialysed_dose.value * 1000
    return result.acts_as in _FAILING and total <= limit.failing_dose.value * 1000
