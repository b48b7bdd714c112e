"""Place: where in a JSON text something stands, as line and column."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(strict=False)
_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class Place:
    """``line`` and ``column`` count from 1, ``offset`` from 0; ``before`` and ``after`` are what
    stands around it on its line, shortened."""

    line: int
    column: int
    offset: int
    before: str
    after: str


def place_at(text: str, offset: int) -> Place:
    """The Place of a character."""
    offset = min(max(offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    before, after = text[start:offset], text[offset:end]
    return Place(
        text.count("\n", 0, offset) + 1,
        offset - start + 1,
        offset,
        ("…" if len(before) > _EXCERPT else "") + before[-_EXCERPT:],
        after[:_EXCERPT] + ("…" if len(after) > _EXCERPT else ""),
    )


def place_of(text: str, pointer: str) -> Place | None:
    """The Place of the value that a JSON pointer names, or of the nearest one around it that is
    there; None when the text is not JSON."""
    try:
        at = _skip(text, 0)
        for part in pointer.split("/")[1:]:
            inner = _child(text, at, part.replace("~1", "/").replace("~0", "~"))
            if inner is None:
                break
            at = inner
    except (ValueError, IndexError, RecursionError):
        return None
    return place_at(text, at)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _child(text: str, at: int, part: str) -> int | None:
    """Where the value under a key or an index begins."""
    if text[at] not in "{[":
        return None
    keyed, index = text[at] == "{", 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        key = str(index)
        if keyed:
            key, at = scanstring(text, at + 1, False)
            at = _skip(text, _skip(text, at) + 1)
        if key == part:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1
    return None
