"""The words of a card's detail: facts, case, giving; put together in detail."""

from cards.plan.words.detail import detail_lines
from cards.plan.words.line import Line

__all__ = ["Line", "detail_lines"]
