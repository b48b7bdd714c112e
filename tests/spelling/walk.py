"""Walk: over the resources of a request, and over every object in them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Change = Callable[[Json], Json]
SERVER = "https://ehr.example/fhir"


def of_record(request: Json) -> Iterator[tuple[str, Json]]:
    """(key, Bundle entry) of every resource of the record; a single read is its own entry."""
    for key, value in request["prefetch"].items():
        if value and value.get("resourceType") == "Bundle":
            for entry in value.get("entry") or ():
                yield key, entry
        elif value:
            yield key, {"resource": value}


def drafts(request: Json) -> list[Json]:
    """The Bundle entries of the draft orders."""
    entries: list[Json] = (request["context"].get("draftOrders") or {}).get("entry") or []
    return entries


def objects(value: Any) -> Iterator[Json]:
    """Every object in a value, itself first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def everywhere(change: Callable[[Json], None], *, with_drafts: bool = True) -> Change:
    """A transformation that changes each object of the record, and of the drafts, in place."""

    def changed(request: Json) -> Json:
        request = copy.deepcopy(request)
        entries = [entry for _, entry in of_record(request)]
        for entry in [*entries, *(drafts(request) if with_drafts else ())]:
            for found in objects(entry["resource"]):
                change(found)
        return request

    return changed
