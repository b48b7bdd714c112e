"""Checks D0 to D21 on a drafted magnesium order (protocol section 7)."""

from __future__ import annotations

from cards.assessment.drafts.caution import (
    check_ambulatory,
    check_bleeding,
    check_carrier,
    check_cautions,
    check_duplicate,
    check_kidney_unknown,
    check_laxative,
    check_oral_only,
    check_pregnancy,
    check_twice,
)
from cards.assessment.drafts.context import DraftContext
from cards.assessment.drafts.dose import (
    check_concentration,
    check_dose,
    check_half,
    check_oral_ceiling,
)
from cards.assessment.drafts.level import (
    check_contraindicated,
    check_level,
    check_remove_high,
)
from cards.assessment.drafts.rate import check_rate, check_unreadable
from cards.assessment.finding import Finding
from cards.orders import DraftOrder

__all__ = ["DraftContext", "check_carrier", "check_draft"]


def check_draft(draft: DraftOrder, context: DraftContext) -> list[Finding]:
    """Every finding met by a drafted magnesium order; [] when it is right."""
    if draft.laxative is not None and draft.magnesium is None:
        return [*check_remove_high(draft, context), *check_laxative(draft, context)]
    if any(offer.same_as(draft) for offer in context.offers):
        # Right as ordered; but not twice, and not from an undiluted vial.
        return [*check_concentration(draft, context), *check_twice(draft, context)]
    readable = _is_readable(draft)
    checks = [*check_unreadable(draft, context)]
    checks += check_rate(draft, context)
    if readable:
        checks += [
            *check_dose(draft, context),
            *check_concentration(draft, context),
            *check_half(draft, context),
            *check_oral_ceiling(draft, context),
        ]
    checks += [
        *check_level(draft, context),
        *check_remove_high(draft, context),
        *check_contraindicated(draft, context),
        *check_duplicate(draft, context),
        *check_oral_only(draft, context),
        *check_bleeding(draft, context),
        *check_pregnancy(draft, context),
        *check_kidney_unknown(draft, context),
        *check_cautions(draft, context),
        *check_ambulatory(draft, context),
    ]
    return checks


def _is_readable(draft: DraftOrder) -> bool:
    """Whether an amount can be judged; a rate or a time that cannot be read takes nothing from
    that (ruling 142)."""
    if draft.unreadable or draft.route is None:
        return False
    return any(line.mg_in_24h() is not None for line in draft.lines)
