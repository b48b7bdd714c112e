"""cards.evidence.known: since when a resource was known, and as what it stood before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cards.evidence import Unread, collect
from cards.evidence.known import at, end_guessed, known_since, latest, spells
from cards.fhir import status_of
from cards.fhir.resource import Resource
from tests.contract.shapes import Json, magnesium

T = datetime(2026, 3, 1, 8, tzinfo=UTC)
SNOMED = "http://snomed.info/sct"
HOUR = timedelta(hours=1)


def read(type_: str, **more: Any) -> Resource:
    return msgspec.json.decode(
        json.dumps({"resourceType": type_, "id": "x", **more}), type=Resource
    )


def stood(resource: Resource, hours: float) -> Resource | None:
    return at(resource, T + timedelta(hours=hours))


def order(*lines: Json, **more: Any) -> Resource:
    given: Json = {"status": "completed", "authoredOn": "2026-03-01T08:00:00Z", **more}
    return read("MedicationRequest", dosageInstruction=list(lines), **given)


def bounds(**repeat: Any) -> Json:
    return {"timing": {"repeat": repeat}}


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-01T08:00:00Z", "UTC", "2026-03-01T08:00"),
        ("2026-03-01", "UTC", "2026-03-02T00:00"),
        ("2026-03-01", "America/Chicago", "2026-03-02T06:00"),
        ("2026-02", "UTC", "2026-03-01T00:00"),
        ("2026-12", "UTC", "2027-01-01T00:00"),
        ("2025", "UTC", "2026-01-01T00:00"),
        ("9999", "UTC", None),
        ("yesterday", "UTC", None),
        (None, "UTC", None),
    ],
)
def test_a_bare_date_counts_from_its_end_at_the_site(
    text: str | None, zone: str, expected: str | None
) -> None:
    moment = latest(text, ZoneInfo(zone))
    assert moment == (datetime.fromisoformat(f"{expected}+00:00") if expected else None)


A, B = "2026-03-01T08:00:00Z", "2026-03-01T10:00:00Z"
SINCE = [
    ("Observation", {"issued": A, "effectiveDateTime": "2026-03-01T07:00:00Z"}),
    ("Observation", {"effectiveDateTime": A}),
    ("Observation", {"effectiveInstant": A}),
    ("Observation", {"effectivePeriod": {"start": "2026-03-01T06:00:00Z", "end": A}}),
    ("Observation", {"effectivePeriod": {"start": A}}),
    ("MedicationRequest", {"authoredOn": A}),
    ("ServiceRequest", {"authoredOn": A}),
    ("MedicationAdministration", {"effectivePeriod": {"start": A, "end": B}}),
    ("MedicationAdministration", {"effectiveDateTime": A}),
    ("Condition", {"recordedDate": A, "onsetDateTime": "2020"}),
    ("Condition", {"assertedDate": A}),
    ("Condition", {"onsetDateTime": A}),
    ("Condition", {"onsetPeriod": {"start": A}}),
    ("AllergyIntolerance", {"recordedDate": A}),
    ("Procedure", {"performedPeriod": {"start": A, "end": B}}),
    ("Procedure", {"performedDateTime": A}),
    ("Encounter", {"period": {"start": A, "end": B}}),
]


@pytest.mark.parametrize(("type_", "more"), SINCE)
def test_known_since_its_own_time(type_: str, more: Json) -> None:
    resource = read(type_, **more)
    assert known_since(resource, UTC) == T
    assert stood(resource, -0.001) is None
    assert stood(resource, 0) is not None


@pytest.mark.parametrize("type_", ["Patient", "Medication", "Specimen"])
def test_what_has_no_time_of_its_own_was_ever_known(type_: str) -> None:
    assert at(read(type_), datetime(1800, 1, 1, tzinfo=UTC)) == read(type_)


@pytest.mark.parametrize("type_", ["Observation", "Condition", "Encounter", "Claim"])
def test_what_nobody_can_date_is_never_known(type_: str) -> None:
    assert spells(read(type_), UTC) == ()
    assert stood(read(type_), 1e5) is None


@pytest.mark.parametrize("status", ["completed", "stopped", "cancelled", "on-hold"])
def test_an_order_that_is_over_now_was_active_until_its_stated_end(status: str) -> None:
    ended = order(bounds(boundsPeriod={"end": B}), status=status)
    assert [stood(ended, h).status for h in (0, 1.9, 2)] == ["active", "active", status]  # type: ignore[union-attr]
    assert not end_guessed(ended, UTC)


ENDS = [
    ([bounds(boundsDuration={"value": 2, "unit": "h", "code": "h"})], 2),
    ([bounds(boundsDuration={"value": 90, "unit": "min"})], 1.5),
    (
        [bounds(boundsPeriod={"start": B}, boundsDuration={"value": 1, "code": "h"})],
        3,
    ),
    ([bounds(boundsPeriod={"end": B}), bounds(boundsPeriod={"end": A})], 2),
    ([bounds(boundsDuration={"value": 5, "unit": "fortnights"})], 24),
    ([bounds(boundsDuration={"value": "5", "unit": "h"})], 24),
    ([bounds(boundsPeriod={"start": A})], 24),
    ([{"text": "once"}], 24),
    ([], 24),
    ([{"timing": {}}], 24),
    ([bounds(count=1)], 24),
    ([bounds(frequency=2, period=1, periodUnit="d")], 90 * 24),
    ([{"timing": {"code": {"text": "BID"}}}], 90 * 24),
    ([bounds(when=["HS"])], 90 * 24),
    ([bounds(boundsPeriod={"end": B}), bounds(frequency=2)], 90 * 24),
]


@pytest.mark.parametrize(("lines", "hours"), ENDS)
def test_the_end_of_an_order_is_what_it_states_else_a_guess(
    lines: list[Json], hours: float
) -> None:
    ended = order(*lines)
    assert stood(ended, hours - 0.001).status == "active"  # type: ignore[union-attr]
    assert stood(ended, hours).status == "completed"  # type: ignore[union-attr]
    assert end_guessed(ended, UTC) == (hours in (24, 90 * 24))


def test_an_order_that_ended_before_it_was_written_is_over() -> None:
    ended = order(bounds(boundsPeriod={"end": "2026-02-01"}))
    assert spells(ended, UTC) == (spells(ended, UTC)[0],)
    assert stood(ended, 0) == ended


def test_an_order_at_the_end_of_time_breaks_nothing() -> None:
    assert len(spells(order(authoredOn="9999-12-31T00:00:00Z"), UTC)) == 2


@pytest.mark.parametrize("status", ["active", "draft", "entered-in-error", None])
def test_other_orders_stand_as_they_stand_now(status: str | None) -> None:
    current = order(bounds(boundsPeriod={"end": B}), status=status)
    assert stood(current, 0) == stood(current, 1000) == current
    assert not end_guessed(current, UTC)


def test_a_laboratory_order_is_active_for_a_day() -> None:
    asked = read("ServiceRequest", status="completed", authoredOn=A)
    assert [stood(asked, h).status for h in (0, 24)] == ["active", "completed"]  # type: ignore[union-attr]
    assert stood(read("ServiceRequest", status="active", authoredOn=A), 99).status == "active"  # type: ignore[union-attr]


PERIODS = [
    ("MedicationAdministration", "effectivePeriod", "completed"),
    ("Procedure", "performedPeriod", "completed"),
    ("Encounter", "period", "finished"),
]


@pytest.mark.parametrize(("type_", "element", "status"), PERIODS)
def test_what_takes_time_was_in_progress_and_did_not_tell_its_end(
    type_: str, element: str, status: str
) -> None:
    done = read(type_, status=status, **{element: {"start": A, "end": B}})
    during = stood(done, 1)
    assert during is not None
    assert during.status == "in-progress"
    assert getattr(during, element).end is None
    assert getattr(during, element).start == A
    assert stood(done, 2) == done


@pytest.mark.parametrize(("type_", "element", "_"), PERIODS)
def test_what_did_not_happen_was_never_in_progress(type_: str, element: str, _: str) -> None:
    never = read(type_, status="entered-in-error", **{element: {"start": A, "end": B}})
    assert stood(never, 1) == never


@pytest.mark.parametrize(("type_", "element", "status"), PERIODS[:2])
def test_what_has_no_end_stands_as_it_stands_now(type_: str, element: str, status: str) -> None:
    done = read(type_, status=status, **{element: {"start": A}})
    assert stood(done, 1) == done


def test_an_encounter_that_is_finished_nobody_knows_when_goes_on() -> None:
    stay = read("Encounter", status="finished", period={"start": A})
    assert stood(stay, 1000).status == "in-progress"  # type: ignore[union-attr]
    open_ = read("Encounter", status="in-progress", period={"start": A})
    assert stood(open_, 1000) == open_


ABATED: list[tuple[Json, float | None]] = [
    ({"clinicalStatus": {"coding": [{"code": "resolved"}]}, "abatementDateTime": B}, 2),
    ({"abatementPeriod": {"start": A, "end": B}}, 2),
    ({"abatementPeriod": {"start": B}}, 2),
    ({"clinicalStatus": "inactive"}, None),
    ({"abatementString": "last year"}, None),
    ({"abatementBoolean": True}, None),
    ({"abatementAge": {"value": 60}}, None),
    ({"abatementRange": {"low": {"value": 60}}}, None),
    ({"abatementPeriod": {}}, None),
]


@pytest.mark.parametrize(("more", "hours"), ABATED)
def test_a_condition_is_active_until_a_dated_abatement(more: Json, hours: float | None) -> None:
    condition = read("Condition", recordedDate=A, **more)
    before = stood(condition, 1)
    assert before is not None
    assert status_of(before.clinicalStatus) == "active"
    assert before == read("Condition", recordedDate=A, clinicalStatus="active")
    assert stood(condition, hours or 1e5) == (condition if hours else before)


def test_a_condition_recorded_when_it_was_over_was_never_active() -> None:
    past = read("Condition", recordedDate=B, abatementDateTime=A)
    assert stood(past, 5) == past
    current = read("Condition", recordedDate=A, clinicalStatus="active")
    assert stood(current, 5) == current


# --- Evidence.before ----------------------------------------------------------------------------


def result(hours: float, **more: Any) -> Resource:
    value = magnesium(hours=-hours, id=f"mg{hours:g}", **more)
    return msgspec.json.decode(json.dumps(value), type=Resource)


def test_evidence_before_a_time_holds_what_was_known_then() -> None:
    asked = order(bounds(boundsPeriod={"end": B}))
    whole = collect("p1", [result(0), result(2), asked])
    known = whole.before(T + HOUR)
    assert [r.id for r in known.lab("magnesium")] == ["mg0"]
    assert [o.status for o in known.of_type("MedicationRequest")] == ["active"]
    assert whole.before(T + HOUR * 9) == whole


def test_what_could_not_be_read_counts_since_it_came() -> None:
    def uncoded(hours: float) -> Resource:
        return msgspec.structs.replace(result(hours), code=None)

    whole = collect("p1", [uncoded(0), uncoded(2)], unread=[Unread("magnesium", "?", "broken")])
    assert [u.resource for u in whole.before(T + HOUR).unread] == ["Observation/mg0"]
    undated = msgspec.structs.replace(uncoded(0), effectiveDateTime=None)
    assert collect("p1", [undated]).before(T + HOUR).unread == ()
