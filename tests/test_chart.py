"""cards.chart: facts of one patient, each dated, each from a named resource."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cards.chart import Chart
from cards.chart.kidney import Person, ckd_epi_2021, cockcroft_gault
from cards.protocol import Protocol, parse_protocol, shipped
from service.answer import answer
from tests.contract.shapes import (
    LOINC,
    NOW,
    RXNORM,
    SERVICE,
    UCUM,
    Json,
    ago,
    body,
    bundle,
    changed,
    lab,
    magnesium,
    patient,
    request,
)

SNOMED = "http://snomed.info/sct"
SITE = b"""
[protocol]
extends = "standard"
name = "site"
version = "1"
title = "Site"
authors = ["A"]
reviewers = ["B"]
reviewed = 2026-01-01
review_due = 2027-01-01

[result]
site_codes = [
  { lab = "magnesium", system = "urn:lab", code = "MG", unit = "meq/L", why = "ours" },
]
"""


def read(value: Json, protocol: Protocol | None = None) -> Chart:
    return answer(body(value), SERVICE[value["hook"]], NOW, protocol).decision.chart


def chart(protocol: Protocol | None = None, **prefetch: Any) -> Chart:
    """The default patient with these prefetch keys replaced."""
    value = request()
    value["prefetch"] |= prefetch
    return read(value, protocol)


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


# --- setting ------------------------------------------------------------------------------------


def encounter(**more: Any) -> Json:
    return {"resourceType": "Encounter", "id": "e1", "status": "in-progress"} | more


@pytest.mark.parametrize(
    ("class_", "setting", "known"),
    [
        ({"code": "AMB"}, "ambulatory", True),
        ({"code": " vr "}, "ambulatory", True),
        ({"code": "EMER"}, "inpatient", True),
        ({"code": "FLD"}, "inpatient", True),
        ({"display": "ambulatory"}, "inpatient", False),
        ([{"coding": [{"code": "HH"}]}], "ambulatory", True),  # R5
        ([{"coding": [{"display": "x"}, {"code": "IMP"}]}], "inpatient", True),
        ([], "inpatient", False),
        (None, "inpatient", False),
    ],
)
def test_the_setting_is_that_of_the_encounter_in_context(
    class_: Any, setting: str, known: bool
) -> None:
    found = chart(encounter=encounter() | ({"class": class_} if class_ is not None else {}))
    assert (found.setting, found.setting_known) == (setting, known)
    assert found.encounter_id == "e1"


def test_a_finished_encounter_is_unknown() -> None:
    ended = encounter(status="finished") | {"class": {"code": "AMB"}}
    assert not chart(encounter=ended).setting_known
    assert chart(encounter=encounter(id="e9") | {"class": {"code": "AMB"}}).setting == "inpatient"


# --- what was partly read -----------------------------------------------------------------------


@pytest.mark.parametrize("need", ["conditions", "medications", "administrations"])
def test_an_unreadable_part_that_a_stop_may_hang_on_is_named(need: str) -> None:
    types = {
        "conditions": "Condition",
        "medications": "MedicationRequest",
        "administrations": "MedicationAdministration",
    }
    broken = {"resourceType": types[need], "id": "b1", "subject": [[]]}
    found = chart(**{need: bundle(broken, broken | {"id": "b2"})})
    if need == "conditions":
        assert [(g.need, g.reason) for g in found.gaps] == [
            (need, "Condition/b1: its subject could not be read")
        ]
    else:
        assert [u.resource for u in found.unread_medicines] == [
            f"{types[need]}/b{n}" for n in (1, 2)
        ]


def test_an_unreadable_potassium_is_only_left_out() -> None:
    broken = {"resourceType": "Observation", "id": "b", "code": 3}
    assert not chart(potassium=bundle(broken)).gap("potassium")


# --- magnesium ----------------------------------------------------------------------------------


def test_a_sites_code_and_unit_count_and_corroborate() -> None:
    protocol = parse_protocol(SITE, "site.toml")
    local = magnesium(1.1) | {"code": coded("urn:lab", "MG")}
    local["valueQuantity"] = {"value": 1.1, "unit": "mEq/L"}
    result = chart(protocol, magnesium=bundle(local)).magnesium.result
    assert result is not None
    assert (result.value, result.declared, result.code) == (Decimal("1.34"), True, "")
    assert chart(magnesium=bundle(local)).magnesium.result is None


@pytest.mark.parametrize(
    ("ranges", "low"),
    [
        ([{"low": {"value": 1.7}, "high": {"value": 2.4}}], "1.7"),
        ([{"type": {"text": "normal"}, "low": {"value": 1.7}, "high": {"value": 2.4}}], "1.7"),
        ([{"type": {"text": "goal"}, "low": {"value": 1.7}, "high": {"value": 2.4}}], None),
        ([{"type": {}, "low": {"value": 1.7}, "high": {"value": 2.4}}], "1.7"),
        (
            [
                {"type": coded("x", "critical"), "low": {"value": 9}, "high": {"value": 99}},
                {"type": coded("x", "normal"), "low": {"value": 1.6}, "high": {"value": 2.4}},
            ],
            "1.6",
        ),
        ([{"text": "1.7-2.4"}], None),
        ([{"low": {"value": "1.7"}, "high": {"value": 2.4}}], None),
        ({"low": {"value": 1.7}, "high": {"value": 2.4}}, "1.7"),
        # One limit: only between 1.50 and 1.90 (rulings 20, 92).
        ([{"low": {"value": 1.6}}], "1.6"),
        ([{"low": {"value": 1.4}}], None),
    ],
)
def test_the_range_is_the_first_that_is_normal(ranges: Any, low: str | None) -> None:
    result = chart(magnesium=bundle(magnesium(1.7, referenceRange=ranges))).magnesium.result
    assert result is not None
    assert not result.problems
    assert result.laboratory_low == (None if low is None else Decimal(low))


def test_a_range_by_code_without_system_is_read_in_its_own_unit() -> None:
    limits = [{"low": {"value": 0.7, "code": "mmol/L"}, "high": {"value": 1.0, "code": "mmol/L"}}]
    result = chart(magnesium=bundle(magnesium(1.7, referenceRange=limits))).magnesium.result
    assert result is not None
    assert result.problems == ("unit-conflict",)


@pytest.mark.parametrize(
    ("condition", "haemolysed"),
    [
        ([coded("http://terminology.hl7.org/CodeSystem/v2-0493", "HEM")], True),
        ([coded("x", "AUT"), coded("x", "HEM")], True),
        ([coded("x", "AUT")], False),
        (coded("x", "HEM"), True),
        ([], False),
    ],
)
def test_a_haemolysed_specimen(condition: Any, haemolysed: bool) -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "condition": condition}
    inside = magnesium(1.1, contained=[specimen], specimen={"reference": "#s"})
    result = chart(magnesium=bundle(inside)).magnesium.result
    assert result is not None
    assert ("haemolysed" in result.problems) is haemolysed
    beside = magnesium(1.1, specimen={"reference": "Specimen/s"})
    result = chart(magnesium=bundle(beside, specimen)).magnesium.result
    assert result is not None
    assert ("haemolysed" in result.problems) is haemolysed
    elsewhere = magnesium(1.1, specimen={"reference": "Device/s"})
    result = chart(magnesium=bundle(elsewhere, specimen)).magnesium.result
    assert result is not None
    assert "haemolysed" not in result.problems


def test_the_newest_result_counts_then_the_latest_issued_then_the_best_status() -> None:
    def deciding(*results: Json) -> str:
        found = {
            chart(magnesium=bundle(*order)).magnesium.result.source  # type: ignore[union-attr]
            for order in (results, tuple(reversed(results)))
        }
        (source,) = found
        return source.partition("/")[2]

    old, new = magnesium(1.0, 3, id="old"), magnesium(1.9, 2, id="new")
    assert deciding(old, new) == "new"
    late = old | {"id": "late", "effectiveDateTime": ago(2), "issued": ago(1)}
    assert deciding(late, new) == "late"
    corrected = new | {"id": "corrected", "status": "corrected"}
    assert deciding(new, corrected) == "corrected"
    undated = {k: v for k, v in new.items() if k != "effectiveDateTime"} | {"id": "undated"}
    assert deciding(undated, old) == "old"


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, "3"),  # the id decides last
        ({"issued": ago(1)}, "5"),
        ({"status": "corrected"}, "5"),
    ],
)
def test_of_two_labs_of_one_time_one_always_counts(more: Json, shown: str) -> None:
    low, high = lab("2823-3", 3, "mmol/L", id="b"), lab("2823-3", 5, "mmol/L", id="a") | more
    for order in ((low, high), (high, low)):
        found = chart(potassium=bundle(*order, lab("2823-3", 4, "mmol/L", 9))).potassium
        assert found is not None
        assert str(found.value) == shown


# --- kidney -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueQuantity": {"value": ">60", "unit": "mL/min"}}, "60"),
        ({"valueQuantity": {"value": "<15", "unit": "x"}}, "14.99"),
        ({"valueString": "> 90"}, "90"),
        ({"valueString": "<=20"}, "19.99"),
        ({"valueString": "<60"}, None),
        ({"valueString": "sixty"}, None),
        ({"valueQuantity": {"value": -3, "unit": "mL/min"}}, None),
        ({}, None),
    ],
)
def test_a_reported_egfr_as_laboratories_send_it(value: Json, expected: str | None) -> None:
    reported = {k: v for k, v in lab("98979-8", 1, "x", 4).items() if k != "valueQuantity"}
    found = chart(egfr=bundle(reported | value), creatinine=bundle()).kidney
    assert found.gfr == (None if expected is None else Decimal(expected))


def test_several_egfr_of_one_time_count_by_the_lowest() -> None:
    high, low = lab("98979-8", 80, "mL/min", 4, id="a"), lab("98979-8", 50, "mL/min", 4, id="b")
    for order in ((high, low), (low, high)):
        found = chart(egfr=bundle(*order), creatinine=bundle()).kidney
        assert (found.gfr, found.sources) == (Decimal(50), ("Observation/b",))


def test_an_egfr_older_than_the_newest_creatinine_never_stands_alone() -> None:
    """Ruling 2: eGFR 90 of 30 h ago beside a creatinine of 4.0 now."""
    value = request()
    value["prefetch"] |= {
        "creatinine": bundle(lab("2160-0", 4.0, "mg/dL", 1)),
        "egfr": bundle(lab("98979-8", 90, "mL/min", 30)),
        "weight": bundle(),
    }
    assert read(value).kidney.id == "R3"  # CKD-EPI 2021 decides
    nameless = changed(value, "prefetch/patient", {"resourceType": "Patient", "id": "p1"})
    found = read(nameless).kidney
    assert found.id == "RU"
    assert "the reported eGFR is older than the newest creatinine" in found.notes


def test_the_formulas_against_published_values() -> None:
    """CKD-EPI 2021 and Cockcroft-Gault, worked by hand."""
    assert round(ckd_epi_2021(Decimal("0.9"), 50, "male") or 0, 1) == Decimal("104.0")
    assert round(ckd_epi_2021(Decimal("1.4"), 50, "female") or 0, 1) == Decimal("45.8")
    unknown = ckd_epi_2021(Decimal("1.4"), 50, None)
    assert unknown == ckd_epi_2021(Decimal("1.4"), 50, "female")
    assert ckd_epi_2021(Decimal(1), None, "male") is None
    man = Person(60, "male", Decimal(72))
    assert cockcroft_gault(Decimal(1), man) == 80
    assert cockcroft_gault(Decimal(1), Person(60, None, Decimal(72))) == 68
    assert cockcroft_gault(Decimal(1), Person(145, "male", Decimal(72))) == 0
    assert cockcroft_gault(Decimal(1), Person(None, "male", Decimal(72))) is None


def dialysis(type_: str = "Procedure", **more: Any) -> Json:
    return {
        "resourceType": type_,
        "id": "d1",
        "status": "completed",
        "code": coded(SNOMED, "302497006"),
    } | more


CRRT = {"code": coded(SNOMED, "714749008"), "encounter": {"reference": "Encounter/e1"}}


@pytest.mark.parametrize(
    ("procedure", "r4"),
    [
        (dialysis(performedDateTime=ago(24)), True),
        (dialysis(performedDateTime=ago(24 * 7)), True),
        (dialysis(performedDateTime=ago(24 * 7.1)), False),
        (dialysis(performedPeriod={"start": ago(300), "end": ago(24)}), True),
        (dialysis(performedPeriod={"start": ago(24)}), True),
        (dialysis("ServiceRequest", status="active", authoredOn=ago(24)), True),
        (dialysis(status="in-progress"), True),
        (dialysis(), False),
        (dialysis(**CRRT), True),
        (dialysis(**CRRT | {"encounter": {"reference": "Encounter/e9"}}), False),
        (dialysis(status="not-done", performedDateTime=ago(24)), False),
        (dialysis(status="revoked", authoredOn=ago(24)), False),
        (dialysis(code=coded(SNOMED, "80146002"), performedDateTime=ago(24)), False),
    ],
)
def test_dialysis_of_the_last_week_or_crrt_of_this_encounter(procedure: Json, r4: bool) -> None:
    assert (chart(procedures=bundle(procedure)).kidney.id == "R4") is r4


# --- pregnancy, intolerance ---------------------------------------------------------------------


def status(answered: Json, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "pr",
        "status": "final",
        "code": coded(LOINC, "82810-3"),
        "effectiveDateTime": ago(24 * 30),
        "valueCodeableConcept": answered,
    } | more


@pytest.mark.parametrize(
    ("found", "pregnant"),
    [
        (status(coded(LOINC, "LA15173-0")), True),
        (status(coded(SNOMED, "77386006")), True),
        (status({"text": " Pregnant "}), True),
        (status({"text": "Not pregnant"}), False),
        (status(coded(LOINC, "LA26683-5")), False),
        (status(coded(LOINC, "LA15173-0"), status="entered-in-error"), False),
        (status(coded(LOINC, "LA15173-0"), effectiveDateTime=ago(24 * 7 * 42)), True),
        (status(coded(LOINC, "LA15173-0"), effectiveDateTime=ago(24 * 7 * 42 + 1)), False),
        (status(coded(LOINC, "LA15173-0"), effectiveDateTime=None), False),
        (status(coded(LOINC, "LA15173-0"), valueCodeableConcept=None), False),
    ],
)
def test_a_pregnancy_status_of_the_last_42_weeks(found: Json, pregnant: bool) -> None:
    woman = patient() | {"gender": "female"}
    got = chart(patient=woman, pregnancy=bundle(found)).pregnant
    assert got == ("pregnancy status" if pregnant else None)


def test_a_pregnancy_of_a_male_is_ignored_and_said() -> None:
    found = chart(pregnancy=bundle(status({"text": "pregnant"})))
    assert found.pregnant is None
    assert found.notes == ("a pregnancy on file of a male patient was ignored",)


def allergy(**more: Any) -> Json:
    codes = [{"code": "x"}, {"system": RXNORM, "code": "8591"}, {"system": RXNORM, "code": "6582"}]
    found = {"resourceType": "AllergyIntolerance", "id": "a", "code": {"coding": codes}}
    return found | {"type": "intolerance"} | more


@pytest.mark.parametrize(
    ("found", "intolerant"),
    [
        (allergy(), True),
        (allergy(clinicalStatus=coded("x", "active")), True),
        (allergy(clinicalStatus=coded("x", "resolved")), False),
        (allergy(clinicalStatus="inactive"), False),
        (allergy(verificationStatus=coded("x", "refuted")), False),
        (allergy(verificationStatus="entered-in-error"), False),
        (allergy(code={"coding": [{"system": RXNORM, "code": "8591"}]}), False),
        (allergy(code={"text": "magnesium oxide"}), True),
        (allergy(code={"text": "magnesium"}), False),
        (allergy(type="allergy"), False),
        (allergy(type=None), False),
    ],
)
def test_an_intolerance_of_oral_magnesium_that_holds(found: Json, intolerant: bool) -> None:
    got = chart(allergies=bundle(found)).intolerance
    assert (got is not None) is intolerant


# --- fractional excretion -----------------------------------------------------------------------


def test_a_weight_dated_in_the_future_is_not_read_past() -> None:
    ahead = lab("29463-7", 90, "kg", -30)
    found = chart(weight=bundle(lab("29463-7", 70, "kg"), ahead))
    assert found.weight is None
    assert found.weight_note == "the newest weight has no readable unit or value"


def urine(mg: Any = 3, creatinine: Any = 100, hours: float = 3, **more: Any) -> Json:
    """FE-Mg of 3 mg/dL: 100 x 3 x 0.7 / (0.7 x 1.1 x 100) = 2.7 %."""
    return bundle(
        lab("19124-7", mg, "mg/dL", hours, **more), lab("2161-8", creatinine, "mg/dL", hours)
    )


def infusion(hours: float) -> Json:
    return bundle(
        {
            "resourceType": "MedicationAdministration",
            "id": "g",
            "status": "completed",
            "medicationCodeableConcept": coded(RXNORM, "6585"),
            "effectiveDateTime": ago(hours),
            "dosage": {
                "route": {"text": "IV"},
                "dose": {"value": 1, "unit": "g", "system": UCUM, "code": "g"},
            },
        }
    )


def test_fractional_excretion_of_four_results_within_a_day() -> None:
    found = chart(urine=urine())
    assert found.fe_mg is not None
    assert round(found.fe_mg, 2) == Decimal("2.73")


@pytest.mark.parametrize(
    "more",
    [
        {"urine": urine(hours=25)},
        {"urine": urine(creatinine=0)},
        {"urine": urine(valueQuantity={"value": 3, "comparator": "<", "unit": "mg/dL"})},
        {"urine": bundle(lab("2161-8", 100, "mg/dL"))},
        {"urine": urine(), "creatinine": bundle()},
        {"urine": urine(), "magnesium": bundle()},
        {"urine": urine(), "magnesium": bundle(magnesium(status="preliminary"))},
        {"urine": urine(), "administrations": infusion(20)},
        # Usable in an outpatient, and not of the same day.
        {
            "urine": urine(),
            "magnesium": bundle(magnesium(hours=30)),
            "encounter": encounter() | {"class": {"code": "AMB"}},
        },
    ],
)
def test_no_fractional_excretion_otherwise(more: Json) -> None:
    assert chart(**more).fe_mg is None


def test_magnesium_given_the_day_before_does_not_forbid_it() -> None:
    assert chart(urine=urine(), administrations=infusion(25)).fe_mg is not None


# --- medicines ----------------------------------------------------------------------------------


def sulfate(ident: str, hours: float, status: str = "active", **more: Any) -> Json:
    dosage = {
        "route": {"text": "IV"},
        "doseAndRate": [{"doseQuantity": {"value": 2, "unit": "g"}}],
    }
    return {
        "resourceType": "MedicationRequest",
        "id": ident,
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": coded(RXNORM, "6585"),
        "authoredOn": ago(hours),
        "dosageInstruction": [dosage],
    } | more


def given(
    ident: str, start: float, end: float | None, status: str = "completed", **more: Any
) -> Json:
    period = {"start": ago(start)} | ({} if end is None else {"end": ago(end)})
    dose = {"route": {"text": "IV"}, "dose": {"value": 2, "unit": "g"}}
    return {
        "resourceType": "MedicationAdministration",
        "id": ident,
        "status": status,
        "medicationCodeableConcept": coded(RXNORM, "6585"),
        "effectivePeriod": period,
        "dosage": dose,
    } | more


def since(found: Chart, collected: datetime | None) -> tuple[str, ...]:
    return tuple(each.reference for each in found.medicines.given_since(collected))


def of(order: str) -> Json:
    return {"request": {"reference": f"MedicationRequest/{order}"}}


@pytest.mark.parametrize(
    ("administration", "running"),
    [
        (given("g", 1, 0.5) | of("o"), False),
        (given("g", 1, 0.5) | of("other"), True),
        (given("g", 0.9, 0.5), False),  # by time
        (given("g", 3, 2.5), True),
        (given("g", 0.9, None, "in-progress"), True),
        (given("g", 1, 0.5, "not-done") | of("o"), True),
    ],
)
def test_a_one_off_order_is_over_once_it_was_given(administration: Json, running: bool) -> None:
    found = chart(
        medications=bundle(sulfate("o", 1)), administrations=bundle(administration)
    ).medicines
    assert bool(found.running_parenteral) is running


def test_an_ended_order_counts_as_given_unless_it_was_not_done() -> None:
    ended = bundle(sulfate("o", 1, "completed"))
    collected = NOW - timedelta(hours=2)
    assert since(chart(medications=ended), collected) == ("MedicationRequest/o",)
    for value, counted in (
        (of("o"), ()),
        (of("x"), ("MedicationRequest/o",)),
        ({}, ("MedicationRequest/o",)),
    ):
        not_done = bundle(
            given("f", 1, 0.9, "not-done") | of("y"), given("g", 1, 0.9, "not-done") | value
        )
        found = chart(medications=ended, administrations=not_done)
        assert since(found, collected) == counted
        # The cap counts orders when no administration took place (ruling 89).
        assert found.medicines.grams_given(timedelta(hours=24)) == (2 if counted else 0)


def test_when_nothing_was_collected_only_what_runs_now_counts_as_given() -> None:
    found = chart(administrations=bundle(given("g", 1, None, "in-progress"), given("h", 3, 2)))
    assert since(found, None) == ("MedicationAdministration/g",)


@pytest.mark.parametrize(
    ("more", "spent"),
    [
        ({}, True),
        ({"effectivePeriod": {"start": ago(2), "end": ago(1.7)}}, False),  # over 18 min
        ({"effectivePeriod": {"start": ago(26), "end": ago(25.9)}}, False),
        ({"dosage": {"route": {"text": "IV"}, "dose": {"value": 1, "unit": "g"}}}, False),
        ({"dosage": {"route": {"text": "IV"}}}, False),
        ({"status": "not-done"}, False),
    ],
)
def test_the_emergency_dose_is_spent_once_a_day(more: Json, spent: bool) -> None:
    value = given("g", 2, 1.8) | more
    found = chart(administrations=bundle(value))
    assert found.medicines.emergency_spent(shipped("standard")) is spent


@pytest.mark.parametrize(("minutes", "spent"), [(15, True), (60, False), (None, True)])
def test_a_dose_of_one_moment_has_the_time_its_rate_states(
    minutes: int | None, spent: bool
) -> None:
    dosage = {"route": {"text": "IV"}, "dose": {"value": 2, "unit": "g"}}
    rate = {"rateQuantity": {"value": minutes, "unit": "min"}} if minutes else {}
    value = given("g", 2, 2, dosage=dosage | rate)
    value["effectiveDateTime"] = value.pop("effectivePeriod")["start"]
    found = chart(administrations=bundle(value))
    assert found.medicines.emergency_spent(shipped("standard")) is spent


def test_an_amount_that_cannot_be_read_is_unknown_not_zero() -> None:
    unread = given("g", 3, 2.5, dosage={"route": {"text": "IV"}})
    assert chart(administrations=bundle(unread)).medicines.grams_given(timedelta(hours=24)) is None
    for lines in ([], [{"route": {"text": "IV"}}]):
        order = sulfate("o", 3, "completed", dosageInstruction=lines)
        order["medicationCodeableConcept"] = coded(RXNORM, "1658221")  # an injection by its code
        grams = chart(medications=bundle(order)).medicines.grams_given(timedelta(hours=24))
        assert grams is None


def oral(code: str, mg: int) -> Json:
    dosage = {
        "route": {"text": "oral"},
        "timing": {"code": {"text": "BID"}},
        "doseAndRate": [{"doseQuantity": {"value": mg, "unit": "mg"}}],
    }
    return sulfate(code, 90, dosageInstruction=[dosage]) | {
        "medicationCodeableConcept": coded(RXNORM, code)
    }


def test_millimoles_a_day_only_of_a_salt_with_a_known_content() -> None:
    found = chart(medications=bundle(oral("198741", 400))).medicines
    assert round(found.oral_mmol(found.orders) or 0, 1) == Decimal("19.8")
    found = chart(medications=bundle(oral("198741", 400), oral("829373", 535))).medicines
    assert found.oral_mmol(found.orders) is None


def test_what_was_drafted_is_not_counted_as_an_order_too() -> None:
    drafted = sulfate("o", 1)
    value = request("order-sign", drafted)
    value["prefetch"]["medications"] = bundle(drafted, sulfate("x", 1))
    assert [o.reference for o in read(value).medicines.orders] == ["MedicationRequest/x"]
    assert json.loads(json.dumps(drafted)) == drafted
