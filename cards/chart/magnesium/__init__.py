"""Magnesium: the one result that counts, and whether it may be dosed on (protocol section 1)."""

from cards.chart.magnesium.reading import read_magnesium
from cards.chart.magnesium.result import (
    HEADINGS,
    PROBLEMS,
    Magnesium,
    MagnesiumReading,
    UnreadResult,
)

__all__ = [
    "HEADINGS",
    "PROBLEMS",
    "Magnesium",
    "MagnesiumReading",
    "UnreadResult",
    "read_magnesium",
]
