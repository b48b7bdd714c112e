"""Silence: what is true when there is no card, in words for the workbench."""

from __future__ import annotations

from dataclasses import dataclass

from cards import Decision

_MOMENT = {
    "patient-view": "on opening the chart",
    "order-select": "while this order is chosen",
    "order-sign": "at signing",
}


@dataclass(frozen=True, slots=True)
class Silence:
    """``calm`` only where the deciding level is normal: else silence is no good news."""

    words: str
    calm: bool = False


def silence(decision: Decision, hook: str) -> Silence:
    """Why no card is shown. A level that is not normal is named, whatever the order at hand."""
    if decision.hushed:
        return Silence("What was found is quiet, because it was answered.")
    result = decision.chart.magnesium.result
    moment = _MOMENT[hook]
    if result is None:
        return Silence(f"No usable magnesium result is known, and nothing said {moment} needs one.")
    band = result.band
    level = f"Magnesium is {result.shown()}" + (f" ({band.name})" if band else "")
    if band is not None and band.acts_as == "normal" and result.usable:
        return Silence(f"{level}: nothing to say {moment}.", calm=True)
    for stop in decision.assessment.stops.holding:
        if stop.id == "accepted":  # taken as placed (ruling 149)
            return Silence(f"{level}, and a suggestion was {stop.finding.says}")
    if hook == "order-select":
        return Silence(
            f"{level}. The order that is chosen is none for which that matters. The level itself"
            " is a matter for the chart (patient-view) and for signing (order-sign)."
        )
    return Silence(f"{level}, and no rule has anything to say {moment}: see the findings.")
