"""N1 to N6 and N9: a drug that matters, ordered while magnesium is low."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.finding import Finding, met
from cards.assessment.triggers.context import TriggerContext, label
from cards.codes import Drug
from cards.orders import DraftOrder
from cards.protocol import Indicator, fill
from cards.protocol.rules import LISTENERS, RULES

# A change of the dose, or a renewal, of what the patient already takes is no news (ruling 103).
_KNOWN_WHEN_ACTIVE = frozenset({"N2", "N3", "N6"})


def low(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """A usable low magnesium, which is not being replaced, and a drug that matters to it."""
    result = context.chart.magnesium.result
    if result is None or not result.usable or not result.low or context.infused:
        return
    borderline = (
        result.borderline and not context.flags.met("symp") and not context.flags.met("life")
    )
    if borderline and not (context.flags.met("risk") or context.low_potassium):
        return
    k = context.chart.potassium
    # What was accepted is among the drafts: it is not offered a second time.
    drafted_oral = not context.pressing and any(d.route == "po" for d in context.magnesium_drafts)
    seen: set[str] = set()
    for rule, group in LISTENERS:
        drug = draft.identity.find(group)
        if drug is None or rule in seen:
            continue
        if rule == "N6" and seen & {"N2", "N3"}:
            continue  # the same drug, already named as a diuretic or PPI
        seen.add(rule)
        if not _speaks(rule, draft, drug, context):
            continue
        potassium = f"potassium {k.quantity}; " if rule == "N1" and k is not None else ""
        advice = fill(RULES[rule].advice, context.protocol.file)
        yield met(
            context.protocol,
            rule,
            f"{label(draft, drug)}: {potassium}{advice}",
            draft=draft,
            indicator="info" if borderline else context.scoped(_indicator(rule, context)),
            act="none" if borderline or drafted_oral else "offer",
        )


def _indicator(rule: str, context: TriggerContext) -> Indicator:
    """By class; with an urgently low potassium a mild level is treated as a moderate one at risk
    where it can be infused, and said so (ruling 109)."""
    result = context.chart.magnesium.result
    assert result is not None  # noqa: S101 - usable
    acts_as = result.acts_as
    k = context.chart.potassium
    if (
        rule == "N1"
        and acts_as == "mild"
        and k is not None
        and k.below(context.protocol.file.limit.potassium_urgent.value)
        and not context.chart.ambulatory
        and not context.stops.blocks_parenteral
    ):
        acts_as = "moderate"
    return context.protocol.rule(rule).indicator_for(acts_as)


def _speaks(rule: str, draft: DraftOrder, drug: Drug, context: TriggerContext) -> bool:
    """Whether it is news at this level (rulings 96, 103, 151)."""
    result = context.chart.magnesium.result
    acts_as = result.acts_as if result is not None else None
    always = "cause-always" in drug.groups
    if context.replaced and not (
        acts_as == "moderate" and _despite_oral(rule, draft, drug, context)
    ):
        return False
    if acts_as == "severe" or (always and rule == "N6"):
        return True
    if rule in _KNOWN_WHEN_ACTIVE and _already_active(draft, drug, context):
        return rule == "N2" and acts_as == "moderate" and context.at_risk
    if acts_as == "mild" and rule in ("N3", "N6"):
        return False
    return not (acts_as == "mild" and rule == "N2") or context.at_risk or context.low_potassium


def _despite_oral(rule: str, draft: DraftOrder, drug: Drug, context: TriggerContext) -> bool:
    """What oral magnesium does not answer at a moderate level (ruling 151)."""
    if rule == "N4":
        strong = "qt-strong" in drug.groups or (
            "qt-haloperidol" in drug.groups and draft.route == "iv"
        )
        return strong or context.at_risk or context.low_potassium
    return rule == "N5" or (rule == "N6" and "cause-always" in drug.groups)


def _already_active(draft: DraftOrder, drug: Drug, context: TriggerContext) -> bool:
    names = {drug.name, *drug.ingredients}
    return any(
        names & {other.name, *other.ingredients}
        for order in context.chart.medicines.active(*drug.groups)
        for other in order.identity.drugs
    ) or context.chart.medicines.revises(draft)
