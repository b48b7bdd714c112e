"""Triggers N1 to N9 on other drafted orders, and the last look at signing (section 8)."""

from __future__ import annotations

from cards.assessment.finding import Finding
from cards.assessment.triggers.chelated import chelated
from cards.assessment.triggers.context import TriggerContext
from cards.assessment.triggers.low import low
from cards.assessment.triggers.other import blocker, unidentified
from cards.assessment.triggers.signing import check_signing, waits_for_a_nurse
from cards.assessment.triggers.unusable import baseline, not_measured, unusable
from cards.orders import DraftOrder

__all__ = ["TriggerContext", "check_signing", "check_triggers", "waits_for_a_nurse"]


def check_triggers(draft: DraftOrder, context: TriggerContext) -> list[Finding]:
    """Every finding met by a drafted order that is not a magnesium replacement."""
    return [
        *unidentified(draft, context),
        *low(draft, context),
        *unusable(draft, context),
        *not_measured(draft, context),
        *baseline(draft, context),
        *blocker(draft, context),
        *chelated(draft, context),
    ]
