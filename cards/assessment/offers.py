"""Offer: a regimen that is open to this patient now (protocol section 6).

The first row of the regimen table that holds decides; what a stop, the setting or the 24 h cap
forbids is left out, never replaced by something else.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from cards.assessment.flags import Flags
from cards.assessment.stops import Stops
from cards.chart import Chart
from cards.orders import DraftOrder
from cards.protocol import Option, Product, Protocol, Regimen, When
from cards.quantity import places

_DAY = timedelta(hours=24)
_HAIR = Decimal("1e-9")


class Offer(Struct, frozen=True, gc=False):
    """One option of a regimen, open to the patient; ``star`` marks the recommended one."""

    regimen: Regimen
    option: Option
    product: Product
    star: bool

    @property
    def route(self) -> str:
        return self.product.route

    @property
    def parenteral(self) -> bool:
        return self.product.route in ("iv", "im")

    @property
    def dose_mg(self) -> Decimal:
        """Milligrams of salt (or of labelled product) of one dose."""
        dose = self.option.dose
        return dose * 1000 if self.product.dose_unit == "g" else dose

    @property
    def grams_in_24h(self) -> Decimal:
        """Grams of all doses of 24 h of a parenteral option."""
        option = self.option
        return option.dose * (option.count or 1) + (option.then_dose or 0)

    @property
    def daily_mmol(self) -> Decimal:
        """Millimoles of magnesium a day of an oral option."""
        return self.product.mmol(self.dose_mg * (self.option.per_day or 1))

    def first_alone(self) -> Offer:
        """This offer without its second infusion."""
        option = self.option.model_copy(update={"then_dose": None, "then_minutes": None})
        return replace(self, option=option)

    def then_alone(self) -> Offer | None:
        """The second infusion of this offer by itself; None when there is none."""
        dose, minutes = self.option.then_dose, self.option.then_minutes
        if dose is None:
            return None
        second = {"dose": dose, "minutes": minutes, "then_dose": None, "then_minutes": None}
        return replace(self, option=self.option.model_copy(update=second))

    def both_steps(self, one: DraftOrder, other: DraftOrder) -> bool:
        """Whether two drafts are the first and the second infusion of this offer, also when the
        cap left room for the first alone."""
        for option in self.regimen.offer:
            whole = replace(self, option=option)
            then = whole.then_alone() if option.product == self.option.product else None
            if then is not None and (
                (whole._same_first(one) and then.same_as(other))
                or (whole._same_first(other) and then.same_as(one))
            ):
                return True
        return False

    def same_as(self, draft: DraftOrder) -> bool:
        """Whether a draft is this offer, or its second infusion: same salt, route, dose and
        daily number, and a time not shorter (ruling 53)."""
        then = self.then_alone()
        return self._same_first(draft) or (then is not None and then.same_as(draft))

    def _same_first(self, draft: DraftOrder) -> bool:
        drug = draft.magnesium
        if drug is None or drug.salt != self.product.salt or draft.route != self.route:
            return False
        if len(draft.lines) != 1:
            return False
        line = draft.lines[0]
        if line.dose != self.dose_mg or line.push or line.unreadable:
            return False
        if self.route == "iv":
            # Not shorter than the regimen's time by any stated time or rate.
            rate = self.dose_mg / Decimal(self.option.minutes or 1) + _HAIR
            slow = bool(line.rates) and max(line.rates) <= rate
            return line.doses_in_24h() == 1 and slow
        if self.route == "im":
            return line.doses_in_24h() == (self.option.count or 1)
        return line.doses_in_24h() == (self.option.per_day or 1)


class Cap(Struct, frozen=True, gc=False):
    """The 24 h limit of parenteral magnesium in grams and what of it is left.

    ``left`` is 0 when an amount given cannot be read.
    """

    limit: Decimal
    given: Decimal | None
    session: Decimal
    by_weight: bool
    weight_unknown: bool

    @property
    def shown(self) -> str:
        """``8 g``; what is computed from the weight to a tenth of a gram."""
        return f"{places(self.limit, 1 if self.by_weight else 3)} g"

    @property
    def left(self) -> Decimal:
        if self.given is None:
            return Decimal(0)
        return max(self.limit - self.given - self.session, Decimal(0))


def read_cap(chart: Chart, protocol: Protocol, session: Decimal, *, suggesting: bool) -> Cap:
    """The Cap; ``suggesting`` applies the 2 g of an unknown weight, which a drafted order is
    not measured against (ruling 6)."""
    row = protocol.renal(chart.kidney.id)
    limit = row.cap_g
    weight = chart.weight.value if chart.weight else None
    by_weight = False
    if weight is not None and row.cap_g_per_kg is not None:
        by_weight = row.cap_g_per_kg * weight < limit
        limit = min(limit, row.cap_g_per_kg * weight)
    unknown = weight is None and not protocol.relaxed("weight-unknown")
    if unknown and suggesting:
        limit = min(limit, protocol.file.limit.unknown_weight_iv.value)
    return Cap(limit, chart.medicines.grams_given(_DAY), session, by_weight, weight is None)


def read_offers(
    chart: Chart,
    flags: frozenset[str],
    stops: Stops,
    protocol: Protocol,
    session: Decimal = Decimal(0),
) -> tuple[Offer, ...]:
    """The Offers open to the patient; ``session`` grams are in other drafts of the call."""
    result = chart.magnesium.result
    if result is None or not result.usable or stops.blocks_all:
        return ()
    if chart.medicines.oral_before(result.collected) and (
        protocol.renal(chart.kidney.id).oral == "reduced"
    ):
        flags = flags | {"oral-first-step"}
    cap = read_cap(chart, protocol, session, suggesting=True)
    for regimen in protocol.file.regimen:
        if not _holds(regimen.when, chart, flags):
            continue
        offers = _open(regimen, chart, flags, stops, protocol, cap)
        starred = any(option.star for option in regimen.offer)
        if regimen.else_next and starred and not any(offer.star for offer in offers):
            continue
        return offers
    return ()


def _open(
    regimen: Regimen,
    chart: Chart,
    flags: frozenset[str],
    stops: Stops,
    protocol: Protocol,
    cap: Cap,
) -> tuple[Offer, ...]:
    exempt = "life" in regimen.when.flags and not chart.medicines.emergency_spent(protocol)
    found = []
    for option in regimen.offer:
        product = protocol.file.product[option.product]
        offer = Offer(regimen, option, product, option.star)
        if not _holds(option.when, chart, flags):
            continue
        if offer.parenteral and (stops.blocks_parenteral or chart.ambulatory):
            continue
        if offer.parenteral and not exempt and offer.grams_in_24h > cap.left:
            offer = offer.first_alone()
            if offer.grams_in_24h > cap.left:
                continue
        found.append(offer)
    return tuple(found)


def _holds(when: When, chart: Chart, flags: frozenset[str]) -> bool:
    result = chart.magnesium.result
    band = result.band if result else None
    if when.classes and (band is None or band.acts_as not in when.classes):
        return False
    if when.bands and (band is None or band.name not in when.bands):
        return False
    if not set(when.flags) <= flags or set(when.without) & flags:
        return False
    if when.settings and chart.setting not in when.settings:
        return False
    if when.renal and chart.kidney.id not in when.renal:
        return False
    weight = chart.weight.value if chart.weight else None
    if when.weight_from is not None and (weight is None or weight < when.weight_from):
        return False
    return when.weight_to is None or (weight is not None and weight <= when.weight_to)


def read_infusion_offers(
    chart: Chart, flags: Flags, stops: Stops, protocol: Protocol, session: Decimal
) -> tuple[Offer, ...]:
    """For a draft that must be slowed although section 6 offers no infusion: the infusion a
    patient without an enteral route gets, starred, and the oral options unstarred (ruling 83)."""
    plan_flags = flags.plan_flags()
    offers = read_offers(chart, plan_flags, stops, protocol, session)
    if any(offer.route == "iv" for offer in offers):
        return offers
    result = chart.magnesium.result
    halved = protocol.renal(chart.kidney.id).intravenous == "half"
    if result is None or (halved and result.acts_as != "moderate"):
        return offers
    infusion = read_offers(chart, plan_flags | {"noent"}, stops, protocol, session)
    starred = tuple(offer for offer in infusion if offer.star and offer.route == "iv")
    if not starred:
        return offers
    rest = tuple(Offer(o.regimen, o.option, o.product, False) for o in offers)
    return (*starred, *rest)
