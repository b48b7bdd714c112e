"""Control: what can be moved on the workbench, what the request says before, what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import cards
from cards.units.quantity import places
from service.pages.draft import Draft, number, read_draft

MARK = "what-if"


@dataclass(frozen=True, slots=True)
class Dial:
    """A number that can be moved: the lab it stands for, its unit, range and step."""

    name: str
    label: str
    lab: str
    unit: str
    low: str
    high: str
    step: str
    places: int


DIALS = (
    Dial("mg", "Magnesium", "magnesium", "mg/dL", "0.4", "6", "0.1", 2),
    Dial("gfr", "eGFR", "egfr", "mL/min", "5", "120", "1", 0),
    Dial("weight", "Weight", "weight", "kg", "30", "160", "1", 1),
    Dial("k", "Potassium", "potassium", "mmol/L", "2", "6.5", "0.1", 1),
    Dial("qtc", "QTc", "qtc", "ms", "340", "600", "5", 0),
    Dial("hours", "Magnesium drawn", "magnesium", "h ago", "0", "120", "1", 0),
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A condition or a drug that can be put there or taken away."""

    name: str
    label: str


CONDITIONS = (
    Flag("torsades", "Torsades de pointes now"),
    Flag("seizure", "Seizure now"),
    Flag("tetany", "Tetany (symptomatic)"),
    Flag("acute-coronary-syndrome", "Acute coronary syndrome"),
    Flag("ileus", "Ileus (enteral route out)"),
    Flag("chronic-diarrhea", "Chronic diarrhoea"),
    Flag("av-block-high", "High-degree heart block"),
    Flag("myasthenia", "Myasthenia gravis"),
    Flag("pregnancy", "Pregnancy"),
    Flag("aki", "Acute kidney injury"),
    Flag("dialysis", "Dialysis"),
)
DRUG_FLAGS = (
    Flag("digoxin", "Digoxin, active"),
    Flag("infusion", "Magnesium infusion running"),
)
FLAGS = CONDITIONS + DRUG_FLAGS
SETTINGS = (("", "as recorded"), ("IMP", "inpatient"), ("AMB", "outpatient"))


@dataclass(frozen=True, slots=True)
class Base:
    """What the request says before anything is moved: ``values`` by dial, None where it says
    nothing; the flags that are on; the deciding magnesium result's reference."""

    values: Mapping[str, Decimal | None]
    flags: frozenset[str]
    result: str | None
    collected: datetime | None


def read_base(decision: cards.Decision) -> Base:
    """The Base of the decision on the request as it came."""
    chart = decision.chart
    result = chart.magnesium.result
    collected = result.collected if result is not None else None
    hours = None
    if collected is not None:
        hours = Decimal(max(0, int((chart.now - collected).total_seconds() // 3600)))
    values = {
        "mg": result.value if result is not None else None,
        "gfr": chart.kidney.gfr,
        "weight": chart.weight.value if chart.weight else None,
        "k": chart.potassium.value if chart.potassium else None,
        "qtc": chart.qtc.value if chart.qtc else None,
        "hours": hours,
    }
    facts = chart.conditions.facts
    flags = {
        flag.name
        for flag in CONDITIONS
        if any(fact.active or fact.current for fact in facts.get(flag.name, ()))
    }
    if chart.pregnant:
        flags.add("pregnancy")
    if chart.medicines.active("digoxin"):
        flags.add("digoxin")
    if chart.medicines.running_parenteral or any(
        g.resource.status == "in-progress" for g in chart.medicines.magnesium_given
    ):
        flags.add("infusion")
    rounded = {d.name: _rounded(values[d.name], d) for d in DIALS}
    return Base(rounded, frozenset(flags), result.source if result else None, collected)


def _rounded(value: Decimal | None, dial: Dial) -> Decimal | None:
    return None if value is None else Decimal(places(value, dial.places))


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What the controls ask for: only what differs from the Base."""

    values: Mapping[str, Decimal] = field(default_factory=dict)
    added: tuple[Flag, ...] = ()
    removed: tuple[Flag, ...] = ()
    setting: str = ""
    draft: Draft | None = None

    def __bool__(self) -> bool:
        return bool(self.values or self.added or self.removed or self.setting or self.draft)


def read_whatif(values: Mapping[str, str], flags: frozenset[str], base: Base) -> WhatIf:
    """The WhatIf of the form's fields. A field that was left as it was, is empty or holds no
    number changes nothing."""
    moved = {
        dial.name: value
        for dial in DIALS
        if (value := number(values.get(dial.name))) is not None
        and value != _before(dial, values, base)
    }
    setting = values.get("setting", "")
    return WhatIf(
        moved,
        tuple(f for f in FLAGS if f.name in flags - base.flags),
        tuple(f for f in FLAGS if f.name in base.flags - flags),
        setting if setting in ("IMP", "AMB") else "",
        read_draft(values),
    )


def _before(dial: Dial, values: Mapping[str, str], base: Base) -> Decimal | None:
    """What the field showed when the page was made: hours go by while it is looked at."""
    shown = number(values.get(f"was-{dial.name}"))
    return base.values[dial.name] if shown is None else shown


def dials(base: Base, values: Mapping[str, str], moved: WhatIf) -> Iterator[tuple[Dial, str, bool]]:
    """(dial, what its field shows, whether it was moved)"""
    for dial in DIALS:
        before = base.values[dial.name]
        shown = moved.values.get(dial.name, before)
        yield dial, "" if shown is None else f"{shown}", dial.name in moved.values
