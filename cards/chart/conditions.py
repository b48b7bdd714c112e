"""Conditions: which coded concepts hold, as current events, as states, or as history.

An event (arrhythmia, seizure, tetany, acute coronary syndrome) counts only while current; a
state (heart block, myasthenia, pregnancy) while active (ruling 3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from cards import codes
from cards.evidence import Evidence
from cards.fhir.instant import read_instant
from cards.fhir.resource import Coding, Resource, codings, name, reference_key, status_code
from cards.protocol import Protocol
from cards.units.quantity import has_value

ACTIVE = frozenset({"active", "recurrence", "relapse"})
# SNOMED's semantic tag says nothing to a clinician.
_TAG = re.compile(r"\s*\((?:disorder|finding|procedure|situation)\)\Z")
UNTRUE = frozenset({"refuted", "entered-in-error", "differential"})


class ConditionFact(Struct, frozen=True, gc=False):
    """A coded concept on file: ``active`` as a state, ``current`` as an event."""

    concept: str
    source: str
    label: str
    active: bool
    current: bool
    in_encounter: bool


class Conditions(Struct, frozen=True, gc=False):
    """All coded facts, by concept."""

    facts: Mapping[str, tuple[ConditionFact, ...]]

    def event(self, *concepts: str) -> ConditionFact | None:
        """A current event of one of the concepts."""
        return self._first(concepts, lambda fact: fact.current)

    def state(self, *concepts: str) -> ConditionFact | None:
        """An active state of one of the concepts."""
        return self._first(concepts, lambda fact: fact.active)

    def history(self, *concepts: str) -> ConditionFact | None:
        """One that was true once and is not a current event."""
        return self._first(concepts, lambda fact: not fact.current)

    def in_encounter(self, *concepts: str) -> ConditionFact | None:
        """An active one that belongs to this encounter or is new."""
        return self._first(
            concepts, lambda fact: fact.active and (fact.in_encounter or fact.current)
        )

    def _first(
        self, concepts: tuple[str, ...], test: Callable[[ConditionFact], bool]
    ) -> ConditionFact | None:
        for concept in concepts:
            for fact in self.facts.get(concept, ()):
                if test(fact):
                    return fact
        return None


def read_conditions(
    evidence: Evidence, now: datetime, encounter_id: str | None, protocol: Protocol
) -> Conditions:
    """The Conditions of the evidence; refuted ones never count."""
    facts: dict[str, list[ConditionFact]] = {}
    for resource in evidence.of_type("Condition"):
        concepts: set[str] = set()
        label = (resource.code.text if resource.code else None) or ""
        for coding in codings(resource.code):
            found = codes.condition_concepts(coding.system or "", coding.code or "")
            if found:
                concepts |= found
                label = label or coding.display or _display(coding) or ""
        label = _TAG.sub("", label)
        if not concepts or status_code(resource.verificationStatus) in UNTRUE:
            continue
        clinical = status_code(resource.clinicalStatus)
        active = (clinical is None or clinical in ACTIVE) and not _abated(resource)
        belongs = _belongs(resource, encounter_id)
        current = active and (belongs or _is_new(resource, now, protocol))
        for concept in sorted(concepts):
            facts.setdefault(concept, []).append(
                ConditionFact(concept, name(resource), label, active, current, belongs)
            )
    return Conditions({concept: tuple(found) for concept, found in facts.items()})


def _display(coding: Coding) -> str | None:
    return codes.display(coding.system or "", coding.code or "")


def _abated(resource: Resource) -> bool:
    return bool(
        resource.abatementDateTime
        or resource.abatementPeriod
        or resource.abatementString
        or resource.abatementBoolean
        or has_value(resource.abatementAge)
        or has_value(resource.abatementRange)
    )


def _belongs(resource: Resource, encounter_id: str | None) -> bool:
    if encounter_id is None or resource.encounter is None:
        return False
    key = reference_key(resource.encounter.reference)
    return key == ("Encounter", encounter_id)


def _is_new(resource: Resource, now: datetime, protocol: Protocol) -> bool:
    """Onset (else recorded) within 24 h; a bare date means that day or the day before."""
    onset = resource.onsetDateTime or (resource.onsetPeriod.start if resource.onsetPeriod else None)
    instant = read_instant(onset) or read_instant(resource.recordedDate or resource.assertedDate)
    if instant is None:
        return False
    if not instant.exact:
        text = (onset or resource.recordedDate or resource.assertedDate or "").strip()
        days = (now.date() - instant.start.date()).days
        return len(text) == 10 and days in (0, 1)
    span = protocol.file.limit.new_event.span
    return instant.start >= now - span
