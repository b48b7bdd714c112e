"""Stored: cards and answers put straight into a store, where their calls do not matter."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import insert

from cards.protocol import shipped
from service.store import Store
from service.store.tables import feedback, shown


def add_cards(store: Store, count: int, at: datetime, **more: Any) -> list[str]:
    """So many cards, their columns those of one severe level unless said otherwise; their ids."""
    base = {
        "at": _micros(at),
        "suggestions": "",
        "state": "shown",
        "client": "",
        "tenant": "",
        "service": "magnesium-patient-view",
        "rule": "severe",
        "rules": "severe",
        "findings": "[]",
        "indicator": "critical",
        "alarms": "",
        "patient": b"p" * 32,
        "protocol": "standard 2026.1",
        "protocol_hash": shipped("standard").hash,
        "software": "0.1.0",
        "correlation": "0" * 32,
    }
    rows = [base | more | {"card": str(uuid4())} for _ in range(count)]
    if rows:
        store.write(lambda c: c.execute(insert(shown), rows))
    return [str(row["card"]) for row in rows]


def answer_cards(
    store: Store, cards: list[str], outcome: str, at: datetime, reason: str | None = None
) -> None:
    rows = [
        {
            "client": "",
            "tenant": "",
            "card": card,
            "outcome": outcome,
            "outcome_at": _micros(at),
            "received": _micros(at),
            "service": "magnesium-patient-view",
            "standing": "known",
            "suggestions": "",
            "reason": reason,
            "correlation": "0" * 32,
        }
        for card in cards
    ]
    if rows:
        store.write(lambda c: c.execute(insert(feedback), rows))


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
