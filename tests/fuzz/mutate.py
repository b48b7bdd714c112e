"""Mutants: requests with one thing broken, as networks, converters and tired people break them.

A mutant loses or garbles something; it never says something else that is as plausible (a level
of 2.0 in place of 1.1), because that is another patient and not a fault.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]

TEXTS = (
    "",
    " ",
    "?",
    "NaN",
    "null",
    "-",
    "ÿ́\u202e\u0007",
    "<script>alert(1)</script>",
    "{{context.patientId}}",
    "x" * 5000,
    "1,1",
    "2026-13-45",
    "\ud800",
)
NUMBERS = (-1, 1e308, -1e-308, 10**40, True)
OTHERS = (None, [], {}, "?", 7, [[]], [None], {"": ""}, {"value": None})


@dataclass(frozen=True)
class Mutant:
    """``what`` was done ``at`` a path; ``body`` is what is sent."""

    what: str
    at: Path
    body: bytes


def nodes(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path in a JSON value but the root."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, child in inner:
        yield (*path, key)
        yield from nodes(child, (*path, key))


def mutants(request: Json, random: Random) -> Iterator[Mutant]:
    """Mutants of a request, without end."""
    paths = list(nodes(request))
    # A laboratory Bundle has more nodes than all the rest: by the first parts of the path, so
    # that each corner is broken as often.
    corners: dict[Path, list[Path]] = {}
    for path in paths:
        corners.setdefault(path[:2], []).append(path)
    names = sorted(corners, key=str)
    while True:
        if random.random() < 0.05:
            yield garbled(request, random)
            continue
        path = random.choice(corners[random.choice(names)])
        yield mutant(request, path, random)


def mutant(request: Json, path: Path, random: Random) -> Mutant:
    new = copy.deepcopy(request)
    parent: Any = new
    for part in path[:-1]:
        parent = parent[part]
    last, old = path[-1], parent[path[-1]]
    what = random.choice(["drop", "null", "other", "garble", "wrap", "twice", "extend"])
    if what == "drop" and isinstance(parent, dict):
        del parent[last]
    elif what == "other":
        parent[last] = random.choice([o for o in OTHERS if type(o) is not type(old)])
    elif what == "garble" and isinstance(old, str):
        parent[last] = random.choice(TEXTS)
    elif what == "garble" and isinstance(old, (int, float)) and not isinstance(old, bool):
        parent[last] = random.choice(NUMBERS)
    elif what == "wrap":
        parent[last] = random.choice(
            [[old], {"resource": old}, {"response": {"status": "200"}, "resource": old}]
        )
    elif what == "twice" and isinstance(parent, list):
        parent.insert(int(last), copy.deepcopy(old))
    elif what == "extend" and isinstance(old, dict):
        old["modifierExtension"] = [{"url": "urn:x:not", "valueBoolean": True}]
    else:
        what, parent[last] = "null", None
    return Mutant(what, path, json.dumps(new).encode())


def garbled(request: Json, random: Random) -> Mutant:
    """The bytes themselves broken."""
    data = bytearray(json.dumps(request).encode())
    at = random.randrange(len(data))
    what = random.choice(["cut", "flip", "insert", "repeat"])
    if what == "cut":
        del data[at:]
    elif what == "flip":
        data[at] ^= 1 << random.randrange(8)
    elif what == "insert":
        data[at:at] = random.choice([b"\x00", b"\xff", b"[" * 2000, b'"', b"}", b"\xef\xbb\xbf"])
    else:
        data[at:at] = data[at : at + 200]
    return Mutant(what, ("bytes", at), bytes(data))
