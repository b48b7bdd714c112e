"""Judge: what stands against dosing on a result: its age, its specimen, the tube it came in."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from cards.chart.labs import Labs
from cards.chart.magnesium.candidate import Candidate
from cards.chart.magnesium.result import PROBLEMS, Magnesium
from cards.evidence import Evidence
from cards.fhir import Handling, read_handling
from cards.fhir.resource import Resource, name
from cards.protocol import Protocol

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
    handling = _handling(candidate.resource, evidence)
    if handling.contaminated:
        problems.append("contaminated")
    if handling.haemolysed:
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


def _handling(resource: Resource, evidence: Evidence) -> Handling:
    return read_handling(resource, evidence.specimen)


def _haemolysed_sources(evidence: Evidence, concept: str) -> frozenset[str]:
    """Names of the results of a concept whose specimen is haemolysed."""
    return frozenset(
        name(resource)
        for resource in evidence.lab(concept)
        if _handling(resource, evidence).haemolysed
    )
