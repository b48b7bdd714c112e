"""Identity: which drugs a medication is, as the union of everything said about it (ruling 136).

Every coding, the text, every display and ingredient, and whatever is referenced, as deep as it
goes. What cannot be identified is never "not magnesium" (ruling 137).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as identified_as
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cards.codes import SHIPPED, Drug, Formulary, Lists, united
from cards.fhir import Code, Target, read_codes, read_reference, words_of
from cards.fhir.resource import (
    CodeableConcept,
    Coding,
    Ingredient,
    Reference,
    Resource,
    codings,
    contained,
    first,
    many,
)
from cards.units.quantity import dose_mg, read_number, stated_units

NAMELESS = "a medication without a name"
_VIAL = 100  # mg/mL: from here on a strength is that of a vial, not of a bag
_DEEPEST = 8  # Medications in Medications; deeper is said by nobody
_KEPT = 256  # a longer concept is no key of the cache
_WORD = re.compile(r"[^\W\d_]{2}")
_SAYS_SULFATE = re.compile(r"magnes\w* sul(?:f|ph)|magnesiumsul|mgso4", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """The drugs found, the label the record uses, and what is known of the rest.

    ``resolved`` False means a reference that led nowhere. ``named`` is True when anything was
    said that tells drugs apart: a name or a known code; without it, and without a drug, it is
    ``unidentified``. ``possible``: a name that may mean magnesium and is on no list.
    ``percent`` is grams of magnesium salt in 100 mL, when a Medication of one ingredient states
    it; ``mixed`` milligrams in a millilitre, when one of several does.
    """

    drugs: tuple[Drug, ...]
    label: str
    resolved: bool = True
    percent: Decimal | None = None
    mixed: Decimal | None = None
    named: bool = True
    possible: bool = False
    groups: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        groups: frozenset[str] = frozenset().union(*(drug.groups for drug in self.drugs))
        object.__setattr__(self, "groups", groups)

    @property
    def unidentified(self) -> bool:
        """Whether nothing is known of it: it may be anything, magnesium too."""
        return not self.named and not self.drugs

    @property
    def carrier(self) -> Drug | None:
        """The fluid or mixture that holds magnesium and is no order of it (ruling 150)."""
        return first(d for d in self.drugs if d.carrier and "magnesium-fluid" in self.groups)

    @property
    def says_sulfate(self) -> bool:
        """Whether the name itself says magnesium sulfate."""
        return _SAYS_SULFATE.search(self.label) is not None

    @property
    def protocol_order(self) -> bool:
        """Whether it is a replacement protocol: magnesium as needed (ruling 111)."""
        return any(drug.protocol for drug in self.drugs)

    @property
    def mg_per_ml(self) -> Decimal | None:
        """Milligrams of salt in a millilitre: as the Medication states, else a known premix."""
        if self.percent is not None:
            return self.percent * 10
        if self.mixed is not None:
            return self.mixed
        return first(d.mg_per_ml for d in self.drugs if d.mg_per_ml is not None)

    def find(self, group: str) -> Drug | None:
        """The first drug of a group."""
        if group not in self.groups:
            return None
        return first(drug for drug in self.drugs if group in drug.groups)


def relisted(identity: Identity, lists: Lists) -> Identity:
    """The Identity with a site's lists: ingredient -> (groups added, groups taken away)."""
    drugs = []
    for drug in identity.drugs:
        groups = drug.groups
        for name in drug.ingredients if drug.systemic is not False else ():
            adds, removes = lists.get(name, (frozenset(), frozenset()))
            # Another ingredient of a combination may hold the group too.
            groups = groups | adds if len(drug.ingredients) > 1 else (groups | adds) - removes
        drugs.append(replace(drug, groups=groups))
    return identified_as(identity, drugs=tuple(drugs))


def identify(
    resource: Resource, medications: Mapping[str, Resource], formulary: Formulary = SHIPPED
) -> Identity:
    """The Identity of an order or administration (of a ServiceRequest by its code).

    ``medications`` are the Medications and Substances at hand: by id, and by the fullUrl under
    which each came (``read_reference(url).url``).
    """
    concept = resource.medicationCodeableConcept
    if concept is None or resource.medicationReference or resource.medication:
        return _gathered(resource, medications, formulary)
    text, stated = concept.text or "", tuple(codings(concept))
    size = len(text)
    for coding in stated:
        size += len(coding.system or "") + len(coding.code or "") + len(coding.display or "")
    if size > _KEPT:
        return _gathered(resource, medications, formulary)
    return _usual(text, stated, formulary)


def _gathered(
    resource: Resource, medications: Mapping[str, Resource], formulary: Formulary
) -> Identity:
    found = _Said(medications, formulary).order(resource)
    return relisted(found, formulary.lists) if formulary.lists else found


@lru_cache(maxsize=4096)
def _usual(text: str, stated: tuple[Coding, ...], formulary: Formulary) -> Identity:
    """Of an order that says all in one short concept: a hospital orders the same few thousand
    products."""
    concept = CodeableConcept(coding=list(stated), text=text)
    return _gathered(Resource(medicationCodeableConcept=concept), {}, formulary)


class _Concept(Struct, frozen=True, gc=False):
    """What one concept says: drugs by code, drugs by name, and whether it tells anything."""

    coded: tuple[Drug, ...]
    named: tuple[Drug, ...]
    label: str
    told: bool
    possible: bool


