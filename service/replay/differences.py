"""Differences: the single decisions at which two protocols part, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from service.replay.row import Decided, Other, Suggestion, Trigger, line

# Rows are compact JSON: every decision that differs at a stage holds these bytes.
_MARK = b'"stage":"'


class Side(Struct, frozen=True, omit_defaults=True):
    """What one protocol did with the call; fields as in row.Decided."""

    lead: str | None = None
    rules: tuple[str, ...] = ()
    indicator: str | None = None
    suggestions: tuple[Suggestion, ...] = ()
    stops: tuple[str, ...] = ()
    hushed: tuple[str, ...] = ()
    band: str | None = None


class Difference(Struct, frozen=True, omit_defaults=True):
    """One decision that differs. ``stage`` is the first of row.STAGES at which it does."""

    patient: str
    time: str
    hook: str
    trigger: Trigger
    stage: str
    visible: bool
    first: Side
    second: Side


def write_differences(parts: Iterable[Path], out: BinaryIO) -> None:
    """Writes the Difference of each line of Decided in ``parts`` that differs, in their order."""
    decoder = msgspec.json.Decoder(Decided)
    for part in parts:
        with part.open("rb") as lines:
            for text in lines:
                if _MARK in text:
                    decided = decoder.decode(text)
                    other = decided.against
                    if other is not None and other.stage is not None:
                        out.write(line(_difference(decided, other, other.stage)))


def _difference(decided: Decided, other: Other, stage: str) -> Difference:
    level = decided.magnesium
    return Difference(
        decided.patient,
        decided.time,
        decided.hook,
        decided.trigger,
        stage,
        other.visible,
        _side(decided, level.band if level else None),
        _side(other, other.band),
    )


def _side(found: Decided | Other, band: str | None) -> Side:
    return Side(
        found.lead,
        found.rules,
        found.indicator,
        found.suggestions,
        tuple(refusal.stop for refusal in found.refusals),
        found.hushed,
        band,
    )
