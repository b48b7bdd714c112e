"""What matters at any level: a draft that cannot be told, and N7, a neuromuscular blocker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from cards.assessment.finding import Finding, met
from cards.assessment.triggers.context import TriggerContext, label
from cards.orders import DraftOrder
from cards.phrase import record


def unidentified(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """A draft whose medication cannot be told is a named gap, never "not magnesium"; with a
    normal magnesium there is nothing it could change."""
    result = context.chart.magnesium.result
    normal = result is not None and result.usable and result.acts_as == "normal"
    if draft.groups or normal or not (draft.unsure or draft.unreadable):
        return
    why = "it may be magnesium" if draft.identity.possible else "what it is could not be told"
    why = record(draft.unreadable or why, 90)
    yield met(
        context.protocol,
        "D0",
        f"{record(draft.label or draft.reference, 50)}: {why}: the order was not checked.",
        draft=draft,
        heading="a drafted order could not be read",
    )


def blocker(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    drug = draft.identity.find("neuromuscular-blocker")
    if drug is None:
        return
    medicines = context.chart.medicines
    grams = medicines.grams_given(timedelta(hours=24))
    if medicines.running_parenteral or grams is None or grams > Decimal(0):
        yield met(
            context.protocol,
            "N7",
            f"{label(draft, drug)}: intravenous magnesium in the last 24 h potentiates it: "
            "monitor the block.",
            draft=draft,
        )
