"""Agreement: what was ordered after a suggestion and after a low result."""

from __future__ import annotations

from service.replay.report.disclosure import Count, Key
from service.replay.report.tally.counter import Counter
from service.replay.report.tally.tally import (
    AFTER_LOW,
    LOW,
    ORDER_HOOKS,
    OUTCOMES,
    Quartiles,
    Tally,
)

_FEW = 1000


def count_outcomes(count: Counter, hook: str) -> None:
    """Suggestions of a drug by what was ordered after them; by route and by leading rule too."""
    tally = count.tally
    count.rest(("call", hook), ("suggested", hook), "outcome IS NOT NULL")
    corrects = f"hook = '{hook}' AND drug AND outcome IS NULL"
    count.groups(("corrects", hook), where=corrects)
    parts: list[Key] = [("suggested", hook)]
    if hook in ORDER_HOOKS:  # elsewhere no order is at hand, as every reader knows
        parts.append(("corrects", hook))
    tally.split(("drug", hook), parts)
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


def count_lows(count: Counter) -> None:
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
        _same_results(tally, band)
    query = (
        "SELECT acts_as, count(*), count(DISTINCT who), quantile_cont(hours, 0.25), "
        "quantile_cont(hours, 0.5), quantile_cont(hours, 0.75) "
        "FROM low WHERE after = 'ordered' GROUP BY 1"
    )
    for band, *found in db.execute(query).fetchall():
        tally.waits[band] = Quartiles(*found)


def _same_results(tally: Tally, band: str) -> None:
    """The low results of a level are calls at patient-view at that level, all but those decided
    on another result: who reads both tables can take one from the other."""
    calls: Key = ("level-call", "patient-view", band)
    left = tally.counts.get(calls, Count()).n - tally.counts[("low", band)].n
    if left == 0:
        tally.split(calls, [("low", band)])
    elif left > 0:
        # Whose the others are is not told: as many patients as there are results, at most.
        names = frozenset(f"other {n}" for n in range(min(left, _FEW)))
        tally.counts["low-other", band] = Count(left, left, names)
        tally.split(calls, [("low", band), ("low-other", band)])
