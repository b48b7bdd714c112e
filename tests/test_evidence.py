"""cards.evidence: whose resources count, under which key they came, and what was not read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cards.evidence import NEED, NEEDS, Evidence, Gap, SetAside, Unread, collect, title_of
from cards.fhir.resource import Resource
from tests.contract.shapes import LOINC, Json, bundle, draft, lab, magnesium, patient

PANEL = "24320-4"
MODIFIED = [{"url": "http://example.org/negated", "valueBoolean": True}]
SNOMED = "http://snomed.info/sct"


def read(value: Json) -> Resource:
    return msgspec.json.decode(json.dumps(value), type=Resource)


def collected(*values: Json, **more: Any) -> Evidence:
    return collect("p1", [read(value) for value in values], **more)


def condition(code: str = "91637004", **more: Any) -> Json:
    coding = {"system": SNOMED, "code": code}
    return {"resourceType": "Condition", "id": "c1", "code": {"coding": [coding]}} | more


def coded(*codings: Json) -> Json:
    """A magnesium under other codes."""
    return magnesium() | {"code": {"coding": list(codings)}}


# --- whose --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "https://ehr.example/Patient/p1", "Patient/p1/_history/2", "urn:uuid:1", None],
)
def test_our_patients_resources_count(reference: str | None) -> None:
    subject = {"reference": reference} if reference else {"display": "Sam"}
    urls = [("urn:uuid:1", read(patient()))]
    found = collected(magnesium(subject=subject), urls=urls)
    assert len(found.lab("magnesium")) == 1
    assert not found.set_aside


@pytest.mark.parametrize("reference", ["Patient/p2", "urn:uuid:2", "Group/p1", "#p1"])
def test_another_subjects_resources_are_never_used_and_are_named(reference: str) -> None:
    found = collected(
        magnesium(subject={"reference": reference}),
        {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": reference}},
        urls=[("urn:uuid:1", read(patient()))],
    )
    assert not found.lab("magnesium")
    assert not found.of_type("AllergyIntolerance")
    assert [s.reason for s in found.set_aside] == ["belongs to another patient"] * 2


def test_a_subject_nobody_can_read_is_not_used_and_not_lost() -> None:
    found = collected(
        magnesium(subject={"reference": "p1"}),
        {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "p1"}},
    )
    assert not found.lab("magnesium")
    assert [s.reason for s in found.set_aside] == ["its subject cannot be read"] * 2
    assert [(u.need, u.reason) for u in found.unread] == [
        ("magnesium", "its subject cannot be read")
    ]


def test_of_two_patients_the_one_in_context_is_the_patient() -> None:
    found = collected(patient("p2"), patient("p1"))
    assert found.patient is not None
    assert found.patient.id == "p1"
    assert found.set_aside == (SetAside("Patient/p2", "belongs to another patient"),)
    unnamed = collected({"resourceType": "Patient", "gender": "female"}, patient("p2"))
    assert unnamed.patient is not None
    assert unnamed.patient.gender == "female"


# --- meaning ------------------------------------------------------------------------------------


def test_a_resource_of_modified_meaning_is_not_used() -> None:
    found = collected(magnesium(modifierExtension=MODIFIED), draft(modifierExtension=MODIFIED))
    assert not found.lab("magnesium")
    assert not found.of_type("MedicationRequest")
    assert {s.reason for s in found.set_aside} == {"carries an unknown modifierExtension"}
    assert [u.need for u in found.unread] == ["magnesium", "medications"]
    # An empty one modifies nothing.
    assert collected(magnesium(modifierExtension=[])).lab("magnesium")


def test_a_condition_of_modified_meaning_leaves_the_conditions_unread() -> None:
    """It may deny a stop, or name one; whether it does is judged by the chart."""
    found = collected(condition(modifierExtension=MODIFIED))
    assert not found.of_type("Condition")
    assert [u.need for u in found.unread] == ["conditions"]


# --- which lab ----------------------------------------------------------------------------------


def test_resources_are_indexed_by_code_not_by_key() -> None:
    found = collected(
        lab("2823-3", 4, "mmol/L"),
        lab("19123-9", 1.1, "mg/dL"),
        lab("2601-3", 0.4, "mmol/L"),
        lab("718-7", 13, "g/dL"),  # haemoglobin: nobody asks
        draft(),
    )
    assert {k: len(v) for k, v in found.labs.items()} == {"potassium": 1, "magnesium": 2}
    assert len(found.of_type("MedicationRequest")) == 1
    assert not found.of_type("Observation")


@pytest.mark.parametrize(
    "coding",
    [
        {"system": "urn:local", "code": "19123-9"},
        {"code": "19123-9"},
        {"system": LOINC},
        {"system": LOINC, "code": "21377-7x"},
    ],
)
def test_a_code_counts_only_with_its_system(coding: Json) -> None:
    assert not collected(coded(coding)).labs


def test_a_later_coding_and_a_loinc_oid_name_the_lab_too() -> None:
    ours = {"system": LOINC, "code": "19123-9"}
    found = collected(coded({"code": "MG"}, {"system": "urn:local", "code": "7"}, ours))
    assert found.lab("magnesium")
    oid = {"system": "urn:oid:2.16.840.1.113883.6.1", "code": "19123-9"}
    assert collected(coded(oid)).lab("magnesium")


def test_a_sites_own_code_comes_first() -> None:
    local = {("urn:lab", "MG"): "magnesium"}
    value = coded({"system": " urn:lab ", "code": "MG "})
    assert collected(value, site_labs=local).lab("magnesium")
    assert not collected(value).labs


def panel(code: str) -> Json:
    inner = {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueString": "1.1"}
    return coded({"system": LOINC, "code": PANEL}) | {"component": [inner]}


def test_a_magnesium_inside_a_panel_is_a_gap_not_silence() -> None:
    found = collected(panel("19123-9"))
    assert [(u.need, u.reason) for u in found.unread] == [
        ("magnesium", "a result inside a panel is not read")
    ]
    assert not collected(panel("2823-3")).unread


# --- the same id twice --------------------------------------------------------------------------


def test_the_same_resource_twice_counts_once() -> None:
    found = collected(magnesium(), magnesium(), patient(), patient())
    assert len(found.lab("magnesium")) == 1
    assert not found.unread


@pytest.mark.parametrize(
    ("first", "second", "needs"),
    [
        (magnesium(1.1), magnesium(1.9), ["magnesium"]),
        (lab("2823-3", 3, "mmol/L"), lab("2823-3", 6, "mmol/L"), ["potassium"]),
        (
            lab("2823-3", 3, "mmol/L", id="x"),
            lab("19123-9", 1.1, "mg/dL", id="x"),
            ["magnesium", "potassium"],
        ),
        (condition(), condition("77386006"), ["conditions"]),
        (draft("6585"), draft("8591"), ["medications"]),
        (patient(), patient() | {"gender": "female"}, ["patient"]),
        (
            {"resourceType": "Specimen", "id": "s"},
            {"resourceType": "Specimen", "id": "s", "status": "x"},
            ["patient"],
        ),
        (
            lab("718-7", 13, "g/dL"),
            lab("718-7", 7, "g/dL"),
            [],  # nobody asked for it
        ),
    ],
)
def test_the_same_id_with_other_content_is_not_believed(
    first: Json, second: Json, needs: list[str]
) -> None:
    for order in ((first, second), (second, first)):
        found = collected(lab("1751-7", 4, "g/dL"), *order)
        assert [u.need for u in found.unread] == needs
        assert {u.reason for u in found.unread} <= {"the same id came twice with other content"}
        kept = [r for rs in (*found.labs.values(), *found.by_type.values()) for r in rs]
        assert [r.id for r in kept] == ["1751-7-2"]


def test_an_id_that_another_patient_has_too_is_no_conflict() -> None:
    foreign = magnesium(1.9, subject={"reference": "Patient/p2"})
    for order in ((magnesium(), foreign), (foreign, magnesium())):
        found = collected(*order)
        assert len(found.lab("magnesium")) == 1
        assert not found.unread
        assert len(found.set_aside) == 1


def test_a_resource_without_an_id_is_itself() -> None:
    without = {k: v for k, v in magnesium().items() if k != "id"}
    assert len(collected(without, without).lab("magnesium")) == 2


# --- gaps ---------------------------------------------------------------------------------------


def test_read_and_empty_is_a_fact_not_obtained_is_a_gap() -> None:
    found = collected(gaps=[Gap("weight", "the server was late")], unread=[])
    assert found.obtained("magnesium")
    assert not found.obtained("weight")


@pytest.mark.parametrize(("need", "reason"), [("unheard", "x"), ("weight", "")])
def test_a_gap_names_a_need_and_a_reason(need: str, reason: str) -> None:
    with pytest.raises(ValueError, match="names one of NEEDS"):
        Gap(need, reason)


def test_what_was_unread_before_stays() -> None:
    before = Unread("magnesium", "Observation/x", "broken")
    assert collected(bundle(), unread=[before]).unread == (before,)


# --- the queries --------------------------------------------------------------------------------


def test_templates_use_what_every_client_knows() -> None:
    """No parameter twice, only the two tokens (contract "HTTP")."""
    for need in NEEDS:
        template = need.template()
        query = template.partition("?")[2]
        names = [part.partition("=")[0] for part in query.split("&") if part]
        assert len(names) == len(set(names)), template
        rest = template.replace("{{context.patientId}}", "").replace("{{context.encounterId}}", "")
        assert "{{" not in rest
    assert NEED["patient"].template() == "Patient/{{context.patientId}}"
    assert NEED["encounter"].template() == "Encounter/{{context.encounterId}}"


def test_a_sites_codes_are_asked_for() -> None:
    asked = NEED["magnesium"].template([("urn:lab", "MG")])
    assert asked.count("code=") == 1
    assert ",urn:lab|MG&_sort=-date&_count=20" in asked


def test_a_need_has_a_title_that_is_a_word() -> None:
    titles = [need.title for need in NEEDS]
    assert len(set(titles)) == len(titles)
    assert (title_of("laborders"), title_of("egfr")) == ("laboratory orders", "eGFR")
    assert (title_of("magnesium"), title_of("no need")) == ("magnesium", "no need")