@dataclass(slots=True)
class _Said:
    """Everything said about one medication, gathered along its references."""

    medications: Mapping[str, Resource]
    formulary: Formulary
    concepts: list[_Concept] = field(default_factory=list)
    deeper: list[_Concept] = field(default_factory=list)  # ingredients
    lost: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    percent: Decimal | None = None
    mixed: Decimal | None = None

    def order(self, resource: Resource) -> Identity:
        either = resource.medication
        concepts = [resource.medicationCodeableConcept, either.concept if either else None]
        if resource.resourceType == "ServiceRequest":
            concepts.append(resource.code)
        self.concepts += [self._concept(concept) for concept in concepts if concept]
        for reference in (resource.medicationReference, either.reference if either else None):
            if reference is not None:
                self._follow(reference, (resource,), self.concepts, 0)
        return self._identity()

    def _concept(self, concept: CodeableConcept) -> _Concept:
        return _of_concept(words_of(concept), read_codes(concept), self.formulary)

    def _follow(
        self, reference: Reference, holders: tuple[Resource, ...], into: list[_Concept], depth: int
    ) -> None:
        found = self._resolve(reference, holders) if depth < _DEEPEST else None
        if found is None and reference.display is None:
            target = read_reference(reference.reference)
            known = target is not None and target.type
            self.lost.append(reference.reference or "" if known else "an unnamed medication")
        elif found is not None and id(found) not in self.seen:
            self.seen.add(id(found))
            if found.code is not None:
                into.append(self._concept(found.code))
            self._ingredients(found, (found, *holders), depth)
        if reference.display:
            into.append(_of_concept((reference.display.strip(),), (), self.formulary))

    def _resolve(self, reference: Reference, holders: tuple[Resource, ...]) -> Resource | None:
        target = read_reference(reference.reference)
        if target is None:
            return None
        if target.inside:
            inside = (contained(holder, reference.reference) for holder in holders)
            return first(found for found in inside if found is not None)
        return _at(target, self.medications)

    def _ingredients(self, found: Resource, holders: tuple[Resource, ...], depth: int) -> None:
        parts = many(found.ingredient)
        for part in parts:
            if part.isActive is False:
                continue
            before = len(self.deeper)
            for concept in (
                part.itemCodeableConcept,
                part.item.concept if part.item else None,
                part.substanceCodeableConcept,
            ):
                if concept:
                    self.deeper.append(self._concept(concept))
            for reference in (
                part.itemReference,
                part.item.reference if part.item else None,
                part.substanceReference,
            ):
                if reference is not None:
                    self._follow(reference, holders, self.deeper, depth + 1)
            if depth == 0:
                self._strength(part, self.deeper[before:], alone=len(parts) == 1)

    def _strength(self, part: Ingredient, said: list[_Concept], *, alone: bool) -> None:
        """Of one ingredient the strength is the preparation's; of several that of magnesium is,
        unless it is a vial's, with what it is diluted in beside it."""
        strength = _mg_per_ml(part)
        if strength is None:
            return
        if alone:
            self.percent = strength / 10
        elif strength < _VIAL and any("magnesium" in d.groups for s in said for d in _drugs(s)):
            self.mixed = strength

    def _identity(self) -> Identity:
        every = [*self.concepts, *self.deeper]
        drugs = united(
            [
                *(drug for said in every for drug in said.coded),
                *(drug for said in every for drug in said.named),
            ]
        )
        label = first(said.label for said in self.concepts if said.label)
        if not label and not self.concepts and self.lost:
            label = self.lost[0]
        told = any(said.told for said in every)
        groups = {group for drug in drugs for group in drug.groups}
        return Identity(
            drugs,
            label or first(drug.name for drug in drugs) or NAMELESS,
            resolved=not self.lost or told,
            percent=self.percent,
            mixed=self.mixed,
            named=told,
            possible=any(said.possible for said in every)
            and not any(group.startswith("magnesium") or group == "ppi" for group in groups),
        )


def _at(target: Target, medications: Mapping[str, Resource]) -> Resource | None:
    found = medications.get(target.url)
    if found is None and target.type in ("Medication", "Substance"):
        return medications.get(target.id)
    if found is None and target.url.startswith("urn:uuid:"):
        return medications.get(target.url.removeprefix("urn:uuid:"))
    return found


def _drugs(said: _Concept) -> tuple[Drug, ...]:
    return (*said.coded, *said.named)


def _mg_per_ml(ingredient: Ingredient) -> Decimal | None:
    """The strength of an ingredient in milligrams of salt in a millilitre."""
    strength = ingredient.strength
    if strength is None or strength.numerator is None or strength.denominator is None:
        return None
    mass, volume = read_number(strength.numerator.value), read_number(strength.denominator.value)
    units = [*stated_units(strength.numerator)[:1], *stated_units(strength.denominator)[:1]]
    if mass is None or not volume or len(units) != 2 or units[1].lower() not in ("ml", "l"):
        return None
    mg = dose_mg(mass, units[0], None)
    millilitres = volume * 1000 if units[1].lower() == "l" else volume
    return None if mg is None else mg / millilitres


def _of_concept(words: tuple[str, ...], codes: tuple[Code, ...], formulary: Formulary) -> _Concept:
    """What a concept says."""
    coded = [formulary.drug(code.system, code.code) for code in codes if code.system and code.code]
    drugs = united(drug for drug in coded if drug is not None)
    readings = [formulary.read(word) for word in words]
    sent = {code.code for code in codes}
    told = bool(drugs) or any(_WORD.search(word) and word not in sent for word in words)
    told = told or any(formulary.is_other(code.system, code.code) for code in codes)
    return _Concept(
        drugs,
        united(drug for reading in readings for drug in reading.drugs),
        first(words) or first(drug.name for drug in drugs) or "",
        told,
        any(reading.possible for reading in readings),
    )
