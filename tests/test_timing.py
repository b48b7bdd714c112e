"""cards.orders.spoken and schedule: how often, in codes, words and ``Timing.repeat``."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cards.fhir.resource import Dosage
from cards.orders.bounds import read_bounds
from cards.orders.push import says_push
from cards.orders.schedule import read_schedule
from cards.orders.spoken import read_code, read_words
from cards.orders.timing import Continuous, Frequency, NotStated, Once, Timing, Unreadable

WEEK = Decimal(7)


@pytest.mark.parametrize(
    ("said", "times", "days"),
    [
        # codes
        ("BID", 2, 1), ("b.i.d.", 2, 1), ("TID", 3, 1), ("tidac", 3, 1), ("QID", 4, 1),
        ("Q6H", 4, 1), ("q6hr", 4, 1), ("Q 8 hrs", 3, 1), ("q1h", 24, 1), ("QD", 1, 1),
        ("QHS", 1, 1), ("AM", 1, 1), ("HS", 1, 1), ("ac", 3, 1), ("TDS", 3, 1), ("bd", 2, 1),
        ("QOD", 1, 2), ("q2d", 1, 2), ("WK", 1, 7), ("MO", 1, 30), ("Q24H", 1, 1),
        # English
        ("every 6 hours", 4, 1), ("Every six hours", 4, 1), ("q 4-6 h", 6, 1), ("hourly", 24, 1),
        ("6-hourly", 4, 1), ("every 30 minutes", 48, 1), ("twice daily", 2, 1),
        ("once daily", 1, 1), ("Once per day", 1, 1), ("three times a day", 3, 1), ("2/d", 2, 1),
        ("4x/day", 4, 1), ("daily", 1, 1), ("every day", 1, 1), ("every other day", 1, 2),
        ("every 2 weeks", 1, 14), ("once a week", 1, 7), ("twice weekly", 2, 7), ("weekly", 1, 7),
        ("Mon, Wed, Fri", 3, 7), ("every Monday", 1, 7), ("with meals", 3, 1),
        ("before meals and at bedtime", 4, 1), ("every morning", 1, 1), ("am and pm", 2, 1),
        # German, French, Spanish, Portuguese, Italian
        ("alle 6 Stunden", 4, 1), ("6-stündlich", 4, 1), ("12stdl.", 2, 1), ("3x tgl.", 3, 1),
        ("zweimal täglich", 2, 1), ("dreimal am Tag", 3, 1), ("täglich", 1, 1), ("1-0-1", 2, 1),
        ("1-1-1-1", 4, 1), ("jeden zweiten Tag", 1, 2), ("morgens und abends", 2, 1),
        ("toutes les 8 heures", 3, 1), ("trois fois par jour", 3, 1), ("chaque jour", 1, 1),
        ("cada 8 horas", 3, 1), ("2 veces al día", 2, 1), ("de 6 em 6 horas", 4, 1),
        ("8/8 h", 3, 1), ("ogni 12 ore", 2, 1), ("due volte al giorno", 2, 1),
        # Dutch, Swedish, Danish, Polish
        ("om de 6 uur", 4, 1), ("3 dd 1", 3, 1), ("driemaal daags", 3, 1), ("om de dag", 1, 2),
        ("var 6:e timme", 4, 1), ("3 gånger om dagen", 3, 1), ("hver 6. time", 4, 1),
        ("3 gange daglig", 3, 1), ("co 6 godzin", 4, 1), ("dwa razy dziennie", 2, 1),
    ],
)  # fmt: skip
def test_how_often_it_is_said(said: str, times: int, days: int) -> None:
    found = read_code(said).timing
    assert isinstance(found, Frequency)
    assert found.per_day == Decimal(times) / days
    assert found.every == Decimal(1440) * days / times
    assert found.count is None


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("Q6H X4", 4),
        ("q4h (int) x2", 2),
        ("every 4 hours, 4 doses", 4),
        ("q6h for 24 hours", 4),
        ("daily x 3 days", 3),
        ("q6h for 30 min", 1),
        ("every 6 hours x 0", None),
        ("every 6 hours 12.5", None),
    ],
)
def test_how_many_doses_it_is_said(said: str, count: int | None) -> None:
    found = read_code(said).timing
    if count == 1:
        assert found == Once()
    else:
        assert isinstance(found, Frequency)
        assert found.count == count


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("once", Once()), ("One-Time", Once()), ("X1", Once()), ("1x", Once()),
        ("single dose", Once()), ("einmalig", Once()), ("une fois", Once()), ("una vez", Once()),
        ("dosis única", Once()), ("eenmalig", Once()), ("jednorazowo", Once()),
        ("STAT", Once(urgent=True)), ("now", Once(urgent=True)), ("once STAT", Once()),
        ("Continuous", Continuous()), ("CONT", Continuous()), ("kontinuierlich", Continuous()),
        ("Dauerinfusion", Continuous()), ("en continu", Continuous()), ("continua", Continuous()),
    ],
)  # fmt: skip
def test_once_and_without_a_break(said: str, found: Timing) -> None:
    assert read_code(said).timing == found


@pytest.mark.parametrize(
    "said",
    [
        "see instructions", "per protocol", "696544", "biweekly", "once every fortnight", "3 days",
        "24 h", "2026-03-14", "every time the level is low", "0-0-0", "every 0 hours",
        "100 times per minute", "once, repeat as ordered", "2/min", "1/2 h",
    ],
)  # fmt: skip
def test_what_is_not_understood(said: str) -> None:
    found = read_code(said)
    assert (found.timing, found.empty) == (None, False)


def test_a_long_text_is_read_at_its_beginning() -> None:
    assert isinstance(read_code("every 6 hours " + "x" * 3000).timing, Frequency)
    assert read_code("x" * 3000 + " every 6 hours").timing is None
    assert read_words("x " * 3000).again


@pytest.mark.parametrize(
    "said",
    ["PRN", "p.r.n.", "as needed", "bei Bedarf", "si besoin", "al bisogno", "zo nodig",
     "vid behov", "ved behov", "w razie potrzeby", "según necesidad", "se necessario"],
)  # fmt: skip
def test_as_needed_says_nothing_of_how_often(said: str) -> None:
    found = read_code(said)
    assert (found.needed, found.timing, found.empty) == (True, None, True)
    both = read_code(f"q6h {said}")
    assert both.needed
    assert isinstance(both.timing, Frequency)


def schedule(**timing: Any) -> Timing:
    value = {"timing": timing}
    return read_schedule(msgspec.json.decode(json.dumps(value), type=Dosage)).timing


SIX = {"frequency": 1, "period": 6, "periodUnit": "h"}


@pytest.mark.parametrize(
    ("timing", "found"),
    [
        ({"repeat": SIX}, Frequency(Decimal(4), Decimal(360))),
        ({"repeat": SIX | {"periodMax": 4}}, Frequency(Decimal(6), Decimal(240))),
        ({"repeat": {"frequency": 2, "periodUnit": "d"}}, Frequency(Decimal(2), Decimal(720))),
        (
            {"repeat": SIX, "code": {"text": "daily"}},
            Frequency(Decimal(4), Decimal(360)),
        ),
        ({"repeat": SIX, "code": {"text": "once"}}, Frequency(Decimal(4), Decimal(360))),
        ({"repeat": SIX, "code": {"text": "STAT"}}, Frequency(Decimal(4), Decimal(360))),
        (
            {"repeat": {"period": 1, "periodUnit": "d"}, "code": {"text": "STAT"}},
            Frequency(Decimal(1), Decimal(1440)),
        ),
        ({"repeat": {"period": 1, "periodUnit": "d"}, "code": {"text": "once"}}, Once()),
        ({"repeat": SIX, "code": {"text": "continuous"}}, Frequency(Decimal(4), Decimal(360))),
        ({"repeat": {"count": 3}, "code": {"text": "once"}}, NotStated(3)),
        ({"repeat": {"count": 3}, "code": {"text": "q6h"}}, Frequency(Decimal(4), Decimal(360), 3)),
        ({"repeat": {"frequency": 1}}, NotStated()),
        ({"repeat": {"dayOfWeek": ["mon"], "frequency": 2}}, Frequency(Decimal(2), Decimal(5040))),
        ({"repeat": {"dayOfWeek": "tue"}}, Frequency(Decimal(1), Decimal(10080))),
        ({"repeat": {"when": "C"}}, Frequency(Decimal(3), Decimal(480))),
        ({"code": {}}, NotStated()),
        ({"code": {"text": "PRN"}}, NotStated()),
        ({"event": "2026-03-14"}, Once()),
        (
            {"event": ["2026-03-14T00:00:00Z", "2026-03-16T00:00:00Z", "2026-03-18T00:00:00Z"]},
            Frequency(Decimal(1), Decimal(2880), 3),
        ),
    ],
)
def test_what_a_timing_says(timing: Any, found: Timing) -> None:
    assert schedule(**timing) == found


@pytest.mark.parametrize(
    "repeat",
    [
        {"frequency": "4", "period": 1, "periodUnit": "d"},
        {"frequency": 0, "period": 1, "periodUnit": "d"},
        {"frequency": 1000, "period": 1, "periodUnit": "h"},
        {"period": 0, "periodUnit": "h"},
        {"period": 1},
        {"frequency": 3},
    ],
)
def test_what_repeat_does_not_tell(repeat: Any) -> None:
    assert isinstance(schedule(repeat=repeat), Unreadable)


def test_a_count_in_the_text_alone() -> None:
    dosage = Dosage(text="2 g q6h X1")
    assert read_schedule(dosage).timing == Once()


def test_the_high_end_of_bounds_and_their_span() -> None:
    def bounds(repeat: Any) -> Any:
        value = json.dumps({"timing": {"repeat": repeat}})
        return read_bounds(msgspec.json.decode(value, type=Dosage))

    ranged = {"low": {"value": 1, "unit": "d"}, "high": {"value": 2, "unit": "d"}}
    assert bounds({"boundsRange": ranged}).span == 2880
    period = {"start": "2026-03-14T10:00:00Z", "end": "2026-03-14T16:00:00Z"}
    assert bounds({"boundsPeriod": period}).span == 360
    assert bounds({"boundsPeriod": {"start": "2026-03-14"}}).span is None


def test_the_end_of_another_word_is_no_push() -> None:
    assert not says_push("xpush")
    assert says_push("2 g IVpush")
    assert says_push("no push; push")
    assert says_push("not " * 3 + "x y z v IV push")
    assert not says_push("do not give as an IV push")
