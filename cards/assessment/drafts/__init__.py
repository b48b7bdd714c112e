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
    partners,
)
from cards.assessment.drafts.context import DraftContext
from cards.assessment.drafts.correction import not_above
from cards.assessment.drafts.dose import (
    check_concentration,
    check_dose,
    check_half,
    check_oral_ceiling,
)
from cards.assessment.drafts.kidney import check_failing
from cards.assessment.drafts.level import (
    check_contraindicated,
    check_level,
    check_remove_high,
)
from cards.assessment.drafts.obstetric import check_obstetric
from cards.assessment.drafts.rate import check_rate, check_unreadable
from cards.assessment.drafts.tiers import scheduled
from cards.assessment.finding import Finding
from cards.orders import DraftOrder

__all__ = ["DraftContext", "check_carrier", "check_draft", "not_above", "partners", "scheduled"]


# Beside these a missing time is not worth a word (ruling 99).
_OUTWEIGH = frozenset({"D7", "D8", "D10", "D11"})


def check_draft(draft: DraftOrder, context: DraftContext) -> list[Finding]:
    """Every finding met by a drafted magnesium order; [] when it is right."""
    if draft.laxative is not None and draft.magnesium is None:
        return [*check_remove_high(draft, context), *check_laxative(draft, context)]
    if any(offer.same_as(draft) for offer in context.offers):
        # Right as ordered; but not twice, and not from an undiluted vial.
        return [*check_concentration(draft, context), *check_twice(draft, context)]
    if draft.parenteral and context.obstetric(draft):
        found = [
            *check_unreadable(draft, context),
            *check_obstetric(draft, context),
            *check_concentration(draft, context),
        ]
    else:
        found = _replacing(draft, context)
    found += [
        *check_remove_high(draft, context),
        *check_contraindicated(draft, context),
        *check_oral_only(draft, context),
        *check_bleeding(draft, context),
        *check_pregnancy(draft, context),
        *check_kidney_unknown(draft, context),
        *check_cautions(draft, context),
        *check_ambulatory(draft, context),
    ]
    most = context.protocol.file.limit.untimed_bag.value * 1000
    if any(f.rule in _OUTWEIGH for f in found) and draft.at_least_mg() <= most:
        found = [f for f in found if f.rule not in ("D1-sign", "D1-select")]
    return found


def _replacing(draft: DraftOrder, context: DraftContext) -> list[Finding]:
    """The checks of a draft that is to replace magnesium."""
    found = [*check_unreadable(draft, context), *check_rate(draft, context)]
    if _is_readable(draft):
        found += [
            *check_dose(draft, context),
            *check_concentration(draft, context),
            *check_half(draft, context),
            *check_oral_ceiling(draft, context),
        ]
    return [
        *found,
        *check_level(draft, context),
        *check_failing(draft, context),
        *check_duplicate(draft, context),
    ]


def _is_readable(draft: DraftOrder) -> bool:
    """Whether an amount can be judged; a rate or a time that cannot be read takes nothing from
    that (ruling 142)."""
    if draft.unreadable or draft.route is None:
        return False
    return any(line.mg_in_24h() is not None for line in draft.lines)
