"""Identity: which drugs a medication is.

RxNorm product or ingredient code first; else ingredient and brand names on an allow list, as
whole words. The bare word "magnesium" never identifies a magnesium product (protocol section 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache

from cards import codes
from cards.codes import Drug
from cards.fhir.resource import (
    CodeableConcept,
    Coding,
    Reference,
    Resource,
    codings,
    contained,
    first,
    many,
    reference_key,
)
from cards.units.quantity import dose_mg, read_number, stated_units


@dataclass(frozen=True, slots=True)
class Identity:
    """The drugs found, the label the record uses, and whether the medication was resolved.

    ``resolved`` False means a reference that led nowhere: a gap, never "not magnesium".
    ``percent`` is grams of magnesium salt in 100 mL, when a Medication states it as structure.
    """

    drugs: tuple[Drug, ...]
    label: str
    resolved: bool = True
    percent: Decimal | None = None
    groups: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        groups: frozenset[str] = frozenset().union(*(drug.groups for drug in self.drugs))
        object.__setattr__(self, "groups", groups)

    @property
    def mg_per_ml(self) -> Decimal | None:
        return None if self.percent is None else self.percent * 10

    def find(self, group: str) -> Drug | None:
        """The first drug of a group."""
        if group not in self.groups:
            return None
        return first(drug for drug in self.drugs if group in drug.groups)


def relisted(
    identity: Identity, lists: Mapping[str, tuple[frozenset[str], frozenset[str]]]
) -> Identity:
    """The Identity with a site's lists: ingredient -> (groups added, groups taken away)."""
    drugs = []
    for drug in identity.drugs:
        groups = drug.groups
        for name in drug.ingredients if drug.systemic is not False else ():
            adds, removes = lists.get(name, (frozenset(), frozenset()))
            # Another ingredient of a combination may hold the group too.
            groups = groups | adds if len(drug.ingredients) > 1 else (groups | adds) - removes
        drugs.append(replace(drug, groups=groups))
    return replace(identity, drugs=tuple(drugs))


def identify(resource: Resource, medications: Mapping[str, Resource]) -> Identity:
    """The Identity of a MedicationRequest, MedicationAdministration or Medication.

    ``medications`` are the Medication resources at hand, by id.
    """
    concept = resource.medicationCodeableConcept or (
        resource.medication.concept if resource.medication else None
    )
    if concept is not None:
        return _of_concept(concept)
    reference = resource.medicationReference or (
        resource.medication.reference if resource.medication else None
    )
    if reference is None:
        return Identity((), "", resolved=True)
    medication = _resolve(resource, reference, medications)
    if medication is not None:
        return _of_medication(medication, reference)
    if reference.display:
        drugs = codes.drug_named(reference.display)
        return Identity(drugs, reference.display, resolved=True)
    return Identity((), reference.reference or "an unnamed medication", resolved=False)


def _resolve(
    resource: Resource, reference: Reference, medications: Mapping[str, Resource]
) -> Resource | None:
    inside = contained(resource, reference.reference)
    if inside is not None:
        return inside
    key = reference_key(reference.reference)
    if key is None or key[0] != "Medication":
        return medications.get(reference.reference or "")
    return medications.get(key[1])


def _of_medication(medication: Resource, reference: Reference) -> Identity:
    found = _of_concept(medication.code) if medication.code else Identity((), "")
    label = found.label or reference.display or "a medication without a name"
    drugs: list[Drug] = list(found.drugs)
    for ingredient in many(medication.ingredient):
        item = ingredient.itemCodeableConcept or (ingredient.item and ingredient.item.concept)
        if item and not found.drugs:
            drugs.extend(_of_concept(item).drugs)
    return Identity(tuple(dict.fromkeys(drugs)), label, percent=_percent(medication))


def _percent(medication: Resource) -> Decimal | None:
    """The strength of a single-ingredient Medication in g per 100 mL; None when it has a
    diluent among its ingredients or does not say."""
    ingredients = many(medication.ingredient)
    strength = ingredients[0].strength if len(ingredients) == 1 else None
    if strength is None or strength.numerator is None or strength.denominator is None:
        return None
    mass, volume = read_number(strength.numerator.value), read_number(strength.denominator.value)
    units = [*stated_units(strength.numerator)[:1], *stated_units(strength.denominator)[:1]]
    if mass is None or not volume or len(units) != 2 or units[1].lower() not in ("ml", "l"):
        return None
    mg = dose_mg(mass, units[0], None)
    millilitres = volume * 1000 if units[1].lower() == "l" else volume
    return None if mg is None else mg / 1000 / millilitres * 100


def _of_concept(concept: CodeableConcept) -> Identity:
    return _named(concept.text, tuple(codings(concept)))


@lru_cache(maxsize=4096)
def _named(text: str | None, coded_as: tuple[Coding, ...]) -> Identity:
    """What a concept names: a hospital orders the same few thousand products."""
    coded: list[Drug] = []
    label = text or ""
    for coding in coded_as:
        label = label or coding.display or ""
        if coding.system and coding.code:
            drug = codes.drug(coding.system, coding.code)
            if drug is not None:
                coded.append(drug)
    if coded:
        return Identity(tuple(dict.fromkeys(coded)), label or coded[0].name)
    for named in (text, *(coding.display for coding in coded_as)):
        drugs = codes.drug_named(named) if named else ()
        if drugs:
            return Identity(drugs, label)
    return Identity((), label or "a medication without a name")
