"""Correction: what an intravenous draft becomes of which only the time or the rate is wrong.

The drafted dose stays where it fits, and gets the time it should have; a correction never gives
more than was drafted (ruling 100).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec.structs import replace

from cards.assessment.flags import Flags
from cards.assessment.offers import Offer, read_cap
from cards.assessment.stops import Stops
from cards.chart import Chart
from cards.orders import DraftOrder
from cards.protocol import Option, Protocol
from cards.protocol.regimens import largest_dose

_STEP = Decimal("0.01")  # g: what a pharmacy can measure


def correct(
    draft: DraftOrder,
    chart: Chart,
    flags: Flags,
    stops: Stops,
    protocol: Protocol,
    offers: tuple[Offer, ...],
    infusions: tuple[Offer, ...],
) -> tuple[Offer, ...]:
    """The Offers that correct a draft, the infusion first; () where words must do.

    ``offers`` are section 6's, ``infusions`` those of ruling 83, () when it does not hold.
    """
    if flags.met("life") or flags.met("symp"):
        return not_above(draft, offers)
    result = chart.magnesium.result
    if result is None or not result.usable or not result.low or chart.ambulatory:
        return ()
    if stops.blocks_parenteral or protocol.renal(chart.kidney.id).intravenous == "refuse":
        return ()
    oral = tuple(replace(offer, star=False) for offer in infusions if not offer.parenteral)
    one = _same_dose(draft, chart, protocol, infusions) or _smaller(draft, offers, infusions)
    return (one, *oral) if one is not None else ()


def not_above(draft: DraftOrder, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """The Offers that give no more by a needle than a draft does; all where it cannot be read."""
    if not draft.parenteral or not draft.lines or any(line.unreadable for line in draft.lines):
        return offers
    drafted = draft.at_least_mg() / 1000
    return tuple(
        offer
        for offer in offers
        if not offer.parenteral or drafted == 0 or offer.grams_in_24h <= drafted
    )


def _drafted(draft: DraftOrder) -> Decimal | None:
    """Grams of one dose of a draft with one dosage instruction."""
    if len(draft.lines) != 1 or draft.lines[0].dose is None:
        return None
    return (draft.lines[0].dose / 1000).quantize(_STEP, rounding=ROUND_FLOOR)


def _same_dose(
    draft: DraftOrder, chart: Chart, protocol: Protocol, infusions: tuple[Offer, ...]
) -> Offer | None:
    dose = _drafted(draft)
    like = next((o for o in infusions if o.route == "iv" and o.star), None)
    result = chart.magnesium.result
    if dose is None or dose <= 0 or like is None or result is None:
        return None
    file, kidney = protocol.file, chart.kidney.id
    most = file.limit.single_iv.value
    if result.acts_as == "mild" or protocol.renal(kidney).intravenous == "half":
        most = min(most, largest_dose(file, kidney, result.acts_as))
    left = read_cap(chart, protocol, Decimal(0), suggesting=True).left
    if dose > min(most, left):
        return None
    known = next((o for o in infusions if o.route == "iv" and o.option.dose == dose), None)
    if known is not None:
        return replace(known, option=_alone(known), star=like.star)
    hours = dose / file.limit.routine_rate.value
    minutes = int((hours * 60).to_integral_value(rounding=ROUND_CEILING))
    option = _alone(like).model_copy(update={"dose": dose, "minutes": minutes})
    return replace(like, option=option)


def _smaller(
    draft: DraftOrder, offers: tuple[Offer, ...], infusions: tuple[Offer, ...]
) -> Offer | None:
    """The starred infusion of section 6, else its largest, else that of ruling 83: the first that
    is not above the draft."""
    dose = _drafted(draft)
    if dose is None:
        return None
    ranked = sorted(
        (o for o in offers if o.route == "iv"), key=lambda o: (not o.star, -o.option.dose)
    )
    ranked += [o for o in infusions if o.route == "iv" and o.star]
    found = next((o for o in ranked if o.option.dose <= dose), None)
    star = any(o.star for o in infusions if o.route == "iv")
    return None if found is None else replace(found, option=_alone(found), star=star)


def _alone(offer: Offer) -> Option:
    return offer.option.model_copy(update={"then_dose": None, "then_minutes": None})
