"""Evidence: what is known of one patient, and what could not be learned.

A need is *read* (resources, an empty Bundle) or *not obtained* (a Gap with its reason). Read
and empty is a fact; not obtained is unknown (protocol section 0). Resources are indexed by
type, code and subject, whatever prefetch key they came under; the key tells only which need
was answered.

``NEEDS`` is the one list from which the prefetch templates, the fallback searches and the
replay filter derive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from cards import codes
from cards.evidence.known import at, known_since
from cards.fhir.resource import Resource, codings, name, reference_key


@dataclass(frozen=True, slots=True)
class Need:
    """One thing the logic reads.

    ``labs`` are the lab concepts of an Observation need; ``query`` is the rest of the search;
    ``single`` marks an instance read.
    """

    name: str
    type: str
    query: str = ""
    labs: tuple[str, ...] = ()
    single: bool = False

    def template(self, site_codes: Sequence[tuple[str, str]] = ()) -> str:
        """The prefetch template; ``site_codes`` are (system, code) a site maps to this need."""
        if self.single:
            token = "encounterId" if self.type == "Encounter" else "patientId"
            return f"{self.type}/{{{{context.{token}}}}}"
        query = f"{self.type}?patient={{{{context.patientId}}}}"
        if self.labs:
            loinc = [f"{codes.LOINC}|{c}" for lab in self.labs for c in codes.lab_codes(lab)]
            query += "&code=" + ",".join([*loinc, *(f"{s}|{c}" for s, c in site_codes)])
        return query + self.query


def _labs(need: str, count: int, *labs: str) -> Need:
    return Need(need, "Observation", f"&_sort=-date&_count={count}", labs)


NEEDS: tuple[Need, ...] = (
    Need("patient", "Patient", single=True),
    _labs("magnesium", 20, "magnesium", "magnesium-whole-blood"),
    _labs("potassium", 5, "potassium"),
    _labs("calcium", 10, "calcium", "calcium-corrected", "calcium-ionized"),
    _labs("albumin", 3, "albumin"),
    _labs("creatinine", 20, "creatinine"),
    _labs("egfr", 5, "egfr"),
    _labs("weight", 5, "weight"),
    _labs("qtc", 10, "qtc", "qt-uncorrected", "qrs-duration"),
    Need("conditions", "Condition"),
    Need("medications", "MedicationRequest", "&status=active,completed&_sort=-authoredon"),
    Need("administrations", "MedicationAdministration", "&_sort=-effective-time&_count=100"),
    Need("encounter", "Encounter", single=True),
    Need("procedures", "Procedure", "&_sort=-date&_count=50"),
    Need("allergies", "AllergyIntolerance"),
    Need("laborders", "ServiceRequest", "&status=active"),
    _labs("platelets", 3, "platelets"),
    _labs("urine", 6, "urine-magnesium", "urine-creatinine"),
    _labs("pregnancy", 2, "pregnancy-status"),
)
NEED: Mapping[str, Need] = MappingProxyType({need.name: need for need in NEEDS})
_NEED_OF_LAB: Mapping[str, str] = MappingProxyType(
    {lab: need.name for need in NEEDS for lab in need.labs}
)
_NEED_OF_TYPE: Mapping[str, str] = MappingProxyType(
    {need.type: need.name for need in NEEDS if not need.labs}
)


@dataclass(frozen=True, slots=True)
class Gap:
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


@dataclass(frozen=True, slots=True)
class SetAside:
    """A resource that is not used: another patient's, or of unknown meaning."""

    resource: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to an earlier card about this patient (input of the quiet rule).

    ``outcome`` is ``accepted`` or ``overridden``; ``result`` identifies the deciding result,
    ``draft`` the digest of the judged draft, ``acts_as`` the band class then, ``alarms`` the
    stops and flags shown then.
    """

    rule: str
    result: str
    outcome: str
    at: datetime
    acts_as: str | None = None
    draft: str | None = None
    alarms: frozenset[str] = frozenset()
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One patient's resources, indexed; gaps by need; what was set aside and why."""

    patient_id: str
    patient: Resource | None
    labs: Mapping[str, tuple[Resource, ...]]
    by_type: Mapping[str, tuple[Resource, ...]]
    gaps: Mapping[str, Gap]
    unread: tuple[Unread, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    answered: tuple[Answered, ...] = ()

    def obtained(self, need: str) -> bool:
        return need not in self.gaps

    def lab(self, concept: str) -> tuple[Resource, ...]:
        return self.labs.get(concept, ())

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
            answered=tuple(answer for answer in self.answered if answer.at <= moment),
        )


