"""Tally: everything the report counts, counted by DuckDB from the rows of a replay.

Lines are read once into a narrow table that DuckDB keeps within MEMORY and spills beside the
rows; every count is then a GROUP BY over it. A count knows its distinct patients, and names them
(by a number) where they are fewer than ``min_cell``, so that what is published can be checked
for small groups (disclosure). Sums of fractions are made of whole seconds: the order in which
threads add them must not show.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from service.replay.report.disclosure import Count, Key, Sum
from service.replay.row import HOOKS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "512MB"
THREADS = 2
INDICATORS = ("critical", "warning", "info")
ORDER_HOOKS = ("order-select", "order-sign")
HOURS = (*(f"{hour:02}" for hour in range(24)), "?")
LOW = ("severe", "moderate", "mild")
OUTCOMES = ("as suggested", "same route", "other route", "route unknown", "nothing")
"""What was ordered after a suggestion, best first; an order counts for the best it is."""
QUALITY = ("undated", "unread", "conflicts")
"""What could not be used as it came, by resource type; see row.Walked."""
AFTER_LOW = ("treated", "ordered", "none", "lost")
"""After a low result: magnesium already ordered or given; ordered within LOW_H; not ordered in
all that time; not ordered, and the record ends before."""


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Hours from a low result to the first magnesium order, of those that had one."""

    n: int
    patients: int
    first: float
    median: float
    third: float


@dataclass(slots=True)
class Tally:
    """Counts by key, what adds up to what, and the figures that are no counts."""

    counts: dict[Key, Count] = field(default_factory=dict)
    sums: list[Sum] = field(default_factory=list)
    seconds: int = 0
    waits: dict[str, Quartiles] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    first: str = ""
    last: str = ""

    @property
    def days(self) -> float:
        return self.seconds / 86400

    def groups(self, *prefix: str) -> tuple[Key, ...]:
        """The counted keys that begin with ``prefix`` and have one part more, sorted."""
        size = len(prefix)
        return tuple(
            sorted(k for k in self.counts if k[:size] == prefix and len(k) == size + 1)
        )

    def split(self, total: Key, parts: Sequence[Key]) -> None:
        """``total`` is made up of ``parts``; what was counted nowhere is none."""
        for key in (total, *parts):
            self.counts.setdefault(key, Count())
        self.sums.append(Sum(total, tuple(parts)))


def read_tally(folder: Path, min_cell: int) -> Tally:
    """The Tally of ``decisions.ndjson`` and ``patients.ndjson`` in a folder."""
    with _connected(folder) as db:
        _load(db, folder)
        tally = Tally()
        count = _Counter(db, tally, max(min_cell, 1))
        _count_patients(count)
        for hook in HOOKS:
            _count_cards(count, hook)
            _count_asked(count, hook)
            _count_gaps(count, hook)
            _count_hushed(count, hook)
            _count_outcomes(count, hook)
            _count_against(count, hook)
        _count_both(count)
        _count_lows(count)
        return tally


