"""DraftOrder and Given: an order (drafted or active) and an administration, as rules see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from cards import codes
from cards.codes import Drug
from cards.instant import read_instant
from cards.orders.dosage import DoseLine, read_dosage
from cards.orders.identity import Identity, identify, relisted
from cards.resource import CodeableConcept, Dosage, Resource, codings, many, name

RUNS = "active"
NEVER_RUN = frozenset({"plan", "proposal", "option"})
# Triggers of section 8, in the groups codes.py gives a drug.
TRIGGER_GROUPS = frozenset(
    {
        "magnesium", "magnesium-laxative", "potassium", "loop", "thiazide", "ppi", "cause",
        "qt-known", "digoxin", "neuromuscular-blocker", "chelated", "calcium",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Orders:
    """What the clinician is doing: the hook's context without the patient.

    ``drafts`` are the resources of ``context.draftOrders`` as received (raw JSON, so that an
    ``update`` can return what it was given); ``selections`` are ``Type/id`` strings.
    """

    hook: str
    service: str
    hook_instance: str
    drafts: tuple[bytes, ...] = ()
    selections: tuple[str, ...] = ()
    user_id: str | None = None
    encounter_id: str | None = None


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """A drafted or active MedicationRequest.

    ``raw`` is the draft as received (empty for an active order); ``lines`` its dosage
    instructions; ``magnesium`` the magnesium drug when it is replacement, ``laxative`` when it
    is a laxative, antacid or bowel preparation.
    """

    resource: Resource
    identity: Identity
    lines: tuple[DoseLine, ...] = ()
    raw: bytes = b""
    reasons: tuple[CodeableConcept, ...] = ()
    unreadable: str | None = None
    magnesium: Drug | None = field(init=False)
    laxative: Drug | None = field(init=False)
    route: str | None = field(init=False)
    groups: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        groups: frozenset[str] = frozenset().union(*(d.groups for d in self.identity.drugs))
        object.__setattr__(self, "groups", groups)
        route = self._route()
        magnesium = self.identity.find("magnesium")
        laxative = self.identity.find("magnesium-laxative")
        if magnesium is not None and magnesium.salt == "sulfate" and route == "po":
            # Sulfate by mouth is Epsom salt, whatever the product code (ruling 52).
            magnesium, laxative = None, magnesium
        if laxative is not None and route in ("iv", "im"):
            magnesium, laxative = laxative, None
        if magnesium is not None and route is None and magnesium.salt != "sulfate":
            route = "po"
        object.__setattr__(self, "magnesium", magnesium)
        object.__setattr__(self, "laxative", laxative)
        object.__setattr__(self, "route", route)

    def _route(self) -> str | None:
        for line in self.lines:
            if line.route in ("iv", "im", "po"):
                return line.route
        if any(line.route for line in self.lines):
            return "other"
        form = next((drug.form for drug in self.identity.drugs if drug.form), None)
        return {"parenteral": "iv", "oral": "po"}.get(form or "")

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
        for text in (*(line.start for line in self.lines), self.resource.authoredOn):
            instant = read_instant(text)
            if instant is not None:
                return instant.start
        return None

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
        ends = [i.start for line in self.lines if (i := read_instant(line.end)) is not None]
        if ends:
            return max(ends)
        start = self.start
        if start is None:
            return None
        bounds = [line.bounds for line in self.lines if line.bounds is not None]
        if bounds:
            return start + timedelta(minutes=float(max(bounds)))
        if not self.parenteral or self.as_needed or self.magnesium is None:
            return None
        if self.one_off:
            longest = max((line.minutes or Decimal(0) for line in self.lines), default=Decimal(0))
            return start + max(one_off, timedelta(minutes=float(longest)))
        spans = [_span(line) for line in self.lines]
        known = [span for span in spans if span is not None]
        return start + max(known) if known and len(known) == len(spans) else None

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


@dataclass(frozen=True, slots=True)
class Given:
    """An administration: what, how much (mg of salt), when it started and ended."""

    resource: Resource
    identity: Identity
    line: DoseLine
    start: datetime | None
    end: datetime | None

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


def read_order(
    resource: Resource, medications: Mapping[str, Resource], raw: bytes = b""
) -> DraftOrder:
    """The DraftOrder of a MedicationRequest."""
    identity = identify(resource, medications)
    drug = identity.find("magnesium") or identity.find("magnesium-laxative")
    salt = drug.salt if drug else None
    # No rule reads the dosage of a drug that no rule speaks of.
    return DraftOrder(
        resource=resource,
        identity=identity,
        lines=tuple(
            read_dosage(d, salt, identity.mg_per_ml) for d in many(resource.dosageInstruction)
        )
        if identity.drugs
        else (),
        raw=raw,
        reasons=tuple(many(resource.reasonCode)),
    )


def read_given(resource: Resource, medications: Mapping[str, Resource]) -> Given:
    """The Given of a MedicationAdministration."""
    identity = identify(resource, medications)
    drug = identity.find("magnesium")
    dosages: list[Dosage] = many(resource.dosage)
    line = read_dosage(dosages[0], drug.salt if drug else None) if dosages else DoseLine()
    period = resource.effectivePeriod
    start = read_instant((period.start if period else None) or resource.effectiveDateTime)
    end = read_instant((period.end if period else None) or resource.effectiveDateTime)
    return Given(
        resource, identity, line, start.start if start else None, end.start if end else None
    )


def read_drafts(
    drafts: Iterable[bytes], medications: Mapping[str, Resource]
) -> tuple[DraftOrder, ...]:
    """The medication drafts of a call, in order; a draft that breaks the types is kept as one
    that cannot be read. Other order types are left out here (``lab_drafts`` reads them), and
    so is an order not to give a drug: it treats nobody and harms nobody."""
    found: list[DraftOrder] = []
    for raw in drafts:
        resource, problem = _decode(raw)
        if resource.resourceType == "MedicationRequest" and not resource.doNotPerform:
            order = read_order(resource, medications, raw)
            if problem:
                order = DraftOrder(resource, order.identity, (), raw, (), unreadable=problem)
            found.append(order)
    return tuple(found)


_DECODER = msgspec.json.Decoder(Resource)
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Without these a draft cannot be judged; any other element may be lost without harm.
_NEEDED = frozenset(
    {
        "resourceType", "doNotPerform", "contained", "dosageInstruction",
        "medicationCodeableConcept", "medicationReference", "medication",
    }
)  # fmt: skip


def _decode(raw: bytes) -> tuple[Resource, str | None]:
    """(the resource, why it cannot be judged): an element that breaks FHIR's types is left out,
    the others are kept."""
    try:
        return _DECODER.decode(raw), None
    except msgspec.ValidationError:
        pass
    try:
        parts = _PARTS.decode(raw)
    except msgspec.ValidationError:
        return Resource(), "the order is not a FHIR resource"
    kept = {key: value for key, value in parts.items() if _is_sound(key, value)}
    lost = sorted(key for key in parts if key not in kept and key in _NEEDED)
    problem = f"its {lost[0]} breaks FHIR's types" if lost else None
    return _DECODER.decode(msgspec.json.encode(kept)), problem


def _is_sound(key: str, value: msgspec.Raw) -> bool:
    try:
        _DECODER.decode(msgspec.json.encode({key: value}))
    except msgspec.ValidationError:
        return False
    return True


def lab_drafts(drafts: Iterable[bytes]) -> frozenset[str]:
    """Which laboratory concepts are being ordered in this session ("magnesium")."""
    found: set[str] = set()
    for raw in drafts:
        resource, _ = _decode(raw)
        if resource.resourceType == "ServiceRequest" and not resource.doNotPerform:
            for coding in codings(resource.code):
                found |= codes.order_concepts(coding.system or "", coding.code or "")
    return frozenset(found)


def draft_medications(drafts: Iterable[bytes]) -> tuple[Resource, ...]:
    """Medication resources that came among the drafts."""
    decoded = (_decode(raw)[0] for raw in drafts)
    return tuple(resource for resource in decoded if resource.resourceType == "Medication")


def selected(orders: Orders, drafts: tuple[DraftOrder, ...]) -> tuple[DraftOrder, ...]:
    """The drafts a call judges: at order-select those selected; selections missing, empty or
    matching no draft mean all; at order-sign all (ruling 54)."""
    if orders.hook != "order-select" or not orders.selections:
        return drafts
    wanted = {s.rsplit("/", 1)[-1] for s in orders.selections}
    chosen = tuple(d for d in drafts if d.resource.id in wanted)
    return chosen or drafts


def relist(
    orders: tuple[DraftOrder, ...],
    lists: Mapping[str, tuple[frozenset[str], frozenset[str]]],
) -> tuple[DraftOrder, ...]:
    """The orders with a site's lists of causes and QT drugs (``Protocol.drug_lists``)."""
    if not lists:
        return orders
    return tuple(replace(order, identity=relisted(order.identity, lists)) for order in orders)


def relevant(orders: Orders) -> bool:
    """Whether a call can lead to a card at all: patient-view always; order-select when a judged
    draft is magnesium-relevant or cannot be resolved; order-sign when anything is drafted."""
    if orders.hook == "patient-view":
        return True
    medications = {m.id: m for m in draft_medications(orders.drafts) if m.id}
    drafts = read_drafts(orders.drafts, medications)
    if orders.hook == "order-sign":
        return bool(orders.drafts)
    return any(
        draft.groups & TRIGGER_GROUPS or not draft.identity.resolved or draft.unreadable
        for draft in selected(orders, drafts)
    )