@dataclass(slots=True)
class _Collector:
    patient_id: str
    site_labs: Mapping[tuple[str, str], str]
    patient_urls: frozenset[str]
    ours: str
    labs: dict[str, list[Resource]] = field(default_factory=dict)
    by_type: dict[str, list[Resource]] = field(default_factory=dict)
    seen: dict[tuple[str, str], Resource] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    patient: Resource | None = None

    def add(self, resource: Resource) -> None:
        type_ = resource.resourceType or ""
        who = resource.subject or resource.patient
        if (
            who is not None
            and who.reference != self.ours
            and type_ != "Patient"
            and not self._is_ours(who.reference)
        ):
            self._set_other_aside(resource, who.reference)
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
            self._set_modified_aside(resource)
            return
        if type_ != "Observation":
            self.by_type.setdefault(type_, []).append(resource)
            return
        lab = self._concept(resource)
        if lab is not None:
            self.labs.setdefault(lab, []).append(resource)
        else:
            self._add_unknown(resource)

    def _set_other_aside(self, resource: Resource, reference: str | None) -> None:
        if reference_key(reference) is not None or (reference or "").startswith(("urn:", "#")):
            self.set_aside.append(SetAside(name(resource), "belongs to another patient"))
            return
        # Nobody can tell whose it is: not used, and not lost in silence.
        self.set_aside.append(SetAside(name(resource), "its subject cannot be read"))
        if resource.resourceType == "Observation" and self._concept(resource) == "magnesium":
            self.unread.append(
                Unread("magnesium", name(resource), "its subject cannot be read", resource)
            )

    def _is_ours(self, reference: str | None) -> bool:
        if reference is None:
            return True
        if reference.startswith("urn:"):
            return reference in self.patient_urls
        return reference_key(reference) == ("Patient", self.patient_id)

    def _add_patient(self, resource: Resource) -> None:
        if resource.id == self.patient_id or resource.id is None:
            self.patient = self.patient or resource
        else:
            self.set_aside.append(SetAside(name(resource), "belongs to another patient"))

    def _add_unknown(self, resource: Resource) -> None:
        if len(resource.component) > 2:
            self._add_panel(resource)
        elif resource.code is None or not (codings(resource.code) or resource.code.text):
            # It may be any result, a magnesium too.
            self.unread.append(
                Unread("magnesium", name(resource), "a result without a code", resource)
            )

    def _concept(self, resource: Resource) -> str | None:
        concept = resource.code
        if concept is None:
            return None
        stated = concept.coding
        for coding in stated if isinstance(stated, list) else codings(concept):
            system, code = coding.system, coding.code
            if not code or not system:
                continue
            lab = codes.lab_of(system, code)
            if self.site_labs:
                lab = self.site_labs.get((system.strip(), code.strip()), lab)
            if lab is not None:
                return lab
        return None

    def _add_panel(self, resource: Resource) -> None:
        # Components are not read (ruling 18); a magnesium hidden in one must not be silent.
        raw = bytes(resource.component)
        if any(f'"{code}"'.encode() in raw for code in codes.lab_codes("magnesium")):
            self.unread.append(
                Unread("magnesium", name(resource), "a result inside a panel is not read", resource)
            )

    def _set_modified_aside(self, resource: Resource) -> None:
        self.set_aside.append(SetAside(name(resource), "carries an unknown modifierExtension"))
        if resource.resourceType == "Condition" and any(
            codes.condition_concepts(c.system or "", c.code or "") for c in codings(resource.code)
        ):
            # It may say the opposite of a stop condition, or add one: safer not to guess.
            self.unread.append(
                Unread(
                    "conditions",
                    name(resource),
                    "its meaning is modified in an unknown way",
                    resource,
                )
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
            return _NEED_OF_LAB.get(self._concept(resource) or "")
        return _NEED_OF_TYPE.get(resource.resourceType or "", "patient")


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
    patient_urls: frozenset[str] = frozenset(),
    answered: Iterable[Answered] = (),
) -> Evidence:
    """Evidence of everything that came along, whichever need it answered.

    ``site_labs`` maps a site's (system, code) to a lab concept; ``patient_urls`` are the
    fullUrls under which the patient stands in a Bundle (``urn:uuid:`` subjects).
    """
    c = _Collector(patient_id, site_labs, patient_urls, f"Patient/{patient_id}")
    for resource in resources:
        c.add(resource)
    return Evidence(
        patient_id=patient_id,
        patient=c.patient,
        labs=MappingProxyType({lab: tuple(found) for lab, found in c.labs.items()}),
        by_type=MappingProxyType({type_: _by_id(found) for type_, found in c.by_type.items()}),
        gaps=MappingProxyType({gap.need: gap for gap in gaps}),
        unread=tuple(sorted({*unread, *c.unread}, key=lambda u: (u.need, u.resource, u.reason))),
        set_aside=tuple(c.set_aside),
        answered=tuple(answered),
    )
