"""Counter: one count for each group of rows, each with its distinct patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.replay.report.disclosure import Count, Key
from service.replay.report.tally.tally import Tally

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts into a Tally. ``few`` is the number of patients below which they are named."""

    db: DuckDBPyConnection
    tally: Tally
    few: int

    def groups(
        self,
        name: Key,
        by: Sequence[str] = (),
        of: str = "d",
        where: str = "true",
        amount: str = "1",
    ) -> None:
        """A count under ``(*name, value of each expression in by)`` for each group of rows.

        ``amount`` is how many events a row stands for.
        """
        exclusive = of in ("p", "cards")
        keys = ", ".join(f"{expression} AS k{i}" for i, expression in enumerate(by))
        names = ", ".join(f"k{i}" for i in range(len(by)))
        query = f"""
            SELECT {names + "," if by else ""} sum(n)::BIGINT, count(*), min(who, {self.few})
            FROM (SELECT {keys + "," if by else ""} who, sum({amount}) AS n
                  FROM {of} WHERE {where} GROUP BY ALL)
            {"GROUP BY " + names if by else ""}"""
        for *values, n, patients, who in self.db.execute(query).fetchall():
            if patients:
                few = frozenset(map(str, who)) if patients < self.few else frozenset()
                key = (*name, *map(str, values))
                self.tally.counts[key] = Count(n, patients, few, exclusive and n == patients)

    def rest(self, total: Key, part: Key, where: str, of: str = "d") -> None:
        """``part``, the rows of ``where`` among those of ``total`` (a hook), and all others."""
        hook = f"hook = '{total[1]}'"
        other = (*part, "not")
        self.groups(part, of=of, where=f"{hook} AND ({where})")
        self.groups(other, of=of, where=f"{hook} AND NOT ({where})")
        self.tally.split(total, (part, other))

    def values(self, expression: str, of: str = "d", where: str = "true") -> list[str]:
        query = f"SELECT DISTINCT {expression} AS v FROM {of} WHERE {where} ORDER BY v"
        return [str(value) for (value,) in self.db.execute(query).fetchall() if value is not None]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
