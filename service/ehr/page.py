"""Page: one answer of a FHIR server, read as far as it can be read.

It is read (service.cdshooks.prefetch) and judged (service.gather.judgement) as a prefetch value
is.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import Raw

from cards.evidence import Need, Unread
from cards.fhir.resource import Entry, Resource
from service.cdshooks.character import mended
from service.cdshooks.prefetch import entries_of, read_apart
from service.ehr.wire import TOO_LARGE, UNREADABLE, Broken
from service.gather import fault_of, next_page

NO_LINK = "more pages exist, and where cannot be read"
MOST_RESOURCES = 1000  # in one answer and of one need


_resource = msgspec.json.Decoder(Resource)


@dataclass(frozen=True, slots=True)
class Page:
    """``fault``: why it is no answer, or no whole one, in words; ``next``: the link, as sent."""

    entries: tuple[Entry, ...] = ()
    unread: tuple[Unread, ...] = ()
    fault: str | None = None
    next: str | None = None


def read_page(body: bytes, need: Need, patient_id: str) -> Page:
    """The Page of the body of a search or read. Raises Broken when it is not JSON."""
    value, unread = _decode(mended(body), need, patient_id)
    if value is None:
        return Page(unread=unread, fault=UNREADABLE)
    if value.entry is not None and len(value.entry) > MOST_RESOURCES:
        raise Broken(TOO_LARGE)  # before it is walked through
    entries = tuple(entries_of(value))
    link = next_page(value)
    fault = fault_of(need, value, entries)
    if fault is None and not entries and (need.single or value.resourceType != "Bundle"):
        fault = UNREADABLE
    if fault is None and link == "":
        fault = NO_LINK
    return Page(entries, unread, fault, link or None)


def _decode(body: bytes, need: Need, patient_id: str) -> tuple[Resource | None, tuple[Unread, ...]]:
    try:
        try:
            return _resource.decode(body), ()
        except msgspec.ValidationError:
            msgspec.json.decode(body, type=Raw)  # malformed after the place where types broke?
        apart = read_apart({need.name: Raw(body)}, patient_id)
    except (RecursionError, msgspec.DecodeError):
        raise Broken(UNREADABLE) from None
    return apart.values.get(need.name), tuple(apart.unread)
