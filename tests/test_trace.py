"""cards.trace and cards.decision: every stage of a decision, in words."""

from __future__ import annotations

import json
from decimal import Decimal

from msgspec import structs
from msgspec.structs import replace

from cards import Decision, needs_patient
from cards.assessment import Offer
from cards.orders import Orders
from cards.protocol import shipped
from cards.trace import Dose, Trace
from cards.trace.fact import read_facts
from service.answer import answer
from tests.contract.shapes import (
    MAGNESIUM_OXIDE,
    NOW,
    RXNORM,
    SERVICE,
    body,
    bundle,
    lab,
    magnesium,
    request,
)
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
        "magnesium: 1.1 mg/dL, 2 h ago, severe, usable [Observation/magnesium-0]",
        "potassium: 2.8 mmol/L, 2 h ago [Observation/potassium-0]",
        "corrected calcium: 7.2 mg/dL",
        "QTc: 490 ms",
        "platelets: 40 10*9/L",
        "setting: inpatient",
        "age: 60 years",
        "torsades: Torsades de pointes, current [Condition/condition-0]",
        "active [Condition/condition-1]",
        "history [Condition/condition-2]",
        "order: Furosemide 40 MG Oral Tablet, cause, loop [",
        "given: Magnesium Sulfate, 19 h ago [MedicationAdministration/given-0]",
    ):
        assert wanted in facts
    assert "Amoxicillin" not in facts  # no rule speaks of it


def test_an_empty_chart_says_what_it_does_not_know() -> None:
    found = lines(decided("patient-view", "Mg None | k None | ca None | birthDate None | sex None"))
    assert {"magnesium: no result", "age: not known", "sex: not known"} <= set(found["Facts"])
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
    assert "weight: not used, the newest weight has no readable unit or value" in found["Facts"]
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
        line.startswith(
            "★ severe: magnesium sulfate 2 g IV over 20 min: 8.1 mmol, 16.2 mEq, 197 mg elemental,"
            " 100 mg/min; "
        )
        for line in found["Regimens open now"]
    )
    assert found["Plan"][0].startswith("critical: Magnesium 1.1 mg/dL")
    assert found["Plan"][1].startswith("★ Magnesium sulfate 2 g IV over 20 min")


def test_a_decision_keeps_what_was_shown() -> None:
    found = decided("patient-view", "Mg 1.1 mg/dL")
    assert (found.worst, found.rules[0]) == ("critical", "severe")
    assert [card.rule for card in found.cards] == ["severe"]
    assert json.loads(found.response().body)["cards"]


def test_only_a_call_that_can_lead_to_a_card_needs_the_patient() -> None:
    assert needs_patient(Orders("patient-view", "s", "h"), shipped("standard"))
    assert not needs_patient(Orders("order-select", "s", "h"), shipped("standard"))


def traced(inputs: str, hook: str = "patient-view") -> Trace:
    return decided(hook, inputs).trace()


def test_an_offer_shows_its_arithmetic() -> None:
    """By hand: 2 g / 246.47 g/mol = 8.115 mmol; x 24.305 = 197.2 mg; 2,000 mg / 20 min."""
    dose = traced("Mg 1.1 mg/dL").offers[0].doses[0]
    assert round(dose.mmol, 3) == Decimal("8.115")
    assert dose.meq == 2 * dose.mmol
    assert round(dose.elemental_mg, 1) == Decimal("197.2")
    assert (dose.rate, dose.daily_mmol) == (100, None)


def test_each_way_of_giving_is_said() -> None:
    product = shipped("standard").file.product
    intramuscular = next(p for p in product.values() if p.route == "im")
    oral = next(p for p in product.values() if p.route == "po" and p.salt == "oxide")
    dose = Dose(intramuscular, Decimal(1), count=4, every_hours=6)
    assert dose.how == "IM every 6 h x 4"
    assert "mg/min" not in dose.line
    assert Dose(oral, Decimal(400), per_day=1, at_night=True).how == "at night"
    dose = Dose(oral, Decimal(400), per_day=2, bound=14)
    assert dose.how == "twice daily"
    # 400 mg / 40.304 g/mol = 9.925 mmol, 241 mg; twice a day 19.8 mmol.
    assert dose.line.endswith(
        "400 mg twice daily for 14 days: 9.9 mmol, 19.8 mEq, 241 mg elemental, 19.8 mmol a day"
    )


