"""cards.trace and cards.decision: every stage of a decision, in words."""

from __future__ import annotations

import json

from cards import Decision, needs_patient
from cards.orders import Orders
from cards.protocol import shipped
from service.answer import answer
from tests.contract.shapes import NOW, SERVICE, body, bundle, lab, magnesium, request
from tests.test_assessment import decided

BUSY = (
    "Mg 1.1 mg/dL | k 2.8 | ca 7.2 | qtc 490 | platelets 40 | weight 70 "
    "| condition: torsades (recorded 2 h ago), short_bowel (recorded 40 d ago), "
    "vt (recorded 40 d ago, status resolved) "
    "| active: Furosemide 40 MG Oral Tablet (RxNorm 313988), Amoxicillin (RxNorm 723) "
    "| given: MgSO4 1 g IV, started 20 h ago, ended 19 h ago"
)


def lines(decision: Decision) -> dict[str, tuple[str, ...]]:
    return {stage.title: stage.lines for stage in decision.stages()}


def test_the_stages_stand_in_the_order_they_are_taken() -> None:
    assert list(lines(decided("patient-view", BUSY))) == [
        "What was not read",
        "Facts",
        "Flags",
        "Stops",
        "Regimens open now",
        "Findings",
        "Plan",
    ]


def test_each_fact_has_its_time_and_source() -> None:
    facts = "\n".join(lines(decided("patient-view", BUSY))["Facts"])
    for wanted in (
        "magnesium 1.1 mg/dL, 2 h ago, severe, usable [Observation/magnesium-0]",
        "potassium 2.8 mmol/L, 2 h ago [Observation/potassium-0]",
        "corrected calcium 7.2 mg/dL",
        "QTc 490 ms",
        "platelets 40 10*9/L",
        "setting inpatient",
        "age 60",
        "torsades: Torsades de pointes, current [Condition/condition-0]",
        "active [Condition/condition-1]",
        "history [Condition/condition-2]",
        "order Furosemide 40 MG Oral Tablet (",
        "given Magnesium Sulfate [MedicationAdministration/given-0]",
    ):
        assert wanted in facts
    assert "Amoxicillin" not in facts  # no rule speaks of it


def test_an_empty_chart_says_what_it_does_not_know() -> None:
    found = lines(decided("patient-view", "Mg None | k None | ca None | birthDate None | sex None"))
    assert {"magnesium: no result", "age not known", "sex not known"} <= set(found["Facts"])
    assert found["What was not read"] != ()
    assert found["Findings"] == ("nothing to say",)
    assert found["Plan"] == ("no card",)


def test_what_was_not_read_is_named_with_its_reason() -> None:
    value = request()
    value["prefetch"] |= {
        "weight": bundle(lab("29463-7", 9, "stone", 3)),
        "magnesium": bundle(
            magnesium(), magnesium(1.9, -1), magnesium(1.2, 4, subject={"reference": "Patient/p2"})
        ),
        "conditions": {"resourceType": "OperationOutcome"},
        "potassium": bundle({"resourceType": "Observation", "id": "b", "code": 3}),
    }
    found = lines(answer(body(value), SERVICE["patient-view"], NOW).decision)
    assert "the newest weight has no readable unit or value" in found["Facts"]
    read = "\n".join(found["What was not read"])
    assert "conditions: the record answered with an error" in read
    assert "Observation/19123-9--1: collected in the future" in read
    assert "Observation/19123-9-4: not used, belongs to another patient" in read
    assert "Observation/b (potassium): " in read


def test_the_plan_and_its_reasons() -> None:
    found = lines(decided("patient-view", "Mg 1.1 mg/dL | condition: mg_gravis"))
    assert any(line.startswith("met: H6: ") for line in found["Stops"])
    assert found["Regimens open now"][0] == "24 h limit 8 g, left 8 g"
    found = lines(decided("patient-view", "Mg 1.1 mg/dL"))
    assert any(
        line.startswith("★ severe: magnesium sulfate 2 g") for line in found["Regimens open now"]
    )
    assert found["Plan"][0].startswith("critical: Magnesium 1.1 mg/dL")
    assert found["Plan"][1].startswith("★ Magnesium sulfate 2 g IV over 20 min")


def test_a_decision_keeps_what_was_shown() -> None:
    found = decided("patient-view", "Mg 1.1 mg/dL")
    assert (found.worst, found.rules[0]) == ("critical", "severe")
    assert [card.rule for card in found.cards] == ["severe"]
    assert json.loads(found.response())["cards"]


def test_only_a_call_that_can_lead_to_a_card_needs_the_patient() -> None:
    assert needs_patient(Orders("patient-view", "s", "h"), shipped("standard"))
    assert not needs_patient(Orders("order-select", "s", "h"), shipped("standard"))
