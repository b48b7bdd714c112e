"""cards.fhir.resource: shapes seen everywhere are read as they are."""

from __future__ import annotations

import msgspec
import pytest

from cards.fhir.resource import (
    Coding,
    Resource,
    codings,
    contained,
    first,
    many,
    name,
    reference_key,
    status_code,
)


def read(text: str) -> Resource:
    return msgspec.json.decode(text, type=Resource)


def test_one_object_stands_for_a_list() -> None:
    one = read('{"dosageInstruction": {"text": "x"}, "code": {"coding": {"code": "c"}}}')
    assert [d.text for d in many(one.dosageInstruction)] == ["x"]
    assert codings(one.code) == [Coding(code="c")]
    assert many(None) == []
    assert codings(None) == []


def test_numbers_keep_their_text_and_strings_stay_strings() -> None:
    found = read('{"valueQuantity": {"value": 1.20}}').valueQuantity
    assert found is not None
    assert bytes(found.value) == b"1.20"
    found = read('{"valueQuantity": {"value": "NaN"}}').valueQuantity
    assert found is not None
    assert bytes(found.value) == b'"NaN"'


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ('"active"', "active"),  # STU3
        ('{"coding": [{"code": " Active "}]}', "active"),
        ('{"coding": [{"system": "x"}, {"code": "resolved"}]}', "resolved"),
        ('{"text": "Active"}', None),
        ("null", None),
    ],
)
def test_a_status_in_any_shape(status: str, code: str | None) -> None:
    assert status_code(read(f'{{"clinicalStatus": {status}}}').clinicalStatus) == code


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("Medication/m1", ("Medication", "m1")),
        ("https://ehr.example/fhir/Medication/m1/", ("Medication", "m1")),
        ("Medication/m1/_history/3", ("Medication", "m1")),
        ("#m1", None),
        ("urn:uuid:1", None),
        ("m1", None),
        ("", None),
        (None, None),
    ],
)
def test_what_a_reference_points_to(reference: str | None, key: tuple[str, str] | None) -> None:
    assert reference_key(reference) == key


def test_a_contained_resource_is_found_by_its_fragment() -> None:
    order = read('{"contained": [{"id": "a"}, {"id": "#b"}, {}]}')
    assert contained(order, "#a") == Resource(id="a")
    assert contained(order, "#b") == Resource(id="#b")  # seen in real requests
    assert contained(order, "#c") is None
    assert contained(order, "Medication/a") is None
    assert contained(Resource(), "#a") is None


def test_a_resource_has_a_name_even_without_an_id() -> None:
    assert name(Resource(resourceType="Observation", id="1")) == "Observation/1"
    assert name(Resource()) == "?/?"
    assert first([]) is None
