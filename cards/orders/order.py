"""DraftOrder and Given: an order (drafted or active) and an administration, as rules see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from cards.codes import Drug
from cards.fhir.instant import read_instant
from cards.fhir.resource import CodeableConcept, Dosage, Resource, many, name
from cards.orders.dosage import DoseLine, read_bounds, read_dosage, starts
from cards.orders.identity import Identity, identify

RUNS = "active"
_REPLACEMENT_OR_LAXATIVE = frozenset({"magnesium", "magnesium-laxative"})
NEVER_RUN = frozenset({"plan", "proposal", "option"})


@dataclass(frozen=True)  # no slots: what a rule looks at is read then, and kept
class DraftOrder:
    """A drafted or active MedicationRequest.

    ``raw`` is the draft as received (empty for an active order); ``unreadable`` why it cannot be
    judged. Most orders of a patient are of drugs that no rule asks more of than their name.
    """

    resource: Resource
    identity: Identity
    raw: bytes = b""
    unreadable: str | None = None

    @property
    def groups(self) -> frozenset[str]:
        return self.identity.groups

    @cached_property
    def lines(self) -> tuple[DoseLine, ...]:
        """The dosage instructions; none of a drug that no rule speaks of."""
        if self.unreadable or not self.identity.drugs:
            return ()
        drug = self.identity.find("magnesium") or self.identity.find("magnesium-laxative")
        salt = drug.salt if drug else None
        return tuple(read_dosage(dosage, salt, self.identity.mg_per_ml) for dosage in self._dosages)

    @cached_property
    def route(self) -> str | None:
        """``iv``, ``im``, ``po`` or ``other``; of replacement that is not the sulfate ``po``
        where none is stated."""
        route = self._route()
        if route is None and self.magnesium is not None and self.magnesium.salt != "sulfate":
            return "po"
        return route

    @property
    def magnesium(self) -> Drug | None:
        """The magnesium drug when the order is replacement."""
        return self._magnesium[0] if self._has_magnesium else None

    @property
    def laxative(self) -> Drug | None:
        """The magnesium drug when it is a laxative, antacid or bowel preparation."""
        return self._magnesium[1] if self._has_magnesium else None

    @property
    def _has_magnesium(self) -> bool:
        return not self.identity.groups.isdisjoint(_REPLACEMENT_OR_LAXATIVE)

    @cached_property
    def _magnesium(self) -> tuple[Drug | None, Drug | None]:
        magnesium = self.identity.find("magnesium")
        laxative = self.identity.find("magnesium-laxative")
        if magnesium is not None and magnesium.salt == "sulfate" and self._route() == "po":
            # Sulfate by mouth is Epsom salt, whatever the product code (ruling 52).
            magnesium, laxative = None, magnesium
        if laxative is not None and self._route() in ("iv", "im"):
            magnesium, laxative = laxative, None
        return magnesium, laxative

    def _route(self) -> str | None:
        for line in self.lines:
            if line.route in ("iv", "im", "po"):
                return line.route
        if any(line.route for line in self.lines):
            return "other"
        form = next((drug.form for drug in self.identity.drugs if drug.form), None)
        return {"parenteral": "iv", "oral": "po"}.get(form or "")

    @property
    def reasons(self) -> list[CodeableConcept]:
        return many(self.resource.reasonCode)

    @property
    def reference(self) -> str:
        return name(self.resource)

    @property
    def label(self) -> str:
        return self.identity.label

    @property
    def parenteral(self) -> bool:
        return self.route in ("iv", "im")

    @property
    def as_needed(self) -> bool:
        return any(line.as_needed for line in self.lines)

    @property
    def start(self) -> datetime | None:
        """When the order begins: as it says, else when it was written."""
        for text in (*(starts(dosage) for dosage in self._dosages), self.resource.authoredOn):
            instant = read_instant(text)
            if instant is not None:
                return instant.start
        return None

    @property
    def _dosages(self) -> list[Dosage]:
        return many(self.resource.dosageInstruction) if not self.unreadable else []

    @property
    def one_off(self) -> bool:
        """Count 1, code ONCE, or no repeat at all (ruling 13)."""
        return all(
            line.once or (line.per_day is None and line.count is None) for line in self.lines
        )

    def end(self, one_off: timedelta) -> datetime | None:
        """When the order is over; None while it has no end.

        Bounds first; else start + duration x count; a one-off parenteral order ends ``one_off``
        after its start (ruling 13), a repeating one runs while it is active (ruling 75).
        """
        bounds = [found for d in self._dosages if (found := read_bounds(d)) is not None]
        ends = [i.start for b in bounds if (i := read_instant(b.end)) is not None]
        if ends:
            return max(ends)
        start = self.start
        if start is None:
            return None
        spans = [b.minutes for b in bounds if b.minutes is not None]
        if spans:
            return start + timedelta(minutes=float(max(spans)))
        if self.magnesium is None or not self.parenteral or self.as_needed:
            return None
        if self.one_off:
            longest = max((line.minutes or Decimal(0) for line in self.lines), default=Decimal(0))
            return start + max(one_off, timedelta(minutes=float(longest)))
        lasting = [_span(line) for line in self.lines]
        known = [span for span in lasting if span is not None]
        return start + max(known) if known and len(known) == len(lasting) else None

    def active(self, now: datetime, one_off: timedelta) -> bool:
        """Ordered, not forbidden, not over: it may be PRN."""
        if self.resource.status != RUNS or self.resource.doNotPerform:
            return False
        if self.resource.intent in NEVER_RUN:
            return False
        end = self.end(one_off)
        return end is None or end > now

    def running(self, now: datetime, one_off: timedelta) -> bool:
        """Active and being given without anybody's further decision."""
        return self.active(now, one_off) and not self.as_needed

    def daily_mg(self) -> Decimal | None:
        """Milligrams of salt a day; None when a line cannot be read."""
        total = Decimal(0)
        for line in self.lines:
            if line.dose is None:
                return None
            total += line.dose * line.doses_in_24h()
        return total if self.lines else None


