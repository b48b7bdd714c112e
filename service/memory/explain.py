"""Explain: what one call said and why, told without the patient."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import select

from cards.card import OVERRIDE_REASONS
from cards.protocol import Protocol
from service.store import Store
from service.store.tables import feedback, shown

_REASONS = dict(OVERRIDE_REASONS)


def explain_call(store: Store, correlation: str, protocol: Protocol) -> list[str]:
    """What one call said and why, in lines, as far as it can be told without the patient."""
    query = select(shown).where(shown.c.correlation == correlation).order_by(shown.c.id)
    rows = store.read(lambda c: c.execute(query).all())
    lines: list[str] = []
    for row in rows:
        lines += [
            f"{_when(row.at)}  {row.service}: {row.state}, {row.indicator}, rule {row.rule}",
            f"  rules: {row.rules}",
        ]
        if row.protocol_hash == protocol.hash:
            findings = msgspec.json.decode(row.findings, type=list[tuple[str, str | None]])
            rules = dict.fromkeys(rule for rule, _ in findings)
            lines += [f"  {rule}: {protocol.rule(rule).title}" for rule in rules]
        else:
            lines.append("  the protocol in force now is another; the rules of then: see its file")
        lines += [
            f"  the level acted as: {row.band or 'no usable level'}",
            f"  stops and flags that held: {row.alarms or 'none'}",
            f"  protocol {row.protocol}, {row.protocol_hash}; repletion {row.software}",
            f"  client {row.client or '(open)'}, tenant {row.tenant or '-'}; card {row.card}",
        ]
        lines += _answers(store, row)
    return lines


def _answers(store: Store, row: Any) -> list[str]:
    query = select(feedback).where(feedback.c.card == row.card).order_by(feedback.c.outcome_at)
    if row.state != "shown":
        return []
    answers = [
        f"  {_when(a.outcome_at)}  {a.outcome}"
        + (f", {_REASONS.get(a.reason, a.reason)}" if a.reason else "")
        + ("" if (a.client, a.tenant) == (row.client, row.tenant) else " (by another client)")
        for a in store.read(lambda c: c.execute(query).all())
    ]
    return answers or ["  not answered"]


def _when(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).isoformat()
