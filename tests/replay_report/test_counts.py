"""The report's numbers, each worked out by hand from a few rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from service.replay.differences import write_differences
from service.replay.report import write
from service.replay.report.count import count
from service.replay.row import (
    Decided,
    Followed,
    Level,
    Low,
    Missing,
    Ordered,
    Other,
    Refused,
    Suggestion,
    Walked,
    line,
)

from .rows import SLOW, decided, run, write_rows

IV = Suggestion("Magnesium sulfate 2 g IV over 20 min", "severe", "iv", Decimal(2), "g", 20, True)
SLOW_IV = Suggestion(
    "Magnesium sulfate 4 g IV over 4 h", "severe", "iv", Decimal(4), "g", 240, True
)
OXIDE = Suggestion("Magnesium oxide 500 mg at night", "oral", "po", Decimal(500), "mg", None, True)
CHOICE = Suggestion("Magnesium oxide 400 mg twice daily", "oral", "po", Decimal(400), "mg")
KIDNEY = Refused("H2-unknown", "all", "renal function unknown", True)
NO_CONDITIONS = Missing("conditions", "the export holds no Condition")


def level(acts_as: str) -> Level:
    return Level(Decimal("1.1"), "mg/dL", band=acts_as, acts_as=acts_as, usable=True)


def card(rule: str, indicator: str, **more: Any) -> dict[str, Any]:
    return {"lead": rule.split("-")[0], "findings": (rule,), "indicator": indicator, **more}


SEVERE = card("severe", "critical", magnesium=level("severe"))
MILD = card("mild", "info", magnesium=level("mild"))
POTASSIUM = Ordered("potassium chloride", ("potassium",))
SULFATE = Ordered("magnesium sulfate", ("magnesium",), magnesium=True, route="iv")


def two_hooks(
    patient: str, trigger: str, select: dict[str, Any], sign: dict[str, Any], **both: Any
) -> Iterator[Decided]:
    yield decided(patient, "order-select", trigger, **{**both, **select})
    yield decided(patient, "order-sign", trigger, **{**both, **sign})


def ten_calls() -> list[Decided]:
    """Three patients. a: severe, then normal; b: mild twice, refused, hushed; c: orders alone."""
    return [
        # a is told to give 2 g; an hour later 2 g is ordered, as suggested.
        decided(
            "a",
            "patient-view",
            "o1",
            **SEVERE,
            suggestions=(IV,),
            gaps=(NO_CONDITIONS,),
            followed=(Followed(1.0, "iv", "sulfate", Decimal(2000), same=True),),
            hour=3,
        ),
        decided("a", "patient-view", "o2", magnesium=level("normal"), hour=3),
        # b: two oral choices, an infusion follows; then refused for want of a creatinine; hushed.
        decided(
            "b",
            "patient-view",
            "o3",
            **MILD,
            suggestions=(CHOICE, OXIDE),
            followed=(Followed(2.0, "iv", "sulfate", Decimal(1000)),),
            hour=23,
        ),
        decided("b", "patient-view", "o4", **MILD, refusals=(KIDNEY,), hour=3),
        decided("b", "patient-view", "o5", magnesium=level("mild"), hushed=("mild", "N1")),
        # c: potassium, no level on file: N1 when chosen and signed; sulfate: D1 when signed only.
        *two_hooks("c", "r1", card("N1", "info"), card("N1", "info"), order=POTASSIUM, exact=False),
        *two_hooks(
            "c",
            "r2",
            {},
            {
                "lead": "D1",
                "findings": ("D1-sign", "D6"),
                "indicator": "warning",
                "suggestions": (IV,),
                "followed": (),
            },
            order=SULFATE,
        ),
        # b's diuretic says nothing.
        *two_hooks("b", "r3", {}, {}, order=Ordered("furosemide", ("loop",)), hour=3),
    ]


PATIENTS = [
    Walked(
        "a",
        2.0,
        "encounters",
        lows=(Low("2026-01-01T03:00:00Z", Decimal("1.1"), "severe", hours=1.0, route="iv"),),
    ),
    Walked(
        "b",
        1.5,
        "records",
        1,
        lows=(
            Low("2026-01-01T23:00:00Z", Decimal("1.6"), "mild", hours=2.0),
            Low("2026-01-02T03:00:00Z", Decimal("1.6"), "mild", hours=8.0),
            Low("2026-01-02T08:00:00Z", Decimal("1.6"), "mild", treated=True, hours=3.0),
            Low("2026-01-03T08:00:00Z", Decimal("1.6"), "mild", observed_h=72),
            Low("2026-01-04T08:00:00Z", Decimal("1.6"), "mild", observed_h=20),
        ),
        undated={"Observation": 2},
    ),
    Walked("c", 0.5, "records", 2, guessed_ends=3),
]


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("counts")
    write_rows(folder, run(decisions=11), ten_calls(), PATIENTS)
    told = write(folder)
    return {**summary(folder), "told": list(told)}


def rows(whole: dict[str, Any], table: str, *columns: str) -> dict[Any, Any]:
    """By the parts of the name in ``columns`` (alone: its text), (n, of)."""
    found = {}
    for row in whole["tables"][table]["rows"]:
        name = tuple(row[column] for column in columns)
        found[name if len(name) > 1 else name[0]] = (row["n"], row.get("of"))
    return found


def test_cards_of_each_hook_by_indicator(whole: dict[str, Any]) -> None:
    found = rows(whole, "cards", "hook", "answer")
    assert found["patient-view", "any card"] == (3, 5)
    assert found["patient-view", "critical"] == (1, 5)
    assert found["patient-view", "info"] == (2, 5)
    assert found["patient-view", "no card"] == (2, 5)
    assert found["order-select", "any card"] == (1, 3)
    assert found["order-sign", "any card"] == (2, 3)
    assert found["order-sign", "warning"] == (1, 3)


def test_rates_are_of_the_named_denominator(whole: dict[str, Any]) -> None:
    row = whole["tables"]["cards"]["rows"][0]
    assert (row["hook"], row["answer"]) == ("patient-view", "any card")
    assert row["per_100"][0] == 60.0  # 3 of 5
    # Wilson at 3 of 5: 23.1 to 88.2 (Newcombe 1998, by hand).
    assert row["per_100"][1:] == [pytest.approx(23.07, abs=0.01), pytest.approx(88.24, abs=0.01)]
    assert whole["patient_days"] == 4.0
    assert row["per_100_patient_days"][0] == 75.0  # 3 in 4 days
    # Poisson, 3 events: exactly 0.619 to 8.767; Byar's approximation comes close.
    assert row["per_100_patient_days"][1] == pytest.approx(0.603 * 25, abs=0.2)
    assert row["per_100_patient_days"][2] == pytest.approx(8.767 * 25, abs=0.5)
    assert row["patients"] == 2


def test_the_same_order_is_counted_once_over_both_hooks(whole: dict[str, Any]) -> None:
    assert rows(whole, "both", "card") == {
        "at both": (1, 3),
        "only when chosen": (0, 3),
        "only when signed": (1, 3),
        "at neither": (1, 3),
    }


def test_patients_with_a_card(whole: dict[str, Any]) -> None:
    found = rows(whole, "patients", "patients who saw")
    assert found == {"all": (3, None), "at least one card": (3, 3), "never a card": (0, 3)}


def test_rules_by_the_one_that_leads(whole: dict[str, Any]) -> None:
    found = whole["tables"]["rules-order-sign"]["rows"]
    assert [(r["rule"], r["asks"], r["indicator"], r["n"], r["of"]) for r in found] == [
        ("D1-sign", "No infusion time stated", "warning", 1, 3),
        ("N1", "Potassium ordered", "info", 1, 3),
        ("D6", "", "never leads", 0, 3),
    ]
    also = [r["more"]["also on cards led by another rule"]["n"] for r in found]
    assert also == [0, 0, 1]


def test_hours_in_the_sites_own_time(whole: dict[str, Any]) -> None:
    found = rows(whole, "hours-patient-view", "hour")
    assert found["03:00"] == (2, 3)
    assert found["23:00"] == (1, 1)
    assert found["08:00"] == (0, 1)
    assert found["12:00"] == (0, 0)
    assert "not known" not in found
    assert rows(whole, "hours-order-sign", "hour")["not known"] == (1, 1)


def test_what_was_ordered_and_at_which_level(whole: dict[str, Any]) -> None:
    kinds = rows(whole, "kinds", "hook", "order")
    assert kinds["order-sign", "replacement magnesium"] == (1, 1)
    assert kinds["order-sign", "any other order"] == (1, 2)
    assert rows(whole, "levels", "level") == {
        "severe": (1, 1),
        "mild": (2, 3),
        "normal": (0, 1),
    }


def test_orders_signed_together(tmp_path: Path) -> None:
    """Sulfate twice and potassium in one call, whose card speaks of both sulfates; a furosemide
    in a call of its own, silent; an oxide in another, with a card about the patient."""
    first = replace(SULFATE, id="r1", told=True)
    second = replace(SULFATE, id="r2", told=True)
    calls = [
        decided(
            "a",
            "order-sign",
            "r1",
            orders=(first, replace(POTASSIUM, id="r3"), second),
            **card("D12", "warning"),
        ),
        decided("b", "order-sign", "r4", order=Ordered("furosemide", ("loop",))),
        decided(
            "c",
            "order-sign",
            "r5",
            order=Ordered("magnesium oxide", magnesium=True),
            **card("severe", "critical"),
        ),
    ]
    for order in ("r1", "r2", "r3"):
        said = card("D6", "info") if order == "r1" else {}
        calls.append(decided("a", "order-select", order, order=SULFATE, **said))
    folder = write_rows(tmp_path, run(decisions=len(calls)), calls, PATIENTS)
    write(folder)
    whole = summary(folder)
    assert rows(whole, "together", "the call signs", "answer") == {
        ("one order", "all"): (2, 3),
        ("one order", "a card"): (1, 2),
        ("more than one order", "all"): (1, 3),
        ("more than one order", "a card"): (1, 1),
    }
    drugs = rows(whole, "drugs", "hook", "drug")
    assert {drug: n for (hook, drug), n in drugs.items() if hook == "order-sign"} == {
        "magnesium sulfate": (2, 2),
        "magnesium oxide": (1, 1),
        "furosemide": (0, 1),
        "potassium chloride": (0, 1),
    }
    magnesium = rows(whole, "magnesium", "hook", "rule", "indicator")
    assert magnesium["order-sign", "any rule", "any"] == (3, 3)
    assert magnesium["order-sign", "D12", "warning"] == (2, 3)
    assert magnesium["order-sign", "severe", "critical"] == (1, 3)
    assert magnesium["order-select", "D6", "info"] == (1, 3)
    # Of the three orders met at both hooks one had a card at both, another when signed.
    assert rows(whole, "both", "card") == {
        "at both": (1, 3),
        "only when chosen": (0, 3),
        "only when signed": (1, 3),
        "at neither": (1, 3),
    }
    assert "33 % of the signings were of more than one order" in whole["sentences"][0]


def test_refusals(whole: dict[str, Any]) -> None:
    found = rows(whole, "asked", "hook", "decision")
    assert found["patient-view", "asked for magnesium"] == (3, 5)
    assert found["patient-view", "refused: a stop forbade it"] == (1, 3)
    assert found["patient-view", "an order was offered, nothing refused"] == (2, 3)
    assert found["patient-view", "of these, refused because data was missing"] == (1, 3)
    assert rows(whole, "stops", "hook", "stop", "why") == {
        ("patient-view", "H2-unknown", "renal function unknown"): (1, 3)
    }


def test_gaps_and_what_could_not_be_used(whole: dict[str, Any]) -> None:
    assert rows(whole, "gaps", "hook", "need", "reason") == {
        ("patient-view", "conditions", "the export holds no Condition"): (1, 5)
    }
    assert {name: n for name, (n, _) in rows(whole, "quality", "type").items()} == {
        "Observation": 2,
        "MedicationRequest": 3,
    }
    observed = rows(whole, "observed", "counted by")
    assert observed["the time of their encounters"] == (1, 3)
    assert observed["from the first to the last dated record"] == (2, 3)


def test_hushed(whole: dict[str, Any]) -> None:
    found = rows(whole, "hushed", "hook", "rule")
    assert found["patient-view", "any rule"] == (1, 5)
    assert found["patient-view", "mild"] == (1, 5)
    assert found["patient-view", "N1"] == (1, 5)
    assert found["order-sign", "any rule"] == (0, 3)


def test_what_followed_a_suggestion(whole: dict[str, Any]) -> None:
    found = rows(whole, "outcomes", "hook", "ordered")
    assert found["patient-view", "as suggested"] == (1, 2)
    assert found["patient-view", "other route"] == (1, 2)
    assert found["patient-view", "nothing"] == (0, 2)
    # D1-sign judged a magnesium order: that order is itself an answer.
    assert all(n == 0 for (hook, _), (n, _) in found.items() if hook == "order-sign")
    routes = {r["suggested route"]: r for r in whole["tables"]["outcomes-by-route"]["rows"]}
    assert (routes["iv"]["n"], routes["iv"]["more"]["as suggested"]["n"]) == (1, 1)
    # The recommended order is the second of the two that were offered: oral.
    assert (routes["po"]["n"], routes["po"]["more"]["other route"]["n"]) == (1, 1)
    by_rule = whole["tables"]["outcomes-by-rule"]["rows"]
    assert {(r["rule"], r["n"], r["more"]["as suggested"]["n"]) for r in by_rule} == {
        ("severe", 1, 1),
        ("mild", 1, 0),
    }


@pytest.mark.parametrize(
    ("followed", "outcome"),
    [
        ((Followed(1, "iv", "sulfate", Decimal(2000), same=True),), "as suggested"),
        ((Followed(1, "iv", "sulfate", Decimal(2000)),), "same dose"),
        ((Followed(1, "iv", "sulfate", Decimal(4000)),), "same route"),
        ((Followed(1, "iv", "sulfate"),), "same route"),
        ((Followed(1, "po", "oxide", Decimal(2000)),), "other route"),
        ((Followed(1, None, "oxide"),), "route unknown"),
        ((Followed(1, "po", "oxide"), Followed(2, "iv", "sulfate", Decimal(2000))), "same dose"),
        ((), "nothing"),
    ],
)
def test_an_order_counts_for_the_best_match_it_is(
    followed: tuple[Followed, ...], outcome: str, tmp_path: Path
) -> None:
    calls = [decided("a", "patient-view", "o", **SEVERE, suggestions=(IV,), followed=followed)]
    counts = count(write_rows(tmp_path, run(), calls, PATIENTS), 0).counts
    assert [key[2] for key, found in counts.items() if key[0] == "outcome" and found.n] == [outcome]


def test_from_a_low_result_to_the_first_order(whole: dict[str, Any]) -> None:
    found = rows(whole, "lows", "level", "then")
    assert found["mild", "all low results"] == (5, 6)
    assert found["mild", "magnesium already ordered or given"] == (1, 5)
    assert found["mild", "ordered within 72 h"] == (2, 5)
    assert found["mild", "not ordered in 72 h"] == (1, 5)
    assert found["mild", "not ordered, record ends within 72 h"] == (1, 5)
    assert whole["waits"] == {
        "severe": {"n": 1, "quartiles": [1.0, 1.0, 1.0]},
        "moderate": None,
        "mild": {"n": 2, "quartiles": [3.5, 5.0, 6.5]},  # of 2 h and 8 h
    }


def test_the_five_sentences_say_these_numbers(whole: dict[str, Any]) -> None:
    often, whom, noise, missing, agreed = whole["sentences"]
    assert whole["told"] == whole["sentences"]
    assert "at signing 66.7 of 100 signings, 0.0 critical (2 of 3)" in often
    assert "; 0 % of the signings were of more than one order" in often
    assert "; of the orders of replacement magnesium 100 % met a card at signing (1 of 1)" in noise
    assert "60.0 of 100 magnesium results, 20.0 critical (3 of 5)" in often
    assert "3 of 3 patients (100 %)" in whom
    assert "in 4 patient-days, cards per 100: 50 at signing, 25 at choosing, 75 at" in whom
    assert "of the cards at signing 50 % are D1-sign (No infusion time stated; warning)" in noise
    assert "33 % of the decisions at opening the chart that asked for magnesium (1 of 3)" in missing
    assert "after the 2 suggestions at opening the chart clinicians ordered 0 % nothing" in agreed
    assert "50 % what was suggested" in agreed
    assert "a median of 1.0 h for severe (1 results), 5.0 h for mild (2 results)" in agreed
    assert "20 % of mild" in agreed


def test_against_another_protocol(tmp_path: Path) -> None:
    """Four results: the same; another dose; a card gone; a difference nobody sees."""
    same = Other("severe", ("severe",), "critical", (IV,))
    dose = Other("severe", ("severe",), "critical", (SLOW_IV,), stage="assessment", visible=True)
    gone = Other(stage="chart", visible=True)
    unseen = Other("severe", ("severe",), "critical", (IV,), stage="assessment")
    calls = [
        decided("a", "patient-view", f"o{n}", **SEVERE, suggestions=(IV,), followed=(), against=o)
        for n, o in enumerate((same, dose, gone, unseen))
    ]
    folder = write_rows(tmp_path, run(against=SLOW, hooks=("patient-view",)), calls, PATIENTS)
    write(folder)
    whole = summary(folder)
    differs = rows(whole, "differs", "difference", "first stage")
    assert differs == {
        ("the same throughout", "-"): (1, 4),
        ("a clinician sees it", "any"): (2, 4),
        ("a clinician sees it", "assessment"): (1, 4),
        ("a clinician sees it", "chart"): (1, 4),
        ("not to be seen", "any"): (1, 4),
        ("not to be seen", "assessment"): (1, 4),
    }
    first = "critical severe: Magnesium sulfate 2 g IV over 20 min"
    assert rows(whole, "changes", "standard", "slow-infusion") == {
        (first, "critical severe: Magnesium sulfate 4 g IV over 4 h"): (1, 2),
        (first, "no card"): (1, 2),
    }
    compared = whole["tables"]["compared"]["rows"]
    assert [(r["answer"], r["n"], r["more"]["calls under slow-infusion"]["n"]) for r in compared][
        :2
    ] == [("any card", 4, 3), ("critical", 4, 3)]
    (folder / "part").write_bytes(b"".join(map(line, calls)))
    with (folder / "differences.ndjson").open("wb") as out:
        write_differences([folder / "part"], out)
    lines = [json.loads(text) for text in (folder / "differences.ndjson").open()]
    assert [(d["trigger"]["id"], d["stage"], d["visible"]) for d in lines] == [
        ("o1", "assessment", True),
        ("o2", "chart", True),
        ("o3", "assessment", False),
    ]
    assert lines[0]["first"]["suggestions"][0]["label"] == IV.label
    assert lines[0]["second"]["suggestions"][0]["label"] == SLOW_IV.label


def test_nothing_at_all(tmp_path: Path) -> None:
    """An export without an order, a result or a patient still has its report."""
    folder = write_rows(tmp_path, run(decisions=0, patients=0, min_cell=11), [], [])
    sentences = write(folder)
    assert "no signings on record" in sentences[0]
    assert summary(folder)["patient_days"] == 0
