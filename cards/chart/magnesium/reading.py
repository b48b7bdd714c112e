"""Reading: the one magnesium result that counts, and what else was met looking for it.

Protocol section 1. The parts: candidate (which result), measure (what it says), judge (whether
it may be dosed on).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cards.chart.labs import Laboratory
from cards.chart.magnesium.candidate import newest_first, unread
from cards.chart.magnesium.judge import guard_edta, judge
from cards.chart.magnesium.measure import measure
from cards.chart.magnesium.result import MagnesiumReading, UnreadResult
from cards.evidence import Evidence
from cards.fhir.resource import name
from cards.protocol import Protocol


def read_magnesium(
    evidence: Evidence,
    now: datetime,
    protocol: Protocol,
    age: timedelta,
    laboratory: Laboratory,
) -> MagnesiumReading:
    """The MagnesiumReading of the evidence; ``age`` is the limit of this setting."""
    latest = now + protocol.file.result.future.span
    found = newest_first(evidence.lab("magnesium"))
    future = [name(c.resource) for c in found if c.when > latest]
    candidates = found[len(future) :]
    lost = [u for u in evidence.unread if u.need == "magnesium"]
    unreadable = [unread(c) for c in candidates if not c.read]
    unreadable += [UnreadResult(u.resource, u.reason) for u in lost]
    result = None
    deciding = next((c for c in candidates if c.read), None)
    if deciding is not None:
        newer = bool(lost) or candidates[0] is not deciding
        result = measure(deciding, protocol)
        result = judge(result, deciding, evidence, newer, now - age)
        result = guard_edta(
            result, evidence, protocol, laboratory["potassium"], laboratory["calcium"]
        )
    whole = evidence.lab("magnesium-whole-blood")
    return MagnesiumReading(
        result,
        tuple(unreadable),
        tuple(future),
        name(whole[0]) if whole and not candidates else None,
    )
