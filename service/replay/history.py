"""History: one patient's resources over time, and the Evidence of any moment of it.

Each resource is decoded and placed once; a moment takes over what the one before it knew and
adds what became known since. What the service asks of a record it is given here, too (NEEDS):
of labs the newest ``_count``, of orders those with a ``status`` that is asked for, and only the
encounter in context. Other searches are taken as read to their last page.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from cards.chart.labs import collected_at
from cards.evidence import (
    NEED_OF_LAB,
    NEED_OF_TYPE,
    NEEDS,
    Evidence,
    Gap,
    Need,
    Unread,
    Unrecognised,
    collect,
)
from cards.evidence.known import EVER, Spell, known_since, spells
from cards.fhir.resource import Resource, name

Event = tuple[datetime, int, int]  # when, 0 it goes or 1 it comes, which
_ORDER = "MedicationRequest"
_COUNT = re.compile(r"_count=(\d+)")
_STATUS = re.compile(r"[?&]status=([^&]+)")


class _Search:
    """What the search of a need lets through."""

    __slots__ = ("most", "statuses")

    def __init__(self, need: Need) -> None:
        count, status = _COUNT.search(need.query), _STATUS.search(need.query)
        # Labs only: the pages of the other searches are followed.
        self.most = int(count[1]) if count and need.labs else None
        self.statuses = frozenset(status[1].split(",")) if status else None


_SEARCHES = {need.name: _Search(need) for need in NEEDS}


class _Shelf:
    """The resources that serve one need (or, by the name of a type, none) over time."""

    __slots__ = ("_events", "_here", "_items", "_next", "_search", "labs", "read")

    def __init__(self, need: str, *, labs: bool) -> None:
        self._search = _SEARCHES.get(need)
        self._items: list[tuple[Resource, str, tuple[datetime, str, int]]] = []
        self._events: list[Event] = []
        self.labs = labs
        self._next = 0
        self._here: list[tuple[datetime, str, int]] = []
        self.read: Mapping[str, tuple[Resource, ...]] = {}

    def add(self, slot: str, spell: Spell) -> None:
        statuses = self._search.statuses if self._search else None
        if statuses is not None and spell.resource.status not in statuses:
            return
        number = len(self._items)
        collected = collected_at(spell.resource) if self.labs else None
        when = collected.start if collected is not None else EVER
        self._items.append((spell.resource, slot, (when, spell.resource.id or "", number)))
        self._events.append((spell.since, 1, number))
        if spell.until is not None:
            self._events.append((spell.until, 0, number))

    def all(self, slot: str) -> Iterator[tuple[datetime, Resource]]:
        """Everything that ever comes, in order of time."""
        for since, comes, number in self._events:
            if comes and self._items[number][1] == slot:
                yield since, self._items[number][0]

    def seal(self) -> None:
        self._events.sort()

    def go(self, moment: datetime) -> None:
        """On to a moment that is not before the last one."""
        events, at = self._events, self._next
        if at >= len(events) or events[at][0] > moment:
            return
        while at < len(events) and events[at][0] <= moment:
            _, comes, number = events[at]
            key = self._items[number][2]
            if comes:
                insort(self._here, key)
            else:
                del self._here[bisect_left(self._here, key)]
            at += 1
        self._next = at
        newest = self._here
        if self._search is not None and self._search.most is not None:
            newest = newest[-self._search.most :]
        read: dict[str, list[Resource]] = {}
        for _, _, number in newest:
            resource, slot, _ = self._items[number]
            read.setdefault(slot, []).append(resource)
        self.read = {slot: tuple(found) for slot, found in read.items()}


class _Known(NamedTuple):
    """What was known at a moment, whatever the encounter and the answers."""

    moment: datetime
    labs: Mapping[str, tuple[Resource, ...]]
    by_type: Mapping[str, tuple[Resource, ...]]
    unread: tuple[Unread, ...]


class History:
    """One patient. ``resources`` of any type, in any order, several versions of an id too: at a
    moment the one known last counts, and of two known at once neither.

    ``zone`` is the site's, ``gaps`` what the export does not hold. ``undated`` and
    ``conflicts`` count, by type, what is not used for that reason; ``unread`` what breaks FHIR's
    types; ``unrecognised`` results of no code known here, ``lost_magnesium`` how many of them are
    named a magnesium.
    """

    def __init__(
        self,
        patient_id: str,
        resources: Iterable[Resource],
        zone: tzinfo,
        gaps: Mapping[str, Gap],
        unread: Iterable[Unread] = (),
        *,
        site_labs: Mapping[tuple[str, str], str] = MappingProxyType({}),
    ) -> None:
        self.undated: Counter[str] = Counter()
        self.conflicts: Counter[str] = Counter()
        self.unrecognised: Counter[Unrecognised] = Counter()
        self.lost_magnesium = 0
        self.patient: Resource | None = None
        self.encounters: dict[str, list[Spell]] = {}
        self._id, self._zone, self._gaps, self._site_labs = patient_id, zone, gaps, site_labs
        self._shelves: dict[str, _Shelf] = {}
        self._unread: list[tuple[datetime, Unread]] = []
        self._known: _Known | None = None
        for versions in _by_id(resources):
            self._place(versions)
        for item in unread:
            since = known_since(item.source, zone) if item.source is not None else None
            # A Medication or Specimen has no time: what refers to it says that it is missing.
            if since is not None and since > EVER:
                self._unread.append((since, item))
        self._unread.sort(key=lambda pair: (pair[0], pair[1].need, pair[1].resource))
        for shelf in self._shelves.values():
            shelf.seal()

    # --- at a moment ------------------------------------------------------------------------

    def at(
        self, moment: datetime, encounter: Resource | None, written: Collection[str] = ()
    ) -> Evidence:
        """The Evidence of a moment that is not before the last one asked for.

        ``encounter`` is the one in context as it stands then; None when there is none. The orders
        that are being ``written`` (their ids) are not on file yet: none of them is a change of
        itself.
        """
        known = self._known
        if known is None or known.moment != moment:
            self._known = known = self._read(moment)
        by_type, gaps = known.by_type, self._gaps
        if written:
            orders = by_type.get(_ORDER, ())
            by_type = {**by_type, _ORDER: tuple(o for o in orders if o.id not in written)}
        if encounter is not None:
            by_type = {**by_type, "Encounter": (encounter,)}
            if "encounter" in gaps:
                gaps = {key: gap for key, gap in gaps.items() if key != "encounter"}
        elif "encounter" not in gaps:
            gaps = {**gaps, "encounter": _NO_ENCOUNTER}
        return Evidence(
            patient_id=self._id,
            patient=self.patient,
            labs=known.labs,
            by_type=by_type,
            gaps=gaps,
            unread=known.unread,
        )

    def _read(self, moment: datetime) -> _Known:
        labs: dict[str, tuple[Resource, ...]] = {}
        by_type: dict[str, tuple[Resource, ...]] = {}
        for shelf in self._shelves.values():
            shelf.go(moment)
            (labs if shelf.labs else by_type).update(shelf.read)
        unread = tuple(item for since, item in self._unread if since <= moment)
        return _Known(moment, labs, by_type, unread)

    def encounter(self, id_: str, moment: datetime) -> Resource | None:
        """An encounter of the record as it stood at a moment."""
        return next(
            (r for spell in self.encounters.get(id_, ()) if (r := _of(spell, moment))), None
        )

    def encounter_during(self, moment: datetime) -> Resource | None:
        """The encounter that had begun at a moment and was not over; the latest of several."""
        current = [
            (spells_[0].since, id_)
            for id_, spells_ in self.encounters.items()
            for spell in spells_
            if (here := _of(spell, moment)) is not None and here.status in _HERE
        ]
        return self.encounter(max(current)[1], moment) if current else None

    def results(self, lab: str) -> Iterator[tuple[datetime, Resource]]:
        """Every result of a lab, and since when it was known."""
        shelf = self._shelves.get(NEED_OF_LAB[lab])
        if shelf is not None:
            yield from shelf.all(lab)

    # --- placing ----------------------------------------------------------------------------

    def _place(self, versions: list[Resource]) -> None:
        type_ = versions[0].resourceType or ""
        if type_ == "Patient":
            self.patient = versions[0] if self.patient is None else self.patient
            if len(versions) > 1:
                self.conflicts[type_] += 1
            return
        dated = [found for version in versions if (found := spells(version, self._zone))]
        if len(dated) < len(versions):
            self.undated[type_] += 1
        if len(dated) == 1:
            self._shelve(dated[0])
            return
        dated.sort(key=lambda found: found[0].since)
        for since, group in groupby(dated, key=lambda found: found[0].since):
            same = list(group)
            until = next((f[0].since for f in dated if f[0].since > since), None)
            if len(same) == 1:
                self._shelve(tuple(_clipped(same[0], until)))
                continue
            self.conflicts[type_] += 1
            needs = {self._need(found[-1].resource) for found in same}
            for need in sorted(need for need in needs if need is not None):
                self._unread.append((since, Unread(need, name(versions[0]), _TWICE)))

    def _shelve(self, found: tuple[Spell, ...]) -> None:
        resource = found[-1].resource
        placed = collect(self._id, (resource,), site_labs=self._site_labs)
        for lab in placed.labs:
            shelf = self._shelf(NEED_OF_LAB[lab], labs=True)
            for spell in found:
                shelf.add(lab, spell)
        for type_ in placed.by_type:
            if type_ == "Encounter":
                self.encounters.setdefault(resource.id or "", []).extend(found)
                continue
            shelf = self._shelf(NEED_OF_TYPE.get(type_, type_), labs=False)
            for spell in found:
                shelf.add(type_, spell)
        for item in placed.unread:
            self._unread.append((found[0].since, item))
        for what in placed.unrecognised:
            self.unrecognised[what] += 1
            self.lost_magnesium += any(item.need == "magnesium" for item in placed.unread)

    def _shelf(self, need: str, *, labs: bool) -> _Shelf:
        shelf = self._shelves.get(need)
        if shelf is None:
            shelf = self._shelves[need] = _Shelf(need, labs=labs)
        return shelf

    def _need(self, resource: Resource) -> str | None:
        placed = collect(self._id, (resource,), site_labs=self._site_labs)
        for lab in placed.labs:
            return NEED_OF_LAB[lab]
        return next((NEED_OF_TYPE.get(type_) for type_ in placed.by_type), None)


_HERE = frozenset({"in-progress", "arrived", "triaged", "onleave"})
_NO_ENCOUNTER = Gap("encounter", "the request names no encounter")
_TWICE = "the same id came twice with other content"


def _by_id(resources: Iterable[Resource]) -> Iterator[list[Resource]]:
    """The different versions of each resource; one without an id stands for itself."""
    found: dict[tuple[str, str], list[Resource]] = {}
    for number, resource in enumerate(resources):
        key = (resource.resourceType or "", resource.id or f" {number}")
        versions = found.setdefault(key, [])
        if resource not in versions:
            versions.append(resource)
    yield from found.values()


def _of(spell: Spell, moment: datetime) -> Resource | None:
    if spell.since <= moment and (spell.until is None or moment < spell.until):
        return spell.resource
    return None


def _clipped(found: tuple[Spell, ...], until: datetime | None) -> Iterator[Spell]:
    for spell in found:
        if until is None or (spell.until is not None and spell.until <= until):
            yield spell
        elif spell.since < until:
            yield Spell(spell.since, until, spell.resource)
