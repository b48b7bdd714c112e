"""Page: one answer of a FHIR server, read as far as it can be read.

It is read as a prefetch value is (service.cdshooks.prefetch). An OperationOutcome counts by its
issues: Epic, for one, puts a warning into every search result ("may not contain the entire
record"), and one into an empty result ("returns no results"); only an error or a fatal issue
means that something was not answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from cards.evidence import Need, Unread
from cards.fhir.resource import Entry, Resource
from service.cdshooks.prefetch import entries_of, read_apart
from service.ehr.wire import TOO_LARGE, UNREADABLE, Broken
from service.gather import is_anothers, next_page, wrong_type

ANOTHER = "the record answered with another patient's data"
ERROR = "the record answered with an error"
NO_LINK = "more pages exist, and where cannot be read"
MOST_RESOURCES = 1000  # in one answer and of one need


class _Issue(Struct, frozen=True, gc=False):
    severity: str | None = None


class _Outcome(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    issue: list[_Issue] | None = None


class _OutcomeEntry(Struct, frozen=True, gc=False):
    resource: _Outcome | None = None


class _Outcomes(_Outcome, frozen=True, gc=False):
    entry: list[_OutcomeEntry | None] | None = None


_resource = msgspec.json.Decoder(Resource)
_outcomes = msgspec.json.Decoder(_Outcomes)


@dataclass(frozen=True, slots=True)
class Page:
    """``fault``: why it is no answer, or no whole one, in words; ``next``: the link, as sent."""

    entries: tuple[Entry, ...] = ()
    unread: tuple[Unread, ...] = ()
    fault: str | None = None
    next: str | None = None


def read_page(body: bytes, need: Need, patient_id: str) -> Page:
    """The Page of the body of a search or read. Raises Broken when it is not JSON."""
    value, unread = _decode(body, need, patient_id)
    if value is None:
        return Page(unread=unread, fault=UNREADABLE)
    if value.entry is not None and len(value.entry) > MOST_RESOURCES:
        raise Broken(TOO_LARGE)  # before it is walked through
    entries = tuple(e for e in entries_of(value) if _type(e) != "OperationOutcome")
    link = next_page(value)
    fault = _fault(value, body, need, entries, patient_id)
    if fault is None and link == "":
        fault = NO_LINK
    return Page(entries, unread, fault, link or None)


def _decode(body: bytes, need: Need, patient_id: str) -> tuple[Resource | None, tuple[Unread, ...]]:
    try:
        body.decode()  # msgspec does not look into the strings it skips
        try:
            return _resource.decode(body), ()
        except msgspec.ValidationError:
            msgspec.json.decode(body, type=Raw)  # malformed after the place where types broke?
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError):
        raise Broken(UNREADABLE) from None
    try:
        apart = read_apart({need.name: Raw(body)}, patient_id)
    except RecursionError:
        raise Broken(UNREADABLE) from None
    return apart.values.get(need.name), tuple(apart.unread)


def _fault(
    value: Resource, body: bytes, need: Need, entries: Iterable[Entry], patient_id: str
) -> str | None:
    if value.resourceType == "OperationOutcome" or _has_error(body):
        return ERROR
    found = [e.resource for e in entries if e.resource is not None]
    if not found and (need.single or value.resourceType != "Bundle"):
        return UNREADABLE
    reason = wrong_type(need, {r.resourceType or "?" for r in found})
    if reason is not None:
        return reason
    ours = [r for r in found if r.resourceType == need.type]
    if any(is_anothers(r, patient_id) for r in ours):
        return ANOTHER
    return None


def _has_error(body: bytes) -> bool:
    if b"OperationOutcome" not in body:
        return False
    try:
        told = _outcomes.decode(body)
    except msgspec.DecodeError:
        return True
    outcomes = [e.resource for e in told.entry or () if e is not None and e.resource is not None]
    return any(
        issue.severity in ("error", "fatal", None)
        for outcome in outcomes
        if outcome.resourceType == "OperationOutcome"
        for issue in outcome.issue or (_Issue(),)
    )


def _type(entry: Entry) -> str | None:
    return entry.resource.resourceType if entry.resource is not None else None
