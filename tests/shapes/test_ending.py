"""Drafts that order nothing: those that end an order (ruling 143), those that forbid a drug
(ruling 159)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shapes import Card, Json, answer_to, resources

RUNNING = (
    "Mg 1.0 mg/dL | active: Magnesium Sulfate (RxNorm 6585) 2 g IV over 240 min"
    " (authored 1 h ago) [run-1]"
)
# 16 g in one dose: any check that looks at this draft speaks.
LARGE = "Magnesium Sulfate (RxNorm 6585) 16 g IV over 240 min"


def drafted(more: Json, inputs: str, hook: str = "order-sign", **kept: Any) -> Card:
    """The card of a call whose first draft has these elements; ``only`` keeps no others."""

    def rewrite(request: Json) -> None:
        entry = request["context"]["draftOrders"]["entry"][0]
        found = entry["resource"]
        if kept.get("only"):
            found = {key: found[key] for key in ("resourceType", "subject")}
        entry["resource"] = found | more

    return answer_to(inputs, rewrite, hook)


ENDING = ["stopped", "cancelled", "completed", "entered-in-error", "ended"]


@pytest.mark.parametrize("status", ENDING)
@pytest.mark.parametrize("hook", ["order-sign", "order-select"])
def test_stopping_the_only_treatment_of_a_severe_level_is_told(status: str, hook: str) -> None:
    inputs = f"{RUNNING} | draft: {LARGE}"
    card = drafted({"status": status, "id": "run-1"}, inputs, hook)
    assert card.frame == ("critical", "iv2/20")
    assert "is being stopped" in card.words
    assert "16 g" not in card.words


@pytest.mark.parametrize("status", ENDING)
def test_what_ends_an_order_is_not_judged_and_replaces_nothing(status: str) -> None:
    """Of another patient's day: no order of that id is on file, the level is normal."""
    card = drafted({"status": status, "id": "other"}, f"Mg 1.9 mg/dL | draft: {LARGE}")
    assert card.indicator == "no card"
    severe = drafted({"status": status, "id": "other"}, f"Mg 1.0 mg/dL | draft: {LARGE}")
    assert severe.frame == ("critical", "iv2/20")


def test_it_takes_no_more_than_the_order_it_ends() -> None:
    """Another infusion runs on: already being treated."""
    inputs = (
        f"{RUNNING}, Magnesium Sulfate (RxNorm 6585) 1 g IV every 6 h (authored 1 h ago)"
        f" | draft: {LARGE}"
    )
    assert drafted({"status": "stopped", "id": "run-1"}, inputs).indicator == "no card"


def test_an_order_that_ends_oral_magnesium_is_told_only_where_the_level_is_severe() -> None:
    inputs = (
        "Mg 1.4 mg/dL | active: Magnesium Oxide (RxNorm 6582) 400 mg PO x2 daily [run-1]"
        " | draft: Magnesium Oxide (RxNorm 6582) 400 mg PO x2 daily"
    )
    assert drafted({"status": "stopped", "id": "run-1"}, inputs).indicator == "no card"


def test_a_revision_beside_it_is_the_treatment() -> None:
    """The infusion is stopped and ordered anew in one call."""
    again = "Magnesium Sulfate (RxNorm 6585) 2 g IV over 20 min"
    inputs = f"{RUNNING} | draft: {LARGE}, {again}"
    assert drafted({"status": "stopped", "id": "run-1"}, inputs).indicator == "no card"


def test_a_draft_of_which_only_the_end_is_known() -> None:
    """No medication, no dosage: what the record holds under its id ends."""
    inputs = f"{RUNNING} | draft: {LARGE}"
    card = drafted({"status": "cancelled", "id": "run-1"}, inputs, only=True)
    assert card.frame == ("critical", "iv2/20")


def test_what_was_administered_of_a_stopped_order_still_counts() -> None:
    inputs = (
        f"{RUNNING} | given: Magnesium Sulfate (RxNorm 6585) 2 g IV, started 1 h ago, ended"
        f" 30 min ago | draft: {LARGE}"
    )
    assert drafted({"status": "stopped", "id": "run-1"}, inputs).indicator == "no card"


@pytest.mark.parametrize(
    "level", ["Mg 1.0 mg/dL", "Mg 1.4 mg/dL", "Mg 1.9 mg/dL", "Mg 3.4 mg/dL", "Mg None"]
)
def test_a_forbidden_drug_is_not_judged_not_removed_and_treats_nobody(level: str) -> None:
    forbidden = drafted({"doNotPerform": True}, f"{level} | draft: {LARGE}")
    assert "16 g" not in forbidden.words
    assert not [a for a in forbidden.offered if a == "iv16/240"]
    expected = "critical" if level == "Mg 1.0 mg/dL" else "no card"
    assert forbidden.indicator == expected


def test_a_forbidden_drug_hides_no_other_draft() -> None:
    inputs = f"Mg 1.9 mg/dL | draft: Furosemide (RxNorm 4603) 40 mg PO, {LARGE}"
    assert drafted({"doNotPerform": True}, inputs).indicator == "critical"


def test_an_active_one_stays_a_stop() -> None:
    def rewrite(request: Json) -> None:
        resources(request, "medications")[0]["doNotPerform"] = True

    card = answer_to(RUNNING, rewrite)
    assert card.frame == ("critical", "no drug")
    assert "do not give magnesium" in card.words
