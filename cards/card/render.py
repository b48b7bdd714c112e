"""The CDS Hooks response of a Plan. Same input, same bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from cards.assessment import Assessment
from cards.card.resources import drug_order, lab_order, updated_draft
from cards.card.validate import faults
from cards.phrase import bare, moment
from cards.plan import (
    LAB_NAMES,
    CreateDrug,
    CreateLab,
    Line,
    Plan,
    Proposal,
    UpdateDraft,
)
from cards.protocol import Protocol, cited_anchor

Json = dict[str, Any]
# A namespace of our own (a random UUID, fixed for ever): the uuids of cards derive from it.
NAMESPACE = UUID("8f3f1f0e-6c1c-4a0e-9b1d-5b7f0f6f2a11")
RULE_SYSTEM = "urn:repletion:rule"
REASON_SYSTEM = "urn:repletion:override-reason"
OVERRIDE_REASONS = (
    ("already-treated", "Already being treated"),
    ("repeat-pending", "Repeat level pending"),
    ("renal-plan-agreed", "Renal plan agreed"),
    ("comfort-care", "Comfort care"),
    ("obstetric-use", "Obstetric use"),
    ("other", "Other"),
)
DETAIL_LIMIT = 1500
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Response(Struct, frozen=True, gc=False):
    """``body`` is the JSON; ``card`` the id of its card, None where it has none; ``suggestions``
    the ids of that card's suggestions, in order."""

    body: bytes
    card: str | None = None
    suggestions: tuple[str, ...] = ()


def respond(
    plan: Plan | None, assessment: Assessment, protocol: Protocol, page: str | None = None
) -> Response:
    """``{"cards": [...]}`` of at most one card. ``page`` is the address of the protocol's page,
    to which the card then links."""
    if plan is None:
        return Response(_ENCODER.encode({"cards": []}))
    card = card_json(plan, assessment, protocol, page)
    suggestions = tuple(suggestion["uuid"] for suggestion in card.get("suggestions", ()))
    return Response(_ENCODER.encode({"cards": [card]}), card["uuid"], suggestions)


def card_uuid(plan: Plan, assessment: Assessment) -> UUID:
    """Derived from hookInstance, service, rule and the draft or result: a repeated call gives
    the same id."""
    orders = assessment.orders
    name = "|".join((orders.hook_instance, orders.service, plan.rule, plan.subject))
    return uuid5(NAMESPACE, name)


def card_json(
    plan: Plan, assessment: Assessment, protocol: Protocol, page: str | None = None
) -> Json:
    uuid = card_uuid(plan, assessment)
    suggestions = [
        made
        for proposal in plan.proposals
        if (made := _suggestion(proposal, uuid, plan, assessment)) is not None
    ]
    card: Json = {
        "uuid": str(uuid),
        "summary": plan.summary,
        "detail": detail(plan, protocol),
        "indicator": plan.indicator,
        "source": {
            "label": bare(f"Repletion, protocol {protocol.name} {protocol.version}", 100),
            "topic": {
                "system": RULE_SYSTEM,
                "code": plan.rule,
                "display": bare(plan.topic, 100),
            },
        },
        "overrideReasons": [
            {"code": code, "system": REASON_SYSTEM, "display": display}
            for code, display in OVERRIDE_REASONS
        ],
    }
    if suggestions:
        card["suggestions"] = suggestions
        card["selectionBehavior"] = "at-most-one"
    if page is not None:
        card["source"]["url"] = f"{page}#{cited_anchor(protocol.file, plan.rule)}"
        card["links"] = _links(plan, protocol, page)
    return card


def _links(plan: Plan, protocol: Protocol, page: str) -> list[Json]:
    """To where each rule, stop and regimen of the card stands in the protocol."""
    return [
        {
            "label": f"Protocol: {bare(rule, 60)}",
            "url": f"{page}#{cited_anchor(protocol.file, rule)}",
            "type": "absolute",
        }
        for rule in plan.rules
    ]


