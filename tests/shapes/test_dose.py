"""How much a drafted order is, in the places, units and triples in which records send it
(rulings 141, 142, 154)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shapes import Card, Json, answer_to

LOW = "Mg 1.1 mg/dL"
DRAFT = f"{LOW} | draft: Magnesium Sulfate (RxNorm 6585) IV over 240 min once"


def quantity(value: Any, unit: str) -> Json:
    return {"value": value, "unit": unit}


def part(kind: Any = None, **more: Json) -> Json:
    return more | ({} if kind is None else {"type": kind})


def dosed(*parts: Json, name: str | None = None, hook: str = "order-sign", **more: Any) -> Card:
    """The card of a draft with these doses and rates; ``name`` is what its product is called."""

    def rewrite(request: Json) -> None:
        order = request["context"]["draftOrders"]["entry"][0]["resource"]
        order["dosageInstruction"][0] |= ({"doseAndRate": list(parts)} if parts else {}) | more
        if name is not None:
            order["medicationCodeableConcept"] = {"text": name}

    return answer_to(DRAFT, rewrite, hook)


ORDERED = {"coding": [{"code": "ordered"}]}
CALCULATED = {"text": "Calculated"}
AMOUNT = {"coding": [{"display": "admin-amount"}], "text": "amount"}


def grams(value: int, kind: Any = None) -> Json:
    return part(kind, doseQuantity=quantity(value, "g"))


@pytest.mark.parametrize(
    "parts",
    [
        (grams(4, CALCULATED), grams(2, ORDERED)),
        (grams(2, ORDERED), grams(4, AMOUNT)),
        (part(ORDERED, doseQuantity=quantity(25, "mg/kg")), grams(2, CALCULATED)),
        (grams(2, CALCULATED), part(AMOUNT, doseQuantity=quantity(50, "mL"))),
        (grams(2), part(doseQuantity=quantity(1, "{bag}"))),
        (grams(2, "ordered"), grams(9, "calculated")),
        (part(doseQuantity=quantity("2", "g")), grams(2)),
    ],
)
def test_of_several_doses_the_ordered_one_else_the_calculated_one(parts: tuple[Json, ...]) -> None:
    """2 g over 4 h at a severe level is slow and right; nothing is said to be unread."""
    card = dosed(*parts)
    assert "not checked" not in card.words
    assert card.indicator == "no card"


def test_the_largest_of_those_nobody_named() -> None:
    parts = (part(doseQuantity=quantity(2, "g")), part(doseQuantity=quantity(16, "g")))
    assert "16 g in 24 h" in dosed(*parts).words


def test_an_ordered_dose_beyond_the_limit_is_told_whatever_was_calculated() -> None:
    parts = (
        part(CALCULATED, doseQuantity=quantity(2, "g")),
        part(ORDERED, doseQuantity=quantity(16, "g")),
    )
    card = dosed(*parts)
    assert (card.indicator, "16 g in 24 h" in card.words) == ("critical", True)


@pytest.mark.parametrize(
    ("name", "value", "unit", "says"),
    [
        ("magnesium sulfate 4 g/100 mL premix bag", 400, "mL", "16 g in 24 h"),
        ("Magnesium sulfate 40 g / 1,000 mL in water", 300, "ml", "12 g in 24 h"),
        ("MAGNESIUM SULFATE 4 GRAM/50 ML", 200, "mL", "16 g in 24 h"),
        ("magnesium sulfate 20 grams in 500 mL", 250, "mL", "10 g in 24 h"),
        ("magnesium sulfate 2 g/50 mL (4 %) IVPB", 250, "milliliters", "10 g in 24 h"),
        ("magnesium sulfate 500 MG/ML injection", 20, "mL", "10 g in 24 h"),
    ],
)
def test_millilitres_of_a_known_premix(name: str, value: int, unit: str, says: str) -> None:
    card = dosed(part(doseQuantity=quantity(value, unit)), name=name)
    assert (card.indicator, says in card.words) == ("critical", True)


@pytest.mark.parametrize(
    "name",
    [
        "magnesium sulfate IVPB",
        "magnesium sulfate 3 g/75 mL",
        "magnesium sulfate 100 mg/mL",
        "magnesium sulfate 2 g/50 mL or 4 g/50 mL",
        "magnesium sulfate in dextrose 5 %/100 mL",
    ],
)
def test_millilitres_of_anything_else_are_not_guessed(name: str) -> None:
    card = dosed(part(doseQuantity=quantity(400, "mL")), name=name)
    assert (card.indicator, "not checked" in card.words) == ("info", True)


@pytest.mark.parametrize(
    ("rate", "name", "says"),
    [
        (quantity(500, "mL/h"), "magnesium sulfate 4 g/100 mL", "333 mg/min"),
        (quantity(5, "mL/min"), "magnesium sulfate 20 g/500 mL", "200 mg/min"),
        (quantity(250, "mL/hr"), "magnesium sulfate 4 g/50 mL", "333 mg/min"),
    ],
)
def test_millilitres_an_hour_of_a_known_premix(rate: Json, name: str, says: str) -> None:
    card = dosed(part(doseQuantity=quantity(4, "g"), rateQuantity=rate), name=name)
    assert (card.indicator, says in card.words) == ("critical", True)


@pytest.mark.parametrize(
    "rate",
    [
        {"rateQuantity": quantity(25, "mL/h")},
        {"rateQuantity": quantity("25", "g/h")},
        {"rateRange": {"low": quantity(1, "g/h")}},
        {"rateQuantity": quantity(25, "gtt/min")},
        {"rateRatio": {"numerator": quantity(1, "g")}},
        {"rateQuantity": {"value": 25}},
    ],
)
def test_an_unreadable_rate_hides_no_dose(rate: Json) -> None:
    large = dosed(part(doseQuantity=quantity(16, "g"), **rate))
    assert (large.indicator, "16 g in 24 h" in large.words) == ("critical", True)
    assert "the rate was not checked" in large.words
    small = dosed(part(doseQuantity=quantity(2, "g"), **rate))
    assert (small.indicator, "the rate was not checked" in small.words) == ("info", True)


def test_an_unreadable_dose_hides_no_rate() -> None:
    card = dosed(part(doseQuantity=quantity(1, "{bag}"), rateQuantity=quantity(300, "mg/min")))
    assert (card.indicator, "300 mg/min" in card.words) == ("critical", True)


def test_one_line_that_cannot_be_read_hides_no_other() -> None:
    def rewrite(request: Json) -> None:
        order = request["context"]["draftOrders"]["entry"][0]["resource"]
        first = order["dosageInstruction"][0]
        order["dosageInstruction"] = [
            first | {"doseAndRate": [part(doseQuantity=quantity(1, "{bag}"))]},
            first | {"doseAndRate": [part(doseQuantity=quantity(16, "g"))]},
        ]

    card = answer_to(DRAFT, rewrite, "order-sign")
    assert (card.indicator, "16 g in 24 h" in card.words) == ("critical", True)


@pytest.mark.parametrize(
    ("direct", "says"),
    [
        ({"doseQuantity": quantity(16, "g")}, "16 g in 24 h"),
        ({"doseRange": {"low": quantity(4, "g"), "high": quantity(16, "g")}}, "16 g in 24 h"),
        (
            {"doseQuantity": quantity(4, "g"), "rateRange": {"high": quantity(12, "g/h")}},
            "200 mg/min",
        ),
        ({"doseQuantity": quantity(4, "g"), "rateQuantity": quantity(12, "g/h")}, "200 mg/min"),
    ],
)
def test_a_dose_in_the_place_of_another_version(direct: Json, says: str) -> None:
    card = dosed(**direct)
    assert (card.indicator, says in card.words) == ("critical", True)


def test_where_both_places_differ_that_of_r4_counts() -> None:
    card = dosed(part(doseQuantity=quantity(2, "g")), doseQuantity=quantity(16, "g"))
    assert card.indicator == "no card"


@pytest.mark.parametrize(
    "most",
    [
        {"numerator": quantity(6, "g"), "denominator": quantity(24, "h")},
        [{"numerator": quantity(6, "g"), "denominator": quantity(1, "d")}],
        {"numerator": quantity(3, "g"), "denominator": quantity(12, "h")},
    ],
)
def test_what_an_order_may_give_in_a_period_bounds_it(most: Any) -> None:
    timing = {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h", "duration": 2,
                         "durationUnit": "h"}}  # fmt: skip
    dose = part(doseQuantity=quantity(4, "g"))
    assert "16 g in 24 h" in dosed(dose, timing=timing).words
    assert "in 24 h;" not in dosed(dose, timing=timing, maxDosePerPeriod=most).words


def test_a_period_that_cannot_be_read_bounds_nothing() -> None:
    timing = {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}
    most = {"numerator": quantity(1, "{bag}"), "denominator": quantity(24, "h")}
    found = dosed(part(doseQuantity=quantity(4, "g")), timing=timing, maxDosePerPeriod=most)
    assert "16 g in 24 h" in found.words


def test_a_dose_above_what_its_period_allows_is_told() -> None:
    most = {"numerator": quantity(6, "g"), "denominator": quantity(24, "h")}
    card = dosed(part(doseQuantity=quantity(16, "g")), maxDosePerPeriod=most)
    assert (card.indicator, "16 g in 24 h" in card.words) == ("critical", True)
