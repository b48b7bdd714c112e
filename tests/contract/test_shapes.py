"""What clients really send is answered, and every answer keeps its published shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.answer import Answer, answer
from service.cdshooks.schema import explain
from service.errors import PatientMissing
from tests.contract.shapes import (
    HL7_GOOD,
    NOW,
    SANDBOX,
    SERVICE,
    Json,
    body,
    bundle,
    changed,
    draft,
    magnesium,
    patient,
    request,
    without,
)


def ask(value: Json, **options: Any) -> Answer:
    given = answer(body(value), SERVICE[value["hook"]], NOW, **options)
    assert not explain("response", given.body)
    return given


def cards(value: Json, **options: Any) -> list[Json]:
    found: list[Json] = json.loads(ask(value, **options).body)["cards"]
    return found


@pytest.mark.parametrize("shape", SANDBOX)
def test_the_official_sandbox_is_answered(shape: str) -> None:
    ask(SANDBOX[shape])


def cards_need_no_patient(shape: str) -> bool:
    """Nothing in the order has to do with magnesium."""
    return shape in ("imaging", "order select, no drug yet")


@pytest.mark.parametrize("shape", [s for s in SANDBOX if "second click" not in s])
def test_the_sandbox_without_prefetch(shape: str) -> None:
    value = SANDBOX[shape] | {"prefetch": {}}
    if cards_need_no_patient(shape):
        assert cards(value) == []
        return
    with pytest.raises(PatientMissing) as caught:
        ask(value)
    assert not explain("operation-outcome", caught.value.outcome())


def test_a_second_click_says_nothing() -> None:
    assert cards(SANDBOX["order select, second click"]) == []
    assert cards(SANDBOX["order sign, second click"]) == []


def test_imaging_says_nothing_and_needs_no_data() -> None:
    assert cards(SANDBOX["imaging"]) == []
    assert cards(SANDBOX["imaging"] | {"prefetch": {}}) == []


@pytest.mark.parametrize("shape", HL7_GOOD)
def test_hl7_good_cases_are_answered(shape: str) -> None:
    ask(HL7_GOOD[shape])


@pytest.mark.parametrize("shape", [s for s in HL7_GOOD if s.startswith("patient view")])
def test_hl7_good_cases_without_the_patient_are_412(shape: str) -> None:
    with pytest.raises(PatientMissing):
        ask(HL7_GOOD[shape] | {"prefetch": {}})


def test_a_severe_result_is_a_critical_card() -> None:
    (card,) = cards(request())
    assert card["indicator"] == "critical"


def test_the_same_call_gives_the_same_bytes() -> None:
    assert ask(request()).body == ask(request()).body


def test_shadow_mode_decides_and_sends_nothing() -> None:
    given = ask(request(), mode="shadow")
    assert given.body == b'{"cards":[]}'
    assert given.decision.cards


def test_the_test_clock_is_the_newest_result_and_is_said() -> None:
    old = changed(request(), "prefetch/magnesium", bundle(magnesium(1.1, 24 * 900)))
    for key in ("potassium", "calcium", "albumin", "creatinine", "egfr", "weight"):
        old["prefetch"][key] = bundle()
    given = ask(old, clock="last-result")
    assert given.now.isoformat() == old["prefetch"]["magnesium"]["entry"][0]["resource"][
        "effectiveDateTime"
    ].replace("Z", "+00:00")
    (card,) = json.loads(given.body)["cards"]
    assert card["summary"].startswith("TEST CLOCK")


def test_the_test_clock_without_a_result_is_the_real_one() -> None:
    empty = {k: bundle() for k in request()["prefetch"] if k not in ("patient", "encounter")}
    value = request(prefetch=empty | {"patient": patient()})
    assert ask(value, clock="last-result").now == NOW


def test_the_test_clock_with_a_bare_date_is_the_end_of_that_day() -> None:
    value = changed(
        request(), "prefetch/magnesium", bundle(magnesium(effectiveDateTime="2026-05-01"))
    )
    assert ask(value, clock="last-result").now.isoformat() == "2026-05-02T00:00:00+00:00"


def test_no_patient_is_412_and_says_what_to_send() -> None:
    with pytest.raises(PatientMissing, match="prefetch key 'patient'"):
        ask(without(request(), "prefetch/patient"))


def test_now_without_a_zone_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="time zone"):
        answer(body(request()), "magnesium-patient-view", NOW.replace(tzinfo=None))


ODD: dict[str, Json] = {
    "nothing but the patient": request(prefetch={"patient": patient()}),
    "every search null": request(
        prefetch=dict.fromkeys(request()["prefetch"]) | {"patient": patient()}
    ),
    "magnesium as text": changed(request(), "prefetch/magnesium", "1.1 mg/dL"),
    "value as text": changed(request(), "prefetch/magnesium", bundle(magnesium("1.1"))),
    "value NaN as text": changed(request(), "prefetch/magnesium", bundle(magnesium("NaN"))),
    "value absurd": changed(request(), "prefetch/magnesium", bundle(magnesium(1e300))),
    "the same id twice": changed(
        request(), "prefetch/magnesium", bundle(magnesium(), magnesium(2.0))
    ),
    "another patient's result": changed(
        request(),
        "prefetch/magnesium",
        bundle(magnesium(subject={"reference": "Patient/p2"})),
    ),
    "null entries": changed(request(), "prefetch/magnesium", bundle(None, magnesium())),
    "a draft of text": request("order-sign", draft(dosageInstruction=[{"text": "2 Gm PYXIS"}])),
    "a draft of numbers": request("order-sign", draft(dosageInstruction=7, status=3)),
    "a draft of nothing": request("order-select", {"resourceType": "MedicationRequest"}),
}


@pytest.mark.parametrize("shape", ODD)
def test_odd_data_degrades_to_cards(shape: str) -> None:
    ask(ODD[shape])


LOST = ["magnesium as text", "value as text", "value NaN as text", "the same id twice"]


@pytest.mark.parametrize("shape", LOST)
def test_a_lost_result_is_never_an_empty_answer(shape: str) -> None:
    assert cards(ODD[shape])
