"""Results: which laboratory concept an Observation is of, and which of unknown codes may matter.

A magnesium under a code that nobody mapped is a gap, never silence (ruling 139).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from cards import codes
from cards.fhir import Target, not_blood, read_codes, read_origin, sent_codes, words_of
from cards.fhir.resource import Resource

# What comes from the patient's blood; a weight or an interval has no specimen.
_OF_BLOOD = frozenset(
    """magnesium magnesium-whole-blood potassium calcium calcium-corrected calcium-ionized albumin
    creatinine egfr platelets""".split()
)
_MAGNESIUM = re.compile(r"(?<![^\W_])(?:magn[eé](?!t)|(?-i:M[gG])(?:2\+|\+\+)?(?![\w/%]))", re.I)
_MAGNESIUM_CODE = re.compile(r"(?:[sp][-_ ]?)?(?:mg|mag|magn\w{0,12})(?:[-_ ]?[sp])?\Z", re.I)
# Magnesium, but not how much of it is in the blood now.
_NOT_A_LEVEL = re.compile(
    r"ioni[sz]|free|frei|excret|ausscheid|ratio|quotient|clearance|intake|dose|given|24 ?h|antib"
    r"|antik|\bab\b",
    re.I,
)
_LONGEST = 200


class OtherSpecimen(Struct, frozen=True, gc=False):
    """A magnesium under a serum code that is of another specimen: its source and of what."""

    source: str
    kind: str


def concept_of(resource: Resource, site_labs: Mapping[tuple[str, str], str]) -> str | None:
    """The laboratory concept of an Observation by any of its codings; None when none is known."""
    for system, code, display in sent_codes(resource.code):
        if not system:
            lab = codes.named_lab(code, display)
        else:
            lab = codes.lab_of(system, code)
            if site_labs:
                lab = site_labs.get((codes.system_of(system), code.strip()), lab)
        if lab is not None:
            return lab
    return None


def unreadable_magnesium(
    unknown: Iterable[Resource], keyed: Iterable[Resource], site_labs: Mapping[tuple[str, str], str]
) -> list[Resource]:
    """Of results of unknown codes those that are a magnesium: named so, or without any name in
    answer to our own query (``keyed``), when the server heeded the codes of that query."""
    asked = list(keyed)
    ids = {id(resource) for resource in asked}
    heeded = not any(_is_other(r, concept_of(r, site_labs)) for r in asked)
    return [
        r
        for r in unknown
        if is_named_magnesium(r) or (heeded and id(r) in ids and not _is_other(r, None))
    ]


def is_named_magnesium(resource: Resource) -> bool:
    """Whether words or code of an unknown result say that it is a level in the blood."""
    if _is_loinc(resource):
        return False
    # A code of ours without its system, whatever stands beside it.
    if any(codes.lab_concept(code.code) == "magnesium" for code in read_codes(resource.code)):
        return True
    words = [word[:_LONGEST] for word in words_of(resource.code)]
    if any(not_blood(word) or _NOT_A_LEVEL.search(word) for word in words):
        return False
    return any(_MAGNESIUM.search(word) for word in words) or any(
        _MAGNESIUM_CODE.match(code.code[:_LONGEST]) for code in read_codes(resource.code)
    )


def _is_other(resource: Resource, concept: str | None) -> bool:
    """A test of which we know that it is another: its code says so, or its words do."""
    if concept is not None:
        return concept not in ("magnesium", "magnesium-whole-blood")
    return _is_loinc(resource) or (
        bool(words_of(resource.code)) and not is_named_magnesium(resource)
    )


def _is_loinc(resource: Resource) -> bool:
    return any(code.system == codes.LOINC and code.code for code in read_codes(resource.code))


def sent_code(resource: Resource) -> str:
    """How a result's code was sent: ``LAB103 of urn:oid:1.2.3``, else its words."""
    code = next((c for c in read_codes(resource.code) if c.code), None)
    if code is None:
        return next(iter(words_of(resource.code)), "no code")[:_LONGEST]
    return (f"{code.code} of {code.system}" if code.system else f"{code.code}, no system")[
        :_LONGEST
    ]


def settle_specimens(
    labs: Mapping[str, list[Resource]], find: Callable[[Target], Resource | None]
) -> tuple[dict[str, list[Resource]], list[tuple[str, Resource, str]]]:
    """(the results by concept, those left out: concept, result, of what).

    A result without a time takes that of its specimen (ruling 146); one of a specimen that is no
    blood is none of ours (ruling 153).
    """
    kept: dict[str, list[Resource]] = {}
    left: list[tuple[str, Resource, str]] = []
    for lab, found in labs.items():
        kept[lab] = []
        for resource in found:
            if resource.specimen is None:
                kept[lab].append(resource)
                continue
            origin = read_origin(resource, find)
            if origin.other is not None and lab in _OF_BLOOD:
                left.append((lab, resource, origin.other))
                continue
            timed = resource
            if origin.collected is not None and not _is_timed(resource):
                timed = replace(resource, effectiveDateTime=origin.collected)
            kept[lab].append(timed)
    return kept, left


def _is_timed(resource: Resource) -> bool:
    period = resource.effectivePeriod
    return bool(
        resource.effectiveDateTime
        or resource.effectiveInstant
        or (period is not None and (period.start or period.end))
    )
