"""cards.quiet: every clause of section 11, each from what was answered before."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cards import Decision
from cards.evidence import Answered
from cards.protocol.rules import RULES
from cards.quiet import result_key
from service.answer import answer
from tests.vignette import NOW, SERVICE_IDS, build_request

RESULT = "Observation/magnesium-0"
POTASSIUM = "Mg 1.4 mg/dL | k 3.3 | draft: Potassium Chloride (RxNorm 8591)"
FAST = "Mg 1.1 mg/dL | draft: Magnesium Sulfate (RxNorm 6585) 2 g IV over 5 min"


def decided(hook: str, inputs: str, *answers: Answered) -> Decision:
    request = build_request(hook, inputs)
    body = json.dumps(request).encode()
    first = answer(body, SERVICE_IDS[hook], NOW).decision
    # RESULT stands for the deciding result, as it is sent in this request.
    deciding = result_key(first.assessment)
    meant = [replace(a, result=deciding) if a.result == RESULT else a for a in answers]
    return answer(body, SERVICE_IDS[hook], NOW, answered=lambda *_: meant).decision


def test_an_amended_result_under_the_same_id_is_another() -> None:
    keys = {
        result_key(decided("patient-view", inputs).assessment)
        for inputs in ("Mg 1.1 mg/dL", "Mg 1.2 mg/dL", "Mg 1.1 mg/dL, amended", "Mg 1.1 mmol/L")
    }
    assert len(keys) == 4
    assert result_key(decided("patient-view", "Mg None").assessment) == ""


def answered(rule: str, outcome: str = "overridden", hours: float = 2) -> Answered:
    return Answered(rule, RESULT, outcome, NOW - timedelta(hours=hours), "moderate")


def shown(hook: str, inputs: str, *answers: Answered) -> set[str]:
    return {finding.rule for finding in decided(hook, inputs, *answers).shown}


def hushed(hook: str, inputs: str, *answers: Answered) -> set[str]:
    return {finding.rule for finding in decided(hook, inputs, *answers).hushed}


# --- overridden ---------------------------------------------------------------------------------


def test_overridden_advice_is_quiet_and_kept_in_the_decision() -> None:
    found = decided("order-select", POTASSIUM, answered("N1"))
    assert [f.rule for f in found.hushed] == ["N1"]
    assert (found.shown, found.cards, found.rules, found.worst) == ((), (), (), None)
    assert found.response().body == b'{"cards":[]}'


def test_unanswered_advice_is_shown_again() -> None:
    assert shown("order-select", POTASSIUM) == {"N1"}


@pytest.mark.parametrize(
    "other",
    [
        replace(answered("N1"), rule="N2"),
        replace(answered("N1"), result="Observation/magnesium-1"),  # a newer result exists
        replace(answered("N1"), at=NOW - timedelta(hours=24)),
        replace(answered("N1"), at=NOW + timedelta(minutes=1)),
    ],
    ids=["another rule", "a newer result", "24 h ago", "in the future"],
)
def test_an_answer_to_something_else_or_long_ago_does_not_quiet(other: Answered) -> None:
    assert shown("order-select", POTASSIUM, other) == {"N1"}


def test_just_under_24_hours_is_quiet() -> None:
    late = replace(answered("N1"), at=NOW - timedelta(hours=24) + timedelta(seconds=1))
    assert hushed("order-select", POTASSIUM, late) == {"N1"}


@pytest.mark.parametrize(
    ("value", "then", "speaks"),
    [
        ("1.1", "moderate", True),  # the same result, corrected: worse
        ("1.1", "severe", False),
        ("1.4", "severe", False),  # better
        ("1.4", None, False),
        ("1.7", "moderate", False),
    ],
)
def test_a_worse_band_ends_the_quiet(value: str, then: str | None, speaks: bool) -> None:
    inputs = POTASSIUM.replace("1.4", value)
    before = replace(answered("N1"), acts_as=then)
    assert ("N1" in shown("order-select", inputs, before)) is speaks


@pytest.mark.parametrize(
    ("value", "then", "speaks"), [("5.0", "high", True), ("3.2", "toxic", False)]
)
def test_above_normal_worse_is_higher(value: str, then: str, speaks: bool) -> None:
    inputs = f"Mg {value} mg/dL"
    (rule,) = shown("patient-view", inputs)
    before = replace(answered(rule), acts_as=then, alarms=frozenset({"H3"}))
    assert (rule in shown("patient-view", inputs, before)) is speaks


@pytest.mark.parametrize(
    "new",
    [
        "condition: mg_gravis",  # a hard stop
        "creat None | egfr None",
        "condition: tetany",  # symp
        "condition: torsades",  # life
    ],
)
def test_a_new_stop_or_life_or_symptom_ends_the_quiet(new: str) -> None:
    inputs = f"{POTASSIUM} | {new}"
    before = answered("N1")
    assert shown("order-select", inputs, before) == {"N1"}
    alarms = decided("order-select", inputs).assessment
    known = {stop.id for stop in alarms.stops.holding}
    known |= {flag for flag in ("life", "symp", "torsades") if alarms.flags.met(flag)}
    again = replace(before, alarms=frozenset(known))
    assert hushed("order-select", inputs, again) == {"N1"}


def test_a_stop_that_no_longer_holds_does_not_end_the_quiet() -> None:
    before = replace(answered("N1"), alarms=frozenset({"H6"}))
    assert hushed("order-select", POTASSIUM, before) == {"N1"}


# --- accepted -----------------------------------------------------------------------------------

SEVERE = "Mg 1.1 mg/dL"
TREATED = replace(
    answered("severe", "accepted"), acts_as="severe", alarms=frozenset({"H9", "H2-unknown"})
)


MODERATE = "Mg 1.4 mg/dL"


@pytest.mark.parametrize(("minutes", "quiet"), [(59, True), (60, False), (600, False)])
def test_accepted_and_not_visible_speaks_again_after_an_hour(minutes: int, quiet: bool) -> None:
    """For the hour the order is taken as placed (ruling 149)."""
    before = replace(answered("moderate", "accepted"), at=NOW - timedelta(minutes=minutes))
    assert (shown("patient-view", MODERATE, before) == set()) is quiet
    assert (shown("order-select", POTASSIUM, before) == set()) is quiet


def test_accepted_and_not_visible_never_silences_a_severe_level() -> None:
    before = replace(TREATED, at=NOW - timedelta(minutes=20))
    found = decided("patient-view", SEVERE, before)
    assert found.worst == "critical"
    assert found.plan is not None
    assert not any(proposal.drug for proposal in found.plan.proposals)
    said = " ".join(line.text for line in found.plan.lines)
    assert "accepted 20 min ago here; not seen in the record yet" in said
    late = decided("patient-view", SEVERE, replace(TREATED, at=NOW - timedelta(minutes=60)))
    assert late.plan is not None
    assert any(proposal.drug for proposal in late.plan.proposals)


def test_signing_the_level_that_follows_is_silent() -> None:
    level = f"{SEVERE} | lab draft: 19123-9"
    assert shown("order-sign", level) == {"sign"}
    assert shown("order-sign", level, replace(TREATED, at=NOW - timedelta(minutes=20))) == set()


def test_accepted_in_life_still_offers_the_emergency_dose() -> None:
    before = replace(answered("life", "accepted"), at=NOW - timedelta(minutes=20))
    found = decided("patient-view", f"{SEVERE} | condition: torsades", before)
    assert found.plan is not None
    assert any(proposal.drug for proposal in found.plan.proposals)


@pytest.mark.parametrize(
    "visible",
    [
        "active: MgSO4 2 g IV over 20 min (authored 1 h ago)",
        "given: MgSO4 2 g IV, started 60 min ago, ended 40 min ago",
    ],
    ids=["infusion active", "administered"],
)
def test_accepted_and_visible_stays_quiet(visible: str) -> None:
    assert hushed("patient-view", f"{SEVERE} | {visible}", TREATED) == {"severe"}
    late = replace(TREATED, at=NOW - timedelta(hours=24))
    assert shown("patient-view", f"{SEVERE} | {visible}", late) == {"severe"}


def test_accepted_and_only_oral_visible_speaks_at_a_severe_level() -> None:
    oral = "active: MgO500 500 mg PO x1 daily (authored 1 h ago)"
    assert shown("patient-view", f"{SEVERE} | {oral}", TREATED) == {"severe"}


def test_accepted_and_in_the_session_stays_quiet() -> None:
    drafts = "k 3.3 | draft: Potassium Chloride (RxNorm 8591), "
    oxide = "Magnesium Oxide 500 MG Oral Tablet (RxNorm 311431) 500 mg PO x1 daily"
    before = replace(answered("N1", "accepted"), acts_as="severe")
    # By mouth it is no treatment of a severe level.
    assert shown("order-select", f"Mg 1.1 mg/dL | {drafts}{oxide}", before) == {"N1", "D13"}
    infusion = "MgSO4 2 g IV over 20 min"
    assert shown("order-select", f"Mg 1.1 mg/dL | {drafts}{infusion}", before) == set()


# --- safety checks of an order ------------------------------------------------------------------


def draft_digest(inputs: str) -> str:
    entry = build_request("order-sign", inputs)["context"]["draftOrders"]["entry"][0]
    return hashlib.sha256(json.dumps(entry["resource"]).encode()).hexdigest()


def test_only_the_identical_draft_quiets_a_safety_check() -> None:
    same = replace(answered("D1"), draft=draft_digest(FAST), acts_as="severe")
    assert hushed("order-sign", FAST, same) == {"D1"}
    changed = FAST.replace("5 min", "6 min")
    assert shown("order-sign", changed, same) == {"D1"}
    # The id of a draft is not its content.
    assert shown("order-sign", FAST, replace(same, draft="draft-0")) == {"D1"}
    assert shown("order-sign", FAST, replace(same, draft=None)) == {"D1"}
    assert shown("order-sign", FAST, replace(same, outcome="accepted")) == {"D1"}
    assert shown("order-sign", FAST, replace(same, result="Observation/other")) == {"D1"}


def test_the_rules_that_are_never_quiet_are_those_of_the_protocol() -> None:
    """Section 11: D1, D3-D5, D8-D13 and D16, in every form a finding may take."""
    never = {name for name, kind in RULES.items() if not kind.quiet}
    base = {rule.split("-")[0] for rule in never}
    assert base == {"D1", "D3", "D4", "D5", *(f"D{n}" for n in range(8, 14)), "D16"}
    known = decided("patient-view", SEVERE).protocol.file.rule
    assert {rule for rule in known if rule.split("-")[0] in base} == never


def test_information_on_a_draft_is_advice_and_can_be_quieted() -> None:
    inputs = "Mg None | draft: Magnesium Sulfate (RxNorm 6585) 2 g IV over 2 h"
    before = replace(answered("D6"), result="", acts_as=None, alarms=frozenset({"H10"}))
    assert hushed("order-select", inputs, before) == {"D6"}


# --- maintenance --------------------------------------------------------------------------------

NORMAL = (
    "ambulatory | Mg 2.0 mg/dL | condition: short_bowel "
    "| given: MgSO4 2 g IV, started 50 h ago, ended 48 h ago"
)


@pytest.mark.parametrize(("days", "quiet"), [(6.9, True), (7, False)])
def test_maintenance_is_offered_once_in_seven_days(days: float, quiet: bool) -> None:
    before = replace(answered("maintenance", hours=days * 24), acts_as="normal")
    assert (hushed("patient-view", NORMAL, before) == {"maintenance"}) is quiet
    assert (shown("patient-view", NORMAL, before) == {"maintenance"}) is not quiet
