"""What runs and what was given, as orders and administrations say it (rulings 140, 154 to 157).

The level is severe and 2 h old; whatever treats it takes the starred 2 g.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.shapes import SEVERE, Card, Json, answer_to, resources
from tests.vignette import NOW

LEVEL = "Mg 1.0 mg/dL"
TREATED = ("info", "no drug")
# A severe level that does not rise on what runs is failing: a warning, without a drug (ruling 96).
RUNS = (TREATED, ("warning", "no drug"))
ORDER = f"{LEVEL} | active: Magnesium Sulfate (RxNorm 6585) 2 g IV over 120 min (authored 1 h ago)"
SPELT = f"{LEVEL} | given: Magnesium Sulfate (RxNorm 6585) 2 g IV, started 1 h ago"


def at(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat()


def order(dosage: Json, inputs: str = ORDER, **more: Any) -> Card:
    """The card with one active order, elements of its first dosage and its own replaced; None
    takes an element away."""

    def rewrite(request: Json) -> None:
        (found,) = resources(request, "medications")
        _put(found, more)
        _put(found["dosageInstruction"][0], dosage)

    return answer_to(inputs, rewrite)


def given(inputs: str = SPELT, **more: Any) -> Card:
    """The card with one administration, its elements replaced."""

    def rewrite(request: Json) -> None:
        (found,) = resources(request, "administrations")
        _put(found, more)

    return answer_to(inputs, rewrite)


def _put(found: Json, more: Json) -> None:
    for key, value in more.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value


# --- how often it runs (ruling 140) -----------------------------------------------------------


def rate(value: float, unit: str = "g/h") -> Json:
    return {"doseAndRate": [{"rateQuantity": {"value": value, "unit": unit}}]}


@pytest.mark.parametrize(
    "dosage",
    [
        rate(2) | {"timing": {"code": {"text": "Continuous"}}},
        rate(2) | {"timing": None},
        rate(2) | {"timing": {"code": {"coding": [{"code": "CONT", "display": "Kontinuierlich"}]}}},
        rate(25, "mL/h") | {"timing": {"code": {"text": "continuo"}}},
        {"timing": {"code": {"text": "q6h"}}},
        {"timing": {"repeat": {"timeOfDay": ["06:00", "18:00"]}}},
    ],
)
def test_what_repeats_or_flows_runs_while_it_is_active(dosage: Json) -> None:
    assert order(dosage, authoredOn=at(-20)).frame in RUNS


@pytest.mark.parametrize(
    "timing",
    [
        {"code": {"text": "per protocol"}},
        {"code": {"coding": [{"system": "urn:x", "code": "991"}]}},
        {"repeat": {"frequency": "2", "period": 1, "periodUnit": "d"}},
        {"repeat": {"frequency": 1, "period": 1, "periodUnit": "shift"}},
        {"code": {"text": "every fortnight or so"}},
        {"repeat": {"frequency": 3}},
    ],
)
@pytest.mark.parametrize("hours", [-1, -20])
def test_an_order_of_unreadable_timing_may_be_running(timing: Json, hours: float) -> None:
    """No drug, the band's own indicator, and the question."""
    card = order({"timing": timing}, authoredOn=at(hours))
    assert card.frame == ("critical", "no drug")
    assert "is it running? Check the administration record" in card.words
    assert "already" not in card.words


def test_it_leaves_the_emergency_dose() -> None:
    inputs = ORDER + " | condition: torsades"
    card = order({"timing": {"code": {"text": "per protocol"}}}, inputs)
    assert card.frame == ("critical", "iv2/15")


def test_a_draft_beside_it_is_told_of_it() -> None:
    inputs = ORDER + " | draft: Magnesium Sulfate (RxNorm 6585) 2 g IV over 120 min"

    def rewrite(request: Json) -> None:
        (found,) = resources(request, "medications")
        found["dosageInstruction"][0]["timing"] = {"code": {"text": "per protocol"}}

    card = answer_to(inputs, rewrite, "order-sign")
    assert card.indicator == "warning"  # two infusions: the draft treats the level
    assert "how often could not be read" in card.words


SLOW = {
    "timing": None,
    "doseAndRate": [
        {
            "doseQuantity": {"value": 24, "unit": "g"},
            "rateQuantity": {"value": 1, "unit": "g/h"},
        }
    ],
}


