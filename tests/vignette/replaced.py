"""What holds between the orders of a request and what a suggestion makes of them.

A correction never gives more by a needle than was drafted (ruling 100), and what stays once a
suggestion is accepted keeps the largest amount of 24 h: drafts, running orders, the new order.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import suggested
from .suggested import Json

# Grams of sulfate in one of the unit.
_GRAMS = {"g": 1.0, "mg": 0.001, "mmol": 1 / 4.06, "meq": 1 / 8.11}
DAY_GRAMS = 8.0


def broken_by(request: Json, response: Json) -> Iterator[str]:
    """Each broken invariant, as a sentence."""
    drafts = {_name(order): order for order in _drafts(request)}
    running = [_in_24h(order) for order in _active(request)]
    for suggestion in suggested.suggestions(response):
        actions = suggestion.get("actions", [])
        new = [a["resource"] for a in actions if suggested.is_drug(a)]
        infused = [grams for order in new if (grams := _in_24h(order)) is not None]
        if not infused:
            continue
        gone = {str(a.get("resourceId")) for a in actions if a.get("type") == "delete"}
        gone |= {_name(a["resource"]) for a in actions if a.get("type") == "update"}
        drafted = [_in_24h(drafts[name]) for name in gone & drafts.keys()]
        known = [grams for grams in drafted if grams is not None]
        if known and sum(infused) > sum(known) + 0.001:
            yield f"invariant: {sum(infused):g} g instead of {sum(known):g} g drafted"
        stays = [_in_24h(order) for name, order in drafts.items() if name not in gone]
        whole = sum(infused) + sum(grams or 0 for grams in (*stays, *running))
        if whole > DAY_GRAMS + 0.001:
            yield f"invariant: {whole:g} g in 24 h stay with {suggestion['label']!r}"


def _name(order: Json) -> str:
    return f"MedicationRequest/{order.get('id')}"


def _drafts(request: Json) -> list[Json]:
    entries = (request["context"].get("draftOrders") or {}).get("entry", [])
    return [e["resource"] for e in entries if _is_order(e["resource"])]


def _active(request: Json) -> list[Json]:
    entries = (request.get("prefetch", {}).get("medications") or {}).get("entry", [])
    return [e["resource"] for e in entries if _is_order(e["resource"]) and _runs(e["resource"])]


def _runs(order: Json) -> bool:
    """Surely running: active, scheduled, and with no end of its own that may be past."""
    timing = suggested.repeat(order)
    ends = {"count", "boundsPeriod", "boundsDuration"} & timing.keys()
    stands = (order.get("status"), order.get("intent")) == ("active", "order")
    return stands and not ends and not suggested.instruction(order).get("asNeededBoolean")


def _is_order(resource: Json) -> bool:
    return resource.get("resourceType") == "MedicationRequest"


def _in_24h(order: Json) -> float | None:
    """Grams of sulfate by a needle in 24 h; None of anything else, or when it cannot be read."""
    if suggested.salt(order) != "sulfate" or suggested.route(order) not in ("IV", "IM"):
        return None
    total = 0.0
    for line in order.get("dosageInstruction", []):
        part = {"dosageInstruction": [line]}
        quantity = suggested.dose(part)
        factor = _GRAMS.get(str(quantity.get("code") or quantity.get("unit")))
        if factor is None:
            return None
        count = float(suggested.repeat(part).get("count", 0))
        daily = max(suggested.per_day(part), 1.0) if suggested.per_day(part) else count or 1.0
        total += float(quantity["value"]) * factor * (min(daily, count) if count else daily)
    return total
