"""Magnesium: the deciding result as the rules see it, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from msgspec import Struct

from cards.evidence.results import OtherSpecimen
from cards.protocol import LOW, Band
from cards.units.quantity import magnesium_unit, stated

# Worst first: what a card names as the reason that the value may not be dosed on.
PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "unit-unknown": "its unit is missing or not one this protocol knows",
        "unit-conflict": "its unit contradicts its reference range or its code",
        "newer-unreadable": "a newer result could not be read",
        "indeterminate": "it is only a bound, which does not decide a band",
        "verify": "it is below what is compatible with life: verify",
        "undated": "it has no collection time",
        "stale": "it is too old",
        "preliminary": "it is preliminary",
        "contaminated": "the specimen is noted as contaminated or diluted by an infusion",
        "haemolysed": "the specimen is haemolysed, which raises magnesium",
        "edta": "magnesium, calcium and potassium look like an EDTA tube",
        "not-obtained": "the magnesium query was not answered: a newer result may exist",
    }
)
# The same in a few words, for a card's summary.
HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "unit-unknown": "its unit is missing or not known",
        "unit-conflict": "its unit contradicts its range or code",
        "newer-unreadable": "a newer result could not be read",
        "indeterminate": "only a bound: it decides no band",
        "verify": "not compatible with life: verify",
        "undated": "without a collection time: repeat",
        "stale": "too old to dose on: repeat",
        "preliminary": "preliminary: not dosed on",
        "contaminated": "contaminated specimen: repeat from another site",
        "haemolysed": "haemolysed specimen: repeat",
        "edta": "possibly an EDTA tube: repeat",
        "not-obtained": "the magnesium query was not answered",
    }
)


class Magnesium(Struct, frozen=True, gc=False):
    """The deciding magnesium result.

    ``reported`` and ``unit`` as the laboratory sent them; ``value`` in mg/dL, quantised (None
    when the unit is unknown or contradicted); ``problems`` are keys of PROBLEMS, worst first:
    empty means the value may be dosed on. ``readings`` in mg/dL by each unit that a conflict leaves
    open; empty when that cannot be told.
    """

    reported: str
    unit: str
    value: Decimal | None
    comparator: str | None
    band: Band | None
    collected: datetime | None
    status: str
    source: str
    code: str
    version: str
    problems: tuple[str, ...] = ()
    laboratory_low: Decimal | None = None
    declared: bool = False
    verify_high: bool = False
    assumed_utc: bool = False
    readings: tuple[Decimal, ...] = ()

    @property
    def acts_as(self) -> str | None:
        return self.band.acts_as if self.band else None

    @property
    def usable(self) -> bool:
        return not self.problems and self.band is not None

    @property
    def low(self) -> bool:
        return self.acts_as in LOW

    @property
    def borderline(self) -> bool:
        """Mild by the protocol, not below the laboratory's own low limit."""
        return (
            self.acts_as == "mild"
            and self.laboratory_low is not None
            and self.value is not None
            and self.value >= self.laboratory_low
        )

    def shown(self) -> str:
        """``1.1 mg/dL``, and mg/dL in brackets when reported otherwise."""
        text = f"{self.comparator or ''}{self.reported} {self.unit}".strip()
        if self.value is not None and magnesium_unit(self.unit) != "mg/dL":
            text += f" ({self.comparator or ''}{stated(self.value)} mg/dL)"
        return text


class UnreadResult(Struct, frozen=True, gc=False):
    """A magnesium result that came and could not be read: its text, when it was collected."""

    source: str
    text: str
    collected: datetime | None = None


class MagnesiumReading(Struct, frozen=True, gc=False):
    """The deciding result, and what else was met while looking for it; ``drawn_since`` whether
    the laboratory has a newer one that is not there yet; ``before`` the last one before it that
    could be dosed on, of the days that matter."""

    result: Magnesium | None
    unreadable: tuple[UnreadResult, ...] = ()
    future: tuple[str, ...] = ()
    whole_blood: str | None = None
    other_specimens: tuple[OtherSpecimen, ...] = ()
    drawn_since: bool = False
    before: Magnesium | None = None
