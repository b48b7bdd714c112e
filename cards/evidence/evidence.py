"""Evidence: what is known of one patient, and what could not be learned.

A need is *read* (resources, an empty Bundle) or *not obtained* (a Gap with its reason). Read
and empty is a fact; not obtained is unknown (protocol section 0). Resources are indexed by
type, code and subject, whatever prefetch key they came under; the key tells only which need
was answered. What is set aside (another subject, an unknown modifierExtension) is unread as well:
whether that matters is judged where its need is read (ruling 145).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from msgspec import Struct

from cards import codes
from cards.evidence.known import at, known_since
from cards.evidence.need import NEED, NEED_OF_LAB, NEED_OF_TYPE
from cards.evidence.place import Places
from cards.evidence.results import (
    OtherSpecimen,
    concept_of,
    is_named_magnesium,
    sent_code,
    settle_specimens,
    unreadable_magnesium,
)
from cards.evidence.unrecognised import Unrecognised, each_once, unrecognised_result
from cards.evidence.whose import ANOTHERS, Whose, read_whose
from cards.fhir import Target, read_codes, words_of
from cards.fhir.resource import Resource, name
from cards.fhir.version import as_r4


# Where a name, which is a prefetch key, is no word.
class Gap(Struct, frozen=True, gc=False):
    """A need that was not obtained, and why, in words a clinician can read."""

    need: str
    reason: str

    def __post_init__(self) -> None:
        if self.need not in NEED or not self.reason:
            raise ValueError(f"a Gap names one of NEEDS and a reason, not {self.need!r}")


@dataclass(frozen=True, slots=True)
class Unread:
    """One resource that came but could not be read; ``need`` is the one it would serve.

    ``source`` is what could be read of it, None when nothing could.
    """

    need: str
    resource: str
    reason: str
    source: Resource | None = field(default=None, compare=False, repr=False)


class SetAside(Struct, frozen=True, gc=False):
    """A resource that is not used: another patient's, or of unknown meaning."""

    resource: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One patient's resources, indexed; gaps by need; what was set aside and why.

    ``places`` tells where references lead; ``other_specimens`` are magnesium results that are
    none of blood; ``unknown`` are results of no code known here, those that may be a magnesium
    (they are ``unread``, too) first.
    """

    patient_id: str
    patient: Resource | None
    labs: Mapping[str, tuple[Resource, ...]]
    by_type: Mapping[str, tuple[Resource, ...]]
    gaps: Mapping[str, Gap]
    unread: tuple[Unread, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    other_specimens: tuple[OtherSpecimen, ...] = ()
    places: Places = field(default_factory=Places, compare=False)
    unknown: tuple[Resource, ...] = ()

    @property
    def unrecognised(self) -> tuple[Unrecognised, ...]:
        """What came under codes that are not known here, for those who map them."""
        return each_once(unrecognised_result(resource) for resource in self.unknown)

    def obtained(self, need: str) -> bool:
        return need not in self.gaps

    def lab(self, concept: str) -> tuple[Resource, ...]:
        return self.labs.get(concept, ())

    def specimen(self, target: Target) -> Resource | None:
        """The Specimen that a target names, in whatever form."""
        found = self.places.specimen(target)
        if found is None and target.type == "Specimen":  # a replay knows of no places
            found = next((s for s in self.of_type("Specimen") if s.id == target.id), None)
        return found

    def of_type(self, type_: str) -> tuple[Resource, ...]:
        return self.by_type.get(type_, ())

    def before(self, moment: datetime) -> Evidence:
        """What of this was known at an aware ``moment`` (inclusive) in the site's time zone, each
        resource as it stood then (``cards.evidence.known``). What nobody can date was not known.

        The same id in several versions is one conflict to ``collect``, and so at any moment.
        """

        def known(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
            return tuple(
                r for r in (at(resource, moment) for resource in resources) if r is not None
            )

        def came(unread: Unread) -> bool:
            if unread.source is None:
                return False
            since = known_since(unread.source, moment.tzinfo or UTC)
            return since is not None and since <= moment

        return replace(
            self,
            labs=MappingProxyType({lab: known(found) for lab, found in self.labs.items()}),
            by_type=MappingProxyType({type_: known(r) for type_, r in self.by_type.items()}),
            unread=tuple(unread for unread in self.unread if came(unread)),
        )


@dataclass(slots=True)
class _Collector:
    patient_id: str
    site_labs: Mapping[tuple[str, str], str]
    whose: Whose
    places: Places
    labs: dict[str, list[Resource]] = field(default_factory=dict)
    by_type: dict[str, list[Resource]] = field(default_factory=dict)
    seen: dict[tuple[str, str], Resource] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    unknown: list[Resource] = field(default_factory=list)
    patient: Resource | None = None

    def add(self, resource: Resource) -> None:
        type_ = resource.resourceType or ""
        who = resource.subject or resource.patient
        if who is not None and who.reference != self.whose.plain and type_ != "Patient":
            another = self.whose.why_not(who)
            if another is not None:
                self._set_aside(resource, another)
                return
        if resource.id:
            before = self.seen.setdefault((type_, resource.id), resource)
            if before is not resource:
                if before != resource:
                    self._conflict(resource)
                return
        if type_ == "Patient":
            self._add_patient(resource)
            return
        if len(resource.modifierExtension) > 2:  # more than "" or "[]"
            self._set_aside(resource, "carries an unknown modifierExtension")
            return
        where = resource.encounter
        if not (
            type_ == "Observation"  # most of a record, and nearly all of them plain
            and resource.context is None
            and resource.comment is None
            and resource.specimen is None
            and (where is None or (where.reference or "").startswith("Encounter/"))
        ):
            resource = self.places.settled(as_r4(resource))
        if type_ != "Observation":
            self.by_type.setdefault(type_, []).append(resource)
            return
        lab = self._concept(resource)
        if lab is not None:
            self.labs.setdefault(lab, []).append(resource)
        else:
            self._add_unknown(resource)

    def _set_aside(self, resource: Resource, reason: str) -> None:
        """Not used, and not lost in silence: a gap of the need that it would have served, where
        it could matter (ruling 145). Of another's a gap is made where our key or our query was
        answered with it (gather)."""
        self.set_aside.append(SetAside(name(resource), reason))
        need = self._need(resource) if reason != ANOTHERS else None
        if need in _MISSED:
            self.unread.append(Unread(need, name(resource), reason, resource))

    def _add_patient(self, resource: Resource) -> None:
        if resource.id == self.patient_id or resource.id is None:
            self.patient = self.patient or resource
        elif not self.whose.is_linked(resource.id):
            self.set_aside.append(SetAside(name(resource), ANOTHERS))

    def _add_unknown(self, resource: Resource) -> None:
        if len(resource.component) > 2:
            self._add_panel(resource)
        elif not (read_codes(resource.code) or words_of(resource.code)):
            # It may be any result, a magnesium too.
            self.unread.append(
                Unread("magnesium", name(resource), "a result without a code", resource)
            )
        else:
            self.unknown.append(resource)

    def _concept(self, resource: Resource) -> str | None:
        return concept_of(resource, self.site_labs)

    def _add_panel(self, resource: Resource) -> None:
        # Components are not read (ruling 18); a magnesium hidden in one must not be silent.
        raw = bytes(resource.component)
        if any(f'"{code}"'.encode() in raw for code in codes.lab_codes("magnesium")):
            self.unread.append(
                Unread("magnesium", name(resource), "a result inside a panel is not read", resource)
            )

    def _conflict(self, resource: Resource) -> None:
        """The same id twice with different content: neither is believed."""
        type_ = resource.resourceType or ""
        before = self.seen[type_, resource.id or ""]
        for index in (*self.labs.values(), *self.by_type.values()):
            if before in index:
                index.remove(before)
        self.unread += [
            Unread(need, name(resource), "the same id came twice with other content", resource)
            for need in {self._need(before), self._need(resource)}
            if need is not None
        ]

    def _need(self, resource: Resource) -> str | None:
        """The need a resource serves; None for an Observation that nobody asked for."""
        if resource.resourceType == "Observation":
            concept = self._concept(resource)
            coded = read_codes(resource.code) or words_of(resource.code)
            if concept is None and (not coded or is_named_magnesium(resource)):
                return "magnesium"
            return NEED_OF_LAB.get(concept or "")
        return NEED_OF_TYPE.get(resource.resourceType or "", "patient")


# Of these needs a single resource may decide: a result, an order that runs, a stop.
_MISSED = frozenset({"magnesium", "conditions", "medications", "administrations", "procedures"})


def _by_id(found: list[Resource]) -> tuple[Resource, ...]:
    # The order in which resources came never changes a card; labs are ordered by time later.
    return tuple(sorted(found, key=lambda resource: resource.id or ""))


def collect(
    patient_id: str,
    resources: Iterable[Resource],
    gaps: Iterable[Gap] = (),
    unread: Iterable[Unread] = (),
    *,
    site_labs: Mapping[tuple[str, str], str] = MappingProxyType({}),
    urls: Iterable[tuple[str, Resource]] = (),
    keyed: Iterable[Resource] = (),
) -> Evidence:
    """Evidence of everything that came along, whichever need it answered.

    ``site_labs`` maps a site's (system, code) to a lab concept; ``urls`` are the fullUrls under
    which resources stood in a Bundle: references lead to them, too. ``keyed`` are the
    Observations among them that came in answer to the magnesium query.
    """
    came, known_as = tuple(resources), tuple(urls)
    places = Places(came, known_as)
    c = _Collector(patient_id, site_labs, read_whose(patient_id, came, known_as), places)
    for resource in came:
        c.add(resource)
    labs, left = settle_specimens(c.labs, places.specimen)
    c.set_aside += [SetAside(name(resource), f"is of {kind}") for _, resource, kind in left]
    lost = unreadable_magnesium(c.unknown, keyed, site_labs) if c.unknown else []
    lost_ids = {id(r) for r in lost}
    c.unread += [
        Unread("magnesium", name(r), f"{sent_code(r)}: no code known here", r) for r in lost
    ]
    return Evidence(
        patient_id=patient_id,
        patient=c.patient,
        labs=MappingProxyType({lab: tuple(found) for lab, found in labs.items()}),
        by_type=MappingProxyType({type_: _by_id(found) for type_, found in c.by_type.items()}),
        gaps=MappingProxyType({gap.need: gap for gap in gaps}),
        unread=tuple(sorted({*unread, *c.unread}, key=lambda u: (u.need, u.resource, u.reason))),
        set_aside=tuple(c.set_aside),
        other_specimens=tuple(
            OtherSpecimen(name(r), kind) for lab, r, kind in left if lab == "magnesium"
        ),
        places=places,
        unknown=(*lost, *(r for r in c.unknown if id(r) not in lost_ids)),
    )
