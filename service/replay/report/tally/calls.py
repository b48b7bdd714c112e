"""Calls: how often a card was shown, on whom, by rule, hour, order and level."""

from __future__ import annotations

from collections.abc import Sequence

from service.replay.report.disclosure import Key
from service.replay.report.tally.counter import Counter
from service.replay.report.tally.tally import HOURS, INDICATORS, ORDER_HOOKS, QUALITY

_QUALITY = (
    "(SELECT who, e.key AS type, e.value AS amount FROM "
    "(SELECT who, unnest(map_entries({0})) AS e FROM p) WHERE e.value > 0)"
)
_GUESSED = "(SELECT who, guessed_ends AS amount FROM p WHERE guessed_ends > 0)"


def count_patients(count: Counter) -> None:
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


def count_cards(count: Counter, hook: str) -> None:
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
    for name in ("kind", "level"):
        _cross_rules(count, hook, name)
    others = "list_filter(findings, lambda f: f <> lead)"
    count.each(("card", hook), ("also", hook), others, "indicator IS NOT NULL")


def _cross_rules(count: Counter, hook: str, name: str) -> None:
    """Cards by rule and by level or kind of order. No table shows them; but who knows the rules
    knows which of them speak at which level, and could take one table from the other."""
    tally = count.tally
    cells: Key = (f"{name}-rule", hook)
    by = [name, "indicator", "lead"]
    count.groups(cells, by, where=f"hook = '{hook}' AND indicator IS NOT NULL")
    crossed = sorted(key for key in tally.counts if key[:2] == cells)
    for value in dict.fromkeys(key[2] for key in crossed):
        total: Key = (f"{name}-card", hook, value)
        if total in tally.counts:
            tally.split(total, [key for key in crossed if key[2] == value])
    for rule in dict.fromkeys(key[3:] for key in crossed):
        tally.split(("rule", hook, *rule), [key for key in crossed if key[3:] == rule])


def _cross(count: Counter, hook: str, name: str, column: str, values: Sequence[str]) -> None:
    """Calls, cards and silence of a hook, each also by a column: both margins add up."""
    for kind, where in (("call", "true"), ("card", "indicator IS NOT NULL")):
        count.groups((f"{name}-{kind}", hook), [column], where=f"hook = '{hook}' AND {where}")
    count.groups((f"{name}-silent", hook), [column], where=f"hook = '{hook}' AND indicator IS NULL")
    for kind in ("call", "card", "silent"):
        count.tally.split((kind, hook), [(f"{name}-{kind}", hook, value) for value in values])
    for value in values:
        count.tally.split(
            (f"{name}-call", hook, value),
            [(f"{name}-{kind}", hook, value) for kind in ("card", "silent")],
        )


def count_both(count: Counter) -> None:
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
