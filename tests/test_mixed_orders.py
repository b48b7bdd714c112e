"""An order of several drugs is never turned into another by one click, nor loses one of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shapes import answer_to

MIXED = ("Potassium chloride 40 mEq with magnesium sulfate 20 g in 250 mL", "magnesium sulfate")


@pytest.mark.parametrize(("name", "mixed"), [(MIXED[0], True), (MIXED[1], False)])
def test_a_bag_of_two_drugs_is_not_rewritten(name: str, mixed: bool) -> None:
    def rewrite(request: dict[str, Any]) -> None:
        for entry in request["context"]["draftOrders"]["entry"]:
            entry["resource"]["medicationCodeableConcept"] = {"text": name}

    card = answer_to(
        "Mg 1.1 mg/dL | draft: Magnesium Sulfate (RxNorm 6585) 4 g IV over 5 min",
        rewrite,
        "order-sign",
    )
    assert card.indicator == "critical"  # too fast, whatever else is in it
    assert (not card.offered) is mixed
    assert ("holds other drugs as well" in card.words) is mixed


def test_a_failing_infusion_at_its_limit_is_not_raised() -> None:
    inputs = (
        "Mg 1.0 mg/dL | active: Magnesium Sulfate (RxNorm 6585) {} g IV over 60 min every 6 h"
        " (authored 20 h ago)"
    )
    low, full = (answer_to(inputs.format(grams), lambda _: None) for grams in (1, 2))
    assert "raise the dose" in low.words
    assert "raise the dose" not in full.words
    assert low.indicator == full.indicator == "warning"
