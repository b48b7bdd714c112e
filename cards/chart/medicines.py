"""Medicines: what is ordered and what was given, as far as magnesium is concerned.

"Running", "given since the result" and the grams of the last 24 h are decided here once, for
the stops, the cap and the checks alike (protocol section 5; rulings 13, 71, 75, 84, 89, 93).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from cards.evidence import Evidence
from cards.fhir import key_of
from cards.fhir.instant import read_instant
from cards.fhir.resource import Resource, many
from cards.orders import DraftOrder, Given, read_given, read_order
from cards.orders.order import NEVER_RUN
from cards.protocol import Protocol
from cards.units.quantity import SaltMass

_ORDERED = frozenset({"active", "completed", "stopped", "on-hold"})
_NOT_GIVEN = frozenset({"not-done", "entered-in-error"})


def counted(status: str | None) -> bool:
    """Whether an administration of this status may have given something: a status that nobody
    knows is none that says otherwise."""
    return status is not None and status.strip().lower() not in _NOT_GIVEN


class Treatment(Struct, frozen=True, gc=False):
    """Magnesium that counts as given: the resource, its name, and when it ended (or will);
    ``begun`` when it is not known to be over, nor how much of it was given (ruling 155).
    ``ordered`` and ``status`` of an order, of which nobody recorded the time (ruling 128)."""

    reference: str
    label: str
    when: datetime | None
    begun: bool = False
    ordered: datetime | None = None
    status: str = ""


class Coming(Struct, frozen=True, gc=False):
    """Magnesium that is ordered and does not run now, and when its next dose is due."""

    order: DraftOrder
    due: datetime


class Medicines(Struct, frozen=True, dict=True):
    """Orders and administrations; ``one_off`` is how long a one-off parenteral order lasts,
    ``rest`` how far apart the doses of a schedule are that does not run between them;
    ``ended`` the orders that a draft of this call ends; ``revised`` the ids of active orders that
    a draft of this call changes."""

    orders: tuple[DraftOrder, ...]
    given: tuple[Given, ...]
    now: datetime
    one_off: timedelta
    rest: timedelta
    administrations_obtained: bool
    ended: tuple[DraftOrder, ...] = ()
    revised: frozenset[str] = frozenset()

    # -- any drug ------------------------------------------------------------------------
    def active(self, *groups: str) -> tuple[DraftOrder, ...]:
        """Active orders (PRN too) of drugs in any of the groups."""
        return tuple(o for o in self._active if not o.groups.isdisjoint(groups))

    @cached_property
    def _active(self) -> tuple[DraftOrder, ...]:
        """Active orders of drugs that a rule speaks of."""
        return tuple(o for o in self.orders if o.groups and o.active(self.now, self.one_off))

    def revises(self, draft: DraftOrder) -> bool:
        """Whether a draft changes an order that is active."""
        return draft.resource.id in self.revised

    # -- magnesium -----------------------------------------------------------------------
    @cached_property
    def magnesium(self) -> tuple[DraftOrder, ...]:
        return tuple(o for o in self.orders if o.magnesium is not None)

    @cached_property
    def magnesium_given(self) -> tuple[Given, ...]:
        """Administrations of replacement magnesium that took place."""
        return tuple(
            g
            for g in self.given
            if g.identity.find("magnesium") is not None and counted(g.resource.status)
        )

    @cached_property
    def _running(self) -> tuple[DraftOrder, ...]:
        """Magnesium being given, or perhaps: a one-off order is over once it was given."""
        return tuple(
            o
            for o in self.magnesium
            if o.running(self.now, self.one_off, self.rest)
            and not (o.parenteral and o.one_off and self._completed(o))
        )

    @cached_property
    def running_parenteral(self) -> tuple[DraftOrder, ...]:
        """Parenteral magnesium being given."""
        return tuple(o for o in self._running if o.parenteral and o.doubt is None)

    @cached_property
    def may_run(self) -> tuple[DraftOrder, ...]:
        """Magnesium that may run by vein: ordered so often as nobody can tell (ruling 140), a
        sulfate without a route, or of a status that nobody knows."""
        return tuple(o for o in self._running if o.doubt is not None)

    @cached_property
    def running_oral(self) -> tuple[DraftOrder, ...]:
        return tuple(o for o in self._running if not o.parenteral and o.doubt is None)

    @property
    def ended_parenteral(self) -> tuple[DraftOrder, ...]:
        """Parenteral magnesium that a draft of this call ends."""
        return tuple(o for o in self.ended if o.magnesium is not None and o.parenteral)

    @cached_property
    def coming(self) -> tuple[Coming, ...]:
        """Magnesium that begins later, or whose next dose does (ruling 156)."""
        return tuple(
            Coming(o, due)
            for o in self.magnesium
            if o.active(self.now, self.one_off)
            and (due := o.next_due(self.now, self.one_off, self.rest)) is not None
        )

    def as_needed(self) -> tuple[DraftOrder, ...]:
        """PRN and replacement-protocol magnesium orders in force."""
        later = {coming.order.reference for coming in self.coming}
        return tuple(
            o
            for o in self.magnesium
            if o.as_needed and o.active(self.now, self.one_off) and o.reference not in later
        )

    @property
    def needed_parenteral(self) -> tuple[DraftOrder, ...]:
        """Parenteral PRN orders and replacement protocols in force (ruling 111)."""
        return tuple(o for o in self.as_needed() if o.parenteral or o.identity.protocol_order)

    def forbidden(self) -> tuple[DraftOrder, ...]:
        """``doNotPerform`` magnesium that is in force."""
        return tuple(
            o
            for o in self.orders
            if (o.magnesium or o.laxative)
            and o.resource.doNotPerform
            and o.resource.status == "active"
        )

    def sources(self) -> tuple[DraftOrder, ...]:
        """Every active magnesium order, laxatives and antacids too."""
        return tuple(o for o in self._active if o.magnesium or o.laxative)

    @cached_property
    def carriers(self) -> tuple[DraftOrder, ...]:
        """Fluids and mixtures with magnesium that run (ruling 150): a source, and no order."""
        return tuple(o for o in self._active if o.identity.carrier and not o.as_needed)

    @property
    def nutrition(self) -> DraftOrder | None:
        """Parenteral nutrition that runs (ruling 110)."""
        return next(
            (
                o
                for o in self.carriers
                if o.identity.carrier is not None and "nutrition" in o.identity.carrier.name
            ),
            None,
        )

    def unsure(self, collected: datetime | None) -> tuple[DraftOrder | Given, ...]:
        """What may be magnesium for all that is known, current or since the result: of an order
        or administration by any route; the caller asks which (ruling 137)."""
        return (
            *(o for o in self.orders if o.unsure and self._concerns(o, collected)),
            *(
                g
                for g in self.given
                if g.unsure
                and counted(g.resource.status)
                and (
                    collected is None
                    or g.moment is None
                    or g.moment > collected
                    or g.resource.status == "in-progress"
                )
            ),
        )

    def _concerns(self, order: DraftOrder, collected: datetime | None) -> bool:
        since = collected is not None and order.start is not None and order.start > collected
        return order.active(self.now, self.one_off) or (since and self._over(order))

    def oral_before(self, collected: datetime | None) -> tuple[DraftOrder, ...]:
        """Oral magnesium running since before the result: the level stayed low on it."""
        return tuple(
            o
            for o in self.running_oral
            if collected is None or o.start is None or o.start <= collected
        )

    def oral_since(self, collected: datetime | None) -> tuple[DraftOrder, ...]:
        before = self.oral_before(collected)
        return tuple(o for o in self.running_oral if o not in before)

    def given_since(
        self, collected: datetime | None, *, parenteral: bool = False
    ) -> tuple[Treatment, ...]:
        """What counts as magnesium given after the result, the latest last; ``parenteral`` leaves
        out what was given by mouth (ruling 96 (a))."""
        found = [
            Treatment(g.reference, g.identity.label, g.moment, begun=True)
            for g in self.magnesium_given
            if g.begun and not (parenteral and self._is_oral(g))
        ]
        if collected is None:
            return tuple(found)
        oral_goes_on = bool(self.oral_before(collected))
        for g in self.magnesium_given:
            oral = self._is_oral(g)
            since = g.moment is not None and g.moment > collected and not g.begun
            if since and not (oral and (oral_goes_on or parenteral)):
                found.append(Treatment(g.reference, g.identity.label, g.moment))
        for o in self.magnesium:
            if o.parenteral and o.start and o.start > collected and self._over(o):
                when = o.end(self.one_off) or o.start
                status = "completed" if o.resource.status == "completed" else "over"
                found.append(Treatment(o.reference, o.label, when, ordered=o.start, status=status))
        for coming in self.coming:
            last = coming.order.last_due(self.now, self.rest)
            if coming.order.parenteral and last is not None and last > collected:
                found.append(Treatment(coming.order.reference, coming.order.label, last))
        unique = {treatment.reference: treatment for treatment in found}
        return tuple(sorted(unique.values(), key=lambda t: (t.when or self.now, t.reference)))

    @cached_property
    def undated(self) -> tuple[Given, ...]:
        """Magnesium given at a time that cannot be read: it may have been since the result
        (ruling 155)."""
        return tuple(g for g in self.magnesium_given if g.moment is None and not g.begun)

    def undated_parenteral(self) -> tuple[Given, ...]:
        return tuple(g for g in self.undated if not self._is_oral(g))

    def grams_given(self, span: timedelta, *, repeated: bool = True) -> Decimal | None:
        """Grams of parenteral sulfate within a span; None when an amount cannot be read.

        Administrations; when none is on file, completed orders; when they were not obtained,
        ended orders too (ruling 89). Of a repeating order the doses that were due count, which
        nobody recorded; without ``repeated`` they do not (ruling 118).
        """
        since = self.now - span
        if self.magnesium_given:
            amounts = [
                g.mg
                for g in self.magnesium_given
                if not self._is_oral(g) and (g.begun or (g.moment is not None and g.moment > since))
            ]
        else:
            amounts = [
                o.due_mg(since, self.now)
                for o in self.magnesium
                if o.parenteral and self._counts(o) and (repeated or o.one_off)
            ]
        if any(amount is None for amount in amounts):
            return None
        return sum((a for a in amounts if a is not None), Decimal(0)) / 1000

    def ordered_since(self, since: datetime) -> bool:
        """Whether magnesium was ordered or given after a moment."""
        return any(
            o.resource.status in _ORDERED
            and not o.resource.doNotPerform
            and o.resource.intent not in NEVER_RUN
            and (written := read_instant(o.resource.authoredOn)) is not None
            and written.start > since
            for o in self.magnesium
        ) or any(g.moment is not None and g.moment > since for g in self.magnesium_given)

    def due_since(self, since: datetime) -> tuple[DraftOrder, ...]:
        """Repeating parenteral orders that are completed or ended, of which a dose was due after
        ``since`` and nobody recorded what was given (ruling 118)."""
        if self.magnesium_given:
            return ()
        return tuple(
            o
            for o in self.magnesium
            if o.parenteral
            and not o.one_off
            and self._over(o)
            and o.due_mg(since, self.now) != Decimal(0)
        )

    def last_infusion_end(self, *, recorded: bool = False) -> datetime | None:
        """When the newest parenteral magnesium ended; ``recorded``: as somebody wrote it down,
        which alone is told (ruling 128)."""
        ends = [g.end for g in self.magnesium_given if g.end and not self._is_oral(g)]
        ends += [
            end
            for o in self.magnesium
            if not recorded
            and o.parenteral
            and self._over(o)
            and (end := o.end(self.one_off)) is not None
        ]
        past = [end for end in ends if end <= self.now]
        return max(past, default=None)

    def parenteral_since(self, span: timedelta) -> bool:
        """Parenteral magnesium by administration, or completed order, within a span."""
        since = self.now - span
        return any(
            not self._is_oral(g) and g.moment is not None and g.moment > since
            for g in self.magnesium_given
        ) or any(
            o.parenteral and o.resource.status == "completed" and o.start and o.start > since
            for o in self.magnesium
        )

    def emergency_spent(self, protocol: Protocol) -> bool:
        """Whether the emergency dose was given within 24 h (ruling 87)."""
        limit = protocol.file.limit
        since = self.now - timedelta(hours=24)
        for g in self.magnesium_given:
            dose, start, end = g.mg, g.start, g.end
            if dose is None or start is None or end is None or end <= since or self._is_oral(g):
                continue
            over = Decimal((end - start).total_seconds()) / 60
            if over == 0 and g.line.minutes is not None:
                over = g.line.minutes
            if dose >= limit.bedside_dose.value * 1000 and over <= limit.emergency_spent.value:
                return True
        return False

    def oral_mmol(self, orders: Iterable[DraftOrder]) -> Decimal | None:
        """Millimoles a day of oral orders; None when one has no known content (ruling 51)."""
        total = Decimal(0)
        for order in orders:
            amount = order_mmol(order)
            if amount is None:
                return None
            total += amount
        return total

    # -- private -------------------------------------------------------------------------
    def _is_oral(self, given: Given) -> bool:
        drug = given.identity.find("magnesium")
        route = given.line.route
        return route == "po" or (route is None and drug is not None and drug.salt != "sulfate")

    def _completed(self, order: DraftOrder) -> bool:
        """Whether completed administrations of this order, by reference or by time, are all of
        it. Less than its dose is not (a load from the bag); nor is an amount that nobody stated
        while a longer infusion than ``one_off`` has its time (ruling 140)."""
        found = [g for g in self.magnesium_given if self._is_of(g, order)]
        if not found:
            return False
        ordered = sum((line.dose or Decimal(0) for line in order.lines), Decimal(0))
        amounts = [g.mg for g in found]
        if any(amount is None for amount in amounts):
            long = order.dose_time(self.one_off) > self.one_off
            return not (long and all(g.end is None or g.end <= g.start for g in found if g.start))
        return sum((a for a in amounts if a is not None), Decimal(0)) >= ordered

    def _is_of(self, given: Given, order: DraftOrder) -> bool:
        if given.resource.status != "completed" or self._is_oral(given):
            return False
        key = _ordered_by(given.resource)
        if key is not None:
            return key == ("MedicationRequest", order.resource.id)
        return bool(given.start and order.start and given.start >= order.start)

    def _not_done(self, order: DraftOrder) -> bool:
        for g in self.given:
            ordered = ("MedicationRequest", order.resource.id)
            if g.not_done and _ordered_by(g.resource) == ordered:
                return True
        return False

    def _over(self, order: DraftOrder) -> bool:
        """Completed, or active and past its end; not PRN, not said to be not done."""
        if order.resource.doNotPerform or self._not_done(order):
            return False
        if order.as_needed:
            return False  # it proves no dose (ruling 111)
        if order.resource.status == "completed":
            return True
        end = order.end(self.one_off)
        return order.resource.status == "active" and end is not None and end <= self.now

    def _counts(self, order: DraftOrder) -> bool:
        if self._not_done(order) or order.as_needed:
            return False
        return order.resource.status == "completed" or (
            not self.administrations_obtained and self._over(order)
        )


def _ordered_by(given: Resource) -> tuple[str, str] | None:
    """The order an administration belongs to."""
    return next((key_of(r) for r in many(given.request)), None)


def order_mmol(order: DraftOrder) -> Decimal | None:
    """Millimoles of magnesium a day of an oral order of a salt with a known content."""
    drug = order.magnesium
    daily = order.daily_mg()
    if drug is None or daily is None or drug.salt != "oxide":
        return None
    return SaltMass(daily, "oxide").mmol


def read_medicines(
    evidence: Evidence,
    medications: Mapping[str, Resource],
    drafts: tuple[DraftOrder, ...],
    ended: frozenset[str],
    now: datetime,
    protocol: Protocol,
) -> Medicines:
    """The Medicines of the evidence; an order that is being drafted again is not counted twice,
    and one that a draft ends (its id in ``ended``) neither runs nor was it given by that
    (ruling 143)."""
    drafted = {d.resource.id for d in drafts if d.resource.id}
    limit = protocol.file.limit
    formulary = protocol.formulary
    read = tuple(
        read_order(resource, medications, formulary)
        for resource in evidence.of_type("MedicationRequest")
        if resource.id not in drafted
    )
    services = (
        read_order(resource, medications, formulary)
        for resource in evidence.of_type("ServiceRequest")
    )
    orders = tuple(o for o in read if o.resource.id not in ended) if ended else read
    return Medicines(
        # A replacement protocol may be ordered as a service (ruling 162).
        orders=(*orders, *(o for o in services if o.identity.protocol_order)),
        given=tuple(
            read_given(resource, medications, formulary)
            for resource in evidence.of_type("MedicationAdministration")
        ),
        now=now,
        one_off=limit.one_off_end.span,
        rest=limit.schedule_rest.span,
        administrations_obtained=evidence.obtained("administrations"),
        ended=tuple(o for o in read if o.resource.id in ended),
        revised=frozenset(
            resource.id
            for resource in evidence.of_type("MedicationRequest")
            if resource.id and resource.id in drafted and resource.status == "active"
        ),
    )
