"""Figures: the tables of the report, each with its words, its query and what adds up in it."""

from service.replay.report.figures.against import CHANGES, COMPARED, DIFFERS, SAME, SEEN, UNSEEN
from service.replay.report.figures.agreement import BY_ROUTE, BY_RULE, LOWS, SUGGESTED, WAITS
from service.replay.report.figures.burden import BOTH, CARDS, HOURS, KINDS, LEVELS, PATIENTS, RULES
from service.replay.report.figures.figure import INDICATORS, LOW, OUTCOMES, Figure, Rows
from service.replay.report.figures.refusals import (
    ASKED,
    GAPS,
    HUSHED,
    OBSERVED,
    QUALITY,
    STOPS,
    WHY,
)

# As they are counted: over all, then for each hook, then what rests on the counts of hooks.
BEFORE = (PATIENTS, OBSERVED, QUALITY)
BY_HOOK = (
    *(CARDS, HOURS, KINDS, LEVELS, RULES),
    *(ASKED, STOPS, GAPS, HUSHED),
    *(SUGGESTED, BY_ROUTE, BY_RULE),
    *(COMPARED, DIFFERS, CHANGES),
)
AFTER = (BOTH, LOWS)
# As they are shown.
SHOWN = (
    *(PATIENTS, OBSERVED, QUALITY),
    *(CARDS, BOTH, KINDS, LEVELS, RULES, HOURS),
    *(ASKED, STOPS, GAPS, HUSHED),
    *(SUGGESTED, BY_ROUTE, BY_RULE, LOWS),
    *(COMPARED, DIFFERS, CHANGES),
)

__all__ = [
    "AFTER",
    "BEFORE",
    "BOTH",
    "BY_HOOK",
    "COMPARED",
    "INDICATORS",
    "KINDS",
    "LEVELS",
    "LOW",
    "OUTCOMES",
    "SAME",
    "SEEN",
    "SHOWN",
    "UNSEEN",
    "WAITS",
    "WHY",
    "Figure",
    "Rows",
]
