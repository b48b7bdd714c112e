"""Merged: a protocol file laid over the shipped profile it ``extends``, each entry's origin kept.

The rules, and there are no others:

1. ``[protocol]`` is the file's own; only ``notice`` is taken over.
2. A named entry (``[limit.x]``, ``[result.x]``, ``[rule.x]``, ``[stop.x]``, ``[product.x]``,
   ``[wording.x]``, a key of ``[result]`` or ``[sources]``) replaces the inherited one of that
   name whole, so that a changed number never keeps another number's source.
3. Rows with a name (``[[renal]]`` by id, ``[[regimen]]`` by id, ``[[interaction]]`` by drug):
   the file's rows of a name stand where the first inherited row of it stood, and all of those
   go; rows of a new name follow the inherited ones.
4. ``[[band]]``, ``[[followup]]``, ``[[drug_list]]``, ``[[drug]]`` and ``[[relaxed]]``: a file that
   states one row states them all.
5. ``drops = ["regimen.oral", "followup.*"]`` leaves inherited entries out; a rule that is dropped
   is switched off: its entry stays, with the indicator ``none``.
6. Inherited sources and products that nothing uses any more are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

Raw = dict[str, Any]
Key = str | int
NAMED = ("sources", "result", "limit", "rule", "stop", "product", "wording")
ROWS = {"renal": "id", "regimen": "id", "interaction": "drug"}
WHOLE = ("band", "followup", "drug_list", "drug", "relaxed")


class Merged(Struct, frozen=True, gc=False):
    """The tables of a file, laid over those it builds on.

    ``origins`` holds, for each inherited entry ``(table, name or row)``, the file it stands in
    and, for a row, its number there; ``numbers`` the row numbers of the file's own rows.
    """

    raw: Raw
    origin: str
    origins: Mapping[tuple[str, Key], tuple[str, Key]] = field(default_factory=dict)
    numbers: Mapping[tuple[str, Key], Key] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of the whole content, inherited entries included; comments do not count."""
        text = json.dumps(self.raw, sort_keys=True, default=str, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def inherited(self, path: tuple[Key, ...]) -> bool:
        """Whether the entry at a path is not the file's own."""
        return (str(path[0]), path[1]) in self.origins

    def line(self, path: tuple[Key, ...], says: str) -> str:
        """``site.toml: regimen[2] (oral).offer[0].dose: what is wrong``."""
        head: tuple[str, Key] | None = None
        if len(path) > 1:
            head = (str(path[0]), path[1])
        file, number = self.origins.get(head, (None, None)) if head else (None, None)
        parts: list[str] = []
        for index, part in enumerate(path):
            if not isinstance(part, int):
                parts.append(f".{part}" if parts else part)
            elif index == 1 and head is not None:
                shown = number if number is not None else self.numbers.get(head, part)
                parts.append(f"[{shown}]{self._label(head)}")
            else:
                parts.append(f"[{part}]")
        place = "".join(parts)
        inherited = f" (inherited from {file})" if file else ""
        return f"{self.origin}: {place}: {says}{inherited}" if place else f"{self.origin}: {says}"

    def _label(self, head: tuple[str, Key]) -> str:
        rows = self.raw.get(head[0])
        row = rows[head[1]] if isinstance(rows, list) and isinstance(head[1], int) else None
        if not isinstance(row, dict):
            return ""
        name = next((row[k] for k in ("name", "id", "drug", "stop", "group") if k in row), None)
        return f" ({name})" if name is not None else ""


class DropError(Exception):
    """A ``drops`` entry that names nothing."""


def merge(own: Raw, origin: str, base: Merged) -> Merged:
    """``own`` laid over ``base``. Raises DropError."""
    merging = _Merging(own, base)
    return merging.made(origin)


class _Merging:
    def __init__(self, own: Raw, base: Merged) -> None:
        self.own, self.base = own, base
        self.origins: dict[tuple[str, Key], tuple[str, Key]] = {}
        self.numbers: dict[tuple[str, Key], Key] = {}
        head = own["protocol"]
        drops = head.get("drops", [])
        self.drops = [d for d in drops if isinstance(d, str)] if isinstance(drops, list) else []
        self.used: set[str] = set()

    def made(self, origin: str) -> Merged:
        raw: Raw = {key: value for key, value in self.own.items() if key not in self.base.raw}
        raw["protocol"] = {"notice": self.base.raw["protocol"]["notice"], **self.own["protocol"]}
        for table in NAMED:
            raw[table] = self._named(table)
        for table in (*ROWS, *WHOLE):
            raw[table] = self._rows(table)
        unknown = [drop for drop in self.drops if drop not in self.used]
        if unknown:
            raise DropError(f"{', '.join(unknown)}: nothing of that name is inherited")
        self._prune(raw, "product", {o["product"] for o in _options(raw) if "product" in o})
        self._prune(raw, "sources", set(_cited(raw)))
        return Merged(raw, origin, self.origins, self.numbers)

    def _dropped(self, table: str, name: Key) -> bool:
        hits = {d for d in self.drops if d in (f"{table}.*", f"{table}.{name}")}
        self.used |= hits
        return bool(hits)

    def _inherit(self, table: str, key: Key, old: Key) -> None:
        base = self.base
        own = (base.origin, base.numbers.get((table, old), old))
        self.origins[table, key] = base.origins.get((table, old), own)

    def _named(self, table: str) -> Any:
        own = self.own.get(table, {})
        if not isinstance(own, dict):
            return own
        found = dict(own)
        for name, entry in self.base.raw[table].items():
            dropped = self._dropped(table, name)
            if name in own or (dropped and table != "rule"):
                continue
            found[name] = {**entry, "indicator": "none"} if dropped else entry
            self._inherit(table, name, name)
        return found

    def _rows(self, table: str) -> Any:
        stated = self.own.get(table)
        if stated is not None and not isinstance(stated, list):
            return stated
        own = list(enumerate(stated or []))
        kept = [
            (number, row)
            for number, row in enumerate(self.base.raw.get(table, []))
            if not self._dropped(table, _name(table, row, number))
        ]
        if table in WHOLE:
            kept = [] if stated is not None else kept
            names: set[Key] = set()
        else:
            names = {_name(table, row, number) for number, row in own}
        found: list[Any] = []

        def place(rows: list[tuple[int, Any]]) -> None:
            for number, row in rows:
                self.numbers[table, len(found)] = number
                found.append(row)

        placed: set[Key] = set()
        for number, row in kept:
            name = _name(table, row, number)
            if name not in names:
                self._inherit(table, len(found), number)
                found.append(row)
            elif name not in placed:
                placed.add(name)
                place([(n, r) for n, r in own if _name(table, r, n) == name])
        place([(n, r) for n, r in own if _name(table, r, n) not in placed])
        return found

    def _prune(self, raw: Raw, table: str, used: set[str]) -> None:
        if not isinstance(raw[table], dict):
            return
        for name in [n for n in raw[table] if (table, n) in self.origins and n not in used]:
            del raw[table][name]
            del self.origins[table, name]


def _name(table: str, row: Any, number: int) -> Key:
    """What a row is called; its number where it has no name."""
    name = row.get(ROWS.get(table, "")) if isinstance(row, dict) else None
    return name if isinstance(name, str) else number


def _options(raw: Raw) -> Iterator[Raw]:
    for row in raw["regimen"] if isinstance(raw["regimen"], list) else []:
        offer = row.get("offer") if isinstance(row, dict) else None
        yield from (o for o in (offer if isinstance(offer, list) else []) if isinstance(o, dict))


def _cited(value: Any) -> Iterator[str]:
    """Every source key cited anywhere in the tables."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "sources" and isinstance(item, list):
                yield from (k for k in item if isinstance(k, str))
            else:
                yield from _cited(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cited(item)
