"""What holds for every response, whatever the patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import suggested
from .suggested import Json, Offer
from .terms import RXNORM

CARD_FIELDS = ("uuid", "summary", "indicator", "source", "detail")
ORAL_CEILING_MMOL = 24.0
MG_PER_MINUTE = 150


def broken(response: Json) -> Iterator[str]:
    """Each broken invariant, as a sentence."""
    cards = response.get("cards")
    if not isinstance(cards, list):
        yield "invariant: cards is not a list"
        return
    yield from _empties(response, "response")
    for index, card in enumerate(cards):
        for problem in _card(card):
            yield f"invariant: card {index}: {problem}"
    starred = sum(bool(s.get("isRecommended")) for s in suggested.suggestions(response))
    if starred > 1:
        yield f"invariant: {starred} suggestions recommended"
    bearing = [
        card for card in cards if any(map(suggested.is_drug, suggested.actions({"cards": [card]})))
    ]
    if len(bearing) > 1:
        yield f"invariant: {len(bearing)} drug-bearing cards"
    for offer in suggested.offers(response):
        for problem in _order(offer):
            yield f"invariant: {offer.shorthand}: {problem}"


def _empties(value: Any, path: str) -> Iterator[str]:
    if value is None or value == "" or value == {} or (value == [] and path != "response.cards"):
        yield f"invariant: empty value at {path}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _empties(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empties(item, f"{path}[{index}]")


def _card(card: Json) -> Iterator[str]:
    for name in CARD_FIELDS:
        if not card.get(name):
            yield f"no {name}"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield f"indicator {card.get('indicator')!r}"
    if len(card.get("summary", "")) >= 140:
        yield "summary of 140 characters or more"
    if re.search(r"&(?:lt|gt|amp|quot|#\d+);|\\[<>:*_]", card.get("summary", "")):
        yield "summary escaped as Markdown or HTML; it is plain text"
    if len(card.get("detail", "")) > 1500:
        yield f"detail of {len(card['detail'])} characters"
    source = card.get("source") or {}
    topic = source.get("topic") or {}
    if not source.get("label") or not topic.get("code") or not topic.get("system"):
        yield "source without label or topic"
    for reason in card.get("overrideReasons", []):
        if not all(reason.get(name) for name in ("code", "system", "display")):
            yield "override reason without code, system or display"
    if "suggestions" in card:
        yield from _suggestions(card)


def _suggestions(card: Json) -> Iterator[str]:
    if card.get("selectionBehavior") != "at-most-one":
        yield "suggestions without selectionBehavior at-most-one"
    for suggestion in card["suggestions"]:
        if not suggestion.get("uuid") or not suggestion.get("label"):
            yield "suggestion without uuid or label"
        kinds = []
        for action in suggestion.get("actions", []):
            kinds.append(action.get("type"))
            yield from _action(action)
        if "delete" in kinds and set(kinds[kinds.index("delete") :]) & {"create", "update"}:
            drugs = [suggested.is_drug(action) for action in suggestion["actions"]]
            if any(drugs[kinds.index("delete") :]):
                yield "a delete stands before the new order"


def _action(action: Json) -> Iterator[str]:
    kind = action.get("type")
    if kind not in ("create", "update", "delete"):
        yield f"action type {kind!r}"
    if not action.get("description"):
        yield "action without description"
    if kind == "delete" and "/" not in str(action.get("resourceId", "")):
        yield "delete without resourceId Type/id"
    if kind in ("create", "update") and not (action.get("resource") or {}).get("resourceType"):
        yield f"{kind} without resource"
    resource = action.get("resource") or {}
    if resource.get("resourceType") == "ServiceRequest":
        yield from _lab(resource)


def _lab(resource: Json) -> Iterator[str]:
    if (resource.get("status"), resource.get("intent")) != ("draft", "order"):
        yield "lab is not a draft order"
    for name in ("subject", "occurrenceDateTime", "code"):
        if not resource.get(name):
            yield f"lab without {name}"


def _order(offer: Offer) -> Iterator[str]:
    order = offer.order
    if (order.get("status"), order.get("intent")) != ("draft", "order"):
        yield "not a draft order"
    needed = ["id", "subject", "authoredOn", "dosageInstruction"]
    if offer.action == "create":
        needed += ["category", "reasonCode", "medicationCodeableConcept"]
    for name in needed:
        if not order.get(name):
            yield f"no {name}"
    drug = suggested.concept(order)
    first = (drug.get("coding") or [{}])[0]
    if offer.action == "create" and (first.get("system") != RXNORM or not drug.get("text")):
        yield "medication without RxNorm coding first, or without text"
    line = suggested.instruction(order)
    for name in ("text", "timing", "route", "doseAndRate"):
        if not line.get(name):
            yield f"dosage without {name}"
    where = suggested.route(order)
    if where == "IV":
        yield from _intravenous(order)
    elif where == "PO":
        yield from _oral(order)
    elif where == "IM":
        yield from _intramuscular(order)
    else:
        yield f"route {where!r}"


def _grams(order: Json) -> Iterator[str]:
    quantity = suggested.dose(order)
    if (quantity.get("code") or quantity.get("unit")) != "g":
        yield f"dose in {quantity.get('unit')!r}, not g"


def _intravenous(order: Json) -> Iterator[str]:
    yield from _grams(order)
    timing = suggested.repeat(order)
    grams = float(suggested.dose(order).get("value", 0))
    length = suggested.minutes(order)
    if grams * 1000 > MG_PER_MINUTE * length:
        yield f"faster than {MG_PER_MINUTE} mg/min"
    if timing.get("count") != 1 or timing.get("durationUnit") != "min":
        yield "timing is not one infusion in minutes"
    rated = (suggested.instruction(order).get("doseAndRate") or [{}])[0]
    ratio = rated.get("rateRatio") or {}
    over = ratio.get("denominator") or {}
    if (ratio.get("numerator") or {}).get("value") != suggested.dose(order).get("value"):
        yield "rateRatio numerator is not the dose"
    if over.get("value") != timing.get("duration"):
        yield "rateRatio denominator is not the infusion time"
    if "rateQuantity" in rated:
        yield "a second rate beside rateRatio"


def _intramuscular(order: Json) -> Iterator[str]:
    yield from _grams(order)
    timing = suggested.repeat(order)
    if not timing.get("count"):
        yield "intramuscular without a count"
    grams = float(suggested.dose(order).get("value", 0))
    if grams * float(timing.get("count", 0)) > 8:
        yield "more than 8 g intramuscular in a day"


def _oral(order: Json) -> Iterator[str]:
    quantity = suggested.dose(order)
    if (quantity.get("code") or quantity.get("unit")) != "mg":
        yield f"dose in {quantity.get('unit')!r}, not mg"
    if suggested.salt(order) == "unknown":
        yield "unknown salt"
    bounds = suggested.repeat(order).get("boundsDuration") or {}
    if not bounds.get("value"):
        yield "not bounded"
    daily = suggested.oral_mmol_per_day(order)
    if not 0 < daily <= ORAL_CEILING_MMOL:
        yield f"{daily:.1f} mmol a day"
