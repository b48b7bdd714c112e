"""Prefetch: the data of a request as JSON, edited in place, whatever shape it came in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cards import codes
from cards.evidence import NEED
from cards.fhir.instant import read_instant
from service.pages.bundle import codings

Json = dict[str, Any]


@dataclass(frozen=True)
class Prefetch:
    """The prefetch of ``request``, which is changed by what is done here."""

    request: Json

    def values(self) -> Json:
        """By key; made when there is none."""
        found = self.request.get("prefetch")
        if not isinstance(found, dict):
            found = self.request["prefetch"] = {}
        return found

    def put(self, need: str, resource: Json) -> None:
        """One more resource under a need's key."""
        self.answer(need)["entry"].append({"resource": resource})

    def answer(self, need: str) -> Json:
        """The Bundle under a need's key, made when there is none: then the need counts as
        answered."""
        prefetch = self.values()
        value = as_object(prefetch.get(need))
        if "resourceType" not in value and "resource" in value:
            value = as_object(value["resource"])  # the wrapper of CDS Hooks 1.0
        if value.get("resourceType") not in ("Bundle", NEED[need].type):
            value = {"resourceType": "Bundle", "type": "searchset"}
        elif value.get("resourceType") != "Bundle":
            value = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": value}]}
        if not isinstance(value.get("entry"), list):
            value["entry"] = []
        prefetch[need] = value
        return value

    def drop(self, wanted: Callable[[Json], bool]) -> None:
        """Leaves every resource out of the prefetch that is ``wanted``."""
        prefetch = self.values()
        for key, value in list(prefetch.items()):
            if isinstance(value, dict) and "resourceType" in value and _is(value, wanted):
                prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": []}
            else:
                _filter(value, wanted)


def _is(resource: Json, wanted: Callable[[Json], bool]) -> bool:
    return resource.get("resourceType") != "Bundle" and wanted(resource)


def _filter(value: object, wanted: Callable[[Json], bool]) -> None:
    found = as_object(value)
    _filter_inside(found.get("resource"), wanted)
    entries = found.get("entry")
    if not isinstance(entries, list):
        return
    kept = [e for e in entries if not _is(as_object(as_object(e).get("resource")), wanted)]
    if len(kept) != len(entries):
        found["entry"] = kept
        if isinstance(found.get("total"), int):
            found["total"] = len(kept)
    for entry in kept:
        _filter_inside(as_object(entry).get("resource"), wanted)


def _filter_inside(resource: object, wanted: Callable[[Json], bool]) -> None:
    if as_object(resource).get("resourceType") == "Bundle":
        _filter(resource, wanted)


def as_object(value: object) -> Json:
    """The value when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def name_of(resource: Json) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def labs_of(resource: Json) -> frozenset[str]:
    if resource.get("resourceType") != "Observation":
        return frozenset()
    found = (codes.lab_concept(code) for _, code in codings(resource))
    return frozenset(lab for lab in found if lab is not None)


def is_after(resource: Json, moment: datetime) -> bool:
    text = resource.get("effectiveDateTime")
    instant = read_instant(text) if isinstance(text, str) else None
    return instant is not None and instant.start >= moment


def states_of(resource: Json) -> frozenset[str]:
    return frozenset().union(*(codes.condition_concepts(s, c) for s, c in codings(resource)))


def is_order(resource: Json) -> bool:
    return resource.get("resourceType") == "MedicationRequest"


def groups_of(resource: Json) -> frozenset[str]:
    """The groups of the drugs that a medication resource names by code."""
    coded = {"code": resource.get("medicationCodeableConcept")}
    found: frozenset[str] = frozenset()
    for system, code in codings(coded):
        drug = codes.drug(system, code)
        found |= drug.groups if drug is not None else frozenset()
    return found
