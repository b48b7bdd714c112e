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

    def each(self, total: Key, name: Key, items: str, where: str = "true") -> list[str]:
        """For each value of a list that a row holds: ``(*name, value)``, the rows that hold it
        among those of ``total`` (a hook; counted before, the rows of ``where``), and all others.
        The values."""
        among = f"hook = '{total[1]}' AND ({where})"
        query = f"""
            WITH row AS (SELECT who, list_distinct({items}) AS held FROM d WHERE {among}),
                 whole AS (SELECT who, count(*) AS n FROM row GROUP BY who),
                 part AS (SELECT v, who, count(*) AS n
                          FROM (SELECT who, unnest(held) AS v FROM row) GROUP BY v, who)
            SELECT v, sum(part.n)::BIGINT, count(*), min(who, {self.few}),
                   count(*) FILTER (part.n = whole.n)
            FROM part JOIN whole USING (who) WHERE v IS NOT NULL GROUP BY v ORDER BY v"""
        found = self.db.execute(query).fetchall()
        for value, n, patients, who, always in found:
            part, other = (*name, value), (*name, value, "not")
            few = frozenset(map(str, who)) if patients < self.few else frozenset()
            self.tally.counts[part] = Count(n, patients, few)
            whole = self.tally.counts[total]
            if whole.patients - always < self.few:
                lacks = f"NOT list_contains({items}, {_quoted(value)})"
                self.groups(other, where=f"{among} AND {lacks}")
            else:
                self.tally.counts[other] = Count(whole.n - n, whole.patients - always)
            self.tally.split(total, (part, other))
        return [value for value, *_ in found]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
