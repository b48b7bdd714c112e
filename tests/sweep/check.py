"""Every invariant of one response, and of pairs of responses that differ in one thing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from tests.vignette import suggested
from tests.vignette.invariants import broken

from .axes import DRAFTS, NEEDS, OTHER_DRAFTS, Cell, drafted, request
from .oracle import Facts, facts

Json = dict[str, Any]
Ask = Callable[[bytes, str], bytes | None]
RANK = {"info": 1, "warning": 2, "critical": 3}
MG_PER_MINUTE = 150.0
ORAL_CEILING = 24.0
R2_ORAL = 400 / 40.304 + 0.01  # 400 mg of oxide a day
_ACTIVE_ORAL = {"oral first": 500 / 40.304, "oral full": 800 / 40.304}
# Numbers and claims of the seed articles that no card may repeat (protocol.md, table of traps).
REJECTED = {
    "potassium target 4-5 mEq/L": re.compile(r"\b4(?:\.0)?\s*[-–]\s*5(?:\.0)?\s*m?Eq/L", re.I),
    "alfacalcidol in milligrams": re.compile(
        r"alfacalcidol.{0,40}?\d\s*(?:mg|milligrams?)\b", re.I
    ),
    "480 mg elemental": re.compile(r"\b480(?:\.0)?\s*mg\s+(?:of\s+)?elemental", re.I),
    "250 mg/kg": re.compile(r"\b250\s*mg/kg", re.I),
    "target in mEq/L": re.compile(r"1\.8\s*[-–]\s*2\.2\s*mEq", re.I),
}
_PUSH = re.compile(r"\bIV push\b|\bintravenous push\b", re.I)


def texts(response: Json) -> Iterator[str]:
    """Everything a clinician reads: cards, suggestions, actions, dosage texts."""
    for card in response["cards"]:
        yield card.get("summary", "")
        yield card.get("detail", "")
        for suggestion in card.get("suggestions", []):
            yield suggestion.get("label", "")
            for action in suggestion.get("actions", []):
                yield action.get("description", "")
                for line in (action.get("resource") or {}).get("dosageInstruction", []):
                    yield line.get("text", "")


def worst(response: Json) -> int:
    """0 without a card, else 1 (info) to 3 (critical). The maintenance card is about what was
    given, not about the band: at 2.61 without a source there is none (ruling 66)."""
    return max(
        (
            RANK[card["indicator"]]
            for card in response["cards"]
            if card["source"]["topic"]["code"] != "maintenance"
        ),
        default=0,
    )


def drugs(response: Json) -> list[list[Json]]:
    """The drug orders of each suggestion that holds one."""
    found = []
    for card in response["cards"]:
        for suggestion in card.get("suggestions", ()):
            orders = [
                action["resource"]
                for action in suggestion["actions"]
                if action["type"] != "delete"
                and action["resource"]["resourceType"] == "MedicationRequest"
            ]
            if orders:
                found.append(orders)
    return found


def level(response: Json) -> int:
    """0 no drug, 1 oral only, 2 an injection."""
    routes = {suggested.route(order) for orders in drugs(response) for order in orders}
    return 2 if routes - {"PO"} else 1 if routes else 0


def check(cell: Cell, body: bytes) -> Iterator[str]:
    """What is broken in the response to one cell."""
    response: Json = json.loads(body)
    yield from broken(response)
    offered = drugs(response)
    known = facts(cell)
    if offered:
        yield from _drugs(cell, known, response, offered)
    if response["cards"]:
        yield from _words(cell, response)


def _drugs(cell: Cell, known: Facts, response: Json, offered: list[list[Json]]) -> Iterator[str]:
    if known.stop:
        yield f"a drug although {known.stop} holds"
    if not known.low and not known.life and not known.maintenance:
        yield "a drug without a low magnesium"
    if known.no_star and _starred_injection(response):
        yield f"a recommended injection beside {known.no_star}"
    for orders in offered:
        grams = 0.0
        for order in orders:
            route = suggested.route(order)
            if route in ("IV", "IM"):
                if known.no_parenteral:
                    yield f"{route} although {known.no_parenteral} holds"
                count = float(suggested.repeat(order).get("count", 1))
                grams += float(suggested.dose(order)["value"]) * count
                if route == "IV":
                    yield from _rate(order)
            else:
                yield from _oral(cell, known, response, order)
        single = len(orders) == 1 and known.life and grams <= 2
        if grams > known.cap and not single:
            yield f"{grams} g, above the 24 h cap of {known.cap:.2f} g ({known.renal})"
        if grams > 1 and known.renal == "R2" and not known.life:
            yield f"{grams} g in R2"


def _starred_injection(response: Json) -> bool:
    return any(
        suggestion.get("isRecommended")
        and any(
            suggested.is_drug(action) and suggested.route(action["resource"]) != "PO"
            for action in suggestion["actions"]
        )
        for card in response["cards"]
        for suggestion in card.get("suggestions", ())
    )


def _rate(order: Json) -> Iterator[str]:
    milligrams = float(suggested.dose(order)["value"]) * 1000
    minutes = suggested.minutes(order)
    if milligrams > MG_PER_MINUTE * minutes:
        yield f"{milligrams} mg over {minutes} min is faster than 150 mg/min"


def _oral(cell: Cell, known: Facts, response: Json, order: Json) -> Iterator[str]:
    if known.no_oral and not known.maintenance:
        yield f"oral magnesium although {known.no_oral} holds"
    daily = suggested.oral_mmol_per_day(order)
    if known.renal == "R2" and daily > R2_ORAL:
        yield f"{daily:.1f} mmol a day in R2"
    if not suggested.repeat(order).get("boundsDuration", {}).get("value"):
        yield "an oral order without an end"
    if not cell.lacks("medications") and cell.enteral in _ACTIVE_ORAL:
        # What runs already counts too, unless the suggestion removes it.
        replaced = any("medications-oral" in ref for ref in suggested.deletes(response))
        daily += 0 if replaced else _ACTIVE_ORAL[cell.enteral]
    if not 0 < daily <= ORAL_CEILING:
        yield f"{daily:.1f} mmol a day by mouth"


def _words(cell: Cell, response: Json) -> Iterator[str]:
    text = "\n".join(texts(response))
    for claim, pattern in REJECTED.items():
        if pattern.search(text):
            yield f"the card says {claim}"
    if _PUSH.search(text) and cell.draft != "iv push":
        yield "the card advises an IV push"


# ---------------------------------------------------------------- pairs of responses


def check_again(cell: Cell, body: bytes, ask: Ask) -> Iterator[str]:
    """The same bytes for the same request, in whatever order its resources come."""
    if ask(request(cell), cell.hook) != body:
        yield "another answer to the same request"
    if ask(request(cell, backwards=True), cell.hook) != body:
        yield "another answer when the prefetch comes in another order"


def check_accepted(cell: Cell, body: bytes, ask: Ask) -> Iterator[str]:
    """Each suggestion taken as the draft: no drug is offered again, nothing above info for it."""
    response: Json = json.loads(body)
    hooks = (cell.hook,) if cell.hook != "patient-view" else ("order-select", "order-sign")
    for card in response["cards"]:
        for suggestion in card.get("suggestions", ()):
            if not any(map(suggested.is_drug, suggestion["actions"])):
                continue
            drafts = _accept(cell, suggestion["actions"])
            for hook in hooks:
                again = ask(request(cell._replace(hook=hook), drafts), hook)
                if again is None:
                    yield "accepted: the patient is asked for"
                    continue
                after: Json = json.loads(again)
                if drugs(after):
                    offered = [suggested.shorthand(o) for each in drugs(after) for o in each]
                    yield f"accepted {suggestion['label']!r}: {offered} offered again at {hook}"
                yield from (f"accepted {suggestion['label']!r}: {p}" for p in broken(after))


def _accept(cell: Cell, actions: list[Json]) -> tuple[bytes, ...]:
    """The drafts after a suggestion was taken."""
    kept: dict[str, Json] = {}
    if cell.hook != "patient-view":
        for raw in drafted(cell.draft):
            order: Json = json.loads(raw)
            kept[f"MedicationRequest/{order['id']}"] = order
    for action in actions:
        if action["type"] == "delete":
            kept.pop(action["resourceId"], None)
        elif action["resource"]["resourceType"] == "MedicationRequest":
            kept[f"MedicationRequest/{action['resource']['id']}"] = action["resource"]
    return tuple(json.dumps(order, separators=(",", ":")).encode() for order in kept.values())


def check_removed(cell: Cell, body: bytes, ask: Ask, needs: Sequence[str] = NEEDS) -> Iterator[str]:
    """A need not obtained never adds a drug.

    Except where that need held what forbade it (myasthenia among the conditions, a weight of
    39 kg, magnesium given among the administrations): there section 0 says what may still be
    offered, the oracle says how much of it, and the card must name what was not read.
    """
    # In place of drafted magnesium an offer adds none.
    before = 2 if _drafts_magnesium(cell) else level(json.loads(body))
    known = facts(cell)
    for need in needs:
        if cell.lacks(need):
            continue
        poorer = cell._replace(missing=_without(cell, need))
        answer = ask(request(poorer), cell.hook)
        if answer is None:
            continue
        response: Json = json.loads(answer)
        yield from (f"without {need}: {problem}" for problem in check(poorer, answer))
        if level(response) <= before:
            continue
        if not (_freed(known, facts(poorer)) or _silenced(cell, need)):
            yield f"without {need}: a drug that was not offered before"
        # Of an unknown setting only a severe or urgent level speaks (ruling 105).
        elif need != "encounter" and not any(
            _NAMED[need] in text.lower() for text in texts(response)
        ):
            yield f"without {need}: a drug is offered, and the card does not say what was not read"


_NAMED = {need: need for need in NEEDS} | {"medications": "orders"}


def _without(cell: Cell, need: str) -> str:
    return need if cell.missing == "nothing" else f"{cell.missing} {need}"


def _drafts_magnesium(cell: Cell) -> bool:
    return cell.hook != "patient-view" and any("Mg" in words for words in DRAFTS[cell.draft])


def _freed(known: Facts, poorer: Facts) -> bool:
    """Whether the need that is gone held something that forbade a drug."""
    return (
        (known.stop is not None and poorer.stop is None)
        or (known.no_parenteral is not None and poorer.no_parenteral is None)
        or (known.no_oral is not None and poorer.no_oral is None)
        or known.renal != poorer.renal
        or poorer.cap > known.cap
    )


def _silenced(cell: Cell, need: str) -> bool:
    """Oral magnesium among the orders silences the triggers of section 8 (ruling 55)."""
    return need == "medications" and cell.hook != "patient-view" and cell.enteral in _ACTIVE_ORAL


def comparable(cell: Cell) -> bool:
    """Whether "a worse band, never a milder card" is asked of a cell: not of magnesium drafts,
    which may be right for the worse band and wrong for the better."""
    return cell.hook == "patient-view" or cell.draft in OTHER_DRAFTS


def check_order(worse: Cell, worse_rank: int, better: Cell, better_rank: int) -> Iterator[str]:
    """A worse band never gets a milder indicator, all else equal."""
    if worse_rank < better_rank:
        yield f"{worse.mg} is milder ({worse_rank}) than {better.mg} ({better_rank})"


def neighbours(points: list[str]) -> list[tuple[str, str]]:
    """(worse, better) pairs of magnesium points, towards the normal band; 0.19 mg/dL is no
    band (it is verified, ruling 35)."""
    values = sorted((p for p in points if p != "none" and float(p) >= 0.2), key=float)
    low = [p for p in values if float(p) <= 2.60]
    high = [p for p in values if float(p) > 1.80]
    down = list(pairwise(low))
    up = [(b, a) for a, b in pairwise(high)]
    return down + up


__all__ = [
    "RANK",
    "REJECTED",
    "check",
    "check_accepted",
    "check_again",
    "check_order",
    "check_removed",
    "comparable",
    "drugs",
    "level",
    "neighbours",
    "texts",
    "worst",
]
