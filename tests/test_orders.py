"""cards.orders: drafted and active orders, read tolerantly and never guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cards.fhir.resource import Dosage, Resource
from cards.orders import (
    DoseLine,
    DraftOrder,
    Identity,
    Orders,
    identify,
    read_dosage,
    read_drafts,
    read_given,
    read_order,
    relevant,
    selected,
)
from tests.contract.shapes import LOINC, RXNORM, UCUM, Json, draft, sandbox_order

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)
SNOMED = "http://snomed.info/sct"
IV = {"coding": [{"system": SNOMED, "code": "47625008"}]}


def resource(value: Json) -> Resource:
    return msgspec.json.decode(json.dumps(value), type=Resource)


def line(value: Json, salt: str | None = "sulfate", mg_per_ml: str | None = None) -> DoseLine:
    dosage = msgspec.json.decode(json.dumps(value), type=Dosage)
    return read_dosage(dosage, salt, Decimal(mg_per_ml) if mg_per_ml else None)


def rated(**more: Any) -> Json:
    return {"doseAndRate": [more]}


def quantity(value: Any, unit: str | None = None) -> Json:
    return {"value": value} | ({"unit": unit} if unit else {})


def order(code: str = "6585", *dosages: Json, **more: Any) -> DraftOrder:
    value = draft(code, "x", dosageInstruction=list(dosages), **more)
    return read_order(resource(value), {})


# --- a dose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "problem"),
    [
        (rated(doseQuantity=quantity("2", "g")), "the dose is not a number"),
        (rated(doseQuantity=quantity(2)), "the dose has no unit"),
        (rated(doseQuantity=quantity(0, "g")), "the dose is not above zero"),
        (rated(doseQuantity=quantity(-2, "g")), "the dose is not above zero"),
        (rated(doseQuantity=quantity(10, "mL")), 'a dose in the unknown unit "mL"'),
        (rated(doseRange={"low": quantity(1, "g")}), "a dose range without a high end"),
        (rated(rateQuantity=quantity(3, "mL/h")), "a rate in mL/h"),
        (rated(rateQuantity=quantity(3)), "a rate in no unit"),
        (rated(rateQuantity=quantity("x", "g/h")), "a rate in g/h"),
        (rated(rateRatio={"numerator": quantity(2, "g")}), "a rate ratio that cannot be read"),
        (
            rated(rateRatio={"numerator": quantity(2, "g"), "denominator": quantity(0, "min")}),
            "a rate ratio that cannot be read",
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_no_number(rate: Json, problem: str) -> None:
    found = line(rate)
    assert (found.dose, found.rates) == (None, ())
    assert found.unreadable == problem
    stated = any(f"'{key}'" in str(rate) for key in ("doseQuantity", "doseRange", "dose"))
    assert found.has_dose is stated


@pytest.mark.parametrize("unit", ["{pill}", "tablet", "{Capsule}", "each"])
def test_a_pill_is_no_dose(unit: str) -> None:
    found = line(rated(doseQuantity={"value": 1, "system": UCUM, "code": unit}), "oxide")
    assert (found.dose, found.pill) == (None, True)


def test_a_range_counts_by_its_high_end_and_takes_the_unit_of_the_low() -> None:
    both = line(rated(doseRange={"low": quantity(1, "g"), "high": quantity(2)}))
    assert both.dose == 2000
    assert line(rated(doseRange={"high": quantity(2)})).unreadable == "the dose has no unit"
    fast = line(rated(rateRange={"low": quantity(1, "g/h"), "high": quantity(3, "g/h")}))
    assert fast.rates == (Decimal(50),)


def test_millilitres_count_with_a_coded_strength() -> None:
    assert line(rated(doseQuantity=quantity(4, "mL")), mg_per_ml="500").dose == 2000


def test_the_largest_dose_and_every_rate_are_kept() -> None:
    found = line(
        {
            "timing": {"repeat": {"duration": 20, "durationUnit": "min"}},
            "doseAndRate": [
                {"doseQuantity": quantity(1, "g"), "rateQuantity": quantity(6, "g/h")},
                {"doseQuantity": quantity(2, "g"), "rateQuantity": quantity(10, "min")},
                {"rateQuantity": quantity(15, "min")},
            ],
        }
    )
    assert found.dose == 2000
    assert found.minutes == 10  # a rate in a unit of time means "over"; the shortest counts
    assert found.rates == (Decimal(100), Decimal(200))


def test_an_administration_states_dose_and_rate_directly() -> None:
    found = line({"dose": quantity(2, "g"), "rateQuantity": quantity(2, "h")})
    assert (found.dose, found.minutes) == (2000, 120)
    assert line({"doseQuantity": quantity(1, "g")}).dose == 1000  # STU3


# --- how often ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "per_day"),
    [
        ({"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}, 4),
        ({"repeat": {"frequency": 1, "frequencyMax": 3, "period": 1, "periodUnit": "d"}}, 3),
        ({"repeat": {"period": 1, "periodUnit": "d"}}, 1),
        ({"repeat": {"timeOfDay": ["08:00:00", "20:00:00"]}}, 2),
        ({"repeat": {"when": ["MORN", "HS"]}}, 2),
        ({"repeat": {"when": "HS"}}, 1),
        ({"code": {"coding": [{"display": "x"}, {"code": "bid"}]}}, 2),
        ({"code": {"text": "q6h"}, "repeat": {"when": ["MORN"]}}, 4),
        ({"code": {"coding": [{}], "text": "TID"}}, 3),
    ],
)
def test_doses_a_day(timing: Json, per_day: int) -> None:
    found = line({"timing": timing} | rated(doseQuantity=quantity(1, "g")))
    assert found.per_day == per_day
    assert found.doses_in_24h() == per_day


@pytest.mark.parametrize(
    "timing",
    [
        {"code": {"text": "once"}},
        {"code": {"coding": [{"code": "STAT"}]}},
        {"repeat": {"count": 1, "frequency": 1, "period": 1, "periodUnit": "d"}},
    ],
)
def test_once_is_once(timing: Json) -> None:
    found = line({"timing": timing})
    assert (found.once, found.per_day, found.doses_in_24h()) == (True, None, 1)


def test_doses_in_24_hours_are_no_more_than_the_count() -> None:
    daily = {"frequency": 6, "period": 1, "periodUnit": "d"}
    assert line({"timing": {"repeat": daily | {"count": 4}}}).doses_in_24h() == 4
    assert line({"timing": {"repeat": daily | {"count": 20}}}).doses_in_24h() == 6
    assert line({"timing": {"repeat": {"count": 3}}}).doses_in_24h() == 3
    weekly = {"frequency": 1, "period": 1, "periodUnit": "wk"}
    assert line({"timing": {"repeat": weekly}}).doses_in_24h() == 1
    assert line({"timing": {"repeat": {"count": 99999}}}).count is None


# --- a push, a route ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dosage",
    [
        {"text": "2 g IV push"},
        {"text": "give as a BOLUS"},
        {"patientInstruction": "i.v. push"},
        {"method": {"text": "IVP"}},
        {"method": {"coding": [{"display": "Push"}]}},
        {"route": {"text": "Intravenous push"}},
    ],
)
def test_an_explicit_push(dosage: Json) -> None:
    assert line(dosage).push


@pytest.mark.parametrize(
    "text", ["do not give as IV push", "never push", "without a bolus", "over 20 min", "pushups"]
)
def test_no_push(text: str) -> None:
    assert not line({"text": text}).push


@pytest.mark.parametrize(
    ("route", "found"),
    [
        (IV, "iv"),
        ({"coding": [{"system": SNOMED, "code": "0"}], "text": "by mouth"}, "po"),
        ({"coding": [{"display": "Intramuscular"}]}, "im"),
        ({"coding": [{"code": "x"}], "text": "??"}, None),
        ({}, None),
    ],
)
def test_a_route_by_code_else_by_its_words(route: Json, found: str | None) -> None:
    assert line({"route": route}).route == found


def test_of_several_routes_the_first_that_a_rule_speaks_of() -> None:
    subcutaneous = {"coding": [{"system": SNOMED, "code": "34206005"}]}
    assert order("6585", {"route": subcutaneous}).route == "other"
    assert order("6585", {"route": subcutaneous}, {"route": IV}).route == "iv"
    assert order("6585").route is None


def test_magnesium_by_route_is_replacement_or_laxative() -> None:
    """Sulfate by mouth is Epsom salt (ruling 52); a laxative by vein is magnesium all the same."""
    by_mouth = order("6585", {"route": {"text": "oral"}})
    assert (by_mouth.magnesium, by_mouth.laxative is not None) == (None, True)
    salts = order("311427", {"route": IV})
    assert (salts.magnesium is not None, salts.laxative) == (True, None)
    assert order("6582").route == "po"  # oxide without a form or route


# --- when an order ends -------------------------------------------------------------------------


def authored(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def repeat(**more: Any) -> Json:
    return {"timing": {"repeat": more}, "route": IV} | rated(doseQuantity=quantity(2, "g"))


@pytest.mark.parametrize(
    ("found", "end"),
    [
        # Bounds come first.
        (
            order(
                "6585",
                repeat(boundsPeriod={"end": authored(1)}),
                repeat(boundsPeriod={"end": authored(3)}),
                authoredOn=authored(9),
            ),
            -1,
        ),
        (
            order(
                "6585", repeat(boundsDuration=quantity(2, "d"), count=3), authoredOn=authored(9)
            ),
            39,
        ),
        (order("6585", repeat(boundsDuration=quantity(2)), authoredOn=authored(9)), -3),
        # A one-off parenteral order: 6 h after its start, or its own longer time (ruling 13).
        (order("6585", repeat(), authoredOn=authored(2)), 4),
        (order("6585", repeat(duration=8, durationUnit="h"), authoredOn=authored(2)), 6),
        # Start + duration x count, or count / frequency.
        (order("6585", repeat(count=3, duration=4, durationUnit="h"), authoredOn=authored(2)), 10),
        (
            order(
                "6585",
                repeat(count=4, frequency=1, period=6, periodUnit="h"),
                authoredOn=authored(2),
            ),
            22,
        ),
        # Repeating without an end runs while it is active (ruling 75); so does one of several.
        (order("6585", repeat(period=6, periodUnit="h"), authoredOn=authored(0)), None),
        (order("6585", repeat(count=3), authoredOn=authored(2)), None),
        # The start of its own period, else of its first event; never guessed.
        (order("6585", repeat(boundsPeriod={"start": authored(3)}), authoredOn=authored(9)), 3),
        (
            order(
                "6585",
                {"timing": {"event": [authored(3)]}, "route": IV},
                authoredOn=authored(9),
            ),
            3,
        ),
        (order("6585", repeat(), authoredOn="tomorrow"), None),
        # Oral, PRN and other drugs have no end of their own.
        (order("6582", authoredOn=authored(90)), None),
        (order("6585", repeat() | {"asNeededBoolean": True}, authoredOn=authored(90)), None),
    ],
)  # fmt: skip
def test_the_end_of_an_order(found: DraftOrder, end: float | None) -> None:
    expected = None if end is None else NOW + timedelta(hours=end)
    assert found.end(SIX_HOURS) == expected


@pytest.mark.parametrize(
    "more",
    [
        {"status": "draft"},
        {"status": "on-hold"},
        {"status": "active", "intent": "plan"},
        {"status": "active", "intent": "proposal"},
        {"status": "active", "doNotPerform": True},
        {"status": "active", "authoredOn": authored(7)},
    ],
)
def test_never_running(more: Json) -> None:
    found = order("6585", repeat(), **({"authoredOn": authored(1)} | more))
    assert not found.active(NOW, SIX_HOURS)
    assert not found.running(NOW, SIX_HOURS)


def test_as_needed_is_active_and_does_not_run() -> None:
    prn = repeat() | {"asNeededCodeableConcept": {"text": "low Mg"}}
    found = order("6585", prn, status="active")
    assert found.active(NOW, SIX_HOURS)
    assert not found.running(NOW, SIX_HOURS)


def test_milligrams_a_day_only_when_every_line_can_be_read() -> None:
    tablet = rated(doseQuantity=quantity(400, "mg")) | {"timing": {"code": {"text": "BID"}}}
    assert order("6582", tablet, tablet).daily_mg() == 1600
    assert order("6582", tablet, {}).daily_mg() is None
    assert order("6582").daily_mg() is None


# --- which drug ---------------------------------------------------------------------------------

VIAL: Json = {"resourceType": "Medication", "id": "m1"}


def referring(reference: str, **more: Any) -> Json:
    value = draft(medicationReference={"reference": reference} | more)
    del value["medicationCodeableConcept"]
    return value


def coded(code: str, **more: Any) -> Json:
    return {"coding": [{"system": RXNORM, "code": code} | more]}


def test_a_medication_is_found_wherever_it_came() -> None:
    vial = resource(VIAL | {"code": coded("6585", display="Mag")})
    for reference in ("Medication/m1", "https://ehr.example/Medication/m1", "m1"):
        found = identify(resource(referring(reference)), {"m1": vial})
        assert found.find("magnesium") is not None
        assert found.label == "Mag"
    inside = referring("#m1") | {"contained": [VIAL | {"code": coded("6585")}]}
    assert identify(resource(inside), {}).find("magnesium") is not None
    r5 = {"resourceType": "MedicationRequest", "medication": {"concept": coded("6585")}}
    assert identify(resource(r5), {}).find("magnesium") is not None
    r5["medication"] = {"reference": {"reference": "Medication/m1"}}
    assert identify(resource(r5), {"m1": vial}).find("magnesium") is not None


def test_a_reference_that_leads_nowhere_is_a_gap_unless_its_display_names_a_drug() -> None:
    lost = identify(resource(referring("Medication/gone")), {})
    assert (lost.drugs, lost.resolved, lost.label) == ((), False, "Medication/gone")
    named = identify(resource(referring("Medication/gone", display="LASIX 40")), {})
    assert named.resolved
    assert named.find("loop") is not None
    nothing = referring("x")
    nothing["medicationReference"] = {}
    assert identify(resource(nothing), {}).label == "an unnamed medication"
    assert identify(Resource(), {}) == Identity((), "", resolved=True)


def test_the_bare_word_magnesium_is_no_product() -> None:
    text = draft(medicationCodeableConcept={"text": "magnesium"})
    assert identify(resource(text), {}).drugs == ()
    other = draft(medicationCodeableConcept={"coding": [{"display": "Furosemide"}, {"code": "1"}]})
    assert identify(resource(other), {}).find("loop") is not None
    unnamed = draft(medicationCodeableConcept={"coding": [{"system": "urn:local", "code": "7"}]})
    assert identify(resource(unnamed), {}).label == "a medication without a name"


def test_ingredients_tell_what_a_medication_without_a_known_code_is() -> None:
    mix = VIAL | {
        "ingredient": [
            {"itemCodeableConcept": coded("6585")},
            {"item": {"concept": coded("8591")}},
            {"itemReference": {"reference": "Substance/1"}},
        ]
    }
    found = identify(resource(referring("Medication/m1", display="Mix")), {"m1": resource(mix)})
    assert found.find("magnesium") is not None
    assert found.find("potassium") is not None
    assert (found.label, found.percent) == ("Mix", None)
    known = resource(mix | {"code": coded("4603")})
    assert identify(resource(referring("Medication/m1")), {"m1": known}).find("magnesium") is None


def ratio(mass: Json, volume: Json) -> Json:
    return {"numerator": mass, "denominator": volume}


@pytest.mark.parametrize(
    ("strength", "percent"),
    [
        (ratio(quantity(500, "mg"), quantity(1, "mL")), "50"),
        (ratio(quantity(20, "g"), quantity(0.5, "L")), "4"),
        (ratio(quantity(40, "g"), quantity(1000, "ml")), "4"),
        (ratio(quantity(4, "meq"), quantity(1, "mL")), None),
        (ratio(quantity(500, "mg"), quantity(1, "{vial}")), None),
        (ratio(quantity(500, "mg"), quantity(0, "mL")), None),
        (ratio(quantity("500", "mg"), quantity(1, "mL")), None),
        (ratio(quantity(500), quantity(1, "mL")), None),
        ({"numerator": quantity(500, "mg")}, None),
    ],
)
def test_the_strength_of_a_single_ingredient(strength: Json, percent: str | None) -> None:
    vial = VIAL | {"code": coded("6585"), "ingredient": {"strength": strength}}
    found = identify(resource(referring("Medication/m1")), {"m1": resource(vial)})
    assert found.percent == (None if percent is None else Decimal(percent))
    assert found.mg_per_ml == (None if percent is None else Decimal(percent) * 10)


# --- drafts of a call ---------------------------------------------------------------------------


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def drafted(*drafts: Any) -> tuple[DraftOrder, ...]:
    return read_drafts(call("order-sign", *drafts), {})


def test_a_draft_that_breaks_the_types_keeps_its_drug() -> None:
    (found,) = drafted(draft("6585", "Mag", dosageInstruction=7))
    assert found.magnesium is not None
    assert (found.reference, found.lines) == ("MedicationRequest/draft-1", ())
    assert found.unreadable == "its dosageInstruction breaks FHIR's types"


def test_a_broken_element_that_no_rule_reads_loses_nothing_else() -> None:
    dosage = {"doseAndRate": [{"doseQuantity": {"value": 2, "unit": "g"}}]}
    broken = draft("6585", "Mag", dosageInstruction=[dosage], note="x", reasonCode=7)
    (found,) = drafted(broken)
    assert found.unreadable is None
    assert [line.dose for line in found.lines] == [2000]


def test_a_draft_that_is_no_object_is_left_out() -> None:
    assert drafted(7) == ()


def test_a_draft_of_which_only_the_id_can_be_read() -> None:
    (found,) = drafted(draft(medicationCodeableConcept=[], dosageInstruction=7))
    assert (found.resource.id, found.resource.status) == ("draft-1", "draft")
    assert found.unreadable == "its dosageInstruction breaks FHIR's types"
    assert found.identity.drugs == ()
    assert drafted({"resourceType": 3}, {"resourceType": "Device", "id": 3}) == ()


def test_a_lab_in_the_session_unless_it_is_forbidden() -> None:
    lab = {
        "resourceType": "ServiceRequest",
        "code": {"coding": [{"system": LOINC, "code": "19123-9"}, {"code": "x"}]},
    }
    assert call("order-sign", lab, draft()).labs == {"magnesium"}
    assert call("order-sign", lab | {"doNotPerform": True}).labs == frozenset()


def call(hook: str, *drafts: Any, selections: tuple[str, ...] = ()) -> Orders:
    return Orders(hook, "s", "h", tuple(map(raw, drafts)), selections)


def test_order_select_judges_what_is_selected_else_all() -> None:
    first, second = draft(id="a"), draft(id="b")
    for hook, selections, chosen in (
        ("order-select", ("MedicationRequest/b",), ["b"]),
        ("order-select", ("b",), ["b"]),
        ("order-select", ("MedicationRequest/c",), ["a", "b"]),
        ("order-select", (), ["a", "b"]),
        ("order-sign", ("MedicationRequest/b",), ["a", "b"]),
    ):
        orders = call(hook, first, second, selections=selections)
        found = selected(orders, read_drafts(orders, {}))
        assert [d.resource.id for d in found] == chosen


def test_whether_a_call_can_lead_to_a_card() -> None:
    statin = draft("83367", "atorvastatin")
    lost = referring("Medication/gone")
    assert relevant(call("patient-view"))
    assert relevant(call("order-sign", statin))
    assert not relevant(call("order-sign"))
    assert not relevant(call("order-select", statin))
    assert not relevant(call("order-select", statin, draft(id="k"), selections=("draft-1",)))
    assert relevant(call("order-select", draft()))
    assert relevant(call("order-select", lost))
    assert relevant(call("order-select", draft(dosageInstruction=7)))
    # A Medication among the drafts resolves the reference: atorvastatin after all.
    medicine = VIAL | {"id": "gone", "code": coded("83367", display="atorvastatin")}
    assert not relevant(call("order-select", lost, medicine, selections=("draft-1",)))


def test_a_site_says_which_drugs_matter() -> None:
    ours = {"magnesium oxide": (frozenset[str](), frozenset({"magnesium"}))}
    omeprazole = draft("7646", "omeprazole")
    assert relevant(call("order-select", omeprazole))
    without = {"omeprazole": (frozenset[str](), frozenset({"ppi", "cause"}))}
    assert not relevant(call("order-select", omeprazole), without)
    assert relevant(call("order-select", omeprazole), ours)


def test_the_sandbox_order_is_read() -> None:
    (found,) = drafted(sandbox_order("252430", "Magnesium Oxide 400 MG"))
    assert found.magnesium is not None
    assert (found.lines[0].pill, found.lines[0].per_day) == (True, 1)


# --- administrations ----------------------------------------------------------------------------


def test_an_administration_has_a_dose_and_a_moment() -> None:
    value = {
        "resourceType": "MedicationAdministration",
        "id": "g1",
        "status": "completed",
        "medicationCodeableConcept": coded("6585"),
        "effectivePeriod": {"start": "2026-03-14T10:00:00Z", "end": "2026-03-14T10:20:00Z"},
        "dosage": {"dose": quantity(2, "g"), "route": IV},
    }
    found = read_given(resource(value), {})
    assert (found.line.dose, found.line.route) == (2000, "iv")
    assert found.moment == datetime(2026, 3, 14, 10, 20, tzinfo=UTC)
    assert not found.not_done
    bare = read_given(resource({"medicationCodeableConcept": {}, "status": "not-done"}), {})
    assert (bare.line, bare.moment, bare.not_done) == (DoseLine(), None, True)
    begun = value | {"effectivePeriod": {"start": "2026-03-14T10:00:00Z"}}
    assert read_given(resource(begun), {}).moment == datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
    at = {k: v for k, v in value.items() if k != "effectivePeriod"}
    at["effectiveDateTime"] = "2026-03-14T09:00:00Z"
    assert read_given(resource(at), {}).moment == datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
