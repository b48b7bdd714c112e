"""Bench: everything that the workbench shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cards.protocol import Protocol
from cards.trace import Trace
from service.pages.example import Example
from service.pages.paste import Problem
from service.pages.picture import Picture
from service.pages.workbench.silence import Silence

Json = dict[str, Any]
Switch = tuple[str, str, bool, bool]  # name, label, on, changed


@dataclass(frozen=True, slots=True)
class Control:
    """One dial as the page shows it."""

    name: str
    label: str
    unit: str
    low: str
    high: str
    step: str
    value: str
    before: str
    moved: bool


@dataclass(frozen=True, slots=True)
class Controls:
    dials: tuple[Control, ...]
    conditions: tuple[Switch, ...]
    drugs: tuple[Switch, ...]
    setting: str
    settings: tuple[tuple[str, str], ...]
    ordering: bool
    order: Mapping[str, str]
    hushing: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the client got it, and its number on the page."""

    number: int
    json: Json


@dataclass(frozen=True, slots=True)
class Decided:
    """What the service said to one request, and why. ``status`` is the HTTP status a hook would
    have answered; ``trace`` is None when it refused the request (``problems`` say why),
    ``silence`` when there is a card, too."""

    service: str
    hook: str
    status: int
    ms: float
    sent: str
    given: str
    curl: str
    changes: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    cards: tuple[Card, ...] = ()
    trace: Trace | None = None
    silence: Silence | None = None
    protocol: Protocol | None = None
    now: datetime | None = None
    wide: Picture | None = None
    narrow: Picture | None = None
    hushed: int = 0
    shadow: bool = False
    no_answers: str = ""
    fhir_server: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything the page shows."""

    examples: tuple[Example, ...]
    example: str
    text: str
    hook: str
    profile: str
    profiles: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    problems: tuple[Problem, ...]
    controls: Controls | None
    decided: Decided | None