@contextmanager
def _connected(folder: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb  # an extra: only replay needs it

    spill = folder / ".report-spill"
    db = duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "threads": THREADS,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        yield db
    finally:
        db.close()
        shutil.rmtree(spill, ignore_errors=True)


# --- the rows -----------------------------------------------------------------

_SUGGESTION = (
    "STRUCT(label VARCHAR, regimen VARCHAR, route VARCHAR, recommended BOOLEAN, "
    "labs VARCHAR[], removes INTEGER, updates BOOLEAN)[]"
)
_REFUSAL = "STRUCT(stop VARCHAR, blocks VARCHAR, why VARCHAR, unknown BOOLEAN)[]"
_DECIDED = {
    "patient": "VARCHAR",
    "time": "VARCHAR",
    "hour": "INTEGER",
    "hook": "VARCHAR",
    "trigger": "STRUCT(id VARCHAR)",
    "exact": "BOOLEAN",
    "order": "STRUCT(magnesium BOOLEAN, laxative BOOLEAN, relevant BOOLEAN)",
    "magnesium": "STRUCT(acts_as VARCHAR, usable BOOLEAN, problems VARCHAR[])",
    "lead": "VARCHAR",
    "findings": "VARCHAR[]",
    "indicator": "VARCHAR",
    "suggestions": _SUGGESTION,
    "refusals": _REFUSAL,
    "gaps": "STRUCT(need VARCHAR, reason VARCHAR)[]",
    "hushed": "VARCHAR[]",
    "followed": "STRUCT(route VARCHAR, same BOOLEAN)[]",
    "against": f"STRUCT(lead VARCHAR, indicator VARCHAR, suggestions {_SUGGESTION}, "
    "stage VARCHAR, visible BOOLEAN)",
}
_WALKED = {
    "patient": "VARCHAR",
    "days": "DOUBLE",
    "counted": "VARCHAR",
    "orders": "BIGINT",
    "lows": "STRUCT(acts_as VARCHAR, borderline BOOLEAN, hours DOUBLE, treated BOOLEAN, "
    "observed_h DOUBLE)[]",
    "undated": "MAP(VARCHAR, BIGINT)",
    "unread": "MAP(VARCHAR, BIGINT)",
    "conflicts": "MAP(VARCHAR, BIGINT)",
    "guessed_ends": "BIGINT",
    "patient_missing": "BOOLEAN",
}
_QUALITY = (
    "(SELECT who, e.key AS type, e.value AS amount FROM "
    "(SELECT who, unnest(map_entries({0})) AS e FROM p) WHERE e.value > 0)"
)
_GUESSED = "(SELECT who, guessed_ends AS amount FROM p WHERE guessed_ends > 0)"
# The suggestion a clinician would take: the recommended order, else the first order offered,
# else what else is suggested (a lab, a removal).
_TAKEN = """coalesce(
    list_filter({0}, lambda s: s.recommended AND s.regimen IS NOT NULL)[1],
    list_filter({0}, lambda s: s.regimen IS NOT NULL)[1],
    {0}[1])"""
_NARROW = f"""
CREATE TABLE d AS SELECT
    hash(patient) AS who,
    hook,
    hash(patient, trigger.id) AS what,
    time,
    CASE WHEN coalesce(exact, true) THEN printf('%02d', hour) ELSE '?' END AS hour,
    CASE WHEN "order" IS NULL THEN '' WHEN "order".magnesium THEN 'magnesium'
         WHEN coalesce("order".relevant, true) THEN 'other' ELSE 'irrelevant' END AS kind,
    CASE WHEN magnesium IS NULL THEN 'no result'
         WHEN magnesium.usable THEN coalesce(magnesium.acts_as, 'no band')
         ELSE 'not usable' END AS level,
    indicator,
    coalesce(findings[1], lead) AS lead,
    list_distinct(coalesce(findings, [])) AS findings,
    list_distinct(coalesce(hushed, [])) AS hushed,
    coalesce(refusals, []) AS refusals,
    coalesce(gaps, []) AS gaps,
    len(list_filter(coalesce(suggestions, []), lambda s: s.regimen IS NOT NULL)) > 0 AS drug,
    {_TAKEN.format("suggestions")}.route AS route,
    CASE WHEN followed IS NULL THEN NULL
         WHEN len(followed) = 0 THEN 'nothing'
         WHEN len(list_filter(followed, lambda f: coalesce(f.same, false))) > 0
             THEN 'as suggested'
         WHEN len(list_filter(followed, lambda f: list_contains(
             list_transform(suggestions, lambda s: s.route), f.route))) > 0 THEN 'same route'
         WHEN len(list_filter(followed, lambda f: f.route IS NOT NULL)) > 0 THEN 'other route'
         ELSE 'route unknown' END AS outcome,
    against IS NOT NULL AS compared,
    against.indicator AS other,
    CASE WHEN coalesce(against.visible, false) THEN 'visible'
         WHEN against.stage IS NOT NULL THEN 'unseen' ELSE 'same' END AS differs,
    coalesce(against.stage, '') AS stage,
    CASE WHEN indicator IS NULL THEN 'no card'
         ELSE indicator || ' ' || lead || coalesce(': ' || {_TAKEN.format("suggestions")}.label, '')
         END AS said,
    CASE WHEN against.indicator IS NULL THEN 'no card'
         ELSE against.indicator || ' ' || against.lead
              || coalesce(': ' || {_TAKEN.format("against.suggestions")}.label, '')
         END AS other_said
FROM read_json(?, format = 'newline_delimited', columns = {{}})
"""


def _columns(shape: dict[str, str]) -> str:
    return "{" + ", ".join(f"\"{name}\": '{kind}'" for name, kind in shape.items()) + "}"


def _load(db: DuckDBPyConnection, folder: Path) -> None:
    narrow = _NARROW.replace("columns = {}", f"columns = {_columns(_DECIDED)}")
    db.execute(narrow, [str(folder / "decisions.ndjson")])
    db.execute(
        "CREATE TABLE p AS SELECT hash(patient) AS who, "
        "CAST(round(coalesce(days, 0) * 86400) AS BIGINT) AS seconds, "
        "coalesce(counted, 'none') AS counted, coalesce(lows, []) AS lows, "
        "undated, unread, conflicts, coalesce(guessed_ends, 0) AS guessed_ends, "
        "coalesce(patient_missing, false) AS patient_missing "
        f"FROM read_json(?, format = 'newline_delimited', columns = {_columns(_WALKED)})",
        [str(folder / "patients.ndjson")],
    )


# --- counting -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Counter:
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
            {"GROUP BY " + names if by else ""}"""  # noqa: S608  our own expressions, no input
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
        query = f"SELECT DISTINCT {expression} AS v FROM {of} WHERE {where} ORDER BY v"  # noqa: S608
        return [str(value) for (value,) in self.db.execute(query).fetchall() if value is not None]


def _count_patients(count: _Counter) -> None:
    tally, db = count.tally, count.db
    db.execute("CREATE VIEW cards AS SELECT DISTINCT who FROM d WHERE indicator IS NOT NULL")
    count.groups(("patients",), of="p")
    count.groups(("patients", "card"), of="p", where="who IN (SELECT who FROM cards)")
    count.groups(("patients", "no card"), of="p", where="who NOT IN (SELECT who FROM cards)")
    tally.split(("patients",), (("patients", "card"), ("patients", "no card")))
    row = db.execute("SELECT sum(seconds)::BIGINT FROM p").fetchone()
    tally.seconds = (row[0] if row else 0) or 0
    count.groups(("counted",), ["counted"], of="p")
    tally.split(("patients",), tally.groups("counted"))
    for what in QUALITY:
        count.groups(("quality", what), ["type"], of=_QUALITY.format(what), amount="amount")
    count.groups(("quality", "guessed_ends"), ["'MedicationRequest'"], of=_GUESSED, amount="amount")
    missing = "(SELECT who FROM p WHERE patient_missing)"
    count.groups(("quality", "patient_missing"), ["'Patient'"], of=missing)
    row = db.execute("SELECT min(time), max(time) FROM d").fetchone()
    tally.first, tally.last = (row[0] or "", row[1] or "") if row else ("", "")


def _count_cards(count: _Counter, hook: str) -> None:
    """Calls by whether a card was shown, its indicator and leading rule, hour, order, level."""
    tally, at = count.tally, f"hook = '{hook}'"
    card, silent = f"{at} AND indicator IS NOT NULL", f"{at} AND indicator IS NULL"
    call: Key = ("call", hook)
    count.groups(call, where=at)
    count.groups(("card", hook), where=card)
    count.groups(("silent", hook), where=silent)
    tally.split(call, (("card", hook), ("silent", hook)))
    count.groups(("indicator", hook), ["indicator"], where=card)
    tally.split(("card", hook), [("indicator", hook, name) for name in INDICATORS])
    count.groups(("rule", hook), ["indicator", "lead"], where=card)
    for name in INDICATORS:
        tally.split(("indicator", hook, name), tally.groups("rule", hook, name))
    _cross(count, hook, "hour", "hour", HOURS)
    if hook in ORDER_HOOKS:
        _cross(count, hook, "kind", "kind", ("magnesium", "other", "irrelevant"))
    else:
        levels = ("severe", "moderate", "mild", "normal", "high", "toxic")
        _cross(count, hook, "level", "level", (*levels, "no band", "not usable", "no result"))
    for rule in count.values("unnest(findings)", where=card):
        quoted = _quoted(rule)
        count.rest(
            ("card", hook),
            ("also", hook, rule),
            f"list_contains(findings, {quoted}) AND lead <> {quoted}",
            of="(SELECT * FROM d WHERE indicator IS NOT NULL)",
        )


def _cross(count: _Counter, hook: str, name: str, column: str, values: Sequence[str]) -> None:
    """Calls, cards and silence of a hook, each also by a column: both margins add up."""
    for kind, where in (("call", "true"), ("card", "indicator IS NOT NULL")):
        count.groups((f"{name}-{kind}", hook), [column], where=f"hook = '{hook}' AND {where}")
    count.groups(
        (f"{name}-silent", hook), [column], where=f"hook = '{hook}' AND indicator IS NULL"
    )
    for kind in ("call", "card", "silent"):
        count.tally.split((kind, hook), [(f"{name}-{kind}", hook, value) for value in values])
    for value in values:
        count.tally.split(
            (f"{name}-call", hook, value),
            [(f"{name}-{kind}", hook, value) for kind in ("card", "silent")],
        )


def _count_asked(count: _Counter, hook: str) -> None:
    """Decisions that asked for magnesium: what was offered, what was refused and by which stop."""
    tally = count.tally
    asked = "(drug OR len(refusals) > 0)"
    count.rest(("call", hook), ("asked", hook), asked)
    offered = {
        "offered": "drug AND len(refusals) = 0",
        "partly": "drug AND len(refusals) > 0",
        "refused": "NOT drug AND len(refusals) > 0",
    }
    for name, where in offered.items():
        count.groups(("offered", hook, name), where=f"hook = '{hook}' AND {where}")
    tally.split(("asked", hook), [("offered", hook, name) for name in offered])
    db = count.db
    db.execute(
        "CREATE OR REPLACE VIEW refusal AS SELECT DISTINCT who, what, r.stop AS stop, r.why AS why,"
        " coalesce(r.unknown, false) AS unknown FROM (SELECT who, what, unnest(refusals) AS r "
        f"FROM d WHERE hook = '{hook}')"
    )
    titles = "SELECT stop, min(why) FROM refusal GROUP BY stop"
    tally.why |= dict(db.execute(titles).fetchall())
    of = f"(SELECT * FROM d WHERE {asked})"
    for stop in count.values("stop", of="refusal"):
        holds = f"list_contains(list_transform(refusals, lambda r: r.stop), {_quoted(stop)})"
        count.rest(("asked", hook), ("stop", hook, stop), holds, of=of)
    unknown = "len(list_filter(refusals, lambda r: coalesce(r.unknown, false))) > 0"
    count.rest(("asked", hook), ("unknown", hook), unknown, of=of)


def _count_gaps(count: _Counter, hook: str) -> None:
    """Decisions by what could not be obtained: any need, each need, each reason of it."""
    tally = count.tally
    count.rest(("call", hook), ("gap-any", hook), "len(gaps) > 0")
    count.db.execute(
        "CREATE OR REPLACE VIEW gap AS SELECT who, g.need AS need, g.reason AS reason "
        f"FROM (SELECT who, unnest(gaps) AS g FROM d WHERE hook = '{hook}')"
    )
    for need in count.values("need", of="gap"):
        holds = f"list_contains(list_transform(gaps, lambda g: g.need), {_quoted(need)})"
        count.rest(("call", hook), ("gap", hook, need), holds)
    count.groups(("gap-reason", hook), ["need", "reason"], of="gap")
    for need in count.values("need", of="gap"):
        tally.split(("gap", hook, need), tally.groups("gap-reason", hook, need))


def _count_hushed(count: _Counter, hook: str) -> None:
    """Decisions of which something was kept quiet, by rule; with and without a card left."""
    count.rest(("call", hook), ("hushed-any", hook), "len(hushed) > 0")
    for kind, where in (("card", "indicator IS NOT NULL"), ("silent", "indicator IS NULL")):
        holds = f"hook = '{hook}' AND len(hushed) > 0 AND {where}"
        count.groups(("hushed-left", hook, kind), where=holds)
    count.tally.split(
        ("hushed-any", hook), [("hushed-left", hook, kind) for kind in ("card", "silent")]
    )
    for rule in count.values("unnest(hushed)", where=f"hook = '{hook}'"):
        holds = f"list_contains(hushed, {_quoted(rule)})"
        count.rest(("call", hook), ("hushed", hook, rule), holds)


def _count_outcomes(count: _Counter, hook: str) -> None:
    """Suggestions of a drug by what was ordered after them; by route and by leading rule too."""
    tally = count.tally
    count.rest(("call", hook), ("suggested", hook), "outcome IS NOT NULL")
    said = f"hook = '{hook}' AND outcome IS NOT NULL"
    count.groups(("outcome", hook), ["outcome"], where=said)
    tally.split(("suggested", hook), [("outcome", hook, name) for name in OUTCOMES])
    for name, column in (("route", "coalesce(route, '?')"), ("led", "coalesce(lead, '?')")):
        count.groups((f"{name}-suggested", hook), [column], where=said)
        count.groups((f"{name}-outcome", hook), [column, "outcome"], where=said)
        groups = [key[-1] for key in tally.groups(f"{name}-suggested", hook)]
        tally.split(("suggested", hook), [(f"{name}-suggested", hook, g) for g in groups])
        for group in groups:
            tally.split(
                (f"{name}-suggested", hook, group),
                [(f"{name}-outcome", hook, group, outcome) for outcome in OUTCOMES],
            )
        for outcome in OUTCOMES:
            tally.split(
                ("outcome", hook, outcome),
                [(f"{name}-outcome", hook, group, outcome) for group in groups],
            )


def _count_both(count: _Counter) -> None:
    """Orders by the hooks at which they met a card. The same order is met at both hooks."""
    count.db.execute(
        "CREATE TABLE twice AS SELECT who, what, "
        "bool_or(hook = 'order-select' AND indicator IS NOT NULL) AS selected, "
        "bool_or(hook = 'order-sign' AND indicator IS NOT NULL) AS signed "
        "FROM d WHERE hook IN ('order-select', 'order-sign') GROUP BY who, what "
        "HAVING count(*) = 2 AND count(DISTINCT hook) = 2"
    )
    where = {
        "both": "selected AND signed",
        "select only": "selected AND NOT signed",
        "sign only": "NOT selected AND signed",
        "neither": "NOT selected AND NOT signed",
    }
    tally = count.tally
    count.groups(("orders",), of="twice")
    for name, holds in where.items():
        count.groups(("orders", name), of="twice", where=holds)
    tally.split(("orders",), [("orders", name) for name in where])
    sums = {
        ("card", "order-select"): ("both", "select only"),
        ("silent", "order-select"): ("sign only", "neither"),
        ("card", "order-sign"): ("both", "sign only"),
        ("silent", "order-sign"): ("select only", "neither"),
    }
    for total, parts in sums.items():
        keys = [("orders", part) for part in parts]
        # Where only some orders were walked at both hooks the sums do not hold.
        if tally.counts[total].n == sum(tally.counts[key].n for key in keys):
            tally.split(total, keys)


def _count_against(count: _Counter, hook: str) -> None:
    """Calls by how the other protocol decided: seen, unseen, at which stage, from what to what."""
    tally, at = count.tally, f"hook = '{hook}' AND compared"
    if not count.values("hook", where=at):
        return
    places = {
        "both": "indicator IS NOT NULL AND other IS NOT NULL",
        "first only": "indicator IS NOT NULL AND other IS NULL",
        "second only": "indicator IS NULL AND other IS NOT NULL",
        "neither": "indicator IS NULL AND other IS NULL",
    }
    for name, holds in places.items():
        count.groups(("against", hook, name), where=f"{at} AND {holds}")
    count.groups(("other-card", hook), where=f"{at} AND other IS NOT NULL")
    count.groups(("other-silent", hook), where=f"{at} AND other IS NULL")
    count.groups(("other-indicator", hook), ["other"], where=f"{at} AND other IS NOT NULL")
    tally.split(("other-card", hook), [("other-indicator", hook, i) for i in INDICATORS])
    for total, parts in (
        ("call", (("other-card", hook), ("other-silent", hook))),
        ("card", (("against", hook, "both"), ("against", hook, "first only"))),
        ("silent", (("against", hook, "second only"), ("against", hook, "neither"))),
        ("other-card", (("against", hook, "both"), ("against", hook, "second only"))),
        ("other-silent", (("against", hook, "first only"), ("against", hook, "neither"))),
    ):
        tally.split((total, hook), parts)
    count.groups(("differs", hook), ["differs"], where=at)
    tally.split(("call", hook), [("differs", hook, d) for d in ("same", "unseen", "visible")])
    for differs in ("unseen", "visible"):
        count.groups(("stage", hook, differs), ["stage"], where=f"{at} AND differs = '{differs}'")
        tally.split(("differs", hook, differs), tally.groups("stage", hook, differs))
    count.groups(("change", hook), ["said", "other_said"], where=f"{at} AND differs = 'visible'")
    changes = sorted(k for k in tally.counts if k[:2] == ("change", hook))
    tally.split(("differs", hook, "visible"), changes)


def _count_lows(count: _Counter) -> None:
    """Low results by what was ordered after them, and how long it took."""
    tally, db = count.tally, count.db
    # 72 h is LOW_H; a record that goes on that long and holds no order is one without.
    db.execute(
        "CREATE VIEW low AS SELECT who, l.acts_as AS acts_as, l.hours AS hours, "
        "CASE WHEN coalesce(l.treated, false) THEN 'treated' WHEN l.hours IS NOT NULL "
        "THEN 'ordered' WHEN coalesce(l.observed_h, 0) >= 72 THEN 'none' ELSE 'lost' END AS after "
        "FROM (SELECT who, unnest(lows) AS l FROM p)"
    )
    count.groups(("lows",), of="low")
    count.groups(("low",), ["acts_as"], of="low")
    tally.split(("lows",), [("low", band) for band in LOW])
    for band in LOW:
        count.groups(("after", band), ["after"], of="low", where=f"acts_as = '{band}'")
        tally.split(("low", band), [("after", band, name) for name in AFTER_LOW])
    query = (
        "SELECT acts_as, count(*), count(DISTINCT who), quantile_cont(hours, 0.25), "
        "quantile_cont(hours, 0.5), quantile_cont(hours, 0.75) "
        "FROM low WHERE after = 'ordered' GROUP BY 1"
    )
    for band, *found in db.execute(query).fetchall():
        tally.waits[band] = Quartiles(*found)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
