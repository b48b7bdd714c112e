"""Evidence: what was obtained about a patient, what was not, and since when it was known."""

from cards.evidence.evidence import (
    NEED,
    NEEDS,
    Answered,
    Evidence,
    Gap,
    Need,
    SetAside,
    Unread,
    collect,
)

__all__ = [
    "NEED",
    "NEEDS",
    "Answered",
    "Evidence",
    "Gap",
    "Need",
    "SetAside",
    "Unread",
    "collect",
]
