"""Card: the JSON a CDS Hooks client gets, and the FHIR resources it suggests."""

from datetime import datetime

from cards.card.render import NAMESPACE, OVERRIDE_REASONS, REASON_SYSTEM, Response, respond
from cards.card.resources import order_templates
from cards.card.validate import faults
from cards.protocol import Protocol

__all__ = [
    "NAMESPACE",
    "OVERRIDE_REASONS",
    "REASON_SYSTEM",
    "Response",
    "faults",
    "protocol_faults",
    "respond",
]


def protocol_faults(protocol: Protocol, now: datetime) -> list[str]:
    """What is wrong, as FHIR, with the orders a protocol would suggest; [] when all are valid.

    Called once at start: it also imports what an answer with an ``update`` needs.
    """
    return [
        f"{place}: {fault}"
        for place, order in order_templates(protocol, now)
        for fault in faults(order)
    ]
