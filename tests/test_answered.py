"""What a request was answered with: whole or not, whose it is, where its references lead.

Shapes of rulings 136, 144, 145, 146, 148 and 154, each sent as a whole request.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from service.answer import Answer, answer
from service.errors import PatientMissing
from tests.contract.shapes import (
    LOINC,
    Json,
    body,
    bundle,
    changed,
    draft,
    lab,
    magnesium,
    patient,
    request,
    without,
)
from tests.vignette import NOW, SERVICE_IDS, build_request, offers

SEVERE = "Mg 0.9 mg/dL"


def plain(more: str = "") -> Json:
    return build_request("patient-view", SEVERE + more)


def sent(value: Json) -> Answer:
    return answer(json.dumps(value).encode(), SERVICE_IDS[value["hook"]], NOW)


def seen(value: Json) -> tuple[str, list[str], str]:
    """(worst indicator, drugs offered, everything said)."""
    given = json.loads(sent(value).body)
    cards = given["cards"]
    worst = cards[0]["indicator"] if cards else "none"
    said = " ".join(f"{card['summary']} {card['detail']}" for card in cards)
    return worst, [offer.shorthand for offer in offers(given)], said


WHOLE = ("critical", ["iv2/20", "iv5/180"])
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


def outcome(*severities: str | None) -> Json:
    issue = [{"severity": s, "code": "x"} if s else {"code": "x"} for s in severities]
    return {"resourceType": "OperationOutcome", "issue": issue}


def answered(key: str, value: Any) -> tuple[str, list[str], str]:
    request = plain()
    request["prefetch"][key] = value
    return seen(request)


# --- whole or not (rulings 144, 154) ------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {"resourceType": "Bundle", "total": 0, "entry": [{"resource": outcome("warning")}]},
        {"resourceType": "Bundle", "entry": [{"resource": outcome("information", "warning")}]},
        {"resourceType": "Bundle", "total": 0},
        {"resourceType": "Bundle", "issues": outcome("warning")},
        {"resourceType": "Bundle", "total": 0, "link": {"relation": "self", "url": "x"}},
        {"response": {"status": "200"}, "resource": {"resourceType": "Bundle", "entry": []}},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle"}}]},
        {"resourceType": "Bundle", "entry": [], "id": [], "meta": 4, "total": None},
    ],
)
def test_an_answer_that_is_whole(value: Json) -> None:
    assert answered("conditions", value)[:2] == WHOLE


@pytest.mark.parametrize(
    "value",
    [
        {"resourceType": "Bundle", "entry": [{"resource": outcome("error")}]},
        {"resourceType": "Bundle", "entry": [{"resource": outcome("warning", "FATAL ")}]},
        {"resourceType": "Bundle", "entry": [{"resource": outcome(None)}]},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "OperationOutcome"}}]},
        bundle({"resourceType": "Bundle", "entry": [{"resource": ERROR}]}),
        {"resourceType": "Bundle", "issues": outcome("error")},
        {"resourceType": "Bundle", "issues": {"resourceType": "OperationOutcome", "issue": 3}},
        {"resourceType": "Bundle", "issues": {"issue": [{"severity": ["error", "error"]}]}},
        {"resourceType": "Bundle", "entry": [{}]},
        {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1", "resource": None}]},
        {"resourceType": "Bundle", "entry": [{"resource": {}}]},
        {"resourceType": "Bundle", "total": 3},
        {"resourceType": "Bundle", "link": {"relation": "next", "url": "https://x"}},
        {"resourceType": "Bundle", "link": [{"relation": "next"}], "entry": []},
        outcome("warning"),
        {},
        {"response": {"status": "404"}},
        {"resourceType": "Parameters"},
    ],
)
def test_an_answer_that_is_not_whole(value: Json) -> None:
    worst, drugs, said = answered("conditions", value)
    assert (worst, drugs) == ("critical", [])
    assert "conditions could not be read" in said


@pytest.mark.parametrize(
    ("key", "type_"),
    [
        ("medications", "MedicationOrder"),
        ("medications", "MedicationPrescription"),
        ("laborders", "ProcedureRequest"),
        ("laborders", "DiagnosticOrder"),
        ("allergies", "AdverseReaction"),
    ],
)
def test_a_type_of_another_version_answers_nothing(key: str, type_: str) -> None:
    value = plain()
    value["prefetch"][key] = bundle({"resourceType": type_, "id": "1"})
    given = sent(value)
    assert given.evidence.gaps[key].reason == (
        f"the record speaks another version of FHIR ({type_})"
    )


def test_one_of_another_version_among_ours_is_enough() -> None:
    ours = {"resourceType": "MedicationRequest", "id": "2", "status": "active"}
    old = {"resourceType": "MedicationOrder", "id": "1"}
    assert answered("medications", bundle(ours, old))[1] == []


# --- whose (rulings 145, 148) -------------------------------------------------------------------


def linked(type_: str, **more: Any) -> Json:
    value = plain()
    value["prefetch"]["patient"]["link"] = [
        {"type": type_, "other": {"reference": "Patient/old"}, **more}
    ]
    for entry in value["prefetch"]["magnesium"]["entry"]:
        entry["resource"]["subject"] = {"reference": "Patient/old"}
    return value


@pytest.mark.parametrize("type_", ["replaces", "seealso", "refer", " Refer "])
def test_a_linked_record_is_this_patient(type_: str) -> None:
    assert seen(linked(type_))[:2] == WHOLE


def test_a_record_that_replaced_ours_is_not() -> None:
    worst, drugs, said = seen(linked("replaced-by"))
    assert (worst, drugs) == ("info", [])
    assert "another patient" in said


def subject(value: Any, *, patient_url: str | None = None, **patient: Any) -> Json:
    made = plain()
    made["prefetch"]["patient"] |= patient
    if patient_url is not None:
        entries = [{"fullUrl": patient_url, "resource": made["prefetch"]["patient"]}]
        made["prefetch"]["patient"] = {"resourceType": "Bundle", "entry": entries}
    for entry in made["prefetch"]["magnesium"]["entry"]:
        entry["resource"]["subject"] = value
    return made


MRN = {"system": "urn:mrn", "value": "1"}


@pytest.mark.parametrize(
    "value",
    [
        subject({"reference": "urn:uuid:p1"}),
        subject({"reference": "URN:UUID:P1"}),
        subject({"reference": "urn:uuid:77"}, patient_url="urn:uuid:77"),
        subject({"reference": "https://a.example/Patient/p1"}),
        subject(
            {"reference": "http://A.example/Patient/p1"},
            patient_url="https://a.example/Patient/p1",
        ),
        subject({"identifier": MRN}, identifier=[MRN]),
        subject({"identifier": MRN}),
        subject({"identifier": {"value": "1"}}, identifier=[MRN]),
        subject({"identifier": MRN}, identifier="broken"),
        subject({"display": "Sam"}),
        subject("Patient/p1"),
    ],
)
def test_names_of_this_patient(value: Json) -> None:
    assert seen(value)[:2] == WHOLE


@pytest.mark.parametrize(
    "value",
    [
        subject({"reference": "Patient/p2"}),
        subject({"reference": "urn:uuid:p2"}),
        subject({"reference": "Group/p1"}),
        subject({"reference": "#p1"}),
        subject({"reference": "p1"}),
        subject({"identifier": MRN | {"value": "2"}}, identifier=[MRN]),
        subject(
            {"reference": "https://b.example/Patient/p1"},
            patient_url="https://a.example/Patient/p1",
        ),
        subject([{"reference": "Patient/p1"}, {"reference": "Patient/p2"}]),
    ],
)
def test_whoever_else_it_is_about_it_is_no_silence(value: Json) -> None:
    worst, drugs, _ = seen(value)
    assert (worst, drugs) == ("info", [])


def test_another_patient_under_patient_is_set_aside_named_and_missed() -> None:
    value = changed(request(), "prefetch/patient", patient("p2"))
    with pytest.raises(PatientMissing):
        answer(body(value), "magnesium-patient-view", NOW)
    wrapped = changed(request(), "prefetch/patient", {"response": {}, "resource": patient("p2")})
    with pytest.raises(PatientMissing):
        answer(body(wrapped), "magnesium-patient-view", NOW)
    value["prefetch"]["mine"] = patient()
    given = answer(body(value), "magnesium-patient-view", NOW)
    assert [s.resource for s in given.evidence.set_aside] == ["Patient/p2"]
    assert given.evidence.patient is not None


def test_a_linked_patients_record_is_no_other_patient() -> None:
    value = linked("replaces")
    value["prefetch"]["mine"] = patient("old")
    assert not sent(value).evidence.set_aside


def test_a_draft_of_a_merged_record_is_this_patients() -> None:
    value = linked("replaces")
    value["hook"] = "order-sign"
    order = draft(subject={"reference": "Patient/old"})
    value["context"]["draftOrders"] = bundle(order)
    assert sent(value).request.drafts


# --- set aside or broken (ruling 145) -----------------------------------------------------------

MODIFIED = [{"url": "urn:x", "valueBoolean": True}]
RUNNING = " | active: MgSO4 1 g IV every 6 h (authored 30 h ago)"
GIVEN = " | given: MgSO4 2 g IV, started 30 min ago, ended 10 min ago"


def with_broken(key: str, more: str, **elements: Any) -> Json:
    value = plain(more)
    for entry in value["prefetch"][key]["entry"]:
        entry["resource"] |= elements
    return value


@pytest.mark.parametrize(
    "value",
    [
        with_broken("medications", RUNNING, modifierExtension=MODIFIED),
        with_broken("medications", RUNNING, dosageInstruction=[{"timing": 4}]),
        with_broken("medications", RUNNING, medicationCodeableConcept=[1, 2]),
        with_broken("medications", RUNNING, subject={"reference": "p1"}),
        with_broken("administrations", GIVEN, modifierExtension=MODIFIED),
        with_broken("administrations", GIVEN, dosage={"dose": "2 g"}),
        with_broken("administrations", GIVEN, effectivePeriod=[1, 2], effectiveDateTime={}),
    ],
)
def test_magnesium_that_cannot_be_used_leaves_no_drug_and_says_where_to_look(value: Json) -> None:
    worst, drugs, said = seen(value)
    assert (worst, drugs) == ("critical", [])
    assert "administration record" in said


@pytest.mark.parametrize(
    "value",
    [
        with_broken("medications", RUNNING, modifierExtension=MODIFIED, status="entered-in-error"),
        with_broken(
            "medications",
            RUNNING,
            modifierExtension=MODIFIED,
            medicationCodeableConcept={"text": "Paracetamol 500 mg"},
        ),
        with_broken(
            "medications",
            RUNNING,
            modifierExtension=MODIFIED,
            status="completed",
            authoredOn="2020-01-01",
        ),
        with_broken("administrations", GIVEN, modifierExtension=MODIFIED, status="not-done"),
        with_broken(
            "administrations",
            GIVEN,
            modifierExtension=MODIFIED,
            effectivePeriod={"start": "2020-01-01"},
        ),
    ],
)
def test_what_cannot_matter_takes_nothing(value: Json) -> None:
    assert seen(value)[:2] == WHOLE


def test_a_draft_beside_magnesium_that_cannot_be_used_is_told() -> None:
    value = build_request(
        "order-sign", "Mg 1.1 mg/dL" + GIVEN + " | draft: MgSO4 2 g IV over 20 min"
    )
    entry = value["prefetch"]["administrations"]["entry"][0]
    entry["resource"]["modifierExtension"] = MODIFIED
    worst, drugs, said = seen(value)
    assert (worst, drugs) == ("warning", [])
    assert "running or given: check the administration record" in said
    value["prefetch"]["conditions"]["entry"] = [
        {"resource": {"resourceType": "Condition", "id": "t", "recordedDate": NOW.isoformat(),
                      "code": {"coding": [{"system": SCT, "code": "31722008"}]}}}
    ]  # fmt: skip
    assert "check the administration record" not in seen(value)[2]  # life does not wait


def test_a_high_level_with_a_source_that_may_be_there_is_told() -> None:
    inputs = "Mg 2.61 mg/dL | active: MilkOfMagnesia x1 daily (authored 30 h ago)"
    value = build_request("patient-view", inputs)
    value["prefetch"]["medications"]["entry"][0]["resource"]["modifierExtension"] = MODIFIED
    worst, drugs, said = seen(value)
    assert (worst, drugs) == ("info", [])
    assert "may be magnesium" in said


def condition(code: Json | None, **more: Any) -> Json:
    made = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"}}
    return made | ({"code": code} if code else {}) | {"modifierExtension": MODIFIED} | more


SCT = "http://snomed.info/sct"
BLOCK = {"coding": [{"system": SCT, "code": "27885002"}]}
PRESSURE = {"coding": [{"system": SCT, "code": "38341003"}]}


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        (condition(BLOCK), True),
        (condition(None), True),
        (condition({"text": "complete heart block"}), True),
        (condition({"text": "no heart block"}), False),
        (condition({"text": "Rash", "coding": [{"system": "urn:house", "code": "7"}]}), False),
        (condition({"coding": [{"system": "urn:house", "code": "7"}]}), True),
        (condition(PRESSURE), False),
        (condition(BLOCK, clinicalStatus={"coding": [{"code": "resolved"}]}), False),
        (condition(BLOCK, verificationStatus={"coding": [{"code": "refuted"}]}), False),
        (condition(None) | {"modifierExtension": [], "code": [PRESSURE, BLOCK]}, True),
    ],
)
def test_a_condition_set_aside_matters_when_it_may_be_a_stop(found: Json, stops: bool) -> None:
    worst, drugs, said = answered("conditions", bundle(found))
    assert worst == "critical"
    assert (drugs == []) == stops
    assert ("conditions could not be read" in said) == stops


DIALYSIS = {"coding": [{"system": SCT, "code": "302497006"}], "text": "Hemodialysis"}


def procedure(code: Json, hours: float = 20, **more: Any) -> Json:
    made = {"resourceType": "Procedure", "id": "d", "subject": {"reference": "Patient/p1"}}
    done = (NOW - timedelta(hours=hours)).isoformat()
    return made | {"code": code, "status": "completed", "performedDateTime": done} | more


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        (procedure(DIALYSIS, modifierExtension=MODIFIED), True),
        (procedure({"text": "Hämodialyse"}), True),
        (procedure({"text": "CVVH"}, modifierExtension=MODIFIED), True),
        (procedure({"text": "CVVH"}, performedDateTime="", status="in-progress"), True),
        (procedure(DIALYSIS, 24 * 90, modifierExtension=MODIFIED), False),
        (procedure(DIALYSIS, modifierExtension=MODIFIED, status="not-done"), False),
        (procedure({"text": "no dialysis"}), False),
        (procedure({"text": "Appendectomy"}, modifierExtension=MODIFIED), False),
    ],
)
def test_a_dialysis_that_may_have_been_matters(found: Json, stops: bool) -> None:
    request = plain()
    request["prefetch"]["procedures"] = bundle(found)
    worst, drugs, said = seen(request)
    starred = [o for o in offers(json.loads(sent(request).body)) if o.recommended]
    assert (worst, drugs) == WHOLE
    assert (starred == []) == stops
    assert ("dialysis" in said.lower()) == stops


def test_a_broken_condition_of_a_client_that_names_nothing_else() -> None:
    worst, drugs, _ = answered("conditions", {"resourceType": "Bundle", "entry": ["x"]})
    assert (worst, drugs) == ("critical", [])


@pytest.mark.parametrize(
    ("hours", "status", "counts"),
    [
        (1, "final", True),
        (9, "final", False),
        (1, "cancelled", False),
        (1, "entered-in-error", False),
    ],
)
def test_a_result_set_aside_matters_when_it_may_be_newer(
    hours: float, status: str, counts: bool
) -> None:
    value = build_request("patient-view", "Mg 0.9 mg/dL, collected 3 h ago")
    (ours,) = [e["resource"] for e in value["prefetch"]["magnesium"]["entry"]]
    when = (NOW - timedelta(hours=hours)).isoformat()
    other = ours | {"id": "x", "modifierExtension": MODIFIED, "effectiveDateTime": when}
    value["prefetch"]["magnesium"]["entry"].append({"resource": other | {"status": status}})
    worst, drugs, _ = seen(value)
    assert (worst, bool(drugs)) == (("info", False) if counts else ("critical", True))


# --- where references lead (ruling 136) ---------------------------------------------------------


def administered(reference: Any, entry: Json, **more: Any) -> Json:
    """2 g given 10 min ago, its medication only referred to."""
    value = plain(GIVEN)
    found = value["prefetch"]["administrations"]["entry"]
    concept = found[0]["resource"].pop("medicationCodeableConcept")
    found[0]["resource"] |= {"medicationReference": reference} | more
    medication = {"resourceType": "Medication", "code": concept}
    value["prefetch"]["more"] = {
        "resourceType": "Bundle",
        "entry": [{k: v for k, v in entry.items() if k != "resource"}
                  | {"resource": medication | entry.get("resource", {})}],
    }  # fmt: skip
    return value


PHARMACY = {"system": "urn:pharmacy", "value": "17"}


@pytest.mark.parametrize(
    ("reference", "entry"),
    [
        ({"reference": "Medication/m"}, {"resource": {"id": "m"}}),
        ({"reference": "Medication/m/_history/2"}, {"resource": {"id": "m"}}),
        ({"reference": "https://a.example/Medication/m"}, {"resource": {"id": "m"}}),
        ({"reference": "urn:uuid:7"}, {"fullUrl": "urn:uuid:7"}),
        ({"reference": "URN:UUID:7A"}, {"fullUrl": "urn:uuid:7a", "resource": {"id": "m"}}),
        ({"reference": "urn:oid:1.2.3"}, {"fullUrl": "urn:oid:1.2.3"}),
        ({"reference": "https://a/x?y=1"}, {"fullUrl": "https://a/x"}),
        ({"identifier": PHARMACY}, {"resource": {"id": "m", "identifier": [PHARMACY]}}),
    ],
)
def test_what_was_given_is_found_wherever_its_medication_stands(
    reference: Any, entry: Json
) -> None:
    worst, drugs, said = seen(administered(reference, entry))
    assert (worst, drugs) == ("info", []), said
    assert "given since the result" in said


def test_an_r5_administration_that_refers_by_urn() -> None:
    value = administered(None, {"fullUrl": "urn:uuid:7"})
    resource = value["prefetch"]["administrations"]["entry"][0]["resource"]
    del resource["medicationReference"]
    resource["medication"] = {"reference": {"reference": "urn:uuid:7"}}
    assert seen(value)[0] == "info"


def test_a_reference_that_leads_nowhere_stays_as_it_is() -> None:
    for reference in ({"reference": "urn:uuid:8"}, {"identifier": PHARMACY}, {"display": "x"}, {}):
        value = administered(reference, {"fullUrl": "urn:uuid:7", "resource": {"id": "m"}})
        given = sent(value).evidence.of_type("MedicationAdministration")
        assert given[0].medicationReference is not None
        assert given[0].medicationReference.reference == reference.get("reference")


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("urn:uuid:5", "urn:uuid:5"),
        ("https://x/Specimen/s", "https://x/Specimen/s"),
        ("Specimen/s/_history/2", "https://x/Specimen/s"),
    ],
)
def test_a_specimen_is_found_by_the_place_it_came_from(reference: str, url: str) -> None:
    value = plain()
    result = value["prefetch"]["magnesium"]["entry"][0]["resource"]
    result["specimen"] = {"reference": reference}
    specimen = {"resourceType": "Specimen", "note": [{"text": "haemolysed"}]}
    if not reference.startswith("urn"):
        specimen["id"] = "s"
    value["prefetch"]["magnesium"]["entry"].append({"fullUrl": url, "resource": specimen})
    _, drugs, said = seen(value)
    assert (drugs, "haemolysed" in said) == ([], True)


# --- characters (ruling 146) --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        (b"\\ud83d", "\ufffd"),
        (b"\\udc00 x", "\ufffd x"),
        (b"\\uD83D\\uDE00", "\U0001f600"),
        (b"\\ud83d\\ud83d\\ude00", "\ufffd\U0001f600"),
        (b"\\\\ud83d", "\\ud83d"),
        (b"\\\\\\ud83d\\n", "\\\ufffd\n"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd"),
        ("é".encode("latin-1"), "\ufffd"),
        ("é".encode(), "é"),
    ],
)
def test_a_broken_character_is_replaced(name: bytes, read_as: str) -> None:
    value = plain()
    value["prefetch"]["patient"]["gender"] = "@"
    sent_ = json.dumps(value).encode().replace(b'"@"', b'"' + name + b'"')
    given = answer(sent_, "magnesium-patient-view", NOW)
    assert given.evidence.patient is not None
    assert given.evidence.patient.gender == read_as
    assert json.loads(given.body)["cards"]


# --- what was not recognised --------------------------------------------------------------------


def test_results_of_unknown_codes_are_accounted_for_once_and_bounded() -> None:
    house = {"coding": [{"system": "urn:house ", "code": "MG"}], "text": "Mg, total"}
    value = request()
    value["prefetch"]["mine"] = bundle(
        *(magnesium(id=f"a{n}") | {"code": house} for n in range(3)),
        magnesium(id="b") | {"code": {"text": "x" * 400}},
        *(magnesium(id=f"c{n}") | {"code": {"text": f"test {n}"}} for n in range(80)),
        without(magnesium(id="d"), "valueQuantity")
        | {"code": {"coding": [{"system": LOINC, "code": "718-7"}]}},
    )  # fmt: skip
    found = answer(body(value), "magnesium-patient-view", NOW).decision.unrecognised
    assert len(found) == 50
    first, second = found[:2]
    assert (first.kind, first.system, first.code) == ("result", "urn:house", "MG")
    assert (first.text, first.unit) == ("Mg, total", "mg/dL")
    assert (second.system, second.code, len(second.text)) == ("", "", 200)
    assert {f.kind for f in found} == {"result"}


def test_of_each_kind_some_are_accounted_for() -> None:
    """One kind in the hundreds does not crowd out the others."""
    house = "urn:house"

    def coded(code: str, text: str) -> Json:
        return {"coding": [{"system": house, "code": code}], "text": text}

    value = request()
    value["prefetch"]["mine"] = bundle(
        *(magnesium(id=f"c{n}") | {"code": {"text": f"test {n}"}} for n in range(80)),
        lab("2160-0", 2, "house/1"),
        {"resourceType": "Condition", "id": "k", "code": coded("K1", "Rash of the elbow"),
         "clinicalStatus": coded("st", "Up and about"), "subject": {"reference": "Patient/p1"}},
        {"resourceType": "MedicationRequest", "id": "o1", "status": "active", "intent": "order",
         "medicationCodeableConcept": coded("D77", "Elbow ointment"),
         "subject": {"reference": "Patient/p1"}},
        {"resourceType": "MedicationRequest", "id": "o2", "status": "active", "intent": "order",
         "medicationCodeableConcept": {"text": "magnesium sulfate 2 g/50 mL IV"},
         "dosageInstruction": [{"timing": {"code": coded("ZZ9", "as per ward list")},
                                "route": {"text": "intravenous"}}],
         "subject": {"reference": "Patient/p1"}},
    )  # fmt: skip
    found = answer(body(value), "magnesium-patient-view", NOW).decision.unrecognised
    assert len(found) == 50
    named = {f.kind: (f.system, f.code, f.text, f.unit) for f in found if f.kind != "result"}
    assert named == {
        "unit": ("http://loinc.org", "2160-0", named["unit"][2], "house/1"),
        "condition": (house, "K1", "Rash of the elbow", ""),
        "status": (house, "st", "Up and about", ""),
        "drug": (house, "D77", "Elbow ointment", ""),
        "timing": (house, "ZZ9", "as per ward list", ""),
    }


def test_what_is_known_is_no_gap() -> None:
    given = answer(body(request()), "magnesium-patient-view", NOW)
    assert given.decision.unrecognised == ()
