"""Orders: the question of one hook call, and the drafts in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import msgspec

from cards import codes
from cards.fhir.resource import Resource, codings
from cards.orders.identity import identify, relisted
from cards.orders.order import DraftOrder

# Triggers of section 8, in the groups codes.py gives a drug.
TRIGGER_GROUPS = frozenset(
    {
        "magnesium", "magnesium-laxative", "potassium", "loop", "thiazide", "ppi", "cause",
        "qt-known", "digoxin", "neuromuscular-blocker", "chelated", "calcium",
    }
)  # fmt: skip


# Ingredient -> (groups a site adds it to, groups it takes it from): Protocol.drug_lists.
DrugLists = Mapping[str, tuple[frozenset[str], frozenset[str]]]
_NO_LISTS: DrugLists = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Drafted:
    """One draft: as received, as read, and why it cannot be judged (None when it can)."""

    raw: bytes
    resource: Resource
    problem: str | None


@dataclass(frozen=True)  # no slots: the drafts are decoded once, when somebody asks
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

    @cached_property
    def drafted(self) -> tuple[Drafted, ...]:
        """The drafts, read."""
        return tuple(Drafted(raw, *_decode(raw)) for raw in self.drafts)

    @cached_property
    def medications(self) -> Mapping[str, Resource]:
        """The Medication resources that came among the drafts, by id."""
        found = (d.resource for d in self.drafted)
        return {r.id: r for r in found if r.resourceType == "Medication" and r.id}

    @cached_property
    def labs(self) -> frozenset[str]:
        """Which laboratory concepts are being ordered in this session ("magnesium")."""
        return frozenset(
            concept
            for draft in self.drafted
            if draft.resource.resourceType == "ServiceRequest" and not draft.resource.doNotPerform
            for coding in codings(draft.resource.code)
            for concept in codes.order_concepts(coding.system or "", coding.code or "")
        )


def read_drafts(
    orders: Orders, medications: Mapping[str, Resource], lists: DrugLists = _NO_LISTS
) -> tuple[DraftOrder, ...]:
    """The medication drafts of a call, in order; a draft that breaks the types is kept as one
    that cannot be read. Other order types are left out here (``Orders.labs`` reads them), and
    so is an order not to give a drug: it treats nobody and harms nobody."""
    found = [
        DraftOrder(d.resource, identify(d.resource, medications), d.raw, d.problem)
        for d in orders.drafted
        if d.resource.resourceType == "MedicationRequest" and not d.resource.doNotPerform
    ]
    return relist(tuple(found), lists)


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


def selected(orders: Orders, drafts: tuple[DraftOrder, ...]) -> tuple[DraftOrder, ...]:
    """The drafts a call judges: at order-select those selected; selections missing, empty or
    matching no draft mean all; at order-sign all (ruling 54)."""
    if orders.hook != "order-select" or not orders.selections:
        return drafts
    wanted = {s.rsplit("/", 1)[-1] for s in orders.selections}
    chosen = tuple(d for d in drafts if d.resource.id in wanted)
    return chosen or drafts


def relist(orders: tuple[DraftOrder, ...], lists: DrugLists) -> tuple[DraftOrder, ...]:
    """The orders with a site's lists of causes and QT drugs (``Protocol.drug_lists``)."""
    if not lists:
        return orders
    return tuple(replace(order, identity=relisted(order.identity, lists)) for order in orders)


def relevant(orders: Orders, lists: DrugLists = _NO_LISTS) -> bool:
    """Whether a call can lead to a card at all: patient-view always; order-select when a judged
    draft is magnesium-relevant or cannot be resolved; order-sign when anything is drafted."""
    if orders.hook == "patient-view":
        return True
    if orders.hook == "order-sign":
        return bool(orders.drafts)
    return any(
        draft.groups & TRIGGER_GROUPS or not draft.identity.resolved or draft.unreadable
        for draft in selected(orders, read_drafts(orders, orders.medications, lists))
    )
