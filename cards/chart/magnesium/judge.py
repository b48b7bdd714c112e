"""Judge: what stands against dosing on a result: its age, its specimen, the tube it came in."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec.structs import replace

from cards.chart.labs import Labs
from cards.chart.magnesium.candidate import Candidate
from cards.chart.magnesium.result import PROBLEMS, Magnesium
from cards.evidence import Evidence
from cards.fhir.resource import Resource, codings, contained, many, name, reference_key
from cards.protocol import Protocol

_HAEMOLYSED = re.compile(r"\bha?emoly\w*", re.I)
_NEGATED = re.compile(r"\b(?:no|not|non|without|negative)\b(?:\W+\w+){0,2}\W*\Z", re.I)
_NON_PREFIX = re.compile(r"\bnon-?\Z", re.I)
_ORDER = list(PROBLEMS)


def judge(
    result: Magnesium,
    candidate: Candidate,
    evidence: Evidence,
    newer_unreadable: bool,
    oldest: datetime,
) -> Magnesium:
    """The result with its problems, worst first."""
    problems = list(result.problems)
    if newer_unreadable:
        problems.append("newer-unreadable")
    if result.collected is None:
        problems.append("undated")
    elif result.collected < oldest:
        problems.append("stale")
    if result.status == "preliminary":
        problems.append("preliminary")
    if _haemolysed(candidate.resource, evidence):
        problems.append("haemolysed")
    if not evidence.obtained("magnesium"):
        problems.append("not-obtained")
    if not problems:
        return result
    return replace(result, problems=tuple(sorted(dict.fromkeys(problems), key=_ORDER.index)))


def guard_edta(
    result: Magnesium, evidence: Evidence, protocol: Protocol, potassium: Labs, calcium: Labs
) -> Magnesium:
    """Very low magnesium with high potassium and low calcium of the same collection: the wrong
    tube, not a deficiency. A haemolysed potassium is no high one (ruling 14)."""
    limits = protocol.file.result
    collected = result.collected
    if collected is None or result.value is None or result.value >= limits.edta_magnesium.value:
        return result
    window = limits.edta_window.span
    first, last = collected - window, collected + window
    high = [
        lab for lab in potassium.between(first, last) if lab.at_least(limits.edta_potassium.value)
    ]
    if not high:
        return result
    haemolysed = _haemolysed_sources(evidence, "potassium")
    wrong_tube = any(lab.source not in haemolysed for lab in high) and any(
        lab.below(limits.edta_calcium.value) for lab in calcium.between(first, last)
    )
    return replace(result, problems=(*result.problems, "edta")) if wrong_tube else result


def _haemolysed(resource: Resource, evidence: Evidence) -> bool:
    for note in many(resource.note):
        for match in _HAEMOLYSED.finditer(note.text or ""):
            before = (note.text or "")[: match.start()]
            if not _NEGATED.search(before) and not _NON_PREFIX.search(before):
                return True
    for reference in many(resource.specimen):
        specimen = contained(resource, reference.reference)
        key = reference_key(reference.reference)
        if specimen is None and key is not None and key[0] == "Specimen":
            specimen = next((s for s in evidence.of_type("Specimen") if s.id == key[1]), None)
        for condition in many(specimen.condition) if specimen else ():
            if any(coding.code == "HEM" for coding in codings(condition)):
                return True
    return False


def _haemolysed_sources(evidence: Evidence, concept: str) -> frozenset[str]:
    """Names of the results of a concept whose specimen is haemolysed."""
    return frozenset(
        name(resource) for resource in evidence.lab(concept) if _haemolysed(resource, evidence)
    )
