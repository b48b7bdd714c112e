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
from cards.protocol import Option, Product, Protocol, Regimen
from cards.protocol.doses import Dose, doses
from cards.protocol.regimens import (
    Patient,
    Room,
    cap,
    decided,
    grams,
    open_options,
    then_alone,
)
from cards.units.quantity import places

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
        return grams(self.option)

    def doses(self, bound: int | None = None) -> tuple[Dose, ...]:
        """One dose, or the first and the second infusion; ``bound`` days of an oral order."""
        return doses(self.product, self.option, bound)

    def then_alone(self) -> Offer | None:
        """The second infusion of this offer by itself; None when there is none."""
        second = then_alone(self.option)
        return None if second is None else replace(self, option=second)

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
        if line.unread_timing or line.flow is not None:
            return False  # nobody can tell how much that is in a day
        if self.route == "iv":
            # Not shorter than the regimen's time by any stated time or rate.
            rate = self.dose_mg / Decimal(self.option.minutes or 1) + _HAIR
            slow = bool(line.rates) and max(line.rates) <= rate
            return line.single and slow
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
    weight = chart.weight.value if chart.weight else None
    limit = cap(protocol.file, chart.kidney.id, weight, suggesting=suggesting)
    row = protocol.renal(chart.kidney.id)
    by_weight = weight is not None and limit < row.cap_g
    # What nobody recorded of a repeating order that ended does not count here: a dose that is
    # suggested beside it is bounded by itself (ruling 118).
    given = chart.medicines.grams_given(_DAY, repeated=not suggesting)
    return Cap(limit, given, session, by_weight, weight is None)


def read_patient(chart: Chart, flags: frozenset[str], renal: str | None = None) -> Patient:
    """The patient as rows of the protocol see one, in the own renal class or another."""
    result = chart.magnesium.result
    band = result.band if result else None
    return Patient(
        band.name if band else None,
        band.acts_as if band else None,
        chart.setting,
        renal or chart.kidney.id,
        flags,
        chart.weight.value if chart.weight else None,
    )


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
    file = protocol.file
    patient = read_patient(chart, flags)
    left = read_cap(chart, protocol, session, suggesting=True).left
    if chart.medicines.due_since(chart.now - _DAY):
        halved = protocol.renal(chart.kidney.id).intravenous == "half"
        most = file.limit.after_due_reduced if halved else file.limit.after_due
        left = min(left, most.value)
    room = Room(
        left,
        exempt="life" in flags and not chart.medicines.emergency_spent(protocol),
        parenteral=not stops.blocks_parenteral,
    )
    found = decided(file, patient, lambda row, seen: open_options(file, row, seen, room))
    if found.row is None:
        return ()
    regimen = found.row
    return tuple(
        Offer(regimen, option, file.product[option.product], option.star)
        for option in found.options
        if not _allergic(chart, file.product[option.product])
    )


def _allergic(chart: Chart, product: Product) -> bool:
    return any(allergy.takes(product.salt, product.route) for allergy in chart.allergies)


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
