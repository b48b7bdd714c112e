"""Refusals: what was forbidden, what was not obtained, what stayed quiet."""

from __future__ import annotations

from service.replay.report.tally.counter import Counter


def count_asked(count: Counter, hook: str) -> None:
    """Decisions that asked for magnesium: what was offered, what was refused and by which stop."""
    tally = count.tally
    # What is shown as low without an offer or a stop: the table of regimens has nothing for it.
    nothing = (
        "(hook = 'patient-view' AND indicator IS NOT NULL AND NOT drug AND len(refusals) = 0 "
        "AND level IN ('severe', 'moderate', 'mild'))"
    )
    asked = f"(drug OR len(refusals) > 0 OR {nothing})"
    count.rest(("call", hook), ("asked", hook), asked)
    offered = {
        "offered": "drug AND len(refusals) = 0",
        "partly": "drug AND len(refusals) > 0",
        "refused": "NOT drug AND len(refusals) > 0",
        "none": nothing,
    }
    for name, where in offered.items():
        count.groups(("offered", hook, name), where=f"hook = '{hook}' AND {where}")
    tally.split(("asked", hook), [("offered", hook, name) for name in offered])
    # What was offered is what was suggested, and what corrects a magnesium order at hand.
    count.groups(("drug", hook), where=f"hook = '{hook}' AND drug")
    tally.split(("drug", hook), [("offered", hook, "offered"), ("offered", hook, "partly")])
    titles = count.db.execute(
        "SELECT r.stop, min(r.why) FROM (SELECT unnest(refusals) AS r FROM d) GROUP BY 1"
    )
    tally.why |= dict(titles.fetchall())
    stops = "list_transform(refusals, lambda r: r.stop)"
    count.each(("asked", hook), ("stop", hook), stops, asked)
    of = f"(SELECT * FROM d WHERE {asked})"
    unknown = "len(list_filter(refusals, lambda r: coalesce(r.unknown, false))) > 0"
    count.rest(("asked", hook), ("unknown", hook), unknown, of=of)


def count_gaps(count: Counter, hook: str) -> None:
    """Decisions by what could not be obtained: any need, each need, each reason of it."""
    tally = count.tally
    count.rest(("call", hook), ("gap-any", hook), "len(gaps) > 0")
    needs = count.each(("call", hook), ("gap", hook), "list_transform(gaps, lambda g: g.need)")
    gap = f"(SELECT who, unnest(gaps) AS g FROM d WHERE hook = '{hook}')"
    count.groups(("gap-reason", hook), ["g.need", "g.reason"], of=gap)
    for need in needs:
        tally.split(("gap", hook, need), tally.groups("gap-reason", hook, need))


def count_hushed(count: Counter, hook: str) -> None:
    """Decisions of which something was kept quiet, by rule; with and without a card left."""
    count.rest(("call", hook), ("hushed-any", hook), "len(hushed) > 0")
    for kind, where in (("card", "indicator IS NOT NULL"), ("silent", "indicator IS NULL")):
        holds = f"hook = '{hook}' AND len(hushed) > 0 AND {where}"
        count.groups(("hushed-left", hook, kind), where=holds)
    count.tally.split(
        ("hushed-any", hook), [("hushed-left", hook, kind) for kind in ("card", "silent")]
    )
    count.each(("call", hook), ("hushed", hook), "hushed")
