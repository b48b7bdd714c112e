"""Upkeep: what an operator does to the store: prune, check, backup."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, func, select, text

from service.memory.memory import micros
from service.store import Store
from service.store.tables import feedback, metadata, shown, unrecognised

_ROWS = 2_000  # at a time: hooks and feedback go on between
_AGE = re.compile(r"(\d{1,5})d")


class UpkeepError(Exception):
    """``str()`` says why not, without a word of what is stored."""


def read_age(words: str) -> timedelta:
    """``90d``. Raises ValueError."""
    match = _AGE.fullmatch(words)
    if match is None or int(match[1]) < 1:
        raise ValueError("expected a number of days, as 90d")
    return timedelta(days=int(match[1]))


def prune(store: Store, before: datetime) -> dict[str, int]:
    """Deletes cards shown, feedback received and what was last not recognised before a moment; how
    many of each.

    Raises StoreDown; what was deleted until then stays deleted.
    """
    return {
        "shown": _prune(store, shown, shown.c.id, shown.c.at, micros(before)),
        "feedback": _prune(
            store, feedback, feedback.c.received, feedback.c.received, micros(before)
        ),
        "unrecognised": _prune(
            store, unrecognised, unrecognised.c.id, unrecognised.c.at, micros(before)
        ),
    }


def _prune(store: Store, table: Table, key: Any, at: Any, before: int) -> int:
    gone = 0
    while True:
        old = select(key).where(at < before).order_by(at).limit(_ROWS)
        count = store.write(lambda c, o=old: c.execute(delete(table).where(key.in_(o))).rowcount)  # type: ignore[misc]
        if not count:
            return gone
        gone += count


def check(store: Store) -> Iterator[str]:
    """What the store holds, one line each. Raises UpkeepError when it is damaged."""
    patient = store.waiting(600.0)
    if store.is_sqlite:
        found = patient.read(lambda c: c.execute(text("PRAGMA integrity_check")).scalars().all())
        if list(found) != ["ok"]:
            raise UpkeepError(f"the file is damaged: {len(found)} faults; restore a backup")
    for name, table in metadata.tables.items():
        count = select(func.count()).select_from(table)
        rows: int = patient.read(lambda c, q=count: c.execute(q).scalar_one())  # type: ignore[misc]
        yield f"{name}: {rows} rows"


def backup(store: Store, to: Path) -> None:
    """A consistent copy in the new file ``to``, for its owner only, while the service goes on.

    Raises UpkeepError.
    """
    if store.file is None:
        raise UpkeepError("a PostgreSQL database is backed up with pg_dump")
    try:
        os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise UpkeepError(f"{to}: {error.strerror}") from None
    try:
        with sqlite3.connect(f"{store.file.absolute().as_uri()}?mode=ro", uri=True) as source:
            source.execute("VACUUM INTO ?", (str(to),))
        source.close()
    except sqlite3.Error as error:
        to.unlink()
        raise UpkeepError(f"no copy was made: {type(error).__name__}") from None
