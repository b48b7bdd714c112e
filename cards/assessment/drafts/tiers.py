"""Tiers: orders of which a patient gets one, by the level (ruling 101).

"2 g if 1.6-1.9, 4 g if 1.2-1.5, 6 g if < 1.2" is one protocol, not 12 g. A PRN order is a tier; so
is a one-off order beside another of the same route whose text names a different level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from cards.assessment.drafts.context import DraftContext
from cards.orders import DraftOrder

_NUMBER = r"(\d{1,2}(?:[.,]\d{1,2})?)"
_LESS = r"<=?|\u2264|less than|lower than|below|under"
_MORE = r">=?|\u2265|more than|greater than|higher than|above|over"
# A number that is a dose or a time is no level: 4 g, 2 h; 1.2 mg/dL is one.
_NO_DOSE = r"(?![\d.,])(?!\s*(?:g|gm|grams?|mg|meq|mmol|ml|min|minutes|h|hrs?|hours?|%)\b(?!\s*/))"
_LEVEL = re.compile(
    r"\b(?:mg|mag|magnesium|level|if)\b[^\d;<>\u2264\u2265]{0,20}?"
    rf"(?:(?P<than>{_LESS}|{_MORE})\s*(?:or equal to\s*)?{_NUMBER}{_NO_DOSE}"
    rf"|{_NUMBER}\s*(?:-|\u2013|to)\s*{_NUMBER}{_NO_DOSE})",
    re.I,
)
_READ = 400  # characters of a text


def level_named(order: DraftOrder) -> str | None:
    """The level an order's text names, as a word to compare: ``<1.8``, ``1.2-1.5``."""
    for line in order.lines:
        match = _LEVEL.search(line.text[:_READ])
        if match is None:
            continue
        if match["than"]:
            less = re.fullmatch(_LESS, match["than"], re.I) is not None
            return f"{'<' if less else '>'}{match[2].replace(',', '.')}"
        return f"{match[3].replace(',', '.')}-{match[4].replace(',', '.')}"
    return None


def is_tier(order: DraftOrder, context: DraftContext) -> bool:
    """Whether an order is one of several of which one is given, or PRN: it treats nobody yet."""
    if order.as_needed:
        return True
    if not order.parenteral or not order.one_off:
        return False
    own = level_named(order)
    return own is not None and any(
        (level := level_named(other)) is not None and level != own
        for other in _beside(order, context)
    )


def scheduled(orders: Iterable[DraftOrder], context: DraftContext) -> tuple[DraftOrder, ...]:
    """The parenteral magnesium orders that are given without anybody's further decision."""
    return tuple(
        order
        for order in orders
        if order.magnesium is not None and order.parenteral and not is_tier(order, context)
    )


def _beside(order: DraftOrder, context: DraftContext) -> Iterable[DraftOrder]:
    """One-off orders of the same route in the same drafts, or written at about the same time."""
    together: timedelta = context.protocol.file.limit.tiers_together.span
    drafted = order in context.session
    for other in (*context.session, *context.chart.medicines.magnesium):
        if other is order or other.magnesium is None or other.route != order.route:
            continue
        if not other.one_off or other.as_needed:
            continue
        same_call = drafted and other in context.session
        written = order.start, other.start
        near = written[0] and written[1] and abs(written[0] - written[1]) <= together
        if same_call or near:
            yield other
