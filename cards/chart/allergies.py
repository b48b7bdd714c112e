"""Allergies: which magnesium a patient must not get, by any route or by mouth (ruling 161)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from cards import codes
from cards.chart.conditions import UNTRUE
from cards.codes import Drug, Formulary
from cards.evidence import Evidence
from cards.fhir import status_of
from cards.fhir.resource import Resource, name
from cards.orders.identity import identify


class Allergy(Struct, frozen=True, gc=False):
    """An allergy to, or an intolerance of, a magnesium salt; of every one when ``salt`` is None."""

    label: str
    salt: str | None
    intolerance: bool
    source: str

    def takes(self, salt: str, route: str) -> bool:
        """Whether it stands against a product: an intolerance by mouth only."""
        if self.intolerance and route != "po":
            return False
        return self.salt is None or self.salt == salt


def read_allergies(evidence: Evidence, formulary: Formulary) -> tuple[Allergy, ...]:
    """Every AllergyIntolerance to magnesium that is not refuted, entered in error, resolved or
    inactive; without a type it is an allergy."""
    return tuple(
        allergy
        for resource in evidence.of_type("AllergyIntolerance")
        if _holds(resource)
        for allergy in _of(resource, formulary)
    )


def _holds(resource: Resource) -> bool:
    clinical = status_of(resource.clinicalStatus, codes.ALLERGY_CLINICAL)
    verification = status_of(resource.verificationStatus, codes.ALLERGY_VERIFICATION)
    return clinical not in ("inactive", "resolved") and verification not in UNTRUE


def _of(resource: Resource, formulary: Formulary) -> Iterator[Allergy]:
    if resource.code is None:
        return
    identity = identify(Resource(medicationCodeableConcept=resource.code), {}, formulary)
    drug: Drug | None = identity.find("magnesium") or identity.find("magnesium-laxative")
    intolerance = b"intolerance" in bytes(resource.type).lower()
    if drug is not None:
        yield Allergy(identity.label or drug.name, drug.salt, intolerance, name(resource))
    elif identity.possible and not intolerance:
        # What may mean magnesium takes the drug; it opens no other route.
        yield Allergy(identity.label, None, intolerance, name(resource))
