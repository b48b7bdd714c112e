"""Trace: every stage of a Decision, in types that a page, a log and the command line can show."""

from cards.protocol.doses import Dose
from cards.trace.course import Course, Point, Treated, read_course
from cards.trace.fact import Fact, Missing
from cards.trace.trace import Judged, Limit24h, Open, Proposed, Stage, Trace, trace

__all__ = [
    "Course",
    "Dose",
    "Fact",
    "Judged",
    "Limit24h",
    "Missing",
    "Open",
    "Point",
    "Proposed",
    "Stage",
    "Trace",
    "Treated",
    "read_course",
    "trace",
]
