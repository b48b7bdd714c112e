"""Tally: everything the report counts (see read.py)."""

from service.replay.report.tally.read import read_tally
from service.replay.report.tally.tally import (
    AFTER_LOW,
    HOURS,
    INDICATORS,
    LOW,
    ORDER_HOOKS,
    OUTCOMES,
    Quartiles,
    Tally,
)

__all__ = [
    "AFTER_LOW",
    "HOURS",
    "INDICATORS",
    "LOW",
    "ORDER_HOOKS",
    "OUTCOMES",
    "Quartiles",
    "Tally",
    "read_tally",
]
