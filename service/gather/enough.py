"""Enough: whether the pages that came hold all that a need asks for, though more exist."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from urllib.parse import unquote

from cards.evidence import read_whose
from cards.fhir import read_codes
from cards.fhir.instant import read_instant
from cards.fhir.resource import Entry, Resource
from service.gather.fetch import Wanted


def holds_enough(wanted: Wanted, found: Iterable[Entry], patient_id: str) -> bool:
    """Whether pages hold all that a lab need asks for: its newest ``_count`` results.

    A server that ignores ``code``, ``_sort`` or ``_count`` may keep the newest result for the
    next page, so codes and order are looked at, not assumed.
    """
    need = wanted.need
    count = re.search(r"_count=(\d+)", need.query)
    if not need.labs or count is None:
        return False
    results = [
        e.resource for e in found if e.resource is not None and e.resource.resourceType == need.type
    ]
    times = [_collected(r) for r in results]
    known = [t for t in times if t is not None]
    if len(known) < len(times) or any(a < b for a, b in pairwise(known)):
        return False
    asked = {code.rpartition("|")[2] for code in _codes(wanted.query)}
    whose = read_whose(patient_id, ())
    ours = [r for r in results if r.subject is None or whose.why_not(r.subject) is None]
    return sum(any(c.code in asked for c in read_codes(r.code)) for r in ours) >= int(count[1])


def _codes(query: str) -> list[str]:
    match = re.search(r"[?&]code=([^&]*)", query)
    return [unquote(code) for code in match[1].split(",")] if match else []


def _collected(resource: Resource) -> float | None:
    period = resource.effectivePeriod
    instant = read_instant(
        resource.effectiveDateTime
        or resource.effectiveInstant
        or (period.end or period.start if period else None)
    )
    return None if instant is None else instant.start.timestamp()
