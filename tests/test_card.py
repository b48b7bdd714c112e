"""cards.card: valid R4 out, whatever came in; the reader of a card gets whole sentences."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from cards.card import faults, protocol_faults
from cards.card.render import DETAIL_LIMIT
from cards.protocol import PROFILES, shipped
from service.answer import Answer, answer
from tests.contract.shapes import (
    NOW,
    SERVICE,
    UCUM,
    Json,
    body,
    bundle,
    changed,
    draft,
    magnesium,
    request,
    without,
)

GRAMS = {"value": 2, "unit": "g", "system": UCUM, "code": "g"}
IV = {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]}
FAST = {"value": 400, "unit": "mg/min", "system": UCUM, "code": "mg/min"}


def order(**more: Any) -> Json:
    """A valid MedicationRequest."""
    return {
        "resourceType": "MedicationRequest",
        "id": "a1",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": "x"},
        "subject": {"reference": "Patient/p1"},
    } | more


def repeated(**repeat: Any) -> Json:
    return order(dosageInstruction=[{"timing": {"repeat": repeat}}])


LAB = {
    "resourceType": "ServiceRequest",
    "status": "draft",
    "intent": "directive",
    "subject": {"reference": "Patient/p1"},
}

# --- validity -----------------------------------------------------------------------------------


def test_a_right_order_has_no_fault() -> None:
    assert faults(order()) == []
    assert faults(LAB) == []


@pytest.mark.parametrize(
    ("resource", "fault"),
    [
        (order(status="nonsense"), "status: 'nonsense' is not in the required value set"),
        (order(intent="directive"), "intent: 'directive' is not in the required value set"),
        ({**order(), "status": None}, "status: None is not in the required value set"),
        (LAB | {"intent": "x"}, "intent: 'x' is not in the required value set"),
        (order(priority="now"), "priority: 'now' is not in the required value set"),
        (order(priority={"a": 1}), "priority: {'a': 1} is not in the required value set"),
        (order(id="a_b"), "id: 'a_b'"),
        (order(id="x" * 65), f"id: '{'x' * 65}'"),
        (order(contained=[{"resourceType": "Medication", "id": "#m"}, "x"]), "id: '#m'"),
        (order(note=[]), "MedicationRequest.note: empty"),
        (order(note=[{"text": ""}]), "MedicationRequest.note[0].text: empty"),
        ({"resourceType": "Patient"}, "resourceType 'Patient'"),
        ({}, "resourceType None"),
        (order(subject=7), "subject.root"),  # what fhir.resources finds
        (order(nonsense=1), "nonsense"),
        # fhir.resources raises more than it says it does.
        (order(contained=[{"resourceType": "Nonsense"}]), "fhir.resources: KeyError"),
    ],
)
def test_a_fault_is_named(resource: Json, fault: str) -> None:
    assert fault in faults(resource)


@pytest.mark.parametrize(
    ("repeat", "fault"),
    [
        ({"duration": 20}, "tim-1: a duration needs a unit"),
        ({"period": 1}, "tim-2: a period needs a unit"),
        ({"duration": -1, "durationUnit": "h"}, "tim-4: duration must not be negative"),
        ({"duration": "1", "durationUnit": "h"}, "tim-4: duration must not be negative"),
        ({"period": -1, "periodUnit": "h"}, "tim-5: period must not be negative"),
        ({"periodMax": 2}, "tim-6: periodMax needs period"),
        ({"durationMax": 2}, "tim-7: durationMax needs duration"),
        ({"countMax": 2}, "tim-8: countMax needs count"),
        ({"offset": 30}, "tim-9: an offset needs a when that is not a meal"),
        ({"offset": 30, "when": ["CM"]}, "tim-9: an offset needs a when that is not a meal"),
        ({"timeOfDay": ["08:00:00"], "when": ["HS"]}, "tim-10: timeOfDay or when, not both"),
        ({"periodUnit": "day", "period": 1}, "periodUnit: 'day' is not in the required value set"),
        (
            {"durationUnit": "m", "duration": 1},
            "durationUnit: 'm' is not in the required value set",
        ),
        ({"when": ["BEDTIME"]}, "when: 'BEDTIME' is not in the required value set"),
        ({"count": 0}, "count: must be a positive integer"),
        ({"frequency": 1.5}, "frequency: must be a positive integer"),
    ],
)
def test_the_invariants_of_timing(repeat: Json, fault: str) -> None:
    assert f"dosageInstruction[0].timing.repeat: {fault}" in faults(repeated(**repeat))


@pytest.mark.parametrize(
    "repeat",
    [
        {"count": 1, "duration": 20, "durationUnit": "min"},
        {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]},
        {"period": 1, "periodMax": 2, "periodUnit": "d", "countMax": 3, "count": 2},
        {"offset": 30, "when": ["ACM"]},
        {"timeOfDay": ["08:00:00"]},
    ],
)
def test_a_right_timing_has_no_fault(repeat: Json) -> None:
    assert faults(repeated(**repeat)) == []


def test_a_dosage_without_timing_is_fine() -> None:
    assert (
        faults(order(dosageInstruction=[{"text": "x"}, {"timing": {"code": {"text": "x"}}}])) == []
    )


@pytest.mark.parametrize("name", PROFILES)
def test_every_order_a_shipped_profile_may_suggest_is_valid(name: str) -> None:
    assert protocol_faults(shipped(name), NOW) == []


def test_a_product_that_makes_no_valid_order_is_found_before_it_is_suggested() -> None:
    standard = shipped("standard")
    product = standard.file.product["sulfate-iv"].model_copy(update={"text": ""})
    products = dict(standard.file.product) | {"sulfate-iv": product}
    broken = replace(standard, file=standard.file.model_copy(update={"product": products}))
    found = protocol_faults(broken, NOW)
    assert (
        "regimen[0] (emergency).offer[0]: MedicationRequest.medicationCodeableConcept.text: empty"
        in found
    )


# --- correcting a draft: update -----------------------------------------------------------------


def too_fast(**more: Any) -> Json:
    """2 g at 400 mg/min: D1, an ``update`` to the severe regimen."""
    dosage = {"route": IV, "doseAndRate": [{"doseQuantity": GRAMS, "rateQuantity": FAST}]}
    return draft("6585", "Magnesium sulfate", **({"dosageInstruction": [dosage]} | more))


def ask(*drafts: Json, hook: str = "order-sign", **more: Any) -> Answer:
    sent = body(request(hook, *drafts, **more))
    # Numbers as they are written: json knows no trailing zeros.
    return answer(re.sub(rb'"@([\d.]+)@"', rb"\1", sent), SERVICE[hook], NOW)


def card_of(given: Answer) -> Json:
    (card,) = json.loads(given.body)["cards"]
    assert isinstance(card, dict)
    return card


def starred(given: Answer) -> list[Json]:
    """The drug actions of the recommended suggestion, and what it deletes."""
    (suggestion,) = [s for s in card_of(given)["suggestions"] if s.get("isRecommended")]
    return [
        a
        for a in suggestion["actions"]
        if a.get("resource", {}).get("resourceType") != "ServiceRequest"
    ]


def test_a_corrected_draft_is_the_whole_draft_with_our_dosage() -> None:
    sent = too_fast(
        dispenseRequest={"quantity": {"value": "@1.50@", "unit": "vial"}},
        note=[{"text": "for the night"}],
        extension=[{"url": "urn:x", "valueDecimal": "@2.0@"}],
    )
    given = ask(sent)
    (action,) = starred(given)
    assert (action["type"], action["description"]) == (
        "update",
        "Change to magnesium sulfate 2 g IV over 20 min",
    )
    changed_order = action["resource"]
    assert faults(changed_order) == []
    kept = sent.keys() - {"dosageInstruction"}
    for key in kept - {"dispenseRequest", "extension"}:
        assert changed_order[key] == sent[key]
    (dosage,) = changed_order["dosageInstruction"]
    assert dosage["timing"]["repeat"] == {"count": 1, "duration": 20, "durationUnit": "min"}
    # Numbers keep their own text.
    assert b'"quantity":{"value":1.50,' in given.body.replace(b": ", b":")
    assert b'"valueDecimal":2.0}' in given.body.replace(b": ", b":")


def test_tolerated_shapes_are_made_valid_and_what_is_missing_is_filled() -> None:
    sent = too_fast(category={"text": "x"}, reasonCode=[], note=None)
    for key in ("status", "intent", "subject"):
        del sent[key]
    (action,) = starred(ask(sent))
    assert action["type"] == "update"
    found = action["resource"]
    assert found["category"] == [{"text": "x"}]
    assert not {"reasonCode", "note"} & found.keys()
    assert (found["status"], found["intent"]) == ("draft", "order")
    assert found["subject"] == {"reference": "Patient/p1"}


@pytest.mark.parametrize(
    "flaw",
    [
        {"priority": "now"},
        {"priority": {"code": "stat"}},
        {"status": "new"},
        {"category": ["x"]},
        {"dispenseRequest": 3},
        {"note": [{"text": ""}]},
        {"contained": [{"resourceType": "Nonsense", "id": "m"}]},
        {"substitution": [[[]]]},
        {"unheard": 1},
    ],
)
def test_a_draft_that_would_not_be_valid_is_created_anew_and_deleted(flaw: Json) -> None:
    create, delete = starred(ask(too_fast(**flaw)))
    assert (create["type"], delete["type"]) == ("create", "delete")
    assert faults(create["resource"]) == []
    assert create["resource"]["id"] != "draft-1"
    assert delete["resourceId"] == "MedicationRequest/draft-1"


def test_a_draft_without_an_id_can_be_neither_changed_nor_deleted() -> None:
    sent = too_fast()
    del sent["id"]
    assert [action["type"] for action in starred(ask(sent))] == ["create"]


def test_an_order_to_remove_that_has_no_id_is_said_and_not_suggested() -> None:
    high = changed(request("order-sign", too_fast()), "prefetch/magnesium", bundle(magnesium(3.0)))
    high = without(high, "context/draftOrders/entry/0/resource/id")
    card = card_of(answer(body(high), SERVICE["order-sign"], NOW))
    assert (card["indicator"], card["source"]["topic"]["code"]) == ("critical", "D8")
    assert not {"suggestions", "selectionBehavior"} & card.keys()


# --- what a suggested order refers to -----------------------------------------------------------


def suggested(value: Json) -> Json:
    given = card_of(answer(body(value), SERVICE["patient-view"], NOW))
    found: Json = given["suggestions"][0]["actions"][0]["resource"]
    assert faults(found) == []
    return found


def test_a_suggested_order_names_who_where_and_why() -> None:
    found = suggested(request())
    assert found["requester"] == {"reference": "Practitioner/d1"}
    assert found["encounter"] == {"reference": "Encounter/e1"}
    assert found["reasonReference"] == [{"reference": "Observation/19123-9-2"}]
    assert found["category"][0]["coding"][0]["code"] == "inpatient"


@pytest.mark.parametrize("user", ["Patient/p1", "d1", "Practitioner/a b", "Practitioner/"])
def test_a_user_who_cannot_order_is_no_requester(user: str) -> None:
    assert "requester" not in suggested(changed(request(), "context/userId", user))


def test_a_source_that_is_no_id_is_not_referred_to() -> None:
    odd = bundle(magnesium(id="a b"))
    assert "reasonReference" not in suggested(changed(request(), "prefetch/magnesium", odd))


@pytest.mark.parametrize("encounter", [None, "e 1"])
def test_an_encounter_that_is_none_is_left_out(encounter: str | None) -> None:
    value = without(request(), "prefetch/encounter")
    assert "encounter" not in suggested(changed(value, "context/encounterId", encounter))


def test_torsades_at_a_normal_level_is_the_reason_of_its_dose() -> None:
    value = changed(request(), "prefetch/magnesium", bundle(magnesium(2.2)))
    torsades = {
        "resourceType": "Condition",
        "id": "c1",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "31722008"}]},
        "onsetDateTime": NOW.isoformat(),
    }
    found = suggested(changed(value, "prefetch/conditions", bundle(torsades)))
    assert found["reasonCode"][0]["coding"][0]["code"] == "31722008"


# --- identity -----------------------------------------------------------------------------------


def test_a_repeated_call_gives_the_same_ids_and_another_call_others() -> None:
    first, again = request(), request()
    other = request(hookInstance="606d55f8-20e3-4ae4-9cc0-b70c1054d31d")
    ids = [
        _ids(card_of(answer(body(v), SERVICE["patient-view"], NOW))) for v in (first, again, other)
    ]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert len(set(ids[0])) == len(ids[0])


def _ids(card: Json) -> list[str]:
    found = [card["uuid"]]
    for suggestion in card["suggestions"]:
        found.append(suggestion["uuid"])
        found += [a["resource"]["id"] for a in suggestion["actions"] if "resource" in a]
    assert all(UUID(each).version == 5 for each in found)
    return found


# --- detail -------------------------------------------------------------------------------------


def test_the_longest_names_leave_the_advice_whole() -> None:
    """What may be dropped goes first; the value, the advice and its sources always stand."""
    long = "Furosemide " + "<b>*[x](http://y.example)" * 400
    drafts = [draft("4603", long, id=f"d{n}") for n in range(12)]
    given = ask(*drafts, hook="order-select")
    card = card_of(given)
    assert len(card["summary"]) < 140
    assert len(card["detail"]) <= DETAIL_LIMIT
    assert card["detail"].startswith("**Magnesium 1.1 mg/dL**")
    assert "Sources: " in card["detail"]
    assert "<b>" not in card["detail"]
