"""HookRequest: what is read, what is refused, and that one bad entry costs only itself."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.fhir.resource import Resource
from service.cdshooks.prefetch import entries_of
from service.cdshooks.request import SERVICES, HookRequest, read_hook
from service.cdshooks.schema import explain
from service.errors import BadRequest, UnknownService
from tests.contract.shapes import (
    SERVICE,
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


def read(value: Json) -> HookRequest:
    return read_hook(body(value), SERVICE[value["hook"]])


def resources(hook: HookRequest, key: str) -> list[Resource]:
    return [e.resource for e in entries_of(hook.prefetch[key]) if e.resource is not None]


def refusal(value: Any, service: str = "magnesium-patient-view") -> BadRequest:
    data = value if isinstance(value, bytes) else body(value)
    with pytest.raises(BadRequest) as caught:
        read_hook(data, service)
    return caught.value


def test_one_pass_reads_the_whole_request() -> None:
    hook = read(request("order-select"))
    assert (hook.hook, hook.service) == ("order-select", "magnesium-order-select")
    assert (hook.patient_id, hook.encounter_id) == ("p1", "e1")
    assert hook.selections == ("MedicationRequest/draft-1",)
    assert json.loads(hook.drafts[0]) == draft()
    assert resources(hook, "patient")[0].birthDate == "1966-01-15"
    assert not hook.unread
    assert not hook.refused


def test_drafts_are_kept_to_the_byte_and_in_order() -> None:
    first = b'{"resourceType":"MedicationRequest","id":"a","x":1.20, "y":"\\u00b5"}'
    second = b'{ "id" : "b" , "resourceType":"MedicationRequest"}'
    data = body(request("order-sign")).replace(body(draft()), first + b'},{"resource":' + second)
    assert read_hook(data, "magnesium-order-sign").drafts == (first, second)


def test_a_medication_among_the_drafts_is_evidence() -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": {"text": "Magnesium sulfate"}}
    hook = read(request("order-sign", draft(), medication))
    assert len(hook.drafts) == 2
    assert [e.resource.id for e in hook.beside_drafts if e.resource] == ["m1"]


@pytest.mark.parametrize(
    ("sent", "read_as"),
    [
        ("p1", "p1"),
        ("Patient/p1", "p1"),
        ("https://ehr.example.org/fhir/Patient/p1", "p1"),
        ("Patient/p1/_history/4", "p1"),
        (" p1 ", "p1"),
    ],
)
def test_patient_ids_in_every_form(sent: str, read_as: str) -> None:
    assert read(changed(request(), "context/patientId", sent)).patient_id == read_as


def test_encounter_ids_and_selections_in_every_form() -> None:
    value = changed(request("order-select"), "context/encounterId", "Encounter/e1")
    value = changed(value, "context/selections", [None, "https://x/fhir/MedicationRequest/m", "m2"])
    hook = read(value)
    assert hook.encounter_id == "e1"
    assert hook.selections == ("MedicationRequest/m", "m2")


ACCEPTED: dict[str, Json] = {
    "no userId": without(request(), "context/userId"),
    "null userId": changed(request(), "context/userId", None),
    "null encounterId": changed(request(), "context/encounterId", None),
    "no prefetch": without(request(), "prefetch"),
    "null prefetch": request(prefetch=None),
    "null prefetch value": changed(request(), "prefetch/magnesium", None),
    "hookInstance is no UUID": request(hookInstance="test-123"),
    "null fhirAuthorization": request(fhirAuthorization=None),
    "null fhirServer": request(fhirServer=None),
    "odd fhirAuthorization": request(
        fhirServer="https://ehr.example.org", fhirAuthorization={"expires_in": "300", "...": 1}
    ),
    "no draftOrders": without(request("order-select"), "context/draftOrders"),
    "no selections": without(request("order-select"), "context/selections"),
    "null draftOrders": changed(request("order-sign"), "context/draftOrders", None),
    "Bundle without type": changed(
        request("order-sign"), "context/draftOrders", {"resourceType": "Bundle", "entry": []}
    ),
    "draftOrders without resourceType": changed(
        request("order-sign"), "context/draftOrders", {"entry": [{"resource": draft()}]}
    ),
    "draft without id": request("order-sign", without(draft(), "id")),
    "draft without subject": request("order-sign", without(draft(), "subject")),
    "category as an object": request("order-sign", draft(category={"coding": [{"code": "x"}]})),
    "reasonCode as an object": request("order-sign", draft(reasonCode={"text": "low"})),
    "doseAndRate as an object": request(
        "order-sign", draft(dosageInstruction=[{"doseAndRate": {"doseQuantity": {"value": 2}}}])
    ),
    "extension": request(extension={"x": {"y": 1}}),
    "null draft entry": changed(
        request("order-sign"), "context/draftOrders/entry", [None, {"resource": None}, {}]
    ),
}


@pytest.mark.parametrize("shape", ACCEPTED)
def test_tolerated(shape: str) -> None:
    hook = read(ACCEPTED[shape])
    assert hook.patient_id == "p1"
    assert not hook.unread
    assert not explain(f"request-{hook.hook}", body(ACCEPTED[shape]))


def test_an_utf8_byte_order_mark_is_skipped() -> None:
    assert read_hook(b"\xef\xbb\xbf" + body(request()), "magnesium-patient-view").patient_id


def test_duplicate_json_keys_are_no_error() -> None:
    data = body(request()).replace(b'"hook":', b'"hook": "x", "hook":')
    assert read_hook(data, "magnesium-patient-view").hook == "patient-view"


# --- 400 -----------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str]] = {
    "not JSON": (b"{", "not JSON"),
    "empty": (b"", "not JSON"),
    "NaN": (b'{"hook": NaN}', "not JSON"),
    "wrong type, then malformed": (b'{"hook": 1, "context": }', "not JSON"),
    "wrong type, then a huge number": (
        b'{"hook": 1, "context": ' + b"9" * 9999 + b"}",
        "not JSON",
    ),
    "trailing text": (body(request()) + b"x", "not JSON"),
    "latin-1": ('{"hook": "é"}'.encode("latin-1"), "not UTF-8"),
    "lone surrogate": (body(request()).replace(b'"p1"', b'"\\ud800"'), "not JSON"),
    "utf-16": ('{"hook": "x"}'.encode("utf-16"), "not UTF-8"),
    "a list": ([], "(body): expected object"),
    "null": (None, "(body): expected object"),
    "empty object": ({}, "(body): missing: hook, hookInstance, context"),
    "no hookInstance": (without(request(), "hookInstance"), "(body): missing: hookInstance"),
    "empty hookInstance": (request(hookInstance=""), "/hookInstance: must not be empty"),
    "numeric hookInstance": (request(hookInstance=7), "/hookInstance: expected string"),
    "no context": (without(request(), "context"), "(body): missing: context"),
    "context a list": (request(context=[]), "/context: expected object"),
    "no patientId": (without(request(), "context/patientId"), "/context: missing: patientId"),
    "null patientId": (
        changed(request(), "context/patientId", None),
        "/context/patientId: expected string",
    ),
    "empty patientId": (
        changed(request(), "context/patientId", ""),
        "/context/patientId: must not be empty",
    ),
    "a Practitioner as patientId": (
        changed(request(), "context/patientId", "Practitioner/p1"),
        "/context/patientId: expected the id of a Patient",
    ),
    "another hook": (request("order-sign"), '/hook: expected "patient-view"'),
    "no hook": (without(request(), "hook"), "(body): missing: hook"),
    "prefetch a list": (request(prefetch=[]), "/prefetch: expected object or null"),
    "authorization without server": (
        request(fhirAuthorization={"access_token": "t"}),
        "(body): missing: fhirServer",
    ),
    "authorization with a null server": (
        request(fhirAuthorization={"access_token": "t"}, fhirServer=None),
        "/fhirServer: expected string",
    ),
    "another patient under patient": (
        changed(request(), "prefetch/patient", patient("p2")),
        "/prefetch/patient: is not the Patient of context.patientId",
    ),
    "another patient in a 1.0 wrapper": (
        changed(request(), "prefetch/patient", {"response": {}, "resource": patient("p2")}),
        "/prefetch/patient: is not the Patient of context.patientId",
    ),
    "nested too deeply": (
        body(request()).replace(
            b'"context":', b'"x":' + b"[" * 9999 + b"]" * 9999 + b',"context":'
        ),
        "nested too deeply",
    ),
    "prefetch nested too deeply": (
        body(request(prefetch=None)).replace(b"null", b'{"a":' * 9999 + b"1" + b"}" * 9999),
        "nested too deeply",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_refused_and_said_where(shape: str) -> None:
    sent, words = REFUSED[shape]
    error = refusal(sent)
    assert words in str(error)
    outcome = json.loads(error.outcome())
    assert outcome["resourceType"] == "OperationOutcome"
    assert not explain("operation-outcome", error.outcome())


DRAFTS_REFUSED: dict[str, tuple[Json, str]] = {
    "another patient": (
        request("order-sign", draft(), draft(subject={"reference": "Patient/p2"})),
        "/context/draftOrders/entry/1/resource/subject: is an order of another subject",
    ),
    "a group": (request("order-sign", draft(subject={"reference": "Group/p1"})), "another subject"),
    "NutritionOrder of another": (
        request(
            "order-sign",
            {"resourceType": "NutritionOrder", "patient": {"reference": "http://x/Patient/p2"}},
        ),
        "another subject",
    ),
    "no Bundle": (
        changed(request("order-sign"), "context/draftOrders", draft()),
        "/context/draftOrders/resourceType: expected one of",
    ),
    "a draft that is text": (
        changed(request("order-sign"), "context/draftOrders/entry/0/resource", "Mg 2 g"),
        "/context/draftOrders/entry/0/resource: expected object or null",
    ),
    "entry an object": (
        changed(request("order-sign"), "context/draftOrders/entry", {}),
        "/context/draftOrders/entry: expected array or null",
    ),
    "selections text": (
        changed(request("order-select"), "context/selections", "MedicationRequest/a"),
        "/context/selections: expected array or null",
    ),
}


@pytest.mark.parametrize("shape", DRAFTS_REFUSED)
def test_drafts_refused(shape: str) -> None:
    sent, words = DRAFTS_REFUSED[shape]
    assert words in str(refusal(sent, SERVICE[sent["hook"]]))


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "http://x/fhir/Patient/p1", "Patient/p1/_history/2", "urn:uuid:1", "#p"],
)
def test_references_to_the_same_patient(reference: str) -> None:
    assert read(request("order-sign", draft(subject={"reference": reference}))).drafts


def test_unknown_service_is_404() -> None:
    with pytest.raises(UnknownService):
        read_hook(body(request()), "magnesium")


def test_no_value_of_the_request_stands_in_an_error() -> None:
    secret = "Jane-Doe-1234"
    for path in ["hook", "hookInstance", "context", "context/patientId", "prefetch", "fhirServer"]:
        sent = changed(request(), path, [secret])
        error = refusal(sent)
        assert secret not in str(error)
        assert secret.encode() not in error.outcome()


# --- one bad entry costs only itself --------------------------------------------------------


def test_a_bad_entry_is_unread_and_the_rest_count() -> None:
    bad = magnesium(1.3, 9, status=["final"])
    hook = read(
        changed(request(), "prefetch/magnesium", bundle(magnesium(), bad, magnesium(2, 30)))
    )
    assert [r.id for r in resources(hook, "magnesium")] == ["19123-9-2", "19123-9-30"]
    (lost,) = hook.unread
    assert (lost.need, lost.resource) == ("magnesium", "Observation/19123-9-9")
    assert "status" in lost.reason
    assert len(resources(hook, "potassium")) == 1


@pytest.mark.parametrize(
    ("key", "bad", "need"),
    [
        ("labs", lab("2823-3", 3, "mmol/L", effectiveDateTime=5), "potassium"),
        ("magnesium", lab("2823-3", 3, "mmol/L", effectiveDateTime=5), "potassium"),
        ("labs", {"resourceType": "Observation", "code": "19123-9"}, "magnesium"),
        ("labs", {"resourceType": "Observation", "code": 5}, "magnesium"),
        ("labs", {"resourceType": 5, "code": {"coding": [{"code": "19123-9"}]}}, "magnesium"),
        ("calcium", {"resourceType": "Observation", "code": 5}, "calcium"),
        ("conditions", {"resourceType": "Condition", "id": 5}, "conditions"),
        ("mine", {"resourceType": "Condition", "id": 5}, "conditions"),
        ("medications", {"resourceType": "Medication", "code": 5}, "medications"),
        ("magnesium", {"resourceType": "Specimen", "status": 5}, "magnesium"),
        ("conditions", 7, "conditions"),
        ("conditions", {"fullUrl": 7}, "conditions"),
    ],
)
def test_the_need_a_lost_resource_would_serve(key: str, bad: Any, need: str) -> None:
    entry = bad if bad == {"fullUrl": 7} or not isinstance(bad, dict) else {"resource": bad}
    value = {"resourceType": "Bundle", "entry": [{"resource": magnesium()}, entry]}
    hook = read(request(prefetch={"patient": patient(), key: value}))
    assert [lost.need for lost in hook.unread] == [need]
    assert len(resources(hook, key)) == 1


def test_a_lost_resource_that_the_logic_never_reads_is_not_missed() -> None:
    value = bundle({"resourceType": "Practitioner", "id": 5})
    assert not read(changed(request(), "prefetch/mine", value)).unread


def test_an_unreadable_patient_of_the_right_id_still_stands_for_the_patient() -> None:
    hook = read(changed(request(), "prefetch/patient", patient() | {"birthDate": 1966}))
    assert [lost.need for lost in hook.unread] == ["patient"]
    (stub,) = resources(hook, "patient")
    assert (stub.resourceType, stub.id, stub.birthDate) == ("Patient", "p1", None)


def test_a_bad_resource_in_a_10_wrapper_is_unread() -> None:
    value = {"response": {"status": "200"}, "resource": bundle(magnesium(), magnesium(1, 3, id=4))}
    hook = read(changed(request(), "prefetch/magnesium", value))
    assert len(hook.unread) == 1
    assert len(resources(hook, "magnesium")) == 1


@pytest.mark.parametrize("value", ["<ClinicalDocument/>", 7, True, [magnesium()]])
def test_a_value_that_is_no_resource_is_refused_by_key(value: Any) -> None:
    hook = read(changed(request(), "prefetch/magnesium", value))
    assert list(hook.refused) == ["magnesium"]
    assert "magnesium" not in hook.prefetch


def test_an_unreadable_link_may_be_the_next_page() -> None:
    value = bundle(magnesium(), magnesium(1, 3, id=4), link={"relation": "next"})
    read_value = read(changed(request(), "prefetch/magnesium", value)).prefetch["magnesium"]
    assert read_value is not None
    assert [link.relation for link in read_value.link or ()] == ["next"]


# --- msgspec and the schema are honest about each other ------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3)
    ),
    max_leaves=8,
)
PATHS = [
    "hook",
    "hookInstance",
    "fhirServer",
    "fhirAuthorization",
    "context",
    "context/patientId",
    "context/userId",
    "context/encounterId",
    "context/selections",
    "context/draftOrders",
    "context/draftOrders/resourceType",
    "context/draftOrders/entry",
    "context/draftOrders/entry/0",
    "context/draftOrders/entry/0/fullUrl",
    "context/draftOrders/entry/0/resource",
    "prefetch",
    "prefetch/magnesium",
    "prefetch/magnesium/entry",
    "prefetch/magnesium/entry/0/resource/valueQuantity",
]


@given(path=st.sampled_from(PATHS), value=ANYTHING, gone=st.booleans())
def test_what_the_schema_accepts_is_read_and_what_is_refused_is_explained(
    path: str, value: Any, gone: bool
) -> None:
    whole = request("order-select")
    whole["context"]["draftOrders"]["entry"][0]["fullUrl"] = "urn:uuid:1"
    whole |= {"fhirServer": "https://ehr.example.org", "fhirAuthorization": {}}
    sent = without(whole, path) if gone and not path.endswith("0") else changed(whole, path, value)
    data = body(sent)
    wrong = explain("request-order-select", data)
    try:
        read_hook(data, "magnesium-order-select")
    except BadRequest as error:
        # The schema explains, or it is one of the three rules that no schema can state.
        known = ("expected the id of a Patient", "another subject", "is not the Patient")
        assert wrong or any(words in str(error) for words in known)  # noqa: PT017
        assert all(issue.pointer is not None for issue in error.issues)  # noqa: PT017
    else:
        assert not wrong


def test_nothing_of_the_record_or_the_token_shows_in_a_repr() -> None:
    authorization = {"access_token": "s3cret"}
    hook = read(request(fhirServer="https://x", fhirAuthorization=authorization))
    assert "s3cret" not in repr(hook) + repr(hook.fhir_authorization)
    assert "1966" not in repr(hook)


def test_bundles_in_bundles_as_deep_as_json_goes() -> None:
    value: Json = bundle(magnesium())
    for _ in range(150):
        value = bundle(value)
    hook = read(changed(request(), "prefetch/magnesium", value))
    assert len(resources(hook, "magnesium")) == 1


def test_every_service_has_a_schema() -> None:
    for hook in SERVICES.values():
        assert explain(f"request-{hook}", msgspec.json.encode({}))
