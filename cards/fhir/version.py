"""Version: a resource in the shape of another version of FHIR, with its elements where R4 has
them (ruling 154). Where both places are filled, that of R4 counts."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cards.fhir.resource import Annotation, Resource

# (type, "" for every type; where another version has it; where R4 has it)
_PLACES = (
    ("", "context", "encounter"),
    ("Condition", "dateRecorded", "recordedDate"),
    ("Procedure", "occurrenceDateTime", "performedDateTime"),
    ("Procedure", "occurrencePeriod", "performedPeriod"),
    ("Encounter", "actualPeriod", "period"),
)
_SAME = (("performedDateTime", "performedPeriod"),)  # two shapes of one element


def as_r4(resource: Resource) -> Resource:
    """The resource, each element of another version's place moved to that of R4."""
    code = resource.code
    changed: dict[str, Any] = {}
    for type_, elsewhere, place in _PLACES:
        if type_ and type_ != resource.resourceType:
            continue
        value = getattr(resource, elsewhere)
        if value is not None and not _filled(resource, place):
            changed[place] = value
    if resource.comment is not None and resource.note is None:
        changed["note"] = Annotation(text=resource.comment)
    if code is not None and code.concept is not None and code.coding is None and code.text is None:
        changed["code"] = code.concept
    return replace(resource, **changed) if changed else resource


def _filled(resource: Resource, place: str) -> bool:
    places = next((same for same in _SAME if place in same), (place,))
    return any(getattr(resource, name) is not None for name in places)
