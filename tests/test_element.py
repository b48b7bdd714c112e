"""cards.fhir.element: what is read of each type, and a resource read by its parts."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.fhir.concept import read_codes, words_of
from cards.fhir.element import READ, read_parts
from cards.fhir.resource import Resource, many
from cards.fhir.version import as_r4

Json = dict[str, Any]


def parts(value: Any) -> tuple[Resource, tuple[str, ...]]:
    found = read_parts(json.dumps(value).encode())
    assert found is not None
    return found.resource, found.lost


def observation(**more: Any) -> Json:
    return {"resourceType": "Observation", "id": "o"} | more


def test_every_element_of_the_struct_is_read_of_some_type() -> None:
    """Minimum necessary: what no type names need not be held at all."""
    held = {f.encode_name for f in msgspec.structs.fields(Resource)}
    assert held - {"resource"} == set().union(*READ.values())  # that of the 1.0 wrapper


@pytest.mark.parametrize(
    "value",
    [
        observation(extension=5, category={"x": []}, performer="me", birthDate=[[]]),
        observation(contained=[{"resourceType": "PractitionerRole", "code": [[1], 2]}]),
        observation(contained=[{"resourceType": "Specimen", "request": [{}, {}], "type": 4}]),
        {"resourceType": "Specimen", "request": [{"reference": "x"}], "status": [[]]},
        {"resourceType": "Practitioner", "code": 3, "subject": 4, "contained": 5},
        {"resourceType": "Condition", "note": 3, "valueQuantity": "x", "status": {"a": 1}},
        {"resourceType": "Patient", "name": 3, "contact": "x", "status": [1, 2]},
    ],
)
def test_a_broken_part_that_nobody_reads_costs_nothing(value: Json) -> None:
    resource, lost = parts(value)
    assert resource.resourceType == value["resourceType"]
    assert lost == ()


@pytest.mark.parametrize(
    ("value", "lost"),
    [
        (observation(status=["final", "amended"]), "status"),
        (observation(status={"code": "final"}), "status"),
        (observation(valueQuantity={"value": 1, "unit": {}}), "valueQuantity.unit"),
        (observation(valueQuantity=[{"value": 1}, {"value": 2}]), "valueQuantity"),
        (observation(effectivePeriod="2026"), "effectivePeriod"),
        (observation(effectiveDateTime=True), "effectiveDateTime"),
        (observation(referenceRange=[{"low": True}]), "referenceRange.low"),
        (observation(contained=[{"resourceType": "Specimen", "condition": [3]}]),
         "contained.condition"),
        (observation(contained=["x"]), "contained"),
        (observation(subject=[[{"reference": "Patient/p"}]]), "subject"),
        ({"resourceType": "MedicationRequest", "doNotPerform": "maybe"}, "doNotPerform"),
        ({"resourceType": "Patient", "birthDate": {"year": 1950}}, "birthDate"),
        ({"resourceType": {}, "id": "x"}, "resourceType"),
    ],
)  # fmt: skip
def test_a_broken_part_that_is_read_is_named(value: Json, lost: str) -> None:
    resource, found = parts(value)
    assert found == (lost,)
    if lost != "contained.condition":  # what is left of one contained stays
        assert getattr(resource, lost.split(".")[0]) is None


def test_what_can_only_mean_one_thing_is_taken_as_meant() -> None:
    resource, lost = parts(
        observation(
            id=7,
            status=["final"],
            code="MG",
            subject="Patient/p",
            encounter=[{"reference": "Encounter/e"}],
            effectiveDateTime=[None, "2026-03-01T08:00:00Z"],
            issued=[],
            valueQuantity=[{"value": 1.20, "unit": ["mg/dL"], "code": None}],
            note="haemolysed",
            referenceRange={"low": {"value": 1.6}},
            dataAbsentReason=None,
        )
    )
    assert lost == ()
    assert (resource.id, resource.status, resource.issued) == ("7", "final", None)
    assert words_of(resource.code) == ("MG",)
    assert resource.subject is not None
    assert resource.subject.reference == "Patient/p"
    assert resource.encounter is not None
    assert resource.effectiveDateTime == "2026-03-01T08:00:00Z"
    assert resource.valueQuantity is not None
    assert (bytes(resource.valueQuantity.value), resource.valueQuantity.unit) == (b"1.2", "mg/dL")
    assert [note.text for note in many(resource.note)] == ["haemolysed"]
    assert len(many(resource.referenceRange)) == 1
    order, lost = parts(
        {
            "resourceType": ["MedicationRequest"],
            "doNotPerform": "true",
            "medicationCodeableConcept": [{"coding": {"code": 6585}}],
            "dosageInstruction": ["2 g IV", {"doseAndRate": {"doseQuantity": 2}}],
            "class": "IMP",
        }
    )
    assert lost == ()
    assert order.doNotPerform is True
    assert [c.code for c in read_codes(order.medicationCodeableConcept)] == ["6585"]
    text, dose = many(order.dosageInstruction)
    assert text.text == "2 g IV"
    (stated,) = many(dose.doseAndRate)
    assert stated.doseQuantity is not None
    assert bytes(stated.doseQuantity.value) == b"2"
    encounter, lost = parts({"resourceType": "Encounter", "class": "IMP", "period": None})
    assert [c.code for c in read_codes(encounter.class_)] == ["IMP"]


def test_the_digits_of_a_number_stay() -> None:
    raw = b'{"resourceType":"Observation","status":["final"],"valueQuantity":{"value":1.20}}'
    found = read_parts(raw)
    assert found is not None
    assert found.resource.valueQuantity is not None
    assert bytes(found.resource.valueQuantity.value) == b"1.20"


def test_what_is_no_object_is_no_resource() -> None:
    assert read_parts(b"[1]") is None
    assert read_parts(b"3") is None
    with pytest.raises(msgspec.DecodeError):
        read_parts(b"{")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)  # JSON has neither
    | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "value", "text", "reference", "low", "timing"]),
            inside,
            max_size=3,
        )
    ),
    max_leaves=6,
)
NAMES = sorted(set().union(*READ.values()))


@given(
    type_=st.sampled_from([*READ, "Practitioner", None]),
    held=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4),
)
def test_whatever_stands_in_an_element_the_rest_is_read(type_: str | None, held: Json) -> None:
    value = held | {"id": "x", "resourceType": type_}
    resource, lost = parts(value)
    assert resource.id == "x"
    assert {path.split(".")[0] for path in lost} <= held.keys()


def test_contained_in_contained_ends() -> None:
    value: Json = {"resourceType": "Medication", "id": "x"}
    for _ in range(9):
        value = {"resourceType": "Medication", "id": ["x"], "contained": [value]}
    assert parts(value)[1] == ()


def worst() -> list[bytes]:
    wide = {"resourceType": "Observation", "status": {}, "note": [{"text": {}}] * 8000}
    deep: Json = {"resourceType": "Medication", "id": {}}
    for _ in range(200):
        deep = {
            "resourceType": "Medication",
            "id": {},
            "contained": [deep] * 2 if _ < 9 else [deep],
        }
    names = {"resourceType": "Observation", "status": {}, **{f"x{n}": n for n in range(8000)}}
    text = {"resourceType": "Observation", "status": {}, "valueString": "x" * 100_000}
    return [json.dumps(v).encode() for v in (wide, deep, names, text)]


@pytest.mark.parametrize("number", range(4))
def test_the_worst_resource_is_read_in_no_time(number: int) -> None:
    raw = worst()[number]
    took = []
    for _ in range(3):  # the least: a collection of the garbage of other tests is not its cost
        started = time.process_time()
        read_parts(raw)
        took.append(time.process_time() - started)
    assert min(took) < 0.02 * max(len(raw) / 100_000, 1)


# --- other versions of FHIR (ruling 154) --------------------------------------------------------


def r4(value: Json) -> Resource:
    return as_r4(parts(value)[0])


def test_the_places_of_other_versions() -> None:
    context = {"reference": "Encounter/e"}
    old = r4({"resourceType": "Condition", "context": context, "dateRecorded": "2026-01-01"})
    assert old.encounter is not None
    assert old.recordedDate == "2026-01-01"
    done = r4({"resourceType": "Procedure", "occurrencePeriod": {"end": "2026-01-02"}})
    assert done.performedPeriod is not None
    asked = r4({"resourceType": "ServiceRequest", "code": {"concept": {"text": "Mg"}}})
    assert words_of(asked.code) == ("Mg",)
    said = r4(observation(comment="haemolysed"))
    assert [note.text for note in many(said.note)] == ["haemolysed"]
    here = r4({"resourceType": "Encounter", "actualPeriod": {"start": "2026-01-01"}})
    assert here.period is not None
    assert r4(observation()) == parts(observation())[0]


def test_where_both_places_are_filled_that_of_r4_counts() -> None:
    done = r4(
        {
            "resourceType": "Procedure",
            "performedDateTime": "2026-01-01",
            "occurrencePeriod": {"end": "2026-02-02"},
            "occurrenceDateTime": "2026-02-02",
        }
    )
    assert (done.performedDateTime, done.performedPeriod) == ("2026-01-01", None)
    both = r4(
        {
            "resourceType": "Condition",
            "encounter": {"reference": "Encounter/a"},
            "context": {"reference": "Encounter/b"},
            "code": {"text": "a", "concept": {"text": "b"}},
        }
    )
    assert both.encounter is not None
    assert both.encounter.reference == "Encounter/a"
    assert words_of(both.code) == ("a",)
    assert many(r4(observation(note=[], comment="x")).note) == []
