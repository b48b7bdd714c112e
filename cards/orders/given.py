"""Given: an administration, as rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from cards.codes import SHIPPED, Formulary
from cards.fhir.instant import read_instant
from cards.fhir.resource import Dosage, Resource, many, name
from cards.orders.dosage import DoseLine, read_dosage
from cards.orders.identity import Identity, identify
from cards.orders.premix import strength_of

BEGUN = frozenset({"in-progress", "on-hold"})


class Given(
    Struct, frozen=True, dict=True
):  # no slots: what a rule looks at is read then, and kept
    """An administration: what, how much (mg of salt), when it started and ended."""

    resource: Resource
    identity: Identity

    @cached_property
    def lines(self) -> tuple[DoseLine, ...]:
        drug = self.identity.find("magnesium")
        salt = drug.salt if drug else None
        strength = strength_of(self.identity, self.resource, salt)
        dosages: list[Dosage] = many(self.resource.dosage)
        return tuple(read_dosage(dosage, salt, strength) for dosage in dosages)

    @property
    def line(self) -> DoseLine:
        """The first of its dosages: its route and its time."""
        return self.lines[0] if self.lines else DoseLine()

    @cached_property
    def mg(self) -> Decimal | None:
        """Milligrams given: the doses, or rate x time; None when an amount cannot be read."""
        start, end = self.start, self.end
        total = Decimal(0)
        for line in self.lines:
            amount = line.dose
            if amount is None and line.flow is not None and start and end and end > start:
                amount = line.flow.amount(Decimal(int((end - start).total_seconds())) / 60)
            if amount is None:
                return None
            total += amount
        return total if self.lines else None

    @property
    def start(self) -> datetime | None:
        return self._times[0]

    @property
    def end(self) -> datetime | None:
        return self._times[1]

    @cached_property
    def _times(self) -> tuple[datetime | None, datetime | None]:
        """Its start and its end; what another version of FHIR calls them counts where R4's
        element is not there (ruling 154)."""
        r = self.resource
        places = (
            (r.effectivePeriod, r.effectiveDateTime, None),
            (r.occurencePeriod, r.occurenceDateTime, r.occurenceTiming),
            (r.occurrencePeriod, r.occurrenceDateTime, r.occurrenceTiming),
        )
        for period, moment, timing in places:
            events = many(timing.event) if timing else []
            times = [found.start for text in events if (found := read_instant(text))]
            start = read_instant((period.start if period else None) or moment)
            end = read_instant((period.end if period else None) or moment)
            if start or end:
                return start.start if start else None, end.start if end else None
            if times:
                return min(times), max(times)
        return None, None

    @property
    def moment(self) -> datetime | None:
        """When it was given: its end, else its start."""
        return self.end or self.start

    @property
    def begun(self) -> bool:
        """Begun and not known to be over: how much of it was given is not known (ruling 155)."""
        return self.resource.status in BEGUN

    @property
    def unsure(self) -> bool:
        """Whether nobody can say that it is no magnesium (ruling 137)."""
        return self.identity.unidentified or self.identity.possible

    @property
    def route(self) -> str | None:
        return self.line.route

    @property
    def label(self) -> str:
        return self.identity.label

    @property
    def not_done(self) -> bool:
        return self.resource.status == "not-done"

    @property
    def reference(self) -> str:
        return name(self.resource)


def read_given(
    resource: Resource, medications: Mapping[str, Resource], formulary: Formulary = SHIPPED
) -> Given:
    """The Given of a MedicationAdministration."""
    return Given(resource, identify(resource, medications, formulary))
