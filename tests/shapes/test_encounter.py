"""The class of an encounter, wherever it stands; of an unknown system it is unknown."""

from __future__ import annotations

import pytest

from tests.shapes import Card, Json, answer_to

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
LOCAL = "urn:oid:1.2.840.114350.1.13"


def with_class(class_: object) -> Card:
    return answer_to(
        "Mg 1.1 mg/dL", lambda request: request["prefetch"]["encounter"].update({"class": class_})
    )


@pytest.mark.parametrize(
    "class_",
    [
        {"system": ACT, "code": "AMB"},
        {"system": ACT.replace("http:", "https:") + "/", "code": "amb"},
        {"system": "urn:oid:2.16.840.1.113883.5.4", "code": "AMB"},
        {"system": "http://hl7.org/fhir/v3/ActCode", "code": "VR"},
        {"code": "AMB"},
        "AMB",
        [{"coding": [{"system": LOCAL, "code": "5"}, {"system": ACT, "code": "AMB"}]}],
        [
            {"coding": [{"system": LOCAL, "code": "IMP"}]},
            {"coding": [{"system": ACT, "code": "HH"}]},
        ],
        {"coding": [{"system": LOCAL, "code": "5"}, {"system": ACT, "code": "AMB"}]},
        {"coding": {"system": ACT, "code": "AMB"}},
    ],
)
def test_an_outpatient_however_the_class_is_written(class_: object) -> None:
    found = with_class(class_)
    assert found.frame == ("critical", "no drug")
    assert "outpatient" in found.words


@pytest.mark.parametrize(
    "class_",
    [
        {"system": LOCAL, "code": "5", "display": "Appointment"},
        {"system": LOCAL, "code": "AMB"},
        {"system": LOCAL, "code": "IMP"},
        [{"coding": [{"system": LOCAL, "code": "5"}]}],
        [{"text": "Clinic"}],
        [],
        {},
        {"code": "clinic"},
        "outpatient",
        {"system": ACT},
    ],
)
def test_a_class_nobody_knows_is_setting_unknown(class_: object) -> None:
    found = with_class(class_)
    assert found.frame == ("critical", "iv2/20")
    assert "Setting unknown" in found.words


@pytest.mark.parametrize(
    "class_",
    [
        {"system": ACT, "code": "IMP"},
        [{"coding": [{"system": LOCAL, "code": "3"}, {"system": ACT, "code": "EMER"}]}],
        {"system": "v3-ActCode", "code": "OBSENC"},
        {"code": "IMP"},
        {"system": ACT, "code": "XYZ"},
    ],
)
def test_a_known_class_is_no_unknown_setting(class_: object) -> None:
    found = with_class(class_)
    assert found.frame == ("critical", "iv2/20")
    assert "Setting unknown" not in found.words


def test_a_resource_of_another_shape_of_reference_belongs_to_the_encounter() -> None:
    """Absolute and versioned references, too (rulings 113, 33)."""
    for reference in (
        "Encounter/e1",
        "https://ehr.example/fhir/Encounter/e1",
        "https://ehr.example/fhir/Encounter/e1/_history/3",
    ):

        def rewrite(request: Json, reference: str = reference) -> None:
            entry = request["prefetch"]["conditions"]["entry"][0]["resource"]
            entry["encounter"] = {"reference": reference}

        inputs = "Mg 1.4 mg/dL | condition: arrest (onset 30 h ago)"
        assert answer_to(inputs, rewrite).starred == ["iv2/120"]
