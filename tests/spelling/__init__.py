"""Spelling: the same request in other words, and the same request with a part made unreadable.

Each transformation is a function from a request to a request. ``otherwise`` keeps the meaning
(the card has to stay as it is but for names that it echoes); ``unreadable`` takes a part out of
reach, recognisably (the card may refuse more, and may not fall silent).
"""

from tests.spelling.otherwise import SAME
from tests.spelling.unreadable import UNREADABLE

__all__ = ["SAME", "UNREADABLE"]
