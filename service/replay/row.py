"""Row: the shapes of what a replay writes.

In the folder of `--out`:

| file | holds | order |
|---|---|---|
| `run.json` | one `Run`: what was asked and what was read | |
| `decisions.parquet` | one `Decided` a row, as `decisions.md` says | patient, time, hook (HOOKS), trigger |
| `patients.ndjson` | one `Walked` a line, also for patients without a decision | patient |
| `rejected.ndjson` | one `Rejected` a line: input that could not be used, whole | file, line |
| `sample.md` | some cards, whole, to be marked (sample.py): **patient data** | chance |

The report is written from these files alone, by `service.replay.report.write(folder)`: it makes
`summary.json` and `report.html` beside them, and calls no clock, so that both engines and a
resumed run give the same bytes. Lines are compact JSON in UTF-8; Decimals are JSON numbers; an
element that has its default is left out (decode with these types). No id, name or free text of
the record stands in any of them but `rejected.ndjson` and `sample.md`.
"""  # noqa: E501

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

HOOKS = ("patient-view", "order-select", "order-sign")
"""The hooks of one moment in the order they are walked."""
STAGES = ("chart", "assessment", "quiet", "plan", "card")
"""Stages of a decision in order: facts; flags, stops, offers and findings; what is hushed;
indicator, rules and suggestions; the words."""
AFTER_H = 6
"""For how many hours after a suggestion the orders that followed are looked at."""
LOW_H = 72
"""For how many hours after a low result the first magnesium order is waited for."""


class Trigger(Struct, frozen=True, omit_defaults=True):
    """What fired the hook."""

    type: str
    id: str


class Ordered(Struct, frozen=True, omit_defaults=True):
    """An order of an order hook, in our own words."""

    drug: str = ""
    groups: tuple[str, ...] = ()
    magnesium: bool = False
    laxative: bool = False
    route: str | None = None
    as_needed: bool = False
    relevant: bool = True
    resolved: bool = True
    id: str = ""
    told: bool = False


class Level(Struct, frozen=True, omit_defaults=True):
    """The deciding magnesium result of a decision."""

    value: Decimal | None = None
    unit: str = "?"
    comparator: str | None = None
    band: str | None = None
    acts_as: str | None = None
    usable: bool = False
    problems: tuple[str, ...] = ()
    age_h: float | None = None


class Suggestion(Struct, frozen=True, omit_defaults=True):
    """One suggestion of the card."""

    label: str = ""
    regimen: str | None = None
    route: str | None = None
    dose: Decimal | None = None
    unit: str | None = None
    minutes: int | None = None
    recommended: bool = False
    labs: tuple[str, ...] = ()
    removes: int = 0
    updates: bool = False


class Refused(Struct, frozen=True, omit_defaults=True):
    """A stop that forbade a drug which the level asks for."""

    stop: str
    blocks: str
    why: str
    unknown: bool = False


class Missing(Struct, frozen=True, omit_defaults=True):
    """A need of the decision that was not obtained, and why."""

    need: str
    reason: str


class Followed(Struct, frozen=True, omit_defaults=True):
    """A magnesium order written within AFTER_H after a suggestion."""

    hours: float
    route: str | None = None
    salt: str | None = None
    dose: Decimal | None = None
    as_needed: bool = False
    same: bool = False


class Other(Struct, frozen=True, omit_defaults=True):
    """What the protocol of `--against` did with the same call; ``stage`` is one of STAGES."""

    lead: str | None = None
    rules: tuple[str, ...] = ()
    indicator: str | None = None
    suggestions: tuple[Suggestion, ...] = ()
    refusals: tuple[Refused, ...] = ()
    hushed: tuple[str, ...] = ()
    band: str | None = None
    stage: str | None = None
    visible: bool = False


class Decided(Struct, frozen=True, omit_defaults=True):
    """One decision: what each element means is told once, in `decisions.md`.

    ``time`` is UTC, ISO 8601 with Z. Of Decimals the table holds the double.
    """

    patient: str
    time: str
    hour: int
    weekday: int
    hook: str
    trigger: Trigger
    exact: bool = True
    orders: tuple[Ordered, ...] = ()
    setting: str = "inpatient"
    setting_known: bool = False
    renal: str = "RU"
    magnesium: Level | None = None
    lead: str | None = None
    rules: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    indicator: str | None = None
    suggestions: tuple[Suggestion, ...] = ()
    refusals: tuple[Refused, ...] = ()
    gaps: tuple[Missing, ...] = ()
    hushed: tuple[str, ...] = ()
    followed: tuple[Followed, ...] | None = None
    against: Other | None = None


