"""Reading: the one magnesium result that counts, and what else was met looking for it.

Protocol section 1. The parts: candidate (which result), measure (what it says), judge (whether
it may be dosed on).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cards.chart.labs import Laboratory, collected_at
from cards.chart.magnesium.candidate import IGNORED, Candidate, newest_first, unread
from cards.chart.magnesium.judge import guard_edta, judge
from cards.chart.magnesium.measure import measure
from cards.chart.magnesium.result import Magnesium, MagnesiumReading, UnreadResult
from cards.evidence import Evidence, Unread
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
    lost = [u for u in evidence.unread if u.need == "magnesium" and not _is_void(u)]
    unreadable = [unread(c) for c in candidates if not c.read]
    unreadable += [UnreadResult(u.resource, u.reason, _collected(u)) for u in lost]
    result = None
    deciding = next((c for c in candidates if c.read), None)
    if deciding is not None:
        newer = candidates[0] is not deciding or any(_may_be_newer(u, deciding) for u in lost)
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
        evidence.other_specimens,
        result is not None and _drawn_since(evidence, result.collected),
        _before(deciding, candidates, evidence, protocol) if deciding is not None else None,
    )


def _before(
    deciding: Candidate, candidates: list[Candidate], evidence: Evidence, protocol: Protocol
) -> Magnesium | None:
    """The last usable result of the days before the deciding one (ruling 97)."""
    if deciding.collected is None:
        return None
    oldest = deciding.collected - protocol.file.limit.low_before.span
    for candidate in candidates[candidates.index(deciding) + 1 :]:
        if not candidate.read or candidate.collected is None or candidate.collected < oldest:
            continue
        found = judge(measure(candidate, protocol), candidate, evidence, False, oldest)
        if found.usable:
            return found
    return None


def _drawn_since(evidence: Evidence, collected: datetime | None) -> bool:
    """Whether a magnesium is registered that was drawn after the deciding one."""
    return any(
        resource.status == "registered"
        and (drawn := collected_at(resource)) is not None
        and (collected is None or drawn.start > collected)
        for resource in evidence.lab("magnesium")
    )


def _is_void(lost: Unread) -> bool:
    """One that would not have counted either: cancelled, entered in error."""
    return lost.source is not None and lost.source.status in IGNORED


def _collected(lost: Unread) -> datetime | None:
    """When it was collected; None when nobody can say: a bare date may be any time of its day."""
    instant = collected_at(lost.source) if lost.source is not None else None
    return instant.start if instant is not None and instant.exact else None


def _may_be_newer(lost: Unread, deciding: Candidate) -> bool:
    when = _collected(lost)
    return when is None or deciding.collected is None or when >= deciding.collected
