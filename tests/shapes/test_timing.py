"""How often a drafted order is given, in the places and words in which records say it, and what
is left of the checks when that cannot be read (ruling 140)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.shapes import Card, Json, answer_to

# 4 g in one dose is right at this level; 16 g in a day are not.
LOW = "Mg 1.1 mg/dL | draft: Magnesium Sulfate (RxNorm 6585) 4 g IV over 240 min"
UNREAD = "how often could not be read"


def drafted(request: Json) -> Json:
    order: Json = request["context"]["draftOrders"]["entry"][0]["resource"]
    return order


def dosed(**more: Any) -> Callable[[Json], object]:
    """The first dosage of the draft, with its elements replaced."""
    return lambda request: drafted(request)["dosageInstruction"][0].update(more)


def timed(hook: str = "order-sign", inputs: str = LOW, **timing: Any) -> Card:
    """The card of a draft with this timing beside its duration."""

    def rewrite(request: Json) -> None:
        there = drafted(request)["dosageInstruction"][0]["timing"]
        there |= timing | {"repeat": there["repeat"] | timing.get("repeat", {})}

    return answer_to(inputs, rewrite, hook)


def coded(*codings: Json, text: str | None = None) -> Json:
    return {"coding": list(codings)} | ({"text": text} if text else {})


GTS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
SIXTEEN = {
    "a code behind a local one": {"code": coded({"code": "4711"}, {"system": GTS, "code": "Q6H"})},
    "the display of a local code": {
        "code": coded({"system": "urn:x", "code": "7", "display": "q6hr"})
    },
    "a text alone": {"code": {"text": "Every six hours"}},
    "a text in German": {"code": {"text": "alle 6 Std."}},
    "a text in French": {"code": {"text": "Toutes les 6 heures"}},
    "a text in Spanish": {"code": {"text": "cada 6 horas"}},
    "a scheme of the day": {"code": {"text": "1-1-1-1"}},
    "a code and a lesser repeat": {
        "code": {"text": "QID"},
        "repeat": {"frequency": 1, "period": 1, "periodUnit": "d"},
    },
    "an unknown code beside a repeat": {
        "code": {"text": "per protocol"},
        "repeat": {"frequency": 1, "period": 6, "periodUnit": "h"},
    },
    "a unit of time in words": {"repeat": {"frequency": 4, "period": 1, "periodUnit": "days"}},
    "the shortest of a range": {
        "repeat": {"frequency": 1, "period": 6, "periodMax": 12, "periodUnit": "h"}
    },
    "times of the day": {"repeat": {"timeOfDay": ["00:00", "06:00", "12:00", "18:00"]}},
    "meals and bedtime": {"repeat": {"when": ["AC", "HS"]}},
    "events": {
        "event": [f"2026-03-14T{hour}:00:00Z" for hour in ("12", "16", "20", "23")],
    },
    "events that cannot be read": {"event": ["noon", "four", "eight", "late"]},
    "at most so many": {"repeat": {"countMax": 4, "count": 2}},
}


@pytest.mark.parametrize("timing", SIXTEEN.values(), ids=SIXTEEN)
def test_sixteen_grams_a_day_however_it_is_said(timing: Json) -> None:
    card = timed(**timing)
    assert card.indicator == "critical"
    assert "16 g in 24 h" in card.words


ONCE = {
    "once": {"code": {"text": "Once"}},
    "once beside a day": {
        "code": {"text": "ONCE"},
        "repeat": {"frequency": 1, "period": 1, "periodUnit": "d"},
    },
    "einmalig": {"code": {"text": "einmalig"}},
    "a haste": {"code": coded({"code": "STAT"})},
    "an event": {"event": ["2026-03-14T12:30:00Z"]},
    "a count": {"repeat": {"count": 1, "frequency": 1, "period": 6, "periodUnit": "h"}},
    "so often, one of them": {"code": {"text": "Q6H X1"}},
}


@pytest.mark.parametrize("timing", ONCE.values(), ids=ONCE)
def test_one_dose_is_one_dose(timing: Json) -> None:
    card = timed(**timing)
    assert "in 24 h;" not in card.words
    assert UNREAD not in card.words


LOST = {
    "words nobody knows": {"code": {"text": "See instructions"}},
    "a local code alone": {"code": coded({"system": "urn:x", "code": "696544"})},
    "a frequency as text": {"repeat": {"frequency": "4", "period": 1, "periodUnit": "d"}},
    "a period without a unit": {"repeat": {"frequency": 1, "period": 6}},
    "an unknown unit": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "shift"}},
    "times without a period": {"repeat": {"frequency": 4}},
    "again, in unknown words": {"code": {"text": "once every fortnight"}},
}


@pytest.mark.parametrize("timing", LOST.values(), ids=LOST)
def test_what_is_not_understood_is_said_and_no_single_dose(timing: Json) -> None:
    card = timed(**timing)
    assert UNREAD in card.words
    assert card.indicator == "info"


def test_what_is_not_understood_silences_only_what_needs_it() -> None:
    """A dose or a rate beyond its limit is told all the same."""
    lost = {"code": {"text": "See instructions"}}
    large = LOW.replace("4 g", "16 g")
    fast = LOW.replace("240 min", "20 min")
    for inputs, says in ((large, "16 g in 24 h"), (fast, "200 mg/min")):
        card = timed(inputs=inputs, **lost)
        assert card.indicator == "critical"
        assert says in card.words
        assert UNREAD in card.words


def test_an_offer_with_an_unreadable_frequency_is_not_right_as_ordered() -> None:
    right = "Mg 1.1 mg/dL | draft: Magnesium Sulfate (RxNorm 6585) 2 g IV over 20 min"
    assert timed(inputs=right).indicator == "no card"
    assert UNREAD in timed(inputs=right, code={"text": "See instructions"}).words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("4 g over 4 h every 6 hours", "16 g in 24 h"),
        ("4 g i.v. alle 6 Stunden", "16 g in 24 h"),
        ("for a level below 1.6 give 4 g every 6 hours", "16 g in 24 h"),
        ("4 g every fortnight or so", UNREAD),
    ],
)
def test_the_text_of_a_dosage_counts_where_nothing_else_says_it(text: str, says: str) -> None:
    assert says in answer_to(LOW, dosed(text=text), "order-sign").words


@pytest.mark.parametrize(
    "text",
    ["4 g over 4 h; check the level every 6 hours", "monitor reflexes q4h", "4 g over 4 h"],
)
def test_what_is_looked_at_every_so_often_is_no_dose(text: str) -> None:
    card = answer_to(LOW, dosed(text=text), "order-sign")
    assert "in 24 h;" not in card.words
    assert UNREAD not in card.words


FLOW = "Mg 1.9 mg/dL | draft: Magnesium Sulfate (RxNorm 6585) IV"


@pytest.mark.parametrize(
    ("dosage", "says"),
    [
        ({"doseAndRate": [{"rateQuantity": {"value": 2, "unit": "g/h"}}]}, "48 g in 24 h"),
        (
            {
                "doseAndRate": [
                    {
                        "rateRatio": {
                            "numerator": {"value": 1, "unit": "g"},
                            "denominator": {"value": 1, "unit": "h"},
                        }
                    }
                ],
                "timing": {"repeat": {"boundsDuration": {"value": 12, "unit": "h"}}},
            },
            "12 g in 24 h",
        ),
        (
            {
                "doseAndRate": [{"rateQuantity": {"value": 3, "unit": "g/h"}}],
                "timing": {"repeat": {"duration": 4, "durationUnit": "h"}},
            },
            "12 g in 24 h",
        ),
        (
            {
                "doseAndRate": [
                    {
                        "doseQuantity": {"value": 4, "unit": "g"},
                        "rateQuantity": {"value": 1, "unit": "g/h"},
                    }
                ],
                "timing": {"code": {"text": "Continuous"}},
            },
            "24 g in 24 h",
        ),
        (
            {
                "doseAndRate": [{"rateQuantity": {"value": 1000, "unit": "mg/h"}}],
                "timing": {
                    "repeat": {
                        "boundsPeriod": {
                            "start": "2026-03-14T12:00:00Z",
                            "end": "2026-03-14T22:00:00Z",
                        }
                    }
                },
            },
            "10 g in 24 h",
        ),
        (
            {
                "doseAndRate": [{"rateQuantity": {"value": 25, "unit": "mmol/h"}}],
                "timing": {"code": {"text": "Dauerinfusion"}},
            },
            "g in 24 h",
        ),
    ],
)
def test_an_amount_is_rate_and_time(dosage: Json, says: str) -> None:
    card = answer_to(FLOW, dosed(**dosage), "order-sign")
    assert card.indicator == "critical"
    assert says in card.words


def test_a_rate_that_runs_within_the_limits_is_no_d0() -> None:
    dosage = {
        "doseAndRate": [{"rateQuantity": {"value": 1, "unit": "g/h"}}],
        "timing": {"repeat": {"boundsDuration": {"value": 4, "unit": "h"}}},
    }
    card = answer_to(FLOW.replace("1.9", "1.1"), dosed(**dosage), "order-sign")
    assert "not checked" not in card.words
