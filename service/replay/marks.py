"""Marks: what a pharmacist made of the cards of a sample, counted by rule.

``marks.json`` holds no text of a card, and no reason. Its counts are of single cards, few of a
rule: it stays in the house as the rows do.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from service.replay.errors import ReplayError
from service.replay.folder import PRIVATE, making
from service.replay.report.table import share
from service.replay.sample import CARD, CLOSE, END, HEAD, Head, card_mac, head_mac

Mark = Literal["keep", "drop", "unmarked"]
FORMAT = "repletion-replay-marks/1"
_ENDS = re.compile(rf"{END}(\d+) ([0-9a-f]+){CLOSE}")
_BEGINS = re.compile(rf"{CARD}(\d+) (\S+){CLOSE}")
_HEADS = re.compile(rf"{HEAD}(\{{.*\}}) ([0-9a-f]+){CLOSE}")
_MARK = re.compile(r"[*_\s]*Mark:[*_\s]*(.*?)[*_.\s]*", re.IGNORECASE)
_AGAIN = "Draw the sample again, or take the copy that was not altered."


class Tally(Struct, frozen=True):
    """``kept``: the share of keep among those marked, in per cent with its 95 % interval
    (Wilson); None where none was marked."""

    keep: int
    drop: int
    unmarked: int
    kept: tuple[float, float, float] | None


class OfRule(Struct, frozen=True):
    rule: str
    tally: Tally


class Marks(Struct, frozen=True):
    """What ``marks.json`` holds: ``rules`` by the finding a card leads with, most cards first."""

    format: str
    sample: Head
    all: Tally
    rules: tuple[OfRule, ...]


def count_marks(path: Path, key: bytes, out: Path) -> Marks:
    """Counts the marks in a sample, and writes ``marks.json`` into the folder ``out``.

    Raises ReplayError, for a sample that is not as it was drawn too.
    """
    try:
        text = path.read_text(encoding="utf-8")
        marks = read_marks(text, key)
        out.mkdir(parents=True, exist_ok=True)
        with making(out / "marks.json", PRIVATE) as file:
            file.write(msgspec.json.format(msgspec.json.encode(marks), indent=1) + b"\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path}: {error}") from None
    except ReplayError as error:
        raise ReplayError(f"{path}: {error}") from None
    return marks


def read_marks(text: str, key: bytes) -> Marks:
    """The marks in the text of a sample. Raises ReplayError."""
    lines = text.splitlines()
    found = [match for line in lines if (match := _HEADS.fullmatch(line.strip()))]
    if len(found) != 1:
        raise ReplayError("it is not a sample.md of a replay, or its head was altered. " + _AGAIN)
    cards = list(_cards(lines, key))
    told, mac = found[0].groups()
    if not hmac.compare_digest(mac, head_mac(key, told, (mac for _, _, mac in cards))):
        raise ReplayError(
            "its head was altered, a card is missing, or it was drawn under another"
            " REPLETION_SECRET. " + _AGAIN
        )
    by_rule: dict[str, Counter[Mark]] = {}
    for rule, mark, _ in cards:
        by_rule.setdefault(rule, Counter())[mark] += 1
    rules = sorted(by_rule.items(), key=lambda item: (-item[1].total(), item[0]))
    return Marks(
        FORMAT,
        msgspec.json.decode(told, type=Head),
        _tally(sum((marks for _, marks in rules), Counter[Mark]())),
        tuple(OfRule(rule, _tally(marks)) for rule, marks in rules),
    )


def _cards(lines: list[str], key: bytes) -> Iterator[tuple[str, Mark, str]]:
    """(rule, mark, hash) of each card, in order."""
    at = 0
    while at < len(lines):
        begins = _BEGINS.fullmatch(lines[at].strip())
        at += 1
        if begins is None:
            continue
        number, rule = int(begins[1]), begins[2]
        start = at
        while at < len(lines) and not lines[at].startswith(END):
            at += 1
        ends = _ENDS.fullmatch(lines[at].strip()) if at < len(lines) else None
        mac = card_mac(key, number, rule, lines[start:at])
        if ends is None or int(ends[1]) != number or not hmac.compare_digest(ends[2], mac):
            raise ReplayError(
                f"card {number} was altered, or it was drawn under another REPLETION_SECRET. "
                + _AGAIN
            )
        after = at + 1
        while at < len(lines) and not lines[at].startswith(CARD):
            at += 1
        yield rule, _mark(lines[after:at], number), mac


def _mark(lines: list[str], number: int) -> Mark:
    said = {m[1].casefold() for line in lines if (m := _MARK.fullmatch(line))} - {""}
    if said == {"keep"}:
        return "keep"
    if said == {"drop"}:
        return "drop"
    if said:
        raise ReplayError(f"card {number}: after Mark: stands neither keep nor drop")
    return "unmarked"


def _tally(marks: Counter[Mark]) -> Tally:
    keep, drop = marks["keep"], marks["drop"]
    rate = share(keep, keep + drop)
    kept = (round(rate.value, 1), round(rate.low, 1), round(rate.high, 1)) if rate else None
    return Tally(keep, drop, marks["unmarked"], kept)
