"""Unrecognised: what came under a code, name or unit not known here, counted for who maps it.

Of a patient nothing is kept: a text may hold a name, so it is stored as a keyed hash until
ENOUGH patients had the same; who they were as keyed hashes of this row alone, and no longer than
they are needed for counting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from cards.evidence import Unrecognised, has_code_shape
from service.memory.entry import SOURCE, elsewhere, site_entry
from service.memory.pseudonym import Pseudonyms
from service.store import Store
from service.store.tables import unrecognised

ENOUGH = 5  # patients
MOST = 1_000  # kinds of thing of one client; beyond that the oldest goes
SHORT = 60  # characters of a text
_HASH = 16  # bytes of a patient's


@dataclass(frozen=True, slots=True)
class Noted:
    """What one call brought that was not recognised; lives in memory alone."""

    client: str
    tenant: str
    patient: bytes
    at: int
    found: tuple[Unrecognised, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """One kind of thing; what is not told of it is a keyed hash. ``patients`` is the number of
    different ones, ENOUGH for so many or more."""

    what: Unrecognised
    client: str
    calls: int
    patients: int
    last: datetime

    @property
    def entry(self) -> str | None:
        """A part of a site's file for it, of what is told; None when the file has no place."""
        return site_entry(self._told)

    @property
    def elsewhere(self) -> str:
        """What to do instead where there is no entry."""
        if self.entry is None and is_hashed(self.what.text):
            return f"its name is told once {ENOUGH} patients had it"
        return elsewhere(self.what)

    @property
    def _told(self) -> Unrecognised:
        sent = {name: getattr(self.what, name) for name in ("system", "code", "text", "unit")}
        told = {name: "" if is_hashed(text) else text for name, text in sent.items()}
        return Unrecognised(self.what.kind, **told)

    @property
    def patients_said(self) -> str:
        return f"{ENOUGH} or more" if self.patients >= ENOUGH else str(self.patients)


def is_hashed(text: str) -> bool:
    """Whether a text of the store is a keyed hash."""
    return re.fullmatch(r"#[0-9a-f]{12}", text) is not None


def write_unrecognised(connection: Connection, noted: Iterable[Noted], names: Pseudonyms) -> None:
    """Counts what was noted, in the transaction of ``connection``."""
    rows: dict[bytes, _Row] = {}
    for call in noted:
        for what in call.found:
            key = names.unrecognised(
                call.client, call.tenant, what.kind, what.system, what.code, what.unit, what.text
            )
            row = rows.setdefault(key, _Row(key, call.client, call.tenant, what))
            row.calls += 1
            row.at = max(row.at, call.at)
            row.patients.append(names.of_unrecognised(key, call.patient)[:_HASH])
    if not rows:
        return
    # In one order for everybody: of two processes with the same rows neither waits for ever.
    keys = sorted(rows)
    query = select(unrecognised).where(unrecognised.c.key.in_(keys)).with_for_update()
    there = {bytes(old.key): old for old in connection.execute(query.order_by(unrecognised.c.key))}
    changed = [rows[key].merged(there[key], names) for key in keys if key in there]
    new = [rows[key].merged(None, names) for key in keys if key not in there]
    if changed:
        connection.execute(_UPDATE, changed)
    if new:
        connection.execute(insert(unrecognised), [{_of(k): v for k, v in r.items()} for r in new])
        for client in sorted({row["b_client"] for row in new}):
            _bound(connection, client)


_CHANGED = ("system", "code", "unit", "text", "calls", "patients", "seen", "at")
_UPDATE = (
    update(unrecognised)
    .where(unrecognised.c.key == bindparam("b_key"))
    .values({name: bindparam(f"b_{name}") for name in _CHANGED})
)


def _of(name: str) -> str:
    return name.removeprefix("b_")


class _Row:
    """What one batch has of one kind of thing."""

    def __init__(self, key: bytes, client: str, tenant: str, what: Unrecognised) -> None:
        self.key, self.client, self.tenant, self.what = key, client, tenant, what
        self.calls, self.at = 0, 0
        self.patients: list[bytes] = []

    def merged(self, old: Any, names: Pseudonyms) -> dict[str, Any]:
        """The columns after it, prefixed for the statement that updates."""
        before = old.seen if old is not None else b""
        known = [before[n : n + _HASH] for n in range(0, len(before), _HASH)]
        patients = old.patients if old is not None else 0
        if patients < ENOUGH:
            known = list(dict.fromkeys((*known, *self.patients)))[:ENOUGH]
            patients = len(known)
        enough = patients >= ENOUGH

        def told(text: str, *, plain: bool) -> str:
            text = text.replace("\x00", "")  # PostgreSQL has no place for it
            return text[:SHORT] if enough and not plain else text if plain else names.short(text)

        what = self.what
        return {
            "b_key": self.key,
            "b_client": self.client,
            "b_tenant": self.tenant,
            "b_kind": what.kind,
            "b_system": told(what.system, plain=has_code_shape(what.system)),
            "b_code": told(what.code, plain=has_code_shape(what.code)),
            "b_unit": told(what.unit, plain=has_code_shape(what.unit)),
            "b_text": told(what.text, plain=not what.text),
            "b_calls": self.calls + (old.calls if old is not None else 0),
            "b_patients": patients,
            "b_seen": b"" if enough else b"".join(known),
            "b_at": max(self.at, old.at if old is not None else 0),
        }


def _bound(connection: Connection, client: str) -> None:
    mine = unrecognised.c.client == client
    newest = (
        select(unrecognised.c.id)
        .where(mine)
        .order_by(unrecognised.c.at.desc(), unrecognised.c.id.desc())
        .limit(MOST)
    )
    connection.execute(delete(unrecognised).where(mine, unrecognised.c.id.not_in(newest)))


def read_unrecognised(store: Store, whose: tuple[str, str] | None = None) -> tuple[Counted, ...]:
    """Everything counted, of one (client, tenant) or of all, most often first. Raises StoreDown."""
    table = unrecognised.c
    query = select(unrecognised).order_by(table.patients.desc(), table.calls.desc(), table.id)
    if whose is not None:
        query = query.where(table.client == whose[0], table.tenant == whose[1])
    rows: Sequence[Any] = store.read(lambda c: c.execute(query).all())
    return tuple(
        Counted(
            Unrecognised(row.kind, row.system, row.code, row.text, row.unit),
            row.client,
            row.calls,
            row.patients,
            datetime.fromtimestamp(row.at // 1_000_000, UTC),
        )
        for row in rows
    )


def as_text(rows: Sequence[Counted]) -> str:
    """A table for a terminal."""
    head = ("kind", "system", "code", "unit", "text", "calls", "patients", "last")
    cells = [
        tuple(
            "".join(c if c.isprintable() else "?" for c in cell)
            for cell in (
                *(row.what.kind, row.what.system, row.what.code, row.what.unit, row.what.text),
                *(str(row.calls), row.patients_said, row.last.date().isoformat()),
            )
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *cells)
    )
    return "\n".join(lines)


def as_entries(rows: Sequence[Counted]) -> str:
    """All entries there are for a site's file, each code once, after the source they name."""
    entries: dict[tuple[str, ...], str] = {}
    for row in rows:
        entry, what = row.entry, row.what
        if entry is not None:
            part = "drug" if what.kind == "drug" else "result"
            named = (what.system, what.code) if what.code else (what.text,)
            entries.setdefault((part, *named), entry)
    source = [SOURCE] if any(part == "drug" for part, *_ in entries) else []
    return "\n".join((*source, *entries.values()))
