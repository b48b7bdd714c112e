"""Orders: the question of one hook call, and the drafts in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec
from msgspec import Struct

from cards import codes
from cards.codes import SHIPPED, Formulary
from cards.fhir import read_codes
from cards.fhir.element import read_parts
from cards.fhir.resource import Resource
from cards.orders.identity import identify
from cards.orders.order import DraftOrder

# Triggers of section 8, in the groups codes.py gives a drug.
TRIGGER_GROUPS = frozenset(
    {
        "magnesium", "magnesium-laxative", "magnesium-fluid", "potassium", "loop", "thiazide",
        "ppi", "cause",
        "qt-known", "digoxin", "neuromuscular-blocker", "chelated", "calcium",
    }
)  # fmt: skip


# A draft with such a status takes an order back, and orders nothing (ruling 143).
ENDED = frozenset({"stopped", "cancelled", "completed", "entered-in-error", "ended"})


class Drafted(Struct, frozen=True, gc=False):
    """One draft: as received, as read, and why it cannot be judged (None when it can)."""

    raw: bytes
    resource: Resource
    problem: str | None


class Orders(
    Struct, frozen=True, dict=True
):  # no slots: the drafts are decoded once, when somebody asks
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
        """The Medications and Substances that came among the drafts, by id."""
        found = (d.resource for d in self.drafted)
        return {r.id: r for r in found if r.resourceType in ("Medication", "Substance") and r.id}

    @cached_property
    def ended(self) -> tuple[Drafted, ...]:
        """The drafts that end a medication order."""
        return tuple(
            d
            for d in self.drafted
            if d.resource.resourceType == "MedicationRequest" and d.resource.status in ENDED
        )

    @cached_property
    def labs(self) -> frozenset[str]:
        """Which laboratory concepts are being ordered in this session ("magnesium")."""
        return frozenset(
            concept
            for draft in self.drafted
            if draft.resource.resourceType == "ServiceRequest" and not draft.resource.doNotPerform
            for code in read_codes(draft.resource.code)
            for concept in codes.order_concepts(code.system, code.code)
        )


def read_drafts(
    orders: Orders, medications: Mapping[str, Resource], formulary: Formulary = SHIPPED
) -> tuple[DraftOrder, ...]:
    """The medication drafts of a call, in order; a draft that breaks the types is kept as one
    that cannot be read. Other order types are left out here (``Orders.labs`` reads them), and
    so is an order not to give a drug (ruling 159) and one that ends another (ruling 143): they
    treat nobody and harm nobody. So is, until it is signed, an order of which no medication was
    chosen yet."""
    return tuple(
        DraftOrder(d.resource, identify(d.resource, medications, formulary), d.raw, d.problem)
        for d in orders.drafted
        if d.resource.resourceType == "MedicationRequest"
        and not d.resource.doNotPerform
        and d.resource.status not in ENDED
        and not (orders.hook == "order-select" and _is_empty(d))
    )


def _is_empty(drafted: Drafted) -> bool:
    """Whether it has no medication at all: a form just opened. One without a name, or that leads
    nowhere, may be anything (ruling 137)."""
    r = drafted.resource
    return drafted.problem is None and not (
        r.medicationCodeableConcept or r.medicationReference or r.medication
    )


_DECODER = msgspec.json.Decoder(Resource)
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
    parts = read_parts(raw)
    if parts is None:
        return Resource(), "the order is not a FHIR resource"
    lost = sorted(element for path in parts.lost if (element := path.split(".")[0]) in _NEEDED)
    return parts.resource, f"its {lost[0]} breaks FHIR's types" if lost else None


def selected(orders: Orders, drafts: tuple[DraftOrder, ...]) -> tuple[DraftOrder, ...]:
    """The drafts a call judges: at order-select those selected; selections missing, empty or
    matching no draft mean all; at order-sign all (ruling 54)."""
    if orders.hook != "order-select" or not orders.selections:
        return drafts
    wanted = {s.rsplit("/", 1)[-1] for s in orders.selections}
    chosen = tuple(d for d in drafts if d.resource.id in wanted)
    return chosen or drafts


def relevant(orders: Orders, formulary: Formulary = SHIPPED) -> bool:
    """Whether a call can lead to a card at all: patient-view always; order-select when a judged
    draft is magnesium-relevant or cannot be told; order-sign when anything is drafted."""
    if orders.hook == "patient-view":
        return True
    if orders.hook == "order-sign":
        return bool(orders.drafts)
    # What ends magnesium may end the only treatment of a severe level.
    ended = [identify(d.resource, orders.medications, formulary) for d in orders.ended]
    ends = any("magnesium" in found.groups or not found.resolved for found in ended)
    return ends or any(
        draft.groups & TRIGGER_GROUPS or draft.unsure or draft.unreadable
        for draft in selected(orders, read_drafts(orders, orders.medications, formulary))
    )
