"""Conditions: which concepts hold, as current events, as states, or as history.

An event (arrhythmia, seizure, tetany) counts only while current; a state (heart block,
myasthenia, pregnancy) while active, also when nobody is sure of it yet (rulings 3, 113, 114).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from cards import codes
from cards.chart.encounter import Stay
from cards.chart.suspected import INFARCTION, Suspected, read_suspected
from cards.evidence import Evidence, Unrecognised, unrecognised_as
from cards.fhir import read_codes, status_of, words_of
from cards.fhir.instant import read_instant
from cards.fhir.resource import Resource, name
from cards.protocol import Protocol
from cards.units.quantity import has_value

ACTIVE = frozenset({"active", "recurrence", "relapse"})
# A patient in remission of these is as sensitive to magnesium as ever.
_REMISSION = frozenset({"myasthenia", "lambert-eaton"})
UNTRUE = frozenset({"refuted", "entered-in-error"})
# SNOMED's semantic tag says nothing to a clinician.
_TAG = re.compile(r"\s*\((?:disorder|finding|procedure|situation)\)\Z")


class ConditionFact(Struct, frozen=True, gc=False):
    """A coded concept on file.

    ``active`` as a state, ``sure`` unless it is only a differential diagnosis; ``current`` as an
    event, ``sudden`` when it was just now (an arrest, of which the clinician is still busy);
    ``belongs`` to this encounter, ``fresh`` when it is new; ``when`` its onset, else when it was
    recorded; ``elsewhere`` when it says that it is of another encounter.
    """

    concept: str
    source: str
    label: str
    active: bool
    sure: bool
    current: bool
    sudden: bool
    belongs: bool
    fresh: bool
    when: datetime | None = None
    elsewhere: bool = False


class Conditions(Struct, frozen=True, gc=False):
    """All coded facts, by concept; ``suspected`` what only words say; ``unrecognised`` the names
    of conditions of which neither code nor words are known here."""

    facts: Mapping[str, tuple[ConditionFact, ...]]
    suspected: tuple[Suspected, ...] = ()
    unrecognised: tuple[Unrecognised, ...] = ()

    def event(self, *concepts: str) -> ConditionFact | None:
        """A current event of one of the concepts."""
        return self._first(concepts, lambda fact: fact.current)

    def sudden(self, *concepts: str) -> ConditionFact | None:
        """An event of the last few hours."""
        return self._first(concepts, lambda fact: fact.sudden)

    def state(self, *concepts: str) -> ConditionFact | None:
        """An active state of one of the concepts, though nobody may be sure of it: what stands
        against magnesium is rather kept than lost (ruling 114)."""
        return self._first(concepts, lambda fact: fact.active)

    def sure_state(self, *concepts: str) -> ConditionFact | None:
        """An active state that is no mere differential diagnosis: for what lifts a stop or
        silences a check."""
        return self._first(concepts, lambda fact: fact.active and fact.sure)

    def sure_states(self, concept: str) -> tuple[ConditionFact, ...]:
        """Every ``sure_state`` of a concept."""
        return tuple(fact for fact in self.facts.get(concept, ()) if fact.active and fact.sure)

    def history(self, *concepts: str) -> ConditionFact | None:
        """One that was true once and is not a current event."""
        return self._first(concepts, lambda fact: fact.sure and not fact.current)

    def of_encounter(self, *concepts: str) -> ConditionFact | None:
        """An event that is current, or was one earlier in this encounter, over or not."""
        return self._first(concepts, lambda fact: fact.sure and (fact.belongs or fact.current))

    def in_encounter(self, *concepts: str) -> ConditionFact | None:
        """An active one that belongs to this encounter or is new."""
        return self._first(
            concepts, lambda fact: fact.active and fact.sure and (fact.belongs or fact.fresh)
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
    evidence: Evidence, now: datetime, stay: Stay, protocol: Protocol
) -> Conditions:
    """The Conditions of the evidence; refuted ones never count."""
    facts: dict[str, list[ConditionFact]] = {}
    suspected: list[Suspected] = []
    unrecognised: list[Unrecognised] = []
    for resource in evidence.of_type("Condition"):
        verification = status_of(resource.verificationStatus, codes.CONDITION_VERIFICATION)
        if verification in UNTRUE:
            continue
        clinical = status_of(resource.clinicalStatus, codes.CONDITION_CLINICAL)
        over = _abated(resource)
        concepts, label = _meaning(resource)
        if not concepts:
            if over or not (clinical is None or clinical in ACTIVE | {"remission"}):
                continue
            words = words_of(resource.code)
            found = read_suspected(words, name(resource))
            if found is None:
                unrecognised.append(unrecognised_as("condition", resource.code))
            elif found.group != INFARCTION or _may_be_now(resource, stay, now, protocol):
                suspected.append(found)
            continue
        active = (clinical is None or clinical in ACTIVE) and not over
        sure = verification != "differential"
        belongs = stay.holds(resource.encounter)
        fresh = _is_new(resource, now, protocol)
        limit = protocol.file.limit
        times = _Times(resource, stay, now, int(limit.event_night.value))
        current = active and sure and times.within(limit.new_event.span)
        sudden = current and times.within(limit.recent_arrest.span, night=False)
        for concept in sorted(concepts):
            kept = clinical == "remission" and concept in _REMISSION and not over
            facts.setdefault(concept, []).append(
                ConditionFact(
                    concept=concept,
                    source=name(resource),
                    label=label,
                    active=active or kept,
                    sure=sure,
                    current=current,
                    sudden=sudden,
                    belongs=belongs,
                    fresh=fresh,
                    when=_when(resource),
                    elsewhere=resource.encounter is not None and not belongs,
                )
            )
    return Conditions(
        {concept: tuple(found) for concept, found in facts.items()},
        tuple(suspected),
        tuple(unrecognised),
    )


def _meaning(resource: Resource) -> tuple[frozenset[str], str]:
    """(the concepts of every coding, how a card names them)"""
    concepts: set[str] = set()
    label = (resource.code.text if resource.code else None) or ""
    for code in read_codes(resource.code):
        found = codes.condition_concepts(code.system, code.code)
        if found:
            concepts |= found
            label = label or code.display or codes.display(code.system, code.code) or ""
    return frozenset(concepts), _TAG.sub("", label[:_LONGEST])


_LONGEST = 200  # a card shows less


def _abated(resource: Resource) -> bool:
    return bool(
        resource.abatementDateTime
        or resource.abatementPeriod
        or resource.abatementString
        or resource.abatementBoolean
        or has_value(resource.abatementAge)
        or has_value(resource.abatementRange)
    )


class _Times:
    """When an event was: its onset, else when it was recorded; with no time at all, when the
    encounter began, unless it was of another one (ruling 113).

    A time ahead of ours is a typing error, and none. A month or a year says too little; where
    it holds the moment of the record, that counts.
    """

    def __init__(self, resource: Resource, stay: Stay, now: datetime, night: int) -> None:
        self._now, self._night = now, night
        self._text = self._said(resource)
        if self._text is None and (resource.encounter is None or stay.holds(resource.encounter)):
            self._text = self._past(stay.began)

    def _said(self, resource: Resource) -> str | None:
        period = resource.onsetPeriod
        onset = self._past(resource.onsetDateTime or (period.start if period else None))
        recorded = self._past(resource.recordedDate or resource.assertedDate)
        if onset is None or (
            len(onset) < _DATE and recorded is not None and recorded.startswith(onset)
        ):
            return recorded
        return onset

    def _past(self, text: str | None) -> str | None:
        instant = read_instant(text)
        if text is None or instant is None or instant.start > self._now + _TOLERATED:
            return None
        return text.strip()

    def within(self, span: timedelta, *, night: bool = True) -> bool:
        """At most ``span`` ago; a bare date: that day, in the ``night`` also the day before."""
        instant = read_instant(self._text)
        if instant is None or self._text is None:
            return False
        if instant.exact:
            return instant.start >= self._now - span
        days = (self._now.date() - instant.start.date()).days
        before = night and self._now.hour < self._night
        return len(self._text) == _DATE and (days <= 0 or (days == 1 and before))


_DATE = len("2026-03-14")
_TOLERATED = timedelta(days=1)  # of the clocks and zones of two records


def _may_be_now(resource: Resource, stay: Stay, now: datetime, protocol: Protocol) -> bool:
    """Of this encounter, new, or without any time: an old infarction is no stop."""
    timed = read_instant(resource.onsetDateTime or resource.recordedDate or resource.assertedDate)
    return timed is None or stay.holds(resource.encounter) or _is_new(resource, now, protocol)


def _when(resource: Resource) -> datetime | None:
    onset = resource.onsetDateTime or (resource.onsetPeriod.start if resource.onsetPeriod else None)
    found = read_instant(onset) or read_instant(resource.recordedDate or resource.assertedDate)
    return found.start if found else None


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
