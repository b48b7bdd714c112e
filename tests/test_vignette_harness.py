"""The harness notices: a wrong row fails, a broken response fails, an unknown word is refused."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.vignette import (
    NOW,
    SERVICE_IDS,
    Row,
    all_rows,
    build_request,
    cards_for,
    mismatches,
    read_table,
)
from tests.vignette.tables import COLUMNS, INDICATORS

Json = dict[str, Any]
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ROUTES = {"IV": "47625008", "IM": "78421000", "PO": "26643006"}


# Canned answers: one severe card that replaces a draft, one mild card with oral options.
def order(code: str, text: str, route: str, quantity: Json, repeat: Json) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "9b2f0f0e-0000-5000-8000-000000000001",
        "status": "draft",
        "intent": "order",
        "category": [{"coding": [{"code": "inpatient"}]}],
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": code}], "text": text},
        "subject": {"reference": "Patient/p1"},
        "authoredOn": "2026-03-14T12:00:00Z",
        "reasonCode": [{"text": "Hypomagnesaemia"}],
        "dosageInstruction": [
            {
                "text": text,
                "timing": {"repeat": repeat},
                "route": {"coding": [{"code": ROUTES[route]}]},
                "doseAndRate": [{"doseQuantity": quantity}],
            }
        ],
    }


def intravenous(grams: int, minutes: int) -> Json:
    repeat = {"count": 1, "duration": minutes, "durationUnit": "min"}
    quantity = {"value": grams, "unit": "g", "code": "g"}
    made = order("6585", "Magnesium Sulfate", "IV", quantity, repeat)
    made["dosageInstruction"][0]["doseAndRate"][0]["rateRatio"] = {
        "numerator": {"value": grams, "unit": "g"},
        "denominator": {"value": minutes, "unit": "min"},
    }
    return made


def oxide(milligrams: int, daily: int) -> Json:
    repeat = {
        "frequency": daily,
        "period": 1,
        "periodUnit": "d",
        "boundsDuration": {"value": 2, "unit": "d"},
    }
    quantity = {"value": milligrams, "unit": "mg", "code": "mg"}
    return order("198741", "Magnesium Oxide", "PO", quantity, repeat)


def create(resource: Json) -> Json:
    return {"type": "create", "description": "Order it", "resource": resource}


def delete(resource_id: str) -> Json:
    return {"type": "delete", "description": "Remove the draft", "resourceId": resource_id}


def lab(code: str) -> Json:
    resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "occurrenceDateTime": "2026-03-14T18:00:00Z",
    }
    return create(resource)


def suggestion(*actions: Json, starred: bool = False) -> Json:
    made: Json = {"label": "Replace", "uuid": "s1", "actions": list(actions)}
    return made | ({"isRecommended": True} if starred else {})


def card(indicator: str, rule: str, *suggestions: Json) -> Json:
    made: Json = {
        "uuid": "c1",
        "summary": f"Magnesium 1.1 mg/dL: {indicator}",
        "detail": "Serum magnesium 1.1 mg/dL. Ask: g or mEq?",
        "indicator": indicator,
        "source": {"label": "Repletion", "topic": {"system": "urn:rule", "code": rule}},
        "overrideReasons": [{"code": "a", "system": "urn:b", "display": "Being treated"}],
    }
    if suggestions:
        made |= {"suggestions": list(suggestions), "selectionBehavior": "at-most-one"}
    return made


def severe() -> Json:
    first = suggestion(
        create(intravenous(2, 20)),
        lab("19123-9"),
        delete("MedicationRequest/draft-0"),
        starred=True,
    )
    return {
        "cards": [
            card("critical", "D4", first, suggestion(create(intravenous(5, 180)))),
            card("info", "cause"),
        ]
    }


def mild() -> Json:
    options = (suggestion(create(oxide(500, 1))), suggestion(create(oxide(400, 2))))
    return {"cards": [card("info", "mild", *options)]}


def bound() -> Json:
    return {"cards": [card("info", "mild", suggestion(create(oxide(500, 1)), starred=True))]}


def updated() -> Json:
    resource = intravenous(2, 20) | {"id": "draft-0"}
    action = {"type": "update", "description": "Slow it", "resource": resource}
    return {"cards": [card("critical", "D1", suggestion(action, starred=True))]}


SEVERE = Row(
    id="canned-severe",
    hook="order-sign",
    inputs="Mg 1.1 mg/dL",
    worst_indicator="critical",
    recommended="iv2/20",
    also_offered_at_most="iv5/180",
    labs_suggested_at_least="19123-9",
    deletes="MedicationRequest/draft-0",
    also_offered_at_least="iv5/180",
    labs_at="19123-9@2026-03-14T18:00:00Z",
    rule="D4",
    says="g or mEq?||g or mmol?;1.1 mg/dL",
    not_says="IV push",
)
MILD = replace(
    SEVERE,
    id="canned-mild",
    worst_indicator="info",
    recommended="none starred",
    also_offered_at_most="po500x1 po400x2",
    labs_suggested_at_least="",
    deletes="none",
    also_offered_at_least="",
    labs_at="",
    rule="mild",
)
UPDATED = replace(
    SEVERE,
    id="canned-update",
    also_offered_at_most="",
    labs_suggested_at_least="",
    deletes="",
    also_offered_at_least="",
    labs_at="",
    updates="MedicationRequest/draft-0",
    rule="D1",
)
BOUND = replace(MILD, id="canned-bound", recommended="po500x1", rule="mild", bounded="2 d")
BOUND = replace(BOUND, also_offered_at_most="", deletes="none")
SILENT = Row("canned-silent", "order-sign", "Mg 2.0 mg/dL", "no card", "no drug", deletes="none")


@pytest.mark.parametrize(
    ("row", "response"),
    [
        (SEVERE, severe()),
        (MILD, mild()),
        (BOUND, bound()),
        (UPDATED, updated()),
        (SILENT, {"cards": []}),
    ],
    ids=lambda value: value.id if isinstance(value, Row) else "",
)
def test_a_right_answer_passes(row: Row, response: Json) -> None:
    assert mismatches(row, response) == []


FLIPS = [
    (SEVERE, severe, "worst_indicator", "warning"),
    (SEVERE, severe, "worst_indicator", "no card"),
    (SILENT, lambda: {"cards": []}, "worst_indicator", "info"),
    (SEVERE, severe, "recommended", "no drug"),
    (SEVERE, severe, "recommended", "none starred"),
    (SEVERE, severe, "recommended", "oral only"),
    (SEVERE, severe, "recommended", "iv2/15"),
    (SEVERE, severe, "recommended", "iv5/180"),
    (MILD, mild, "recommended", "po500x1"),
    (SILENT, lambda: {"cards": []}, "recommended", "iv2/20"),
    (SILENT, lambda: {"cards": []}, "recommended", "none starred"),
    (SEVERE, severe, "also_offered_at_most", ""),
    (MILD, mild, "also_offered_at_most", "po500x1"),
    (SEVERE, severe, "labs_suggested_at_least", "19123-9 2160-0"),
    (SEVERE, severe, "deletes", "MedicationRequest/other"),
    (SEVERE, severe, "deletes", "none"),
    (MILD, mild, "deletes", "MedicationRequest/draft-0"),
    (SEVERE, severe, "also_offered_at_least", "im1"),
    (SEVERE, severe, "updates", "MedicationRequest/draft-0"),
    (UPDATED, updated, "updates", "MedicationRequest/draft-1"),
    (SEVERE, severe, "labs_at", "19123-9@2026-03-14T18:20:00Z"),
    (BOUND, bound, "bounded", "5 d"),
    (SEVERE, severe, "bounded", "2 d"),
    (SEVERE, severe, "rule", "D"),
    (SEVERE, severe, "rule", "D4;D41"),
    (SEVERE, severe, "says", "1.1 mg/dL;not said"),
    (SEVERE, severe, "not_says", "IV push;mEq"),
]


@pytest.mark.parametrize(("row", "response", "column", "wrong"), FLIPS)
def test_a_flipped_expectation_fails(
    row: Row, response: Callable[[], Json], column: str, wrong: str
) -> None:
    found = mismatches(replace(row, **{column: wrong}), response())
    assert any(problem.startswith(f"{column}:") for problem in found)


def test_every_expectation_is_flipped() -> None:
    not_expectations = {"id", "hook", "inputs", "source"}
    assert {column for *_, column, _ in FLIPS} == set(COLUMNS) - not_expectations


def dig(response: Json, *path: str | int) -> Any:
    """The value at a path; from the first card, first suggestion, first action by default."""
    value: Any = response
    for step in path:
        value = value[step]
    return value


CARD = ("cards", 0)
SUGGESTION = (*CARD, "suggestions", 0)
ACTION = (*SUGGESTION, "actions", 0)
ORDER = (*ACTION, "resource")
LINE = (*ORDER, "dosageInstruction", 0)
REPEAT = (*LINE, "timing", "repeat")
RATED = (*LINE, "doseAndRate", 0)
ORAL = (*CARD, "suggestions", 1, "actions", 0, "resource", "dosageInstruction", 0)
GONE = object()

# (answer, path, key, new value or GONE)
BREAKS: list[tuple[Callable[[], Json], tuple[str | int, ...], str | int, Any]] = [
    (severe, (), "cards", None),
    (severe, (), "systemActions", []),
    (severe, CARD, "uuid", GONE),
    (severe, CARD, "summary", GONE),
    (severe, CARD, "summary", "x" * 140),
    (severe, CARD, "summary", "Magnesium &lt;0.5 mg/dL"),
    (severe, CARD, "detail", "x" * 1501),
    (severe, CARD, "detail", GONE),
    (severe, CARD, "detail", ""),
    (severe, CARD, "indicator", "fatal"),
    (severe, CARD, "source", {"label": "Repletion"}),
    (severe, CARD, "links", []),
    (severe, CARD, "selectionBehavior", GONE),
    (severe, CARD, "selectionBehavior", "any"),
    (severe, CARD, "overrideReasons", [{"code": "a", "display": "b"}]),
    (severe, (*CARD, "suggestions", 1), "isRecommended", True),
    (severe, ("cards", 1), "suggestions", [suggestion(create(intravenous(2, 20)))]),
    (severe, SUGGESTION, "uuid", GONE),
    (severe, SUGGESTION, "label", GONE),
    (severe, ACTION, "type", "replace"),
    (severe, ACTION, "description", GONE),
    (severe, (*SUGGESTION, "actions", 1, "resource"), "status", "active"),
    (severe, (*SUGGESTION, "actions", 1, "resource"), "occurrenceDateTime", GONE),
    (severe, (*SUGGESTION, "actions", 2), "resourceId", "draft-0"),
    (severe, ORDER, "status", "active"),
    (severe, ORDER, "intent", "plan"),
    (severe, ORDER, "category", GONE),
    (severe, ORDER, "reasonCode", GONE),
    (severe, ORDER, "subject", GONE),
    (severe, ORDER, "authoredOn", GONE),
    (severe, (*ORDER, "medicationCodeableConcept"), "text", GONE),
    (severe, (*ORDER, "medicationCodeableConcept"), "coding", [{"code": "6585"}]),
    (severe, LINE, "text", GONE),
    (severe, LINE, "route", GONE),
    (severe, REPEAT, "duration", 13),
    (severe, REPEAT, "count", 2),
    (severe, REPEAT, "durationUnit", "h"),
    (severe, (*RATED, "doseQuantity"), "code", "mg"),
    (severe, RATED, "rateRatio", GONE),
    (severe, (*RATED, "rateRatio", "denominator"), "value", 15),
    (severe, RATED, "rateQuantity", {"value": 100, "unit": "mg/min"}),
    (mild, (*ORAL, "timing", "repeat"), "boundsDuration", GONE),
    (mild, (*ORAL, "timing", "repeat"), "frequency", 3),
    (mild, (*ORAL, "timing", "repeat"), "frequency", GONE),
    (mild, (*ORAL, "doseAndRate", 0, "doseQuantity"), "value", 500),
    (mild, (*ORAL, "doseAndRate", 0, "doseQuantity"), "code", "g"),
]


@pytest.mark.parametrize(("response", "path", "key", "value"), BREAKS)
def test_a_broken_response_fails(
    response: Callable[[], Json], path: tuple[str | int, ...], key: str | int, value: Any
) -> None:
    answer = copy.deepcopy(response())
    place = dig(answer, *path)
    if value is GONE:
        del place[key]
    else:
        place[key] = value
    row = SEVERE if response is severe else MILD
    assert any(problem.startswith("invariant:") for problem in mismatches(row, answer))


def test_the_delete_stands_last() -> None:
    answer = severe()
    dig(answer, *SUGGESTION)["actions"].reverse()
    assert any("before the new order" in problem for problem in mismatches(SEVERE, answer))


def test_intramuscular_is_counted_and_in_grams() -> None:
    quantity = {"value": 1, "unit": "g", "code": "g"}
    repeat = {"count": 4, "frequency": 1, "period": 6, "periodUnit": "h"}
    given = order("6585", "Magnesium Sulfate", "IM", quantity, repeat)
    row = replace(MILD, recommended="im1", also_offered_at_most="", rule="parenteral")
    response = {"cards": [card("info", "parenteral", suggestion(create(given), starred=True))]}
    assert mismatches(row, response) == []
    repeat["count"] = 9
    assert any("intramuscular" in problem for problem in mismatches(row, response))


# The tables and the grammar.
ROWS = [pytest.param(row, id=row.id) for row in all_rows()]


@pytest.mark.parametrize("row", ROWS)
def test_a_request_can_be_built(row: Row) -> None:
    request = build_request(row.hook, row.inputs)
    assert request["hook"] == row.hook
    assert request == build_request(row.hook, row.inputs)


@pytest.mark.parametrize(
    "inputs",
    [
        "Mg 1.1 mg/dL, stale",
        "Mg eleven",
        "condition: measles",
        "condition: torsades (long ago)",
        "draft: MgSO4 2 g IV quickly",
        "draft: Panacea",
        "given: MgSO4 2 g IV",
        "weather: fine",
        "hurry",
    ],
)
def test_an_unknown_word_is_refused(inputs: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        build_request("order-sign", inputs)


def test_a_table_with_an_unknown_column_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    table.write_text("id,hook,colour\na,patient-view,red\n")
    with pytest.raises(ValueError, match="colour"):
        read_table(table)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("id", ""), ("hook", "order-dispatch"), ("worst_indicator", "danger"), ("recommended", "")],
)
def test_a_row_without_meaning_is_refused(column: str, wrong: str) -> None:
    with pytest.raises(ValueError):
        replace(SEVERE, **{column: wrong})


# Against the service: no row passes whatever the answer is.
SERVICE = importlib.util.find_spec("service.answer") is not None


@pytest.mark.skipif(not SERVICE, reason="service.answer does not exist yet")
@pytest.mark.parametrize("row", ROWS)
def test_a_perturbed_row_fails(row: Row) -> None:
    """Of all indicators one passes, of all recommendations at most one: no row passes anything.

    This holds also for a row that fails: what it proves is the harness, not the service.
    """
    response = cards_for(build_request(row.hook, row.inputs), SERVICE_IDS[row.hook], NOW)
    assert len(unnoticed(row, response, "worst_indicator", set(INDICATORS))) == 1
    drugs = {"no drug", "none starred", "iv2/20", "iv1/20", "po500x1", "gly999x9", row.recommended}
    assert len(unnoticed(row, response, "recommended", drugs - {"any", "oral only"})) <= 1


def unnoticed(row: Row, response: Json, column: str, values: set[str]) -> set[str]:
    """The values that could stand in the column without a mismatch of that column."""
    return {
        value
        for value in values
        if not any(
            problem.startswith(f"{column}:")
            for problem in mismatches(replace(row, **{column: value}), response)
        )
    }
