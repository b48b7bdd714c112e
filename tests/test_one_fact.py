"""One fact in one place: what a site's file changes, every sentence that speaks of it changes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cards.handbook import check, show
from cards.protocol import Protocol, ProtocolError, parse_protocol
from service.answer import answer
from tests.vignette import NOW, SERVICE_IDS, build_request

HEAD = """[protocol]
extends = "standard"
name = "one-fact"
version = "1"
title = "One fact"
authors = ["A. Pharmacist"]
reviewers = ["B. Nephrologist"]
reviewed = 2026-03-01
review_due = 2027-03-01
"""
R1_HALF = """[[renal]]
id = "R1"
start = 30
intravenous = "half"
cap_g = 4
oral = "full"
says = "half dose"
sources = ["HARR"]
why = "policy"
"""


def site(text: str) -> Protocol:
    """The standard profile with what a site says of its own."""
    return parse_protocol((HEAD + text).encode(), "site.toml")


def limit(place: str, value: object, unit: str) -> str:
    return f'[{place}]\nvalue = {value}\nunit = "{unit}"\nsources = ["A"]\nwhy = "policy"\n'


def refused(text: str) -> str:
    with pytest.raises(ProtocolError) as error:
        site(text)
    return str(error.value)


def card(protocol: Protocol, inputs: str, hook: str = "patient-view") -> dict[str, Any]:
    """The one card of a call."""
    body = json.dumps(build_request(hook, inputs)).encode()
    (found,) = json.loads(answer(body, SERVICE_IDS[hook], NOW, protocol).body)["cards"]
    assert isinstance(found, dict)
    return found


def text(found: dict[str, Any]) -> str:
    """Everything a reader of the card sees."""
    labels = [s["label"] for s in found.get("suggestions", [])]
    return "\n".join((found["summary"], found["detail"], *labels))


# -- what was wrong, from valid files ------------------------------------------------------------
def test_a_halved_class_is_called_by_its_name_and_gets_the_dose_of_its_rows() -> None:
    drafted = "Mg 1.1 mg/dL | egfr 45 | draft: MgSO4 4 g IV over 240 min"
    said = text(card(site(R1_HALF), drafted, "order-sign"))
    assert "R2" not in said
    assert "renal class R1: half dose: 2 g; instead: magnesium sulfate 2 g IV over 20 min" in said
    halved = [r for r in check(site(R1_HALF)) if r.startswith("renal R1")]
    assert len(halved) == 1
    assert "halved, yet a" in halved[0]


def test_a_halved_class_without_an_infusion_is_told_so() -> None:
    oral = """[[regimen]]
id = "oral"
when = { classes = ["moderate"] }
offer = [{ product = "oxide-400", dose = 400, per_day = 1, at_night = true, star = true }]
sources = ["SPS"]
why = "policy"
"""
    ids = ("emergency", "severe", "parenteral", "moderate-at-risk", "gi-loss", "maintenance")
    left_out = [*(f"regimen.{id_}" for id_ in ids), "followup.0", "wording.emergency"]
    drops = f"drops = {json.dumps(left_out)}\n"
    words = '[wording.emergency]\ntext = "Ask the cardiologist."\nsources = ["AHA-TdP"]\n'
    file = HEAD.replace("[protocol]\n", f"[protocol]\n{drops}") + words + oral
    drafted = "Mg 1.4 mg/dL | egfr 25 | draft: MgSO4 1 g IV over 2 h"
    said = text(card(parse_protocol(file.encode(), "site.toml"), drafted, "order-sign"))
    assert "renal class R2: no regimen for it infuses" in said


WRONG = [
    (
        limit("limit.weight_jump", 10, "%"),
        "Mg 1.1 mg/dL | weight 75; 90, collected 3 d ago",
        "patient-view",
        "differ by more than 10 %",
        "25 %",
    ),
    (
        limit("limit.potassium_at_risk", 4.5, "mmol/L"),
        "Mg 1.4 mg/dL | draft: sotalol",
        "order-select",
        "keep potassium at 4.5 mmol/L or more",
        "4.0 mmol/L",
    ),
    (
        limit("limit.adult_age", 16, "a"),
        "Mg 1.1 mg/dL | age 10",
        "patient-view",
        "age under 16 or not known",
        "18",
    ),
    (
        limit("result.not_equilibrated", 12, "h"),
        "Mg 1.1 mg/dL | active: MgSO4 2 g IV count 1 (authored 1 h ago)",
        "patient-view",
        "Order magnesium level 12 h after the infusion",
        "6 h after",
    ),
]


@pytest.mark.parametrize(
    ("file", "inputs", "hook", "new", "old"),
    WRONG,
    ids=["weight_jump", "potassium_at_risk", "adult_age", "not_equilibrated"],
)
def test_a_sentence_follows_its_limit(
    file: str, inputs: str, hook: str, new: str, old: str
) -> None:
    said = text(card(site(file), inputs, hook))
    assert new in said
    assert old not in said


def test_a_routine_rate_is_held_against_every_offer() -> None:
    """Our pumps deliver 1 g/h: what is faster is remarked on, what no label allows refused."""
    remarks = [r for r in check(site(limit("limit.fast_rate", 1, "g/h"))) if "fast_rate" in r]
    assert len(remarks) == 1
    assert remarks[0].startswith("limit.fast_rate: 1 g/h, slower than the standard profile's 2 g/h")
    assert "magnesium sulfate 2 g IV over 20 min" in remarks[0]
    slower = check(site(limit("limit.fast_rate", Decimal("0.5"), "g/h")))
    # The moderate row comes first; the mild one of a very low potassium gives the same.
    moderate, _ = (r for r in slower if "moderate-at-risk" in r and "[0]" in r and "R2" not in r)
    assert "2 g IV over 2 h is 1 g/h, faster than limit.fast_rate, 0.5 g/h" in moderate
    assert "limit.fast_rate.value: 20 g/h is faster than limit.infusion_rate, 150 mg/min" in (
        refused(limit("limit.fast_rate", 20, "g/h"))
    )


def test_the_page_says_which_renal_estimate_decides() -> None:
    page = show(site(""))
    assert "The lowest of eGFR, CKD-EPI 2021 and Cockcroft-Gault decides" in page
    assert "The lower of" not in page
    both = card(site(""), "Mg 1.1 mg/dL | creat 1.0 mg/dL | egfr 95")["detail"]
    for name in ("eGFR", "CKD-EPI 2021", "Cockcroft-Gault"):
        assert f"{name} " in both
