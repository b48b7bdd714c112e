"""TriggerContext: what the triggers need of the patient and of the call."""

from __future__ import annotations

from msgspec import Struct

from cards.assessment.flags import Flags
from cards.assessment.state import refusal_indicator
from cards.assessment.stops import Stops
from cards.chart import Chart
from cards.codes import Drug
from cards.orders import DraftOrder
from cards.phrase import record
from cards.protocol import Indicator, Protocol


class TriggerContext(Struct, frozen=True, gc=False):
    """What the triggers need: the patient, and the drafts of the call."""

    chart: Chart
    flags: Flags
    stops: Stops
    protocol: Protocol
    session: tuple[DraftOrder, ...]
    lab_drafts: frozenset[str]
    at_sign: bool

    @property
    def magnesium_drafts(self) -> tuple[DraftOrder, ...]:
        return tuple(d for d in self.session if d.magnesium is not None)

    @property
    def severe(self) -> bool:
        result = self.chart.magnesium.result
        return result is not None and result.usable and result.acts_as == "severe"

    @property
    def pressing(self) -> bool:
        """Severe, symptomatic or life-threatening: magnesium by mouth is no treatment (ruling
        96)."""
        return self.severe or self.flags.met("symp") or self.flags.met("life")

    @property
    def at_risk(self) -> bool:
        return any(self.flags.met(flag) for flag in ("risk", "symp", "life"))

    @property
    def low_potassium(self) -> bool:
        k = self.chart.potassium
        return k is not None and k.below(self.protocol.file.limit.potassium_low.value)

    @property
    def infused(self) -> bool:
        """Parenteral magnesium runs, was given since the result, or is drafted and not PRN: an
        order as needed is no treatment until somebody gives it (rulings 96, 111, 151)."""
        medicines = self.chart.medicines
        result = self.chart.magnesium.result
        collected = result.collected if result else None
        return bool(
            medicines.running_parenteral
            or medicines.given_since(collected, parenteral=True)
            or any(d.route != "po" and not d.as_needed for d in self.magnesium_drafts)
        )

    @property
    def replaced(self) -> bool:
        """Magnesium is being replaced, in any way that treats this level."""
        if self.infused or self.pressing:
            return self.infused
        if self.stops.met("accepted"):
            return True  # taken as placed (ruling 149)
        medicines = self.chart.medicines
        result = self.chart.magnesium.result
        given = medicines.given_since(result.collected if result else None)
        return bool(self.magnesium_drafts or medicines.running_oral or given)

    def scoped(self, indicator: Indicator) -> Indicator:
        """Out of scope by age: no more than H1 allows (ruling 121)."""
        result = self.chart.magnesium.result
        assert result is not None  # noqa: S101 - the caller has one
        if not self.stops.met("H1"):
            return indicator
        allowed = refusal_indicator(indicator, result, self.flags, self.stops, self.protocol)
        return min(indicator, allowed, key=("info", "warning", "critical").index)


def label(draft: DraftOrder, drug: Drug) -> str:
    return record(draft.label or drug.name, 50)
