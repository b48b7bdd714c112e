"""N8: an oral drug that magnesium binds, with oral magnesium, or the reverse, at any level."""

from __future__ import annotations

from collections.abc import Iterator

from cards.assessment.finding import Finding, met
from cards.assessment.triggers.context import TriggerContext
from cards.codes import Drug
from cards.orders import DraftOrder
from cards.phrase import record
from cards.protocol import Protocol


def chelated(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    medicines = context.chart.medicines
    others = tuple(d for d in context.session if d is not draft)
    pairs: list[tuple[Drug, DraftOrder]] = []
    if _oral_magnesium(draft):
        beside = (*medicines.active("chelated"), *others)
        pairs = [(drug, draft) for o in beside if (drug := _bound(o)) is not None]
    elif (own := _bound(draft)) is not None:
        beside = (*medicines.sources(), *others)
        pairs = [(own, o) for o in beside if _oral_magnesium(o)][:1]
    seen: set[str] = set()
    for drug, magnesium in pairs:
        says = _apart(drug, context.protocol)
        if says and drug.name not in seen:
            seen.add(drug.name)
            yield met(
                context.protocol,
                "N8",
                f"{record(drug.name)} and oral magnesium ({record(magnesium.label, 50)}): {says}.",
                draft=draft,
                heading=f"{drug.name} is bound by oral magnesium",
            )


def _bound(order: DraftOrder) -> Drug | None:
    """The drug that magnesium binds; by another route it is not bound."""
    return None if order.parenteral else order.identity.find("chelated")


def _oral_magnesium(order: DraftOrder) -> bool:
    """Magnesium by mouth. The sulfate whose route nobody states is none (ruling 122), nor is a
    replacement protocol; a laxative or antacid that is taken now and then does not count."""
    drug = order.magnesium or order.laxative
    if drug is None or order.parenteral or order.identity.protocol_order:
        return False
    if order.laxative is not None:
        return not order.as_needed
    return order.route is not None


def _apart(drug: Drug, protocol: Protocol) -> str | None:
    for row in protocol.file.interaction:
        if (
            row.drug == drug.name
            or drug.name.startswith(row.drug + " ")
            or row.drug in drug.ingredients
        ):
            return None if row.off else row.says
    return None