def detail(plan: Plan, protocol: Protocol) -> str:
    """GitHub-flavoured Markdown, at most 1,500 characters: what may be dropped goes first."""
    foot = (
        f"Rules: {', '.join(plan.rules)}. Sources: {', '.join(plan.sources)}. "
        f"Protocol {bare(protocol.name, 40)} {bare(protocol.version, 20)}: advice for "
        "professionals, not a guideline."
    )
    lines = list(plan.lines)
    text = _text(lines, foot)
    while len(text) > DETAIL_LIMIT:
        lines = _shorter(lines)
        text = _text(lines, foot)
    return text


def _shorter(lines: list[Line]) -> list[Line]:
    """Without the line that may go first; when none may, without the last one."""
    index = max(range(len(lines)), key=lambda n: (lines[n].keep, n))
    return [*lines[:index], *lines[index + 1 :]]


def _text(lines: list[Line], foot: str) -> str:
    parts = {"top": [], "giving": [], "foot": []}  # type: dict[str, list[str]]
    for line in lines:
        parts[line.part].append(line.text)
    blocks = ["\n".join(["  \n".join(parts["top"])])]
    if parts["giving"]:
        blocks.append("**Giving it**\n\n" + "\n".join(f"- {text}" for text in parts["giving"]))
    blocks.append("  \n".join([*parts["foot"], foot]))
    return "\n\n".join(blocks)


def _suggestion(proposal: Proposal, card: UUID, plan: Plan, assessment: Assessment) -> Json | None:
    actions = _actions(proposal, card, assessment)
    if not actions:
        return None
    made: Json = {
        "label": bare(proposal.label, 100),
        "uuid": str(uuid5(card, proposal.key)),
        "actions": actions,
    }
    if proposal.recommended:
        made["isRecommended"] = True
    return made


def _actions(proposal: Proposal, card: UUID, assessment: Assessment) -> list[Json]:
    chart, orders = assessment.chart, assessment.orders
    result = chart.magnesium.result
    torsades_only = assessment.flags.met("life") and not (result is not None and result.low)
    actions: list[Json] = []
    for action in proposal.actions:
        if isinstance(action, CreateDrug):
            id_ = _id(card, proposal, action.position)
            order = drug_order(action.step, chart, orders, id_, torsades_only=torsades_only)
            actions.append(_create(action.step.given.short, order))
        elif isinstance(action, UpdateDraft):
            actions += _update(action, proposal, card, assessment, torsades_only)
        elif isinstance(action, CreateLab):
            id_ = _id(card, proposal, action.position)
            order = lab_order(action, chart, orders, id_)
            name = LAB_NAMES[action.lab]
            actions.append(_create(f"{name}, {moment(action.at, chart.now)}", order))
        else:
            actions.append(
                {
                    "type": "delete",
                    "description": f"Remove {action.label}",
                    "resourceId": action.reference,
                }
            )
    return actions


def _create(description: str, resource: Json) -> Json:
    return {"type": "create", "description": f"Order {description}", "resource": resource}


def _update(
    action: UpdateDraft, proposal: Proposal, card: UUID, assessment: Assessment, torsades_only: bool
) -> list[Json]:
    """One update with the whole draft; create and delete when it would not be valid R4."""
    draft = updated_draft(action.draft, action.step, assessment.chart)
    if not faults(draft):
        text = f"Change to {action.step.given.short}"
        return [{"type": "update", "description": text, "resource": draft}]
    id_ = _id(card, proposal, 0)
    order = drug_order(
        action.step, assessment.chart, assessment.orders, id_, torsades_only=torsades_only
    )
    return [
        _create(action.step.given.short, order),
        {
            "type": "delete",
            "description": f"Remove {bare(action.draft.label, 60)}",
            "resourceId": action.draft.reference,
        },
    ]


def _id(card: UUID, proposal: Proposal, position: int) -> str:
    return str(uuid5(card, f"{proposal.key}|{position}"))
