"""Compare a response with what its row expects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import suggested
from .invariants import broken
from .suggested import Json
from .tables import Row

RANK = {"info": 1, "warning": 2, "critical": 3}


def mismatches(row: Row, response: Json) -> list[str]:
    """Every way in which the response is not what the row says; empty when it passes."""
    found = list(broken(response))
    if any(problem.endswith("cards is not a list") for problem in found):
        return found
    found += _indicator(row, response)
    found += _drugs(row, response)
    found += _orders(row, response)
    found += _recheck(row, response)
    found += _words(row, response)
    return found


def _indicator(row: Row, response: Json) -> Iterator[str]:
    cards = response["cards"]
    worst = max((card.get("indicator", "") for card in cards), key=_rank, default="no card")
    if worst != row.worst_indicator:
        summaries = "; ".join(card.get("summary", "") for card in cards)
        yield f"worst_indicator: {worst}, not {row.worst_indicator} ({summaries})"


def _rank(indicator: str) -> int:
    return RANK.get(indicator, 0)


def _drugs(row: Row, response: Json) -> Iterator[str]:
    offered = suggested.offers(response)
    starred = [offer.shorthand for offer in offered if offer.recommended]
    every = [offer.shorthand for offer in offered]
    if row.recommended == "no drug":
        if every:
            yield f"recommended: {every} offered, not no drug"
        return
    if row.recommended == "any":
        return
    if row.recommended == "oral only":
        if parenteral := [each for each in every if not each.startswith(("po", "alt", "gly"))]:
            yield f"recommended: {parenteral} offered, not oral only"
        return
    if row.recommended == "none starred":
        if starred or not every:
            yield f"recommended: {starred} of {every}, not offered with none starred"
    elif starred != [row.recommended]:
        yield f"recommended: {starred} of {every}, not {row.recommended}"
    allowed = {row.recommended, *row.also_offered_at_most.split()}
    if set(every) - allowed:
        yield f"also_offered_at_most: {sorted(set(every) - allowed)} offered too"
    missing = set(row.also_offered_at_least.split()) - set(every)
    if missing:
        yield f"also_offered_at_least: {sorted(missing)} not offered"


def _orders(row: Row, response: Json) -> Iterator[str]:
    missing = set(row.labs_suggested_at_least.split()) - suggested.labs(response)
    if missing:
        yield f"labs_suggested_at_least: {sorted(missing)} not suggested"
    deleted = suggested.deletes(response)
    if row.deletes == "none":
        if deleted:
            yield f"deletes: {sorted(deleted)}, not none"
    elif set(row.deletes.split()) - deleted:
        yield f"deletes: {sorted(deleted)}, not {row.deletes}"
    if row.updates:
        updated = {
            f"MedicationRequest/{offer.order.get('id')}"
            for offer in suggested.offers(response)
            if offer.action == "update"
        }
        if updated != set(row.updates.split()):
            yield f"updates: {sorted(updated)}, not {row.updates}"


def _recheck(row: Row, response: Json) -> Iterator[str]:
    """The follow-up lab and the end of the recommended order."""
    if row.labs_at:
        times = suggested.lab_times(response)
        if set(row.labs_at.split()) - times:
            yield f"labs_at: {sorted(times)}, not {row.labs_at}"
    if row.bounded:
        ends = [
            f"{bounds.get('value')} {bounds.get('code') or bounds.get('unit')}"
            for offer in suggested.offers(response)
            if offer.recommended
            for bounds in [suggested.repeat(offer.order).get("boundsDuration") or {}]
        ]
        if ends != [row.bounded]:
            yield f"bounded: {ends}, not {row.bounded}"


def _words(row: Row, response: Json) -> Iterator[str]:
    cards = response["cards"]
    text = "\n".join(f"{card.get('summary', '')}\n{card.get('detail', '')}" for card in cards)
    topics = [card["source"]["topic"]["code"] for card in cards if _has_topic(card)]
    spoken = "\n".join([text, *topics])
    for rule in filter(None, row.rule.split(";")):
        if not re.search(rf"(?<![A-Za-z0-9]){re.escape(rule.strip())}(?![A-Za-z0-9])", spoken):
            yield f"rule: {rule.strip()} is named nowhere ({topics})"
    folded = text.casefold()
    for wanted in filter(None, row.says.split(";")):
        if not any(word.strip().casefold() in folded for word in wanted.split("||")):
            yield f"says: {wanted.strip()!r} is not said"
    for unwanted in filter(None, row.not_says.split(";")):
        if unwanted.strip().casefold() in folded:
            yield f"not_says: {unwanted.strip()!r} is said"


def _has_topic(card: Json) -> bool:
    return "code" in (card.get("source") or {}).get("topic", {})
