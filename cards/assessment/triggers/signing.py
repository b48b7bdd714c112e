"""The last look at signing: severe, and nobody treats it."""

from __future__ import annotations

from cards.assessment.finding import Finding
from cards.assessment.triggers.context import TriggerContext
from cards.orders import DraftOrder
from cards.phrase import record


def check_signing(context: TriggerContext) -> Finding | None:
    """At order-sign, and where a draft ends the treatment, once: severe, and magnesium neither
    active nor in the session (ruling 143)."""
    ended = context.chart.medicines.ended_parenteral
    if not (context.at_sign or ended) or not context.severe or context.infused:
        return None
    waiting = waits_for_a_nurse(context.session)
    if waiting is None and context.magnesium_drafts:
        return None  # an oral draft is judged by D13
    result = context.chart.magnesium.result
    assert result is not None  # noqa: S101 - severe
    entry = context.protocol.rule("sign")
    indicator = context.scoped(entry.indicator_for("severe"))
    says = f"{record(ended[0].label, 50)} is being stopped." if ended else ""
    heading = entry.title
    if waiting is not None:
        heading = "PRN: nobody has given it yet"
        says = f"{record(waiting.label, 50)}: {heading}. {says}".strip()
        if not context.flags.met("life") and indicator == "critical":
            indicator = "warning"
    return Finding(
        "sign", "met", says, indicator, heading, None, "offer", evidence=(result.source,)
    )


def waits_for_a_nurse(session: tuple[DraftOrder, ...]) -> DraftOrder | None:
    """A drafted magnesium order that is given only as needed: no treatment yet (ruling 111)."""
    return next((d for d in session if d.magnesium is not None and d.as_needed), None)