@pytest.mark.parametrize(
    ("dosage", "hours", "treated"),
    [
        # 24 g at 1 g/h take a day; without a time of its own 6 h; 2 g over 2 h too.
        (SLOW, -20, True),
        (SLOW, -25, False),
        ({"timing": {"repeat": {"duration": 10, "durationUnit": "h"}}}, -9, True),
        ({"timing": {"repeat": {"duration": 600, "durationUnit": "min"}}}, -11, False),
        ({}, -5, True),
        ({}, -7, False),
        ({"timing": None}, -7, False),
    ],
)
def test_a_one_off_order_runs_for_its_own_time(dosage: Json, hours: float, treated: bool) -> None:
    # The order stands since before the result, so that its end is no dose since.
    card = order(dosage, authoredOn=at(hours))
    assert (card.frame in RUNS) is treated


@pytest.mark.parametrize(
    ("amount", "treated"), [(4, True), (24, False), (None, True)], ids=["load", "all", "unknown"]
)
def test_a_load_from_the_bag_does_not_end_the_infusion(amount: int | None, treated: bool) -> None:
    inputs = (
        f"{LEVEL} | active: Magnesium Sulfate (RxNorm 6585) 24 g IV rate 1 g/h (authored 10 h ago)"
        " | given: Magnesium Sulfate (RxNorm 6585) 4 g IV, started 10 h ago, ended 9 h ago"
    )

    def rewrite(request: Json) -> None:
        (found,) = resources(request, "administrations")
        found["dosage"]["dose"] = {"value": amount or 4, "unit": "g" if amount else "{bag}"}
        found["effectivePeriod"]["end"] = found["effectivePeriod"]["start"]

    assert (answer_to(inputs, rewrite).frame in RUNS) is treated


# --- what was given (rulings 154, 155) --------------------------------------------------------


@pytest.mark.parametrize(
    "when",
    [
        {"occurenceDateTime": at(-1)},
        {"occurencePeriod": {"start": at(-1), "end": at(-0.5)}},
        {"occurrenceDateTime": at(-1)},
        {"occurrencePeriod": {"start": at(-1)}},
        {"occurenceTiming": {"event": [at(-3), at(-1)]}},
        {"effectiveDateTime": at(-1), "occurenceDateTime": at(-30)},
    ],
)
def test_the_time_of_an_administration_in_any_version(when: Json) -> None:
    card = given(effectivePeriod=None, **when)
    assert card.frame == TREATED
    assert "given since the result" in card.words


UNDATED: tuple[Json, ...] = (
    {},
    {"effectiveDateTime": "yesterday"},
    {"effectivePeriod": {}},
    {"effectivePeriod": {"start": "10 am"}},
    {"occurenceDateTime": "?"},
    {"effectiveDateTime": ""},
)


@pytest.mark.parametrize("when", UNDATED)
def test_an_administration_without_a_time_may_have_been_since(when: Json) -> None:
    card = given(**({"effectivePeriod": None} | when))
    assert card.indicator == "critical"
    assert not card.offered
    assert "at a time that could not be read" in card.words


def test_an_undated_one_leaves_the_emergency_dose() -> None:
    assert given(SPELT + " | condition: torsades", effectivePeriod=None).starred == ["iv2/15"]


def test_an_undated_dose_by_mouth_is_only_named() -> None:
    tablet = f"{LEVEL} | given: Magnesium Oxide (RxNorm 6582) 400 mg PO, started 1 h ago"
    card = given(tablet, effectivePeriod=None)
    assert card.frame == SEVERE
    assert "at a time that could not be read" in card.words


@pytest.mark.parametrize("status", ["in-progress", "on-hold"])
@pytest.mark.parametrize("when", [{}, {"effectivePeriod": None}])
def test_what_has_begun_counts_as_given(status: str, when: Json) -> None:
    card = given(status=status, **when)
    assert card.frame == TREATED
    assert "begun: how much is not known" in card.words


def test_what_was_not_done_is_no_dose() -> None:
    assert given(status="not-done", effectivePeriod=None).frame == SEVERE


@pytest.mark.parametrize(
    ("dosage", "grams"),
    [
        ({"dose": {"value": 100, "unit": "mL"}}, "left 4 g"),
        ([{"dose": {"value": 2, "unit": "g"}}, {"dose": {"value": 2, "unit": "g"}}], "left 4 g"),
        ({"rateQuantity": {"value": 2, "unit": "g/h"}}, "left 4 g"),
        ({"rateQuantity": {"value": 50, "unit": "mL/h"}}, "left 4 g"),
        ({"doseQuantity": {"value": 4, "unit": "g"}}, "left 4 g"),
        ({"rateRatio": {"numerator": {"value": 4, "unit": "g"},
                        "denominator": {"value": 2, "unit": "h"}}}, "left 4 g"),
    ],
)  # fmt: skip
def test_the_amount_given_in_any_place_and_unit(dosage: Any, grams: str) -> None:
    """4 g before the result, of the 8 g of a day (70 kg: 8.6 by weight)."""
    inputs = f"{LEVEL} | weight 90 kg | {SPELT.split(' | ')[1]}"
    route = {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]}
    parts = dosage if isinstance(dosage, list) else [dosage]
    card = given(
        inputs,
        medicationCodeableConcept={"text": "magnesium sulfate 4 g/100 mL premix"},
        effectivePeriod={"start": at(-10), "end": at(-8)},
        dosage=[one | {"route": route} for one in parts]
        if isinstance(dosage, list)
        else dosage | {"route": route},
    )
    assert card.frame == SEVERE
    assert grams in card.words


