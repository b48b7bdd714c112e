"""cards.assessment: what a vignette row cannot say, and what a site's file changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cards import Decision
from cards.assessment import Finding, worst_first
from cards.protocol import Protocol, parse_protocol, shipped
from service.answer import answer
from tests.contract.shapes import NOW, SERVICE, Json, body, bundle, draft, magnesium, request
from tests.vignette import NOW as THEN
from tests.vignette import SERVICE_IDS, build_request

HEAD = """
[protocol]
extends = "standard"
name = "site"
version = "1"
title = "Site"
authors = ["A"]
reviewers = ["B"]
reviewed = 2026-01-01
review_due = 2027-01-01
"""


def site(text: str = "", drops: str = "") -> Protocol:
    return parse_protocol(f"{HEAD}{drops}{text}".encode(), "site.toml")


def decided(hook: str, inputs: str, protocol: Protocol | None = None) -> Decision:
    sent = json.dumps(build_request(hook, inputs)).encode()
    return answer(sent, SERVICE_IDS[hook], THEN, protocol).decision


def rules(decision: Decision) -> list[str]:
    return [finding.rule for finding in decision.shown]


def test_the_worst_first_and_among_equals_an_order_to_remove() -> None:
    def finding(rule: str, indicator: Any, act: Any = "none") -> Finding:
        return Finding(rule, "met", "x", indicator, act=act)

    found = worst_first(
        [
            finding("a", None),
            finding("b", "warning"),
            finding("c", "critical", "update"),
            finding("d", "critical", "remove"),
            finding("e", "info"),
        ]
    )
    assert [f.rule for f in found] == ["d", "c", "b", "a", "e"]


# --- a draft that breaks the types --------------------------------------------------------------


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_broken_magnesium_draft_is_incomplete_never_wrong(hook: str) -> None:
    broken = draft("6585", "Magnesium sulfate", dosageInstruction=7)
    found = answer(body(request(hook, broken)), SERVICE[hook], NOW).decision
    assert rules(found) == ["D0"]
    assert "dose and rate were not checked" in found.shown[0].says
    assert found.worst == "info"


def test_a_broken_draft_of_an_unknown_drug_is_a_gap_while_magnesium_is_low() -> None:
    broken = draft(medicationCodeableConcept=[], dosageInstruction=7)
    value = request("order-select", broken)
    found = answer(body(value), SERVICE["order-select"], NOW).decision
    assert rules(found) == ["D0"]
    value["prefetch"]["magnesium"] = bundle(magnesium(2.0))
    assert not answer(body(value), SERVICE["order-select"], NOW).decision.shown


# --- hours apart --------------------------------------------------------------------------------

CIPRO = (
    "Mg 1.6 mg/dL | active: Ciprofloxacin (RxNorm 2551) (authored 30 h ago) | draft: Magnesium "
    "Oxide 500 MG Oral Tablet (RxNorm 311431) 500 mg PO x1 daily"
)


def test_a_site_may_leave_an_interaction_out() -> None:
    assert rules(decided("order-select", CIPRO)) == ["N8"]
    assert not rules(
        decided("order-select", CIPRO, site(drops='drops = ["interaction.ciprofloxacin"]\n'))
    )


# --- a profile with two infusions ---------------------------------------------------------------

TWO_STEPS = "Mg 1.4 mg/dL | condition: tetany"
FIRST = "Magnesium Sulfate (RxNorm 6585) 2 g IV over 20 min"
SECOND = "Magnesium Sulfate (RxNorm 6585) 4 g IV over 4 h"


def drugs(decision: Decision) -> list[Json]:
    cards: list[Json] = json.loads(decision.response().body)["cards"]
    return [
        action["resource"]["dosageInstruction"][0]
        for card in cards
        for suggestion in card.get("suggestions", [])
        if suggestion.get("isRecommended")
        for action in suggestion["actions"]
        if action.get("resource", {}).get("resourceType") == "MedicationRequest"
    ]


def test_the_second_infusion_follows_the_first_within_the_cap() -> None:
    slow = shipped("slow-infusion")
    found = drugs(decided("patient-view", TWO_STEPS, slow))
    assert [d["text"].partition(" (")[0] for d in found] == ["2 g", "4 g"]
    # 4 g were given: 4 g are left of 8, the first alone fits.
    given = "given: MgSO4 4 g IV, started 20 h ago, ended 16 h ago"
    found = drugs(decided("patient-view", f"{TWO_STEPS} | {given}", slow))
    assert [d["text"].partition(" (")[0] for d in found] == ["2 g"]
    # 7 g were given: nothing fits.
    given = "given: MgSO4 7 g IV, started 20 h ago, ended 16 h ago"
    assert drugs(decided("patient-view", f"{TWO_STEPS} | {given}", slow)) == []


@pytest.mark.parametrize("order", [f"{FIRST}, {SECOND}", f"{SECOND}, {FIRST}", FIRST, SECOND])
def test_both_steps_of_a_regimen_are_right_together(order: str) -> None:
    inputs = f"{TWO_STEPS} | draft: {order}"
    assert rules(decided("order-sign", inputs, shipped("slow-infusion"))) == []


def test_twice_the_same_step_is_a_duplicate() -> None:
    inputs = f"{TWO_STEPS} | draft: {FIRST}, {FIRST}"
    assert set(rules(decided("order-sign", inputs, shipped("slow-infusion")))) == {"D12"}
    # No such regimen here; while symptoms hold it is an emergency dose beside a slower infusion.
    inputs = f"Mg 1.1 mg/dL | draft: {SECOND}, {FIRST}"
    assert "D12" in rules(decided("order-sign", inputs))
    assert rules(decided("order-sign", f"{TWO_STEPS} | draft: {SECOND}, {FIRST}")) == []


# --- what a site says of old results ------------------------------------------------------------


def test_a_site_may_be_silent_about_an_old_result_but_not_about_a_lost_one() -> None:
    silent = site('[result]\nstale = "silent"\n')
    assert rules(decided("patient-view", "Mg 1.1 mg/dL, collected 25 h ago")) == ["stop-warning"]
    assert rules(decided("patient-view", "Mg 1.1 mg/dL, collected 25 h ago", silent)) == []
    assert rules(decided("patient-view", "Mg 1.1 mg/dL, no time", silent)) == []
    lost = 'Mg 1.1 mg/dL, collected 25 h ago; "LOW", collected 2 h ago'
    assert rules(decided("patient-view", lost, silent)) == ["stop-info"]


# --- relaxed stops ------------------------------------------------------------------------------

RELAXED = """
[[relaxed]]
stop = "{stop}"
approver = "Dr Example"
reason = "agreed"
"""


@pytest.mark.parametrize(
    ("stop", "inputs", "rule"),
    [
        ("H4", "condition: chb", "H4"),
        ("H5", "condition: acs", "H5"),
        ("H7", "sex female | condition: pregnancy", "H7"),
        ("H8", "weight 38", "H8"),
    ],
)
def test_a_relaxed_stop_is_asked_does_not_hold_and_is_said(
    stop: str, inputs: str, rule: str
) -> None:
    inputs = f"Mg 1.1 mg/dL | {inputs}"
    strict = decided("patient-view", inputs)
    assert strict.assessment.stops.met(rule)
    relaxed = decided("patient-view", inputs, site(RELAXED.format(stop=stop)))
    assert not relaxed.assessment.stops.met(rule)
    assert rule in {asked.id for asked in relaxed.assessment.stops.asked}
    assert f"site-relaxed: {stop}." in json.loads(relaxed.response().body)["cards"][0]["detail"]


HOSPITAL = parse_protocol((Path(__file__).parent / "protocols/site.toml").read_bytes(), "site.toml")


def test_a_hospital_that_needs_no_creatinine_and_no_weight_says_so_on_the_card() -> None:
    inputs = "Mg 0.9 mg/dL | creat None | egfr None | weight None"
    strict = decided("patient-view", inputs)
    assert strict.assessment.stops.met("H2-unknown")
    assert drugs(strict) == []
    found = decided("patient-view", inputs, HOSPITAL)
    assert not found.assessment.stops.met("H2-unknown")
    assert found.assessment.cap.limit == 8
    assert [d["text"].partition(" (")[0] for d in drugs(found)] == ["4 g"]
    detail = json.loads(found.response().body)["cards"][0]["detail"]
    assert "site-relaxed: RU." in detail
    assert "site-relaxed: weight-unknown." in detail
    assert "at most 2 g" not in detail


def suggested(decision: Decision) -> list[Json]:
    cards: list[Json] = json.loads(decision.response().body)["cards"]
    return [
        action["resource"]
        for card in cards
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if "resource" in action
    ]


def test_a_site_without_follow_up_suggests_no_level() -> None:
    found = suggested(decided("patient-view", "Mg 1.4 mg/dL", HOSPITAL))
    assert {each["resourceType"] for each in found} == {"MedicationRequest"}
    refused = decided("patient-view", "Mg 0.9 mg/dL | condition: mg_gravis", HOSPITAL)
    assert suggested(refused) == []


FOLLOWUP = """
[[followup]]
routes = ["iv", "im"]
recheck = ["end+6h"]
sources = ["VT"]

[[followup]]
routes = ["po"]
recheck = ["next-morning", "start+72h"]
sources = ["RCHT"]
"""


def test_an_oral_order_lasts_until_its_start_recheck() -> None:
    found = suggested(decided("patient-view", "Mg 1.4 mg/dL", site(FOLLOWUP)))
    order, *levels = [r for r in found if r["resourceType"] == "ServiceRequest" or "HS" in str(r)]
    repeat = order["dosageInstruction"][0]["timing"]["repeat"]
    assert repeat["boundsDuration"]["value"] == 3
    # Two draws: the first 06:00 at least 6 h on, and 72 h after the start.
    assert [level["occurrenceDateTime"] for level in levels[:2]] == [
        "2026-03-15T06:00:00+00:00",
        "2026-03-17T12:00:00+00:00",
    ]


def test_past_its_review_date_the_protocol_works_and_says_so() -> None:
    overdue = parse_protocol(HEAD.replace("2027", "2026").encode(), "site.toml")
    (card,) = json.loads(decided("patient-view", "Mg 1.1 mg/dL", overdue).response().body)["cards"]
    assert "protocol review overdue." in card["detail"]
    assert card["suggestions"]
