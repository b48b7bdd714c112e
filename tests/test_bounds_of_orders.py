"""Whatever a record makes long costs what it is long: 100 kB of the worst text of each pattern,
look-back and loop over record text take 20 ms or less, and no cache keeps a long key (design,
rule 15)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from cards.fhir import instant
from cards.fhir.resource import CodeableConcept, Dosage, Timing
from cards.orders import premix, push, spoken
from cards.orders.schedule import read_schedule

LENGTH = 100_000
FOUR_BYTES = "\U0001d7d9"
MILLISECONDS = 20


def repeated(piece: str) -> str:
    return (piece * (LENGTH // len(piece) + 1))[:LENGTH]


def by_text(text: str) -> object:
    return read_schedule(Dosage(text=text))


def by_code(text: str) -> object:
    return read_schedule(Dosage(timing=Timing(code=CodeableConcept(text=text))))


def by_events(text: str) -> object:
    return read_schedule(Dosage(timing=Timing(event=text.split("|"))))


# What is read, how, and the pieces that make its worst text.
ROWS: tuple[tuple[str, Callable[[str], object], tuple[str, ...]], ...] = (
    (
        "a push and its denials",
        push.says_push,
        (
            "no push ",
            "do not give as a push, ",
            "not ",
            "bolu",
            "i.v. ",
            "\u00a0",
            "no a b c d push",
        ),
    ),
    (
        "how often, in prose",
        spoken.read_words,
        ("every ", "q 6 h ", "q", "1-0-", "3 x ", "check every 6 h ", "alle 6 ", "ä", "mon ", "9"),
    ),
    (
        "how often, in a code",
        spoken.read_code,
        ("every ", "q6h x", "prn ", "not prn ", "once ", "1-0-", "twice ", "\u0301", "continu"),
    ),
    ("the timing of a dosage text", by_text, ("repeat ", "every six ", "q6h ")),
    ("the timing of a code's text", by_code, ("every six ", "daily ", "stat ")),
    ("a time", instant.read_instant, ("2026-03-14T10:00:00.", "0", " ")),
    ("events", by_events, ("2026-03-14T10:00:00Z|", "x|", "2026-03-14|")),
    (
        "a known premix",
        premix.premix_strength,
        ("20 g/500 ", "4 g in 100 ml ", "500 mg/", "9", "2 g "),
    ),
)


@pytest.mark.parametrize(
    ("read", "piece"),
    [
        pytest.param(read, piece, id=f"{name}-{number}")
        for name, read, pieces in ROWS
        for number, piece in enumerate(pieces)
    ],
)
def test_the_worst_text_costs_what_it_is_long(read: Callable[[str], object], piece: str) -> None:
    text = repeated(piece)
    spent = []
    for _ in range(5):  # the quickest: a busy machine is no slow pattern
        begun = time.process_time()
        read(text)
        spent.append((time.process_time() - begun) * 1000)
    traced = sys.gettrace() is not None  # coverage counts each line
    assert min(spent) <= MILLISECONDS * (5 if traced else 1)


@pytest.mark.parametrize(
    ("cached", "read"),
    [
        (spoken._known, spoken.read_code),
        (premix._known, premix.premix_strength),
        (instant._read, instant.read_instant),
    ],
)
def test_no_cache_keeps_a_long_key(
    cached: Callable[[str], object], read: Callable[[str], object]
) -> None:
    """256 bytes is 64 characters of any alphabet."""
    info = cached.cache_info  # type: ignore[attr-defined]
    before = info().currsize + info().hits
    read(FOUR_BYTES * 65)
    assert info().currsize + info().hits == before
    read(FOUR_BYTES * 64)
    assert info().currsize + info().hits == before + 1
