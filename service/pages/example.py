"""Example: a request that ships with Repletion, for the workbench."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from service.cdshooks.request import SERVICES

# In an installed package the build has put them beside this file (pyproject.toml); in a checkout
# they are the fixtures themselves.
_PLACES = (Path(__file__).parent / "examples", Path(__file__).parents[2] / "fixtures/hooks")
FIRST = "potassium-with-low-magnesium"


class _Head(msgspec.Struct):
    about: str
    service: str


@dataclass(frozen=True, slots=True)
class Example:
    """``name`` is the file's; ``title`` one sentence; ``text`` the fixture."""

    name: str
    hook: str
    title: str
    text: str


@cache
def examples() -> dict[str, Example]:
    """The examples by name, FIRST first; empty when they were not installed."""
    folder = next((place for place in _PLACES if place.is_dir()), None)
    found: dict[str, Example] = {}
    for file in sorted(folder.glob("*.json")) if folder else ():
        text = file.read_text(encoding="utf-8")
        head = msgspec.json.decode(text, type=_Head)
        found[file.stem] = Example(file.stem, SERVICES[head.service], head.about, text)
    first = {FIRST: found[FIRST]} if FIRST in found else {}
    return first | found
