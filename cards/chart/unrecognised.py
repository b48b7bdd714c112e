"""Unrecognised: what came with a call under codes, names, units or timings not known here.

An account for those who map them, asked for after the decision: it changes no card.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cards import codes
from cards.chart.chart import Chart
from cards.chart.labs import FINAL
from cards.codes import Formulary
from cards.evidence import Evidence, Unrecognised, each_once, unrecognised_as
from cards.fhir import medication_reference, read_class, read_codes, status_of, words_of
from cards.fhir.resource import CodeableConcept, Resource, many
from cards.orders import DraftOrder, Given
from cards.orders.order import RUNS
from cards.units.quantity import unknown_unit

_CONDITION = (
    frozenset("active recurrence relapse inactive remission resolved unknown".split()),
    frozenset("unconfirmed provisional differential confirmed refuted entered-in-error".split()),
)
_ALLERGY = (
    frozenset("active inactive resolved".split()),
    frozenset("unconfirmed presumed confirmed refuted entered-in-error".split()),
)
_BOUND = {
    "Condition": (codes.CONDITION_CLINICAL, codes.CONDITION_VERIFICATION, *_CONDITION),
    "AllergyIntolerance": (codes.ALLERGY_CLINICAL, codes.ALLERGY_VERIFICATION, *_ALLERGY),
}
# What these systems hold and none of our groups does is known to be another drug.
_OTHER_DRUGS = frozenset({codes.RXNORM, codes.SNOMED, codes.ATC})


def read_unrecognised(
    evidence: Evidence, chart: Chart, drafts: Iterable[DraftOrder], formulary: Formulary
) -> tuple[Unrecognised, ...]:
    """Each thing once; of every kind some, however many there are of one."""
    asked = [*drafts, *(o for o in chart.medicines.orders if o.resource.status == RUNS)]
    return each_once(
        (
            *evidence.unrecognised,
            *_units(evidence),
            *chart.conditions.unrecognised,
            *_statuses(evidence),
            *_drugs([*asked, *chart.medicines.given], evidence, formulary),
            *_timings(asked),
        )
    )


def _units(evidence: Evidence) -> Iterator[Unrecognised]:
    for concept, found in evidence.labs.items():
        for resource in found:
            quantity = resource.valueQuantity if resource.status in FINAL else None
            if quantity is not None and (unit := unknown_unit(concept, quantity)):
                yield unrecognised_as("unit", resource.code, unit)


def _statuses(evidence: Evidence) -> Iterator[Unrecognised]:
    for type_, (clinical, verification, states, sure) in _BOUND.items():
        for resource in evidence.of_type(type_):
            yield from _status(resource.clinicalStatus, clinical, states)
            yield from _status(resource.verificationStatus, verification, sure)
    for encounter in evidence.of_type("Encounter"):
        for code in read_class(encounter.class_):
            if code.system and code.system != codes.ACT_CODE:
                yield Unrecognised("status", code.system, code.code, code.display).cut()


def _status(
    value: CodeableConcept | str | None, system: str, known: frozenset[str]
) -> Iterator[Unrecognised]:
    if value is not None and status_of(value, system) not in known:
        concept = CodeableConcept(text=value) if isinstance(value, str) else value
        if read_codes(concept) or words_of(concept):
            yield unrecognised_as("status", concept)


def _drugs(
    asked: Iterable[DraftOrder | Given], evidence: Evidence, formulary: Formulary
) -> Iterator[Unrecognised]:
    """What nobody here can tell: neither its codes nor, for what may be magnesium, its name."""
    for one in asked:
        if one.identity.drugs and not one.identity.possible:
            continue
        for concept in _concepts(one.resource, evidence):
            stated = read_codes(concept)
            if one.unsure or (stated and not any(_is_other(c.system, c.code, formulary)
                                                 for c in stated)):  # fmt: skip
                yield unrecognised_as("drug", concept)


def _is_other(system: str, code: str, formulary: Formulary) -> bool:
    return system in _OTHER_DRUGS or formulary.is_other(system, code)


def _concepts(resource: Resource, evidence: Evidence) -> Iterator[CodeableConcept]:
    """What an order calls its medication, itself or where it points."""
    either = resource.medication
    reference = medication_reference(resource)
    there = evidence.places.find(reference)
    said = (
        resource.medicationCodeableConcept,
        either.concept if either is not None else None,
        there.code if there is not None else None,
        CodeableConcept(text=reference.display) if reference and reference.display else None,
    )
    yield from (concept for concept in said if concept is not None)


def _timings(asked: Iterable[DraftOrder]) -> Iterator[Unrecognised]:
    for order in asked:
        if order.unread_timing:
            for dosage in many(order.resource.dosageInstruction):
                concept = dosage.timing.code if dosage.timing is not None else None
                yield unrecognised_as("timing", concept or CodeableConcept(text=dosage.text))
