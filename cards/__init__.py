"""cards: Evidence in, cards out. Pure: no network, disk, clock, environment or log.

``decide`` is the one door. ``now`` is an argument; its timezone is the site's.

A value is a frozen ``msgspec.Struct``: it cannot change under those who share it, and is twenty
times cheaper to make than a frozen dataclass, of which one call makes hundreds. ``gc=False``: a
value holds no circle. ``dict=True`` for one that keeps what it has computed (cached_property):
most of an order is never asked for. Four are dataclasses, because not all of their fields count
when two are compared (tests/test_values.py names them); what a site writes, the protocol file, is
read by pydantic, which says what is wrong with it.
"""

from cards.decision import Decision, decide, needs_patient
from cards.trace import Stage

__all__ = ["Decision", "Stage", "decide", "needs_patient"]