# --- what does not run now (ruling 156) -------------------------------------------------------


@pytest.mark.parametrize(
    "timing",
    [
        {"repeat": {"boundsPeriod": {"start": at(2)}}},
        {"repeat": {"boundsPeriod": {"start": at(40), "end": at(60)}, "count": 1}},
        {"event": [at(5)]},
        {"event": [at(5), at(30)]},
        {"repeat": {"boundsPeriod": {"start": at(8)}, "period": 6, "periodUnit": "h"}},
        {"code": {"text": "Once"}, "event": [at(20)]},
    ],
)  # fmt: skip
def test_an_order_that_begins_later_does_not_run(timing: Json) -> None:
    card = order({"timing": timing})
    assert card.frame == SEVERE
    assert "does not run now: it starts" in card.words


@pytest.mark.parametrize(
    ("timing", "since", "runs"),
    [
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}, -80, False),
        ({"code": {"text": "weekly"}}, -80, False),
        ({"repeat": {"frequency": 2, "period": 1, "periodUnit": "wk"}}, -60, False),
        ({"repeat": {"dayOfWeek": ["mon", "thu"], "timeOfDay": ["08:00"]}}, -60, False),
        ({"code": {"text": "every 3 days"}}, -60, False),
        # Its dose is being given; its doses are no more than 48 h apart.
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}, -169, True),
        ({"repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}}, -40, True),
        ({"code": {"text": "every other day"}}, -40, True),
    ],
)
def test_a_schedule_of_rare_doses_rests_between_them(
    timing: Json, since: float, runs: bool
) -> None:
    card = order({"timing": timing}, authoredOn=at(since))
    assert card.frame in RUNS if runs else card.frame == SEVERE
    assert ("does not run now: it starts" in card.words) is not runs


def test_a_rare_dose_that_was_due_since_the_result_counts_as_given() -> None:
    inputs = ORDER.replace(LEVEL, f"{LEVEL}, collected 20 h ago")
    weekly = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}
    card = order({"timing": weekly}, inputs, authoredOn=at(-168 - 10))
    assert card.frame == TREATED


# --- as needed (ruling 157) -------------------------------------------------------------------

URL = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Dosage."
NEEDED: dict[str, Json] = {
    "the extension of a later version": {
        "extension": [{"url": f"{URL}asNeededFor", "valueCodeableConcept": {"text": "Mg < 1.8"}}]
    },
    "its flag": {"extension": [{"url": f"{URL}asNeeded", "valueBoolean": True}]},
    "the elements of R5": {"asNeededFor": [{"text": "low magnesium"}]},
    "R5's flag": {"asNeeded": True},
    "a text of the timing": {"timing": {"code": {"text": "Q6H PRN"}}},
    "a text of the timing alone": {"timing": {"code": {"text": "as needed"}}},
    "a code": {"timing": {"code": {"coding": [{"code": "PRN"}, {"code": "Q8H"}]}}},
    "German": {"timing": {"code": {"text": "bei Bedarf"}}},
    "French": {"timing": {"code": {"text": "si besoin, max 4 fois par jour"}}},
    "Spanish": {"timing": {"code": {"text": "según necesidad"}}},
    "a text without a timing": {"timing": None, "text": "2 g IV prn for Mg < 1.8"},
}


@pytest.mark.parametrize("dosage", NEEDED.values(), ids=NEEDED)
def test_an_order_as_needed_is_no_treatment(dosage: Json) -> None:
    card = order(dosage)
    assert card.indicator == "critical"
    assert not card.starred
    assert "a PRN or protocol order is active: was it given?" in card.words


@pytest.mark.parametrize(
    "dosage",
    [
        {"extension": [{"url": f"{URL}asNeeded", "valueBoolean": False}]},
        {"extension": [{"url": "urn:something.else"}]},
        {"timing": {"code": {"text": "scheduled, not PRN, daily"}}},
        {"asNeededBoolean": False},
        {"text": "2 g IV now, may repeat prn"},
    ],
)
def test_an_order_that_is_not_as_needed_runs(dosage: Json) -> None:
    assert order(dosage).frame == TREATED
