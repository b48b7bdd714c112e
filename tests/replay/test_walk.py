"""A patient walked through time: what fires, what is known, what is told."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import pytest

from service.replay.ask import ProtocolFile
from service.replay.row import HOOKS, Decided, Low, Missing, line
from tests.contract.shapes import Json
from tests.replay.walking import (
    ALL,
    at,
    lab,
    magnesium,
    moment,
    of,
    order,
    patient,
    stay,
    sulfate,
    walk,
)

SNOMED = "http://snomed.info/sct"
CLEAR: list[Json] = [
    patient(),
    stay("e1", -48, None),
    lab("2160-0", 0.8, "mg/dL", -6),
    lab("29463-7", 70, "kg", -6),
    lab("2823-3", 4.2, "mmol/L", -6),
]
RAISED = magnesium(1.4, 0)


def test_each_order_fires_twice_and_each_result_once_in_order() -> None:
    rows, walked = walk(*CLEAR, RAISED, order("r1", "Furosemide", 1), order("r2", "Aspirin", 0))
    assert [(row.time, row.hook) for row in rows] == [
        (moment(0), "patient-view"),
        (moment(0), "order-select"),
        (moment(0), "order-sign"),
        (moment(1), "order-select"),
        (moment(1), "order-sign"),
    ]
    assert (walked.orders, walked.magnesium_results, walked.decisions) == (2, 1, 5)


@pytest.mark.parametrize("hook", HOOKS)
def test_only_the_hooks_asked_for_fire(hook: str) -> None:
    rows, _ = walk(*CLEAR, RAISED, order("r1", "Furosemide", 1), hooks=(hook,))
    assert {row.hook for row in rows} == {hook}


def signings(rows: Iterable[Decided]) -> list[tuple[str, list[str]]]:
    return [
        (row.time, [order.drug for order in row.orders]) for row in rows if row.hook == "order-sign"
    ]


def in_stay(id_: str) -> dict[str, Any]:
    return {"encounter": {"reference": f"Encounter/{id_}"}}


def by(author: str) -> dict[str, Any]:
    return {"requester": {"reference": f"Practitioner/{author}"}}


SECOND = 1 / 3600
TOGETHER = [
    # The same minute: one call, when the last is written.
    ((1, {}), (1 + 59 * SECOND, {}), 1),
    ((1, {}), (1 + 60 * SECOND, {}), 2),
    ((1, in_stay("e1")), (1, in_stay("e1")), 1),
    ((1, in_stay("e1")), (1, in_stay("e2")), 2),
    ((1, in_stay("e1")), (1, {}), 2),
    # Who wrote it counts where the record tells the day alone.
    ((1, by("a")), (1, by("b")), 1),
    ((1, {"authoredOn": "2026-03-01"} | by("a")), (1, {"authoredOn": "2026-03-01"} | by("a")), 1),
    ((1, {"authoredOn": "2026-03-01"} | by("a")), (1, {"authoredOn": "2026-03-01"} | by("b")), 2),
    ((1, {"authoredOn": "2026-03-01"}), (1, {"authoredOn": "2026-03-01"}), 1),
    ((1, {"authoredOn": "2026-03-01"}), (1, {"authoredOn": "2026-03-02"}), 2),
    ((1, {"authoredOn": "2026-03-01"}), (1, {"authoredOn": "2026-03-01T00:00:00Z"}), 2),
    ((1, {"requester": 5}), (1, {}), 1),
]


@pytest.mark.parametrize(("one", "two", "calls"), TOGETHER)
def test_orders_of_a_minute_are_signed_together(
    one: tuple[float, dict[str, Any]], two: tuple[float, dict[str, Any]], calls: int
) -> None:
    given = (order("r1", "Furosemide", one[0], **one[1]), order("r2", "Aspirin", two[0], **two[1]))
    rows, walked = walk(*CLEAR, RAISED, *given)
    assert len(signings(rows)) == calls
    assert walked.orders == len([row for row in rows if row.hook == "order-select"]) == 2
    alone, _ = walk(*CLEAR, RAISED, *given, alone=True)
    assert len(signings(alone)) == 2


def test_what_is_signed_together_is_judged_together() -> None:
    """Two infusions of 2 g of one minute: each stands as a draft beside the other, and neither
    runs yet."""
    rows, _ = walk(*CLEAR, RAISED, sulfate("r1", 1), sulfate("r2", 1 + 20 * SECOND))
    (call,) = [row for row in rows if row.hook == "order-sign"]
    assert call.time == moment(1 + 20 * SECOND)
    assert [told.magnesium for told in call.orders] == [True, True]
    assert "D12" in call.rules
    assert any(told.told for told in call.orders)
    assert len({told.id for told in call.orders}) == 2
    assert call.trigger.id == call.orders[0].id


def test_a_card_speaks_of_the_order_it_judges() -> None:
    """Whose version on file is no earlier order of the same drug: that would be no news."""
    rows, _ = walk(*CLEAR, RAISED, order("r1", "Furosemide 40 MG", 1), order("r2", "Aspirin", 1))
    chosen = [row.findings for row in rows if row.hook == "order-select"]
    assert sorted(chosen) == [(), ("N2",)]
    (call,) = [row for row in rows if row.hook == "order-sign"]
    assert call.findings == ("N2",)
    assert {told.drug: told.told for told in call.orders} == {"furosemide": True, "": False}


NOT_FIRED = [
    order("r1", "Furosemide", 1, status="draft"),
    order("r1", "Furosemide", 1, status="entered-in-error"),
    order("r1", "Furosemide", 1, intent="plan"),
    order("r1", "Furosemide", 1, authoredOn=None),
    order("r1", "Furosemide", 1, authoredOn="soon"),
    magnesium(1.4, 0, status="cancelled"),
    magnesium(1.4, 0, valueQuantity=None, dataAbsentReason={"text": "lost"}),
    magnesium(1.4, 0, issued=None, effectiveDateTime=None),
    lab("2823-3", 3.0, "mmol/L", 0),
]


@pytest.mark.parametrize("resource", NOT_FIRED)
def test_what_was_never_an_order_or_result_fires_nothing(resource: Json) -> None:
    rows, walked = walk(*CLEAR, {k: v for k, v in resource.items() if v is not None})
    assert rows == []
    assert walked.decisions == 0


def test_a_decision_sees_what_was_known_then() -> None:
    later = magnesium(2.1, 5)
    rows, _ = walk(*CLEAR, RAISED, later)
    assert at(rows, 0).magnesium.acts_as == "moderate"  # type: ignore[union-attr]
    assert at(rows, 0).magnesium.age_h == 0.5  # type: ignore[union-attr]
    assert at(rows, 5).magnesium.acts_as == "normal"  # type: ignore[union-attr]


def test_a_row_tells_the_card() -> None:
    rows, _ = walk(*CLEAR, RAISED)
    (row,) = rows
    assert row.indicator == "warning"
    assert row.lead == "moderate"
    assert row.renal == "R0"
    assert (row.setting, row.setting_known) == ("inpatient", True)
    assert any(s.regimen and s.route and s.dose for s in row.suggestions)
    assert row.suggestions[0].recommended
    assert row.refusals == row.gaps == row.hushed == ()
    assert row.followed == ()


def test_an_order_is_told_in_our_own_words() -> None:
    rows, _ = walk(*CLEAR, order("r1", "FUROSEMIDE 40MG FOR SAM SMITH", 1))
    (told,) = at(rows, 1, "order-sign").orders
    assert told.drug == "furosemide"
    assert "loop" in told.groups
    assert not told.magnesium
    assert at(rows, 1, "order-select").orders[0].relevant
    rows, _ = walk(*CLEAR, order("r1", "Aspirin for Sam", 1))
    (told,) = at(rows, 1, "order-select").orders
    assert (told.drug, told.relevant) == ("", False)


def test_no_id_name_or_text_of_the_record_is_written() -> None:
    mark = "Zz9secret"
    coded = {"coding": [{"system": SNOMED, "code": "91637004", "display": mark}]}
    rows, walked = walk(
        patient(name=[{"family": mark}]),
        magnesium(1.4, 0, id=mark, note=[{"text": mark}]),
        sulfate(mark, 1, note=[{"text": mark}], encounter={"reference": f"Encounter/{mark}"}),
        order(f"{mark}2", f"Magnesium oxide {mark}", 2),
        stay(mark, -1, None),
        of("Condition", mark, recordedDate=moment(-1), code=coded | {"text": mark}),
        of("Condition", f"{mark}3", recordedDate="2026-02-01", code=5),
    )
    written = b"".join(map(line, rows)) + line(walked)
    assert len(rows) == 5
    assert mark.lower().encode() not in written.lower()
    assert b"p1" not in written.replace(b'"p1', b"")


# --- unknown times ------------------------------------------------------------------------------


def test_an_order_of_a_bare_date_is_written_at_its_beginning_a_result_is_known_at_its_end() -> None:
    rows, _ = walk(
        *CLEAR,
        magnesium(1.4, 0, issued=None, effectiveDateTime="2026-03-01"),
        order("r1", "Furosemide", 1, authoredOn="2026-03-01"),
        timezone="America/Chicago",
    )
    assert [(row.time, row.hook, row.exact, row.hour) for row in rows] == [
        ("2026-03-01T06:00:00Z", "order-select", False, 0),
        ("2026-03-01T06:00:00Z", "order-sign", False, 0),
        ("2026-03-02T06:00:00Z", "patient-view", False, 0),
    ]


def test_what_cannot_be_dated_or_read_is_counted() -> None:
    broken = magnesium(1.4, 2) | {"id": "b", "valueQuantity": {"unit": {}}}
    rows, walked = walk(
        *CLEAR,
        RAISED,
        of("Condition", "c1", code={"text": "old"}),
        broken,
        magnesium(1.4, 5),
    )
    assert walked.undated == {"Condition": 1}
    assert walked.unread == {"Observation": 1}
    assert at(rows, 0).gaps == ()
    assert at(rows, 5).gaps == (Missing("magnesium", "a resource could not be read"),)
    # The broken one is older than the one that decides.
    assert at(rows, 5).magnesium.problems == ()  # type: ignore[union-attr]


def test_without_the_patient_nothing_is_decided() -> None:
    rows, walked = walk(*CLEAR[1:], RAISED)
    assert rows == []
    assert walked.patient_missing


# --- gaps and settings --------------------------------------------------------------------------


def test_a_type_the_export_does_not_hold_was_not_obtained_unless_assumed_empty() -> None:
    held = [type_ for type_ in ALL if type_ not in ("Condition", "Procedure")]
    rows, _ = walk(*CLEAR, RAISED, held=held, assume_none=("Procedure",))
    assert rows[0].gaps == (Missing("conditions", "the export holds no Condition"),)


def test_the_encounter_in_context_is_the_one_named_else_the_one_going_on() -> None:
    visit = stay("v1", -1, 3, "AMB")
    rows, _ = walk(patient(), stay("e1", -48, 2), visit, magnesium(1.4, 0), magnesium(1.2, 2.5))
    assert [row.setting for row in rows] == ["ambulatory", "ambulatory"]
    named = magnesium(1.4, 0, encounter={"reference": "Encounter/e1"})
    rows, _ = walk(patient(), stay("e1", -48, 2), visit, named)
    assert [row.setting for row in rows] == ["inpatient"]


def test_a_setting_is_assumed_only_where_no_encounter_tells_it() -> None:
    ambulatory = stay("v1", -1, 1, "AMB")
    given = (patient(), ambulatory, magnesium(1.4, 0), magnesium(1.2, 2))
    rows, _ = walk(*given)
    assert [(row.setting, row.setting_known) for row in rows] == [
        ("ambulatory", True), ("inpatient", False)
    ]  # fmt: skip
    assert [m.need for m in rows[1].gaps] == ["encounter"]
    rows, _ = walk(*given, setting="inpatient")
    assert [(row.setting, row.setting_known) for row in rows] == [
        ("ambulatory", True), ("inpatient", True)
    ]  # fmt: skip
    assert rows[1].gaps == ()


def test_a_medication_by_reference_is_looked_up() -> None:
    asked = order("r1", "", 1)
    del asked["medicationCodeableConcept"]
    asked["medicationReference"] = {"reference": "Medication/m1"}
    medication = {"resourceType": "Medication", "id": "m1", "code": {"text": "Furosemide"}}
    rows, _ = walk(*CLEAR, asked, medication)
    assert rows[0].orders[0].drug == "furosemide"
    rows, _ = walk(*CLEAR, asked)
    assert not rows[0].orders[0].resolved


# --- what clinicians did ------------------------------------------------------------------------


def test_orders_of_six_hours_after_a_suggestion_are_told() -> None:
    rows, _ = walk(*CLEAR, RAISED, sulfate("r1", 2), sulfate("r2", 7), order("r3", "Aspirin", 1))
    followed = at(rows, 0).followed
    assert followed is not None
    assert [(f.hours, f.route, f.salt, f.dose) for f in followed] == [(2, "iv", "sulfate", 2000)]
    assert at(rows, 1, "order-sign").followed is None


LOWS: list[tuple[list[Json], dict[str, Any]]] = [
    ([], {"hours": None, "route": None, "observed_h": 0.0}),
    ([sulfate("r1", 4)], {"hours": 4.0, "route": "iv", "observed_h": 4.0}),
    ([sulfate("r1", 71)], {"hours": 71.0, "route": "iv", "observed_h": 71.0}),
    ([sulfate("r1", 73)], {"hours": None, "route": None, "observed_h": 72.0}),
    ([sulfate("r1", -0.25)], {"treated": True, "hours": None, "route": None, "observed_h": 0.0}),
]


@pytest.mark.parametrize(("more", "expected"), LOWS)
def test_the_time_from_a_low_result_to_the_first_order(
    more: list[Json], expected: dict[str, Any]
) -> None:
    _, walked = walk(*CLEAR, RAISED, *more)
    (low,) = walked.lows
    assert low == Low(moment(0), low.value, "moderate", **{"treated": False, **expected})


def test_a_normal_or_unusable_result_is_no_low_one() -> None:
    _, walked = walk(*CLEAR, magnesium(2.0, 0), magnesium(1.4, 3, status="preliminary"))
    assert walked.lows == ()


# --- days ---------------------------------------------------------------------------------------

DAYS: list[tuple[list[Json], float, str]] = [
    ([], 0, "none"),
    ([magnesium(2, 0)], 1 / 24, "records"),
    ([magnesium(2, 0), magnesium(2, 36)], 1.5, "records"),
    ([stay("e1", 0, 24), stay("e2", 12, 36), stay("e3", 72, 84)], 2, "encounters"),
    ([stay("e1", 0, None), magnesium(2, 48)], 2, "encounters"),
    ([stay("e1", 0, 24, status="cancelled"), magnesium(2, 0), magnesium(2, 12)], 0.5, "records"),
]


@pytest.mark.parametrize(("resources", "days", "counted"), DAYS)
def test_days_under_observation(resources: list[Json], days: float, counted: str) -> None:
    _, walked = walk(patient(), *resources)
    assert (walked.days, walked.counted) == (pytest.approx(days, abs=0.001), counted)


# --- refusals -----------------------------------------------------------------------------------


def test_a_stop_is_told_only_where_it_forbade_something() -> None:
    coded = {"coding": [{"system": SNOMED, "code": "91637004"}]}
    nerve = of("Condition", "c1", recordedDate=moment(-9), code=coded)
    rows, _ = walk(*CLEAR, nerve, magnesium(0.8, 0), magnesium(2.0, 9))
    assert [(r.stop, r.unknown) for r in at(rows, 0).refusals] == [("H6", False)]
    assert at(rows, 9).refusals == ()


def test_a_stop_that_empties_the_table_of_regimens_is_told_too() -> None:
    failing = lab("2160-0", 5.5, "mg/dL", -1)
    rows, _ = walk(*CLEAR, failing, magnesium(1.4, 0))
    assert [(r.stop, r.unknown) for r in rows[0].refusals] == [("H2", False)]
    rows, _ = walk(*(r for r in CLEAR if r["id"] != "2160-0--6"), magnesium(1.4, 0))
    assert [(r.stop, r.unknown) for r in rows[0].refusals] == [("H2-unknown", True)]


# --- answers and quiet --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "hushed"), [("none", ()), ("record", ()), ("overridden", ("moderate",))]
)
def test_a_card_is_quiet_as_its_answer_has_it(answers: str, hushed: tuple[str, ...]) -> None:
    """The same result seen twice: at the view and, an hour later, at a view of it again."""
    again = dict(RAISED) | {"issued": moment(1), "note": [{"text": "seen again"}]}
    rows, _ = walk(*CLEAR, RAISED, again, answers=answers)
    assert at(rows, 0).hushed == ()
    assert at(rows, 1).hushed == hushed


def test_an_order_that_follows_a_suggestion_accepts_it() -> None:
    """From after the order, not at it, for an hour (ruling 149): an order as needed is no dose."""
    line = {"route": {"text": "IV"}, "asNeededBoolean": True, "text": "2 g IV as needed"}
    needed = sulfate("r1", 1, dosageInstruction=[line])
    seen = [
        dict(RAISED) | {"issued": moment(h), "note": [{"text": f"{h}"}]} for h in (1, 1.25, 2.25)
    ]
    rows, _ = walk(*CLEAR, RAISED, *seen, needed)
    told = [(row.lead, row.hushed) for row in rows if row.hook == "patient-view"]
    assert told == [("moderate", ()), ("moderate", ()), (None, ()), ("moderate", ())]
    rows, _ = walk(*CLEAR, RAISED, *seen, needed, answers="none")
    assert [row.lead for row in rows if row.hook == "patient-view"] == ["moderate"] * 4


# --- against ------------------------------------------------------------------------------------


def test_two_protocols_are_compared_stage_by_stage() -> None:
    slow = ProtocolFile("slow-infusion")
    rows, _ = walk(*CLEAR, magnesium(0.8, 0), magnesium(2.0, 9), against=slow)
    differs, same = at(rows, 0).against, at(rows, 9).against
    assert differs is not None
    assert (differs.stage, differs.visible) == ("assessment", True)
    assert differs.suggestions != at(rows, 0).suggestions
    assert same is not None
    assert (same.stage, same.visible, same.indicator) == (None, False, at(rows, 9).indicator)


def test_a_site_code_of_one_protocol_is_none_of_the_other() -> None:
    text = (files("cards") / "protocols" / "standard.toml").read_text()
    code = '{ lab = "magnesium", system = "urn:lab", code = "MG", unit = "mg/dL", why = "ours" }'
    content = text.replace("site_codes = []", f"site_codes = [{code}]").encode()
    ours = magnesium(1.4, 0) | {"code": {"coding": [{"system": "urn:lab", "code": "MG"}]}}
    rows, _ = walk(
        *CLEAR, ours, protocol=ProtocolFile("site", content), against=ProtocolFile("standard")
    )
    (row,) = rows
    assert row.magnesium.acts_as == "moderate"  # type: ignore[union-attr]
    assert row.against is not None
    assert (row.against.band, row.against.stage) == (None, "chart")


# --- versions -----------------------------------------------------------------------------------


def test_an_amended_result_counts_since_it_was_issued() -> None:
    first = magnesium(1.4, 0, id="m")
    amended = magnesium(2.1, 4, id="m", status="amended", effectiveDateTime=moment(-0.5))
    rows, walked = walk(*CLEAR, first, amended, first)
    assert [row.magnesium.acts_as for row in rows] == ["moderate", "normal"]  # type: ignore[union-attr]
    assert walked.conflicts == {}


def test_of_two_versions_known_at_once_neither_is_believed() -> None:
    rows, walked = walk(*CLEAR, magnesium(1.4, 0, id="m"), magnesium(2.1, 0, id="m"))
    assert walked.conflicts == {"Observation": 1}
    assert rows == []