def _span(line: DoseLine) -> timedelta | None:
    if line.count is None:
        return None
    if line.per_day:
        return timedelta(days=float(line.count / line.per_day))
    return timedelta(minutes=float((line.minutes or 0) * line.count)) if line.minutes else None


@dataclass(frozen=True)  # no slots, as above
class Given:
    """An administration: what, how much (mg of salt), when it started and ended."""

    resource: Resource
    identity: Identity

    @cached_property
    def line(self) -> DoseLine:
        drug = self.identity.find("magnesium")
        dosages: list[Dosage] = many(self.resource.dosage)
        return read_dosage(dosages[0], drug.salt if drug else None) if dosages else DoseLine()

    @property
    def start(self) -> datetime | None:
        period = self.resource.effectivePeriod
        start = read_instant((period.start if period else None) or self.resource.effectiveDateTime)
        return start.start if start else None

    @property
    def end(self) -> datetime | None:
        period = self.resource.effectivePeriod
        end = read_instant((period.end if period else None) or self.resource.effectiveDateTime)
        return end.start if end else None

    @property
    def moment(self) -> datetime | None:
        """When it was given: its end, else its start."""
        return self.end or self.start

    @property
    def not_done(self) -> bool:
        return self.resource.status == "not-done"

    @property
    def reference(self) -> str:
        return name(self.resource)


def read_order(resource: Resource, medications: Mapping[str, Resource]) -> DraftOrder:
    """The DraftOrder of a MedicationRequest."""
    return DraftOrder(resource, identify(resource, medications))


def read_given(resource: Resource, medications: Mapping[str, Resource]) -> Given:
    """The Given of a MedicationAdministration."""
    return Given(resource, identify(resource, medications))