def test_a_second_infusion_has_its_own_arithmetic() -> None:
    standard = shipped("standard").file
    regimen = next(r for r in standard.regimen if r.id == "severe")
    option = regimen.offer[0].model_copy(update={"then_dose": Decimal(4), "then_minutes": 240})
    offer = Offer(regimen, option, standard.product[option.product], star=False)
    first, second = offer.doses()
    assert (first.amount, first.minutes) == (option.dose, option.minutes)
    assert (second.amount, second.minutes) == (option.then_dose, option.then_minutes)


def test_the_24_h_limit_and_what_a_suggestion_leaves_of_it() -> None:
    found = traced(
        "Mg 1.1 mg/dL | weight 70 | given: MgSO4 1 g IV, started 20 h ago, ended 19 h ago"
    )
    assert (found.limit.limit, found.limit.given, found.limit.left) == (8, 1, 7)
    assert found.limit.why == "renal class R0"
    assert [p.left for p in found.proposals if p.recommended] == [5]
    assert traced("Mg 1.1 mg/dL | weight None").limit.why == "renal class R0, weight unknown"
    assert "by weight" in traced("Mg 1.1 mg/dL | weight 42").limit.why
    oral = traced("Mg 1.6 mg/dL").proposals
    assert oral
    assert {p.left for p in oral} == {None}


def test_the_course_holds_every_result_with_a_value_and_a_time() -> None:
    value = request()
    value["prefetch"]["magnesium"] = bundle(
        magnesium(1.1, 2),
        lab("2601-3", 0.6, "mmol/L", 30),
        magnesium(1.3, 5, valueQuantity={"value": 1.3, "unit": "stone"}),
        magnesium(1.4, 6, effectiveDateTime=None),
        magnesium(1.5, 7, valueQuantity=None, valueString="LOW"),
        magnesium(1.6, 8, status="cancelled"),
        magnesium(1.7, 9, valueQuantity={"value": "1.7", "unit": "mg/dL"}),
    )
    course = answer(body(value), SERVICE["patient-view"], NOW).decision.trace().course
    assert [(p.shown, p.value, p.decides) for p in course.points] == [
        ("0.6 mmol/L", Decimal("1.45830"), False),
        ("1.1 mg/dL", Decimal("1.1"), True),
    ]
    assert course.left_out == 4
    assert traced("Mg None").course.points == ()


def test_the_course_holds_what_was_given_and_ordered() -> None:
    given = "given: MgSO4 1 g IV, started 20 h ago, ended 19 h ago"
    found = traced(f"Mg 1.1 mg/dL | {given}").course.treatments
    assert [(t.amount, t.route, t.ordered) for t in found] == [("1 g", "iv", False)]
    value = request()
    order = {
        "resourceType": "MedicationRequest",
        "id": "oxide",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": "2026-02-20T08:00:00Z",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": MAGNESIUM_OXIDE[0]}]},
    }
    value["prefetch"]["medications"] = bundle(order, order | {"id": "old", "status": "stopped"})
    value["prefetch"]["administrations"] = bundle(
        order
        | {"resourceType": "MedicationAdministration", "id": "a", "status": "completed"}
        | {"intent": None, "authoredOn": None}
    )
    course = answer(body(value), SERVICE["patient-view"], NOW).decision.trace().course
    assert [(t.source, t.amount, t.ordered) for t in course.treatments] == [
        ("MedicationRequest/oxide", "amount not readable", True)
    ]


def test_more_facts_are_named() -> None:
    chart = decided("patient-view", "Mg 1.1 mg/dL | sex female | condition: pregnancy").chart
    chart = structs.replace(chart, fe_mg=Decimal("3.24"), intolerance="magnesium oxide")
    found = {f.label: f.line for f in read_facts(chart)}
    assert "pregnancy" in found
    assert found["fractional excretion of magnesium"].endswith(": 3.2 %")
    assert found["intolerance"] == "intolerance: magnesium oxide"


def test_what_is_hushed_says_so() -> None:
    found = decided("patient-view", "Mg 1.1 mg/dL")
    hushed = replace(found, shown=(), hushed=found.shown, plan=None)
    (finding,) = hushed.trace().findings
    assert finding.hushed
    assert lines(hushed)["Findings"][0].startswith("hushed: severe: ")


def test_a_flag_and_a_stop_say_what_follows() -> None:
    found = traced("Mg 1.1 mg/dL | condition: mg_gravis")
    stops = {s.rule: s for s in found.stops}
    assert (stops["H6"].status, stops["H6"].effect) == ("met", "blocks all")
    assert stops["H6"].sources
    assert {f.status for f in found.flags} <= {"met", "not met"}
