"""Paste: what somebody put into the workbench, as a CDS Hooks request.

A request is taken to the byte as it was pasted. A fixture's times are moved to the present, a
patient Bundle is made into a request.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from service.cdshooks.fixture import read_fixture
from service.cdshooks.request import SERVICE_OF_HOOK
from service.pages.bundle import BundleError, request_of
from service.pages.place import Place, place_at, place_of

Json = dict[str, Any]
# Numbers keep their own text: 1.20 stays 1.20 when the request is edited.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_BYTE = re.compile(r"\(byte (\d+)\)")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and where: ``pointer`` into the request, ``place`` in the text as pasted."""

    text: str
    pointer: str | None = None
    place: Place | None = None


class PasteError(Exception):
    """What was pasted is no request; ``problems`` say why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Pasted:
    """``text`` is the request as it is sent when nothing is changed; ``own`` whether that is the
    very text that was pasted, so that places in it can be named."""

    request: Json
    text: str
    own: bool
    remarks: tuple[str, ...] = ()


def read_paste(text: str, hook: str | None, now: datetime) -> Pasted:
    """The Pasted of a text. ``hook`` decides what a Bundle is asked for. Raises PasteError."""
    if not text.strip():
        raise PasteError(Problem("Nothing was pasted: choose an example, or paste a request."))
    content = _decoded(text)
    if not isinstance(content, dict):
        raise PasteError(Problem("Expected a JSON object: a request or a Bundle.", "", _at(text)))
    if {"now", "service", "request"} <= content.keys():
        return _fixture(text, now)
    if content.get("resourceType") == "Bundle":
        try:
            request, remarks = request_of(content, hook)
        except BundleError as error:
            raise PasteError(Problem(str(error), "", _at(text))) from None
        return Pasted(request, written(request), False, remarks)
    if "resourceType" in content:
        where = place_of(text, "/resourceType")
        words = "This is a single resource: paste a CDS Hooks request, or a Bundle with a Patient."
        raise PasteError(Problem(words, "/resourceType", where))
    return Pasted(content, text, True)


def written(request: Json) -> str:
    """A request as the text that is sent, two spaces a level."""
    return msgspec.json.format(_ENCODER.encode(request), indent=2).decode()


def hook_of(request: Json) -> str | None:
    """The hook a request is for, when it is one of ours."""
    hook = request.get("hook")
    return hook if isinstance(hook, str) and hook in SERVICE_OF_HOOK else None


def _fixture(text: str, now: datetime) -> Pasted:
    try:
        fixture = read_fixture(text.encode())
    except (ValueError, TypeError, AttributeError):
        fixture = None
    if fixture is None or not isinstance(fixture.request, dict):
        raise PasteError(Problem("This fixture cannot be read: now, service, request.", "", None))
    request = _DECODER.decode(fixture.body(now))
    return Pasted(request, written(request), False, ("Its times are moved to the present.",))


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise PasteError(Problem("The JSON is nested too deeply.")) from None
    except msgspec.DecodeError as error:
        raise PasteError(_json_problem(text, str(error))) from None


def _json_problem(text: str, reason: str) -> Problem:
    """Python's own parser counts lines; where it sees nothing wrong (NaN), msgspec's byte."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Problem(f"This is not JSON: {error.msg}.", None, place_at(text, error.pos))
    except RecursionError:
        return Problem("The JSON is nested too deeply.")
    byte = _BYTE.search(reason)
    offset = len(text.encode()[: int(byte[1])].decode(errors="replace")) if byte else 0
    words = _BYTE.sub("", reason).strip()
    return Problem(f"This is not JSON: {words}.", None, place_at(text, offset))


def _at(text: str) -> Place:
    return place_at(text, len(text) - len(text.lstrip()))
