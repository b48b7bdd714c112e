"""cards: Evidence in, cards out. Pure: no network, disk, clock, environment or log.

``decide`` is the one door. ``now`` is an argument; its timezone is the site's.
"""

from cards.decision import Decision, decide, needs_patient
from cards.trace import Stage

__all__ = ["Decision", "Stage", "decide", "needs_patient"]
