"""Medicines: what is ordered and what was given, as far as magnesium is concerned.

"Running", "given since the result" and the grams of the last 24 h are decided here once, for
the stops, the cap and the checks alike (protocol section 5; rulings 13, 71, 75, 84, 89, 93).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from cards.evidence import Evidence
from cards.fhir.resource import Resource, reference_key
from cards.orders import DraftOrder, Given, read_given, read_order, relist
from cards.protocol import Protocol
from cards.units.quantity import SaltMass

COUNTED = frozenset({"completed", "in-progress", "stopped", "on-hold", "unknown"})


class Treatment(Struct, frozen=True, gc=False):
    """Magnesium that counts as given: the resource, its name, and when it ended (or will)."""

    reference: str
    label: str
    when: datetime | None


@dataclass(frozen=True)  # no slots: every rule asks the same few questions
class Medicines:
    """Orders and administrations; ``one_off`` is how long a one-off parenteral order lasts."""

    orders: tuple[DraftOrder, ...]
    given: tuple[Given, ...]
    now: datetime
    one_off: timedelta
    administrations_obtained: bool
    unresolved: tuple[str, ...] = ()

    # -- any drug ------------------------------------------------------------------------
    def active(self, *groups: str) -> tuple[DraftOrder, ...]:
        """Active orders (PRN too) of drugs in any of the groups."""
        return tuple(o for o in self._active if not o.groups.isdisjoint(groups))

    @cached_property
    def _active(self) -> tuple[DraftOrder, ...]:
        """Active orders of drugs that a rule speaks of."""
        return tuple(o for o in self.orders if o.groups and o.active(self.now, self.one_off))

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
            if g.identity.find("magnesium") is not None and g.resource.status in COUNTED
        )

    @cached_property
    def running_parenteral(self) -> tuple[DraftOrder, ...]:
        """Parenteral magnesium being given: a one-off order is over once it was given."""
        return tuple(
            o
            for o in self.magnesium
            if o.parenteral
            and o.running(self.now, self.one_off)
            and not (o.one_off and self._completed(o))
        )

    @cached_property
    def running_oral(self) -> tuple[DraftOrder, ...]:
        return tuple(
            o for o in self.magnesium if not o.parenteral and o.running(self.now, self.one_off)
        )

    def as_needed(self) -> tuple[DraftOrder, ...]:
        """PRN and replacement-protocol magnesium orders."""
        return tuple(o for o in self.magnesium if o.as_needed and o.active(self.now, self.one_off))

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
        """Every active magnesium source, laxatives and antacids too."""
        return tuple(
            o for o in self._active if o.magnesium or o.laxative or "magnesium-fluid" in o.groups
        )

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

    def given_since(self, collected: datetime | None) -> tuple[Treatment, ...]:
        """What counts as magnesium given after the result, the latest last."""
        found = [
            Treatment(g.reference, g.identity.label, g.moment)
            for g in self.magnesium_given
            if g.resource.status == "in-progress"
        ]
        if collected is None:
            return tuple(found)
        oral_goes_on = bool(self.oral_before(collected))
        for g in self.magnesium_given:
            oral = self._is_oral(g)
            if g.moment and g.moment > collected and not (oral and oral_goes_on):
                found.append(Treatment(g.reference, g.identity.label, g.moment))
        for o in self.magnesium:
            if o.parenteral and o.start and o.start > collected and self._over(o):
                found.append(Treatment(o.reference, o.label, o.end(self.one_off) or o.start))
        unique = {treatment.reference: treatment for treatment in found}
        return tuple(sorted(unique.values(), key=lambda t: (t.when or self.now, t.reference)))

    def grams_given(self, span: timedelta) -> Decimal | None:
        """Grams of parenteral sulfate within a span; None when an amount cannot be read.

        Administrations; when none is on file, completed orders; when they were not obtained,
        ended orders too (ruling 89).
        """
        since = self.now - span
        if self.magnesium_given:
            amounts = [
                g.line.dose
                for g in self.magnesium_given
                if not self._is_oral(g) and g.moment is not None and g.moment > since
            ]
        else:
            amounts = [
                o.daily_mg()
                for o in self.magnesium
                if o.parenteral and o.start and o.start > since and self._counts(o)
            ]
        if any(amount is None for amount in amounts):
            return None
        return sum((a for a in amounts if a is not None), Decimal(0)) / 1000

    def last_infusion_end(self) -> datetime | None:
        """When the newest parenteral magnesium ended."""
        ends = [g.end for g in self.magnesium_given if g.end and not self._is_oral(g)]
        ends += [
            end
            for o in self.magnesium
            if o.parenteral and self._over(o) and (end := o.end(self.one_off)) is not None
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
            dose, start, end = g.line.dose, g.start, g.end
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
        """A completed administration of this order, by reference or by time."""
        for g in self.magnesium_given:
            if g.resource.status != "completed" or self._is_oral(g):
                continue
            key = reference_key(g.resource.request.reference) if g.resource.request else None
            if key is not None:
                if key == ("MedicationRequest", order.resource.id):
                    return True
            elif g.start and order.start and g.start >= order.start:
                return True
        return False

    def _not_done(self, order: DraftOrder) -> bool:
        for g in self.given:
            if g.not_done and g.resource.request:
                key = reference_key(g.resource.request.reference)
                if key == ("MedicationRequest", order.resource.id):
                    return True
        return False

    def _over(self, order: DraftOrder) -> bool:
        """Completed, or active and past its end; not PRN, not said to be not done."""
        if order.resource.doNotPerform or self._not_done(order):
            return False
        if order.resource.status == "completed":
            return True
        end = order.end(self.one_off)
        return (
            order.resource.status == "active"
            and not order.as_needed
            and end is not None
            and end <= self.now
        )

    def _counts(self, order: DraftOrder) -> bool:
        if self._not_done(order):
            return False
        return order.resource.status == "completed" or (
            not self.administrations_obtained and self._over(order)
        )


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
    now: datetime,
    protocol: Protocol,
) -> Medicines:
    """The Medicines of the evidence; an order that is being drafted again is not counted twice."""
    drafted = {d.resource.id for d in drafts if d.resource.id}
    orders = tuple(
        read_order(resource, medications)
        for resource in evidence.of_type("MedicationRequest")
        if resource.id not in drafted
    )
    return Medicines(
        orders=relist(orders, protocol.drug_lists),
        given=tuple(
            read_given(resource, medications)
            for resource in evidence.of_type("MedicationAdministration")
        ),
        now=now,
        one_off=protocol.file.limit.one_off_end.span,
        administrations_obtained=evidence.obtained("administrations"),
        unresolved=tuple(o.label for o in orders if not o.identity.resolved),
    )
