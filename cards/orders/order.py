"""DraftOrder: an order, drafted or active, as rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from cards.codes import SHIPPED, Drug, Formulary
from cards.fhir.instant import read_instant
from cards.fhir.resource import CodeableConcept, Dosage, Resource, many, name
from cards.orders.bounds import Bounds, read_bounds
from cards.orders.dosage import DoseLine, read_dosage
from cards.orders.identity import Identity, identify
from cards.orders.premix import strength_of
from cards.orders.timing import Frequency, NotStated
from cards.units.quantity import figures
from cards.units.quantity import span as span_words

RUNS = "active"
_REPLACEMENT_OR_LAXATIVE = frozenset({"magnesium", "magnesium-laxative"})
_STATUSES = frozenset(
    """active on-hold ended stopped completed cancelled entered-in-error draft unknown""".split()
)
NEVER_RUN = frozenset({"plan", "proposal", "option"})


class DraftOrder(
    Struct, frozen=True, dict=True
):  # no slots: what a rule looks at is read then, and kept
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
        if self.unreadable or not (self.identity.drugs or self.unsure):
            return ()
        drug = self.identity.find("magnesium") or self.identity.find("magnesium-laxative")
        salt = drug.salt if drug else None
        strength = strength_of(self.identity, self.resource, salt)
        return tuple(read_dosage(dosage, salt, strength) for dosage in self._dosages)

    @cached_property
    def route(self) -> str | None:
        """``iv``, ``im``, ``po`` or ``other``; of replacement that is not the sulfate ``po``
        where none is stated."""
        route = self._route()
        drug = self.magnesium
        if route is None and drug is not None and drug.salt != "sulfate" and not drug.protocol:
            return "po"
        return route

    @property
    def unsure(self) -> bool:
        """Whether nobody can say that it is no magnesium (ruling 137)."""
        return self.identity.unidentified or self.identity.possible

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
        return self.identity.protocol_order or any(line.as_needed for line in self.lines)

    @property
    def start(self) -> datetime | None:
        """When the order begins: as it says, else when it was written."""
        stated = next((found.start for found in self._bounds if found.start), None)
        if stated is not None:
            return stated
        instant = read_instant(self.resource.authoredOn)
        return instant.start if instant else None

    @property
    def _dosages(self) -> list[Dosage]:
        return many(self.resource.dosageInstruction) if not self.unreadable else []

    @cached_property
    def _bounds(self) -> tuple[Bounds, ...]:
        """Of every dosage, whatever the drug."""
        return tuple(read_bounds(dosage) for dosage in self._dosages)

    @property
    def one_off(self) -> bool:
        """Count 1, code ONCE, or no repeat at all (ruling 13); never what runs on, nor what is
        given so often as nobody can tell."""
        return all(
            line.flow is None
            and (line.once or (isinstance(line.timing, NotStated) and line.count is None))
            for line in self.lines
        )

    @property
    def unread_timing(self) -> str | None:
        """Why it cannot be told how often it is given."""
        return next((line.unread_timing for line in self.lines if line.unread_timing), None)

    def end(self, one_off: timedelta) -> datetime | None:
        """When the order is over; None while it has no end.

        Bounds first; else start + duration x count; a one-off parenteral order ends when its
        stated time is over, at least ``one_off`` after its start (rulings 13, 140), a repeating
        one runs while it is active (ruling 75).
        """
        ends = [found.end for found in self._bounds if found.end is not None]
        if ends:
            return max(ends)
        start = self.start
        if start is None:
            return None
        spans = [found.minutes for found in self._bounds if found.minutes is not None]
        if spans:
            return start + _span(max(spans))
        if not (self.magnesium or self.unsure) or not self.parenteral or self.as_needed:
            return None
        if self.one_off:
            return start + self.dose_time(one_off)
        last = [found.last for found in self._bounds if found.last is not None]
        if last:
            return max(last) + self.dose_time(one_off)
        lasting = [_course(line) for line in self.lines]
        known = [span for span in lasting if span is not None]
        return start + max(known) if known and len(known) == len(lasting) else None

    def dose_time(self, one_off: timedelta) -> timedelta:
        """How long one dose keeps running: its stated time, at least ``one_off``."""
        longest = max((line.lasts() or Decimal(0) for line in self.lines), default=Decimal(0))
        return max(one_off, _span(longest))

    @property
    def status(self) -> str:
        return (self.resource.status or "").strip().lower()

    @property
    def status_unknown(self) -> bool:
        """Whether its status is no word of FHIR: it may run for all that is known."""
        return bool(self.status) and self.status not in _STATUSES

    @property
    def doubt(self) -> str | None:
        """Why nobody can say whether and how it runs, in words; None of one that is understood, and
        of one by mouth."""
        if self.status_unknown:
            return f'its status "{self.status}" is not known'
        if self.route is None:
            return "no route is stated"
        return self.unread_timing if self.parenteral else None

    def active(self, now: datetime, one_off: timedelta) -> bool:
        """Ordered, not forbidden, not over: it may be PRN, or begin later."""
        if self.resource.doNotPerform or not (self.status == RUNS or self.status_unknown):
            return False
        if self.resource.intent in NEVER_RUN:
            return False
        end = self.end(one_off)
        return end is None or end > now

    def next_due(self, now: datetime, one_off: timedelta, rest: timedelta) -> datetime | None:
        """When the next dose is due of an order that does not run now: its stated start lies
        ahead, or it rests between doses more than ``rest`` apart (ruling 156). None when it
        runs."""
        starts = [found.start for found in self._bounds]
        ahead = [start for start in starts if start is not None and start > now]
        if ahead and len(ahead) == len(starts):
            return min(ahead)
        last = self.last_due(now, rest)
        if last is None or now < last + self.dose_time(one_off):
            return None
        return last + min(_every(line) for line in self.lines)

    def last_due(self, now: datetime, rest: timedelta) -> datetime | None:
        """When the last dose was due of a schedule with more than ``rest`` between its doses;
        None of any other, and where its start is not known."""
        start = self.start
        if not self.lines or start is None or start > now:
            return None
        if not all(isinstance(line.timing, Frequency) for line in self.lines):
            return None
        every = min(_every(line) for line in self.lines)
        return None if every <= rest else now - (now - start) % every

    def running(self, now: datetime, one_off: timedelta, rest: timedelta) -> bool:
        """Active and being given without anybody's further decision."""
        return (
            self.active(now, one_off)
            and not self.as_needed
            and self.next_due(now, one_off, rest) is None
        )

    def daily_mg(self) -> Decimal | None:
        """Milligrams of salt a day; None when a line cannot be read."""
        amounts = [None if line.unread_timing else line.mg_in_24h() for line in self.lines]
        if not amounts or any(amount is None for amount in amounts):
            return None
        return self._most_in_24h([amount or Decimal(0) for amount in amounts])

    def at_least_mg(self) -> Decimal:
        """Milligrams of salt in 24 h, as far as they can be read."""
        return self._most_in_24h([line.mg_in_24h() or Decimal(0) for line in self.lines])

    def _most_in_24h(self, amounts: list[Decimal]) -> Decimal:
        """The sum of what the dosage instructions give; of those with bounds of their own the
        largest sum of any 24 h (ruling 158)."""
        whole = sum(amounts, Decimal(0))
        starts = [line.bounds.start for line in self.lines if line.bounds.start is not None]
        if len(amounts) < 2 or not starts:
            return whole
        return max(
            sum(
                (a for a, line in zip(amounts, self.lines, strict=True) if _within(line, start)),
                Decimal(0),
            )
            for start in starts
        )

    def due_mg(self, since: datetime, until: datetime) -> Decimal | None:
        """Milligrams of the doses that were due after ``since``, up to ``until`` or its end
        (ruling 118); None when an amount cannot be read."""
        if not self.lines:
            return None
        start, ends = self.start, [found.end for found in self._bounds if found.end is not None]
        until = min([until, *ends])
        total = Decimal(0)
        for line in self.lines:
            if not isinstance(line.timing, Frequency) or line.flow is not None:
                amount = None if line.unread_timing else line.mg_in_24h()
                due = 1 if start is not None and since < start else 0
            else:
                amount, due = line.dose, self._due(line, since, until)
            if amount is None:
                return None
            total += amount * due
        return total

    def _due(self, line: DoseLine, since: datetime, until: datetime) -> int:
        start, every = line.bounds.start or self.start, _every(line)
        if start is None or start > until or every <= timedelta(0):
            return 0
        doses = (until - start) // every + 1
        if line.count is not None:
            doses = min(doses, line.count)
        before = 0 if since < start else (since - start) // every + 1
        return max(doses - before, 0)

    @property
    def told(self) -> str:
        """Its name with its dose and time, to tell it from another of the same name."""
        line = self.lines[0] if self.lines else None
        if line is None or line.dose is None:
            return self.label
        dose = f"{figures(line.dose / 1000)} g" if self.parenteral else f"{figures(line.dose)} mg"
        time = f" over {span_words(int(line.minutes))}" if line.minutes and self.parenteral else ""
        return f"{self.label[:_NAMED]} {dose}{time}"


