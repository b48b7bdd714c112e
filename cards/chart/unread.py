"""Unread: what came and could not be read or used, where it could matter (ruling 145).

A condition may be a stop: then the conditions count as not obtained. An order or administration
may be magnesium that runs or was given: it is named, and no drug is offered beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from cards import codes
from cards.chart.conditions import Conditions
from cards.chart.suspected import read_suspected
from cards.codes import Formulary
from cards.evidence import Evidence, Gap, Unread
from cards.evidence.known import known_since
from cards.fhir import read_codes, status_of, words_of
from cards.fhir.resource import Resource
from cards.orders import identify

_CONDITION_OVER = frozenset({"resolved", "inactive"})
_UNTRUE = frozenset({"refuted", "entered-in-error", "not-done", "cancelled", "draft"})
_ENDED = frozenset({"completed", "stopped", "ended"})
_LONG_OVER = timedelta(days=7)
# A code of these that is in none of our groups is known to be something else.
_CONDITION_SYSTEMS = frozenset({codes.SNOMED, codes.ICD10, codes.ICD10CM})
_MAGNESIUM = frozenset({"magnesium", "magnesium-laxative"})


def unread_conditions(evidence: Evidence) -> Gap | None:
    """The gap that a condition leaves which came and could not be used; None when none matters."""
    for unread in evidence.unread:
        if unread.need == "conditions" and _may_be_stop(unread.source, unread.resource):
            return Gap("conditions", f"{unread.resource}: {unread.reason}")
    return None


def unknown_status(conditions: Conditions) -> Gap | None:
    """The gap that a stop or an event leaves of which nobody can tell whether it is over."""
    for facts in conditions.facts.values():
        for fact in facts:
            if not fact.understood:
                return Gap("conditions", f"{fact.source}: its clinical status is not known here")
    return None


def unread_medicines(
    evidence: Evidence,
    medications: Mapping[str, Resource],
    now: datetime,
    formulary: Formulary,
) -> tuple[Unread, ...]:
    """Orders and administrations that could not be used and may be magnesium, now or lately."""
    return tuple(_unread_medicines(evidence, medications, now, formulary))


def _unread_medicines(
    evidence: Evidence,
    medications: Mapping[str, Resource],
    now: datetime,
    formulary: Formulary,
) -> Iterator[Unread]:
    for unread in evidence.unread:
        if unread.need not in ("medications", "administrations"):
            continue
        source = unread.source
        if source is None or (
            not _is_over(source, now) and _may_be_magnesium(source, medications, formulary)
        ):
            yield unread


def _may_be_stop(source: Resource | None, resource: str) -> bool:
    """A stop by code or by name, or nothing says what it is; of any other name it is none."""
    if source is None:
        return True
    if status_of(source.verificationStatus, codes.CONDITION_VERIFICATION) in _UNTRUE:
        return False
    if status_of(source.clinicalStatus, codes.CONDITION_CLINICAL) in _CONDITION_OVER:
        return False
    found, words = read_codes(source.code), words_of(source.code)
    if any(codes.condition_concepts(code.system, code.code) for code in found):
        return True
    if read_suspected(words, resource) is not None:
        return True
    return not words and not any(code.system in _CONDITION_SYSTEMS for code in found)


def _is_over(source: Resource, now: datetime) -> bool:
    if source.status in _UNTRUE:
        return True
    if source.resourceType == "Medication":
        return False
    if source.resourceType == "MedicationRequest" and source.status not in _ENDED:
        return False
    since = known_since(source, now.tzinfo) if now.tzinfo is not None else None
    return since is not None and since < now - _LONG_OVER


def _may_be_magnesium(
    source: Resource, medications: Mapping[str, Resource], formulary: Formulary
) -> bool:
    """Whether it is magnesium, or nothing tells what it is."""
    if source.resourceType == "Medication":
        source = Resource(medicationCodeableConcept=source.code)
    identity = identify(source, medications, formulary)
    return not identity.groups.isdisjoint(_MAGNESIUM) or identity.unidentified or identity.possible
