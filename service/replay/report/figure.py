"""Figure: one table of the report: its words, the query that counts it, and what adds up in it.

The figures stand in figures.toml, which says how patterns of keys are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import product

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from service.replay.report.disclosure import Count, Key, Sum

INDICATORS = ("critical", "warning", "info")
LOW = ("severe", "moderate", "mild")
OUTCOMES = ("as suggested", "same dose", "same route", "other route", "route unknown", "nothing")
"""What was ordered after a suggestion, best first; an order counts for the best it is."""
NO_CARD = "no card"
_HOURS = tuple(f"{hour:02}" for hour in range(24))
_LEVELS = (*LOW, "normal", "high", "toxic", "no band", "not usable", "no result")
VALUES: Mapping[str, tuple[str, ...]] = {
    "indicator": INDICATORS,
    "size": ("one", "several"),
    "hour": (*_HOURS, "?"),  # "?": the record gives a date alone
    "clock": _HOURS,
    "by": ("encounters", "records", "none"),
    "kind": ("magnesium", "other", "irrelevant"),
    "level": _LEVELS,
    "offer": ("offered", "partly", "refused", "none"),
    "outcome": OUTCOMES,
    "left": ("card", "silent"),
    "differs": ("unseen", "visible"),
    "band": LOW,
    # After a low result: magnesium already ordered or given; ordered within LOW_H; not ordered
    # in all that time; not ordered, and the record ends before.
    "after": ("treated", "ordered", "none", "lost"),
}
_ONE = re.compile(r"\{(\w+)\}")
_HOOKS = {"hook", "ordering", "viewing", "signing"}
_EQUALS = re.compile(" (=[?]?) ")
Values = dict[str, str]


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a table: one for each value of the patterns in ``key``.

    ``name`` in the columns of the table, with words for values (``{title}`` of a rule, ``{why}``
    of a stop); ``of`` the denominator; ``extra`` further counts. ``given``: a count without
    which the row is left out; ``told``: it is left out when its count is withheld, as its name
    would tell too much.
    """

    name: tuple[str, ...]
    key: str
    of: str = ""
    extra: tuple[str, ...] = ()
    given: str = ""
    told: bool = False


class Figure(Struct, frozen=True, forbid_unknown_fields=True):
    """One table, or with ``{hook}`` in its ``id`` one a hook.

    ``counted`` says how its numbers were counted; ``columns`` name the parts of a row's name,
    ``unit`` what a count counts, ``of`` what the denominator holds ("" for none), ``extra`` the
    further counts; ``days``: rates per 100 patient-days stand beside.

    ``query`` gives a row of (who, key) for each event, over the tables of rows.sql. ``sums``:
    every event on the left is in exactly one count on the right ("=?": where it is in this
    data). ``words`` for values in names; ``ranked``: most first
    within so many parts of the name; ``once``: a further count stands in one row alone.
    ``optional``: of a hook without counts nothing is known.
    """

    title: str
    counted: str
    columns: tuple[str, ...]
    unit: str
    query: str
    rows: tuple[Rows, ...]
    id: str = ""
    of: str = ""
    extra: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    days: bool = False
    words: dict[str, str] = {}
    ranked: int | None = None
    once: bool = False
    optional: bool = False

    @property
    def by_hook(self) -> bool:
        return any(_HOOKS & {*_ONE.findall(rows.key)} for rows in self.rows)

    def speaks_of(self, hook: str) -> bool:
        named = {name for rows in self.rows for name in _ONE.findall(rows.key)} & _HOOKS
        return named <= {*at_hook(hook)}


@cache
def figures() -> tuple[Figure, ...]:
    """All of them, in the order of figures.toml."""
    text = files(__package__).joinpath("figures.toml").read_text(encoding="utf-8")
    read = msgspec.toml.decode(text, type=dict[str, Figure])
    return tuple(replace(figure, id=figure.id or name) for name, figure in read.items())


def at_hook(hook: str) -> Values:
    if not hook:
        return {}
    if hook == "patient-view":
        return {"hook": hook, "viewing": hook}
    values = {"hook": hook, "ordering": hook}
    return values | {"signing": hook} if hook == "order-sign" else values


def add_up(texts: Iterable[str], hook: str, counts: dict[Key, Count]) -> Iterator[Sum]:
    """The Sums of patterns. What was counted nowhere is none from here on."""
    for text in texts:
        left, equals, right = _EQUALS.split(text)
        parts = right.split(" + ")
        for values in each([parts[0], left], counts, at_hook(hook)):
            total = key(left, values)
            found = tuple(k for part in parts for k in every(part, counts, values))
            some = total in counts
            for one in found:
                counts.setdefault(one, Count())
            if equals == "=?" and not (
                some and counts[total].n == sum(counts[one].n for one in found)
            ):
                continue
            counts.setdefault(total, Count())
            yield Sum(total, found)


def each(patterns: Iterable[str], counts: Iterable[Key], known: Values) -> Iterator[Values]:
    """The values of the names in patterns, all that can stand for ``known`` ones; those found
    by the first pattern that has them, in order."""
    patterns = tuple(patterns)
    names = [name for p in patterns for name in _ONE.findall(p) if name not in known]
    names = list(dict.fromkeys(names))
    if _HOOKS & set(names):
        return
    if all(name in VALUES for name in names):
        for chosen in product(*(VALUES[name] for name in names)):
            yield {**known, **dict(zip(names, chosen, strict=True))}
        return
    first = next(p for p in patterns if set(names) <= set(_ONE.findall(p)))
    seen: dict[tuple[str, ...], Values] = {}
    for found in _matching(first, counts, known):
        values = {n: v for n, v in zip(_names(first), found, strict=True) if n in names}
        seen.setdefault(tuple(values.values()), {**known, **values})
    yield from seen.values()


def key(pattern: str, values: Values) -> Key:
    return tuple(values[part[1:-1]] if part[:1] == "{" else part for part in pattern.split("/"))


def _names(pattern: str) -> list[str]:
    return [part.strip("{}*") if part[:1] in "{*" else "" for part in pattern.split("/")]


def _matching(pattern: str, counts: Iterable[Key], known: Values) -> list[Key]:
    """The counted keys that a pattern fits, sorted."""
    parts = pattern.split("/")
    fixed = [
        (i, known.get(part[1:-1], "") if part[0] == "{" else part)
        for i, part in enumerate(parts)
        if part[0] != "*" and (part[0] != "{" or part[1:-1] in known)
    ]
    loose = [i for i, part in enumerate(parts) if part[0] == "*"]
    return sorted(
        k
        for k in counts
        if len(k) == len(parts)
        and all(k[i] == value for i, value in fixed)
        and all(k[i] != NO_CARD for i in loose)
    )


def every(pattern: str, counts: Iterable[Key], values: Values) -> list[Key]:
    """The keys of a pattern, all values of its stars at once."""
    stars = [part[1:] for part in pattern.split("/") if part[:1] == "*"]
    if all(star in VALUES for star in stars):
        return [
            tuple(chosen[part[1:]] if part[:1] == "*" else part for part in key(pattern, values))
            for some in product(*(VALUES[star] for star in stars))
            for chosen in [dict(zip(stars, some, strict=True))]
        ]
    return _matching(pattern, counts, values)