def _within(line: DoseLine, start: datetime) -> bool:
    """Whether a dosage instruction gives anything in the 24 h from ``start``."""
    begins, ends = line.bounds.start, line.bounds.end
    return (begins is None or begins < start + _DAY) and (ends is None or ends > start)


def _span(minutes: Decimal) -> timedelta:
    """No longer than an order can mean: a slip of the pen must not leave the calendar."""
    return timedelta(minutes=float(min(minutes, _LONGEST)))


_LONGEST = Decimal(525600) * 10
_DAY = timedelta(hours=24)
_NAMED = 60  # characters of a name


def _every(line: DoseLine) -> timedelta:
    return _span(line.timing.every) if isinstance(line.timing, Frequency) else timedelta(0)


def _course(line: DoseLine) -> timedelta | None:
    """How long all its doses take, when their number is stated."""
    count, per_day = line.count, line.per_day
    if count is None:
        return None
    if isinstance(line.timing, Frequency) and per_day:
        return _span(line.timing.every * count)
    return _span(line.minutes * count) if line.minutes else None


def read_order(
    resource: Resource, medications: Mapping[str, Resource], formulary: Formulary = SHIPPED
) -> DraftOrder:
    """The DraftOrder of a MedicationRequest, or of a ServiceRequest for a replacement protocol."""
    return DraftOrder(resource, identify(resource, medications, formulary))