class Low(Struct, frozen=True, omit_defaults=True):
    """A low, usable magnesium result at the time it was known (its patient-view decision).

    ``acts_as`` "severe", "moderate" or "mild"; ``hours`` to the first magnesium order (any
    route) written at or after it, None when none was within LOW_H; ``route`` of that order;
    ``treated`` True when magnesium was already ordered (active) or given since the result's
    collection; ``observed_h`` hours the record goes on after it (at most LOW_H).
    """

    time: str
    value: Decimal
    acts_as: str
    borderline: bool = False
    hours: float | None = None
    route: str | None = None
    treated: bool = False
    observed_h: float = 0


PARTED = "\x1f"
"""Between the parts of ``Walked.unrecognised``."""


class Walked(Struct, frozen=True, omit_defaults=True):
    """One patient.

    ``days`` under observation: the union of the periods of its Encounters where it has any
    with a start (``counted`` "encounters"; an open one ends with the last record), else from
    the first to the last dated record ("records"), at least one hour; 0 and "none" without any
    dated record. ``orders`` medication orders (each an order-select, those of a moment together
    one order-sign), ``magnesium_orders`` of them replacement magnesium; ``magnesium_results``
    results (each a patient-view); ``lows`` see Low, by time.

    ``resources`` read for this patient, by type. ``undated``: by type, not used because nobody
    can tell since when they were known. ``unread``: by type, broken in their types.
    ``conflicts``: by type, the same id with different content known at the same time.
    ``unrecognised``: kind, system, code and unit as sent, PARTED, of what is not known here:
    results as often as they came, anything else once; ``lost_magnesium`` of these results that are
    a magnesium by their name.
    ``guessed_ends``: orders that are over now, whose end the record does not tell.
    ``patient_missing``: no Patient resource came with that id: nothing is decided. ``failed``:
    a fault of ours, what and where; then nothing else is told of the patient.
    """

    patient: str
    days: float = 0
    counted: str = "none"
    orders: int = 0
    magnesium_orders: int = 0
    magnesium_results: int = 0
    decisions: int = 0
    lows: tuple[Low, ...] = ()
    resources: dict[str, int] = {}
    undated: dict[str, int] = {}
    unread: dict[str, int] = {}
    conflicts: dict[str, int] = {}
    unrecognised: dict[str, int] = {}
    lost_magnesium: int = 0
    guessed_ends: int = 0
    patient_missing: bool = False
    failed: str | None = None


class Rejected(Struct, frozen=True, omit_defaults=True):
    """One input line (or Parquet row) that could not be used.

    ``file`` as given or found; ``line`` 1-based; ``reason`` in words; ``text`` the whole
    line, or where it is not UTF-8 ``base64`` of it.
    """

    file: str
    line: int
    reason: str
    text: str | None = None
    base64: str | None = None


class Profile(Struct, frozen=True, omit_defaults=True):
    """A protocol that was replayed. ``rules``: the title of each of its rules, by id."""

    name: str
    version: str
    title: str
    hash: str
    rules: dict[str, str] = {}


class Source(Struct, frozen=True, omit_defaults=True):
    """One input file: ``name`` as given or found, ``lines`` in it (rows of Parquet)."""

    name: str
    bytes: int
    lines: int


class Run(Struct, frozen=True, omit_defaults=True):
    """What was asked, and what was read: all the report needs to know of the run.

    ``hooks`` walked; ``answers`` how cards count as answered ("record", "none", "overridden");
    ``held`` resource types of the input with their numbers; ``assumed_none`` types taken as empty;
    ``setting`` assumed where no Encounter tells ("" for none); ``alone``: each order was signed by
    itself; ``timezone`` of the site; ``rejected`` lines by reason; ``unused`` resources of types
    the logic does not read, by type; ``failed`` patients that could not be walked through a fault
    of ours.
    """

    software: str
    protocol: Profile
    hooks: tuple[str, ...]
    answers: str
    timezone: str
    min_cell: int
    sources: tuple[Source, ...]
    held: dict[str, int]
    patients: int
    decisions: int
    against: Profile | None = None
    assumed_none: tuple[str, ...] = ()
    setting: str = ""
    alone: bool = False
    rejected: dict[str, int] = {}
    unused: dict[str, int] = {}
    failed: int = 0


_encoder = msgspec.json.Encoder(decimal_format="number")


def line(row: Struct) -> bytes:
    """The row as one line of NDJSON."""
    return _encoder.encode(row) + b"\n"
