"""What the workbench says when there is no card: never that all is well where it is not."""

from __future__ import annotations

import pytest

from service.answer import answer
from service.pages.workbench.silence import Silence, silence
from tests.contract.shapes import (
    NOW,
    SERVICE,
    Json,
    body,
    bundle,
    changed,
    draft,
    magnesium,
    request,
)

ACETAMINOPHEN = draft("161", "Acetaminophen 500 mg tablet")


def said(value: Json) -> Silence:
    given = answer(body(value), SERVICE[value["hook"]], NOW)
    assert not given.decision.cards, given.body
    return silence(given.decision, value["hook"])


def test_an_untreated_low_level_beside_another_drug_is_no_calm() -> None:
    found = said(request("order-select", ACETAMINOPHEN))
    assert "Magnesium is 1.1 mg/dL (severe)." in found.words
    assert "patient-view" in found.words
    assert not found.calm


def test_and_what_it_points_to_does_speak() -> None:
    for hook in ("patient-view", "order-sign"):
        value = request(hook, ACETAMINOPHEN)
        assert answer(body(value), SERVICE[hook], NOW).decision.cards, hook


@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_only_a_normal_usable_level_is_calm(hook: str) -> None:
    value = request(hook, ACETAMINOPHEN)
    normal = said(changed(value, "prefetch/magnesium", bundle(magnesium(2.0))))
    assert (normal.calm, "2.0 mg/dL (normal)" in normal.words) == (True, True)
    none = said(changed(value, "prefetch/magnesium", bundle()))
    assert (none.calm, "No usable magnesium result" in none.words) == (False, True)


def test_a_low_level_without_a_card_elsewhere_is_named_too() -> None:
    value = changed(
        request("order-select", ACETAMINOPHEN), "prefetch/magnesium", bundle(magnesium(9.0))
    )
    assert "(toxic)" in said(value).words
