"""cards.fhir.instant: the span of time a date stands for, and ages from partial birth dates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cards.fhir.instant import Instant, age_span, read_instant

TODAY = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026", "2026-01-01T00:00:00+00:00"),
        ("2026-03", "2026-03-01T00:00:00+00:00"),
        (" 2026-03-14 ", "2026-03-14T00:00:00+00:00"),
    ],
)
def test_a_partial_time_begins_at_its_earliest_moment(text: str, start: str) -> None:
    found = read_instant(text)
    assert found is not None
    assert found.start.isoformat() == start
    assert not found.exact


@pytest.mark.parametrize(
    ("text", "start", "assumed"),
    [
        ("2026-03-14T10:00:00Z", "2026-03-14T10:00:00+00:00", False),
        ("2026-03-14T10:00z", "2026-03-14T10:00:00+00:00", False),
        ("2026-03-14T10:00:00.250+02:00", "2026-03-14T08:00:00.250000+00:00", False),
        ("2026-03-14 10:00:00", "2026-03-14T10:00:00+00:00", True),
    ],
)
def test_a_clock_time_is_read_in_utc(text: str, start: str, assumed: bool) -> None:
    found = read_instant(text)
    assert found is not None
    assert found.start.isoformat() == start
    assert (found.exact, found.assumed_utc) == (True, assumed)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "2026-W11-6",  # Python reads it, FHIR does not have it
        "2026-03-14T10",
        "20260314T100000Z",
        "2026-02-30",
        "0000",
        "2026-03-14T25:00:00Z",
        "2026-03-14T10:00:60Z",
        "0001-01-01T00:00:00+14:00",  # before the first year in UTC
        "9999-12-31T23:59:00-12:00",
    ],
)
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert read_instant(text) is None


def test_an_instant_is_aware() -> None:
    with pytest.raises(ValueError, match="aware"):
        Instant(TODAY.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("birth", "span"),
    [
        ("2008-03-14", (18, 18)),
        ("2008-03-15", (17, 17)),
        ("2008-03", (17, 18)),
        ("2008-12", (17, 17)),
        ("2008", (17, 18)),
        ("2026", (0, 0)),
        ("2026-03-14", (0, 0)),
        ("1906-03-14", (120, 120)),
    ],
)
def test_a_partial_birth_date_gives_youngest_and_oldest(birth: str, span: tuple[int, int]) -> None:
    assert age_span(birth, TODAY) == span


@pytest.mark.parametrize(
    "birth", [None, "", "unknown", "2008-13", "2008-02-30", "0000", "1905-01-01", "2026-04", "2027"]
)
def test_no_age_of_a_birth_date_that_cannot_be(birth: str | None) -> None:
    assert age_span(birth, TODAY) is None
