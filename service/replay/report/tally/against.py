"""Against: how the decisions of a second protocol differ on the same calls."""

from __future__ import annotations

from service.replay.report.tally.counter import Counter
from service.replay.report.tally.tally import INDICATORS, NO_CARD


def count_against(count: Counter, hook: str) -> None:
    """Calls by how the other protocol decided: seen, unseen, at which stage, from what to what."""
    tally, at = count.tally, f"hook = '{hook}' AND compared"
    if count.db.execute(f"SELECT 1 FROM d WHERE {at} LIMIT 1").fetchone() is None:
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
    # Mostly the two agree on the indicator: one table would give away the other.
    pairs = ["coalesce(indicator, '-')", "coalesce(other, '-')"]
    count.groups(("pair", hook), pairs, where=at)
    found = sorted(key for key in tally.counts if key[:2] == ("pair", hook))
    for name in INDICATORS:
        tally.split(("indicator", hook, name), [key for key in found if key[2] == name])
        tally.split(("other-indicator", hook, name), [key for key in found if key[3] == name])
    count.groups(("differs", hook), ["differs"], where=at)
    tally.split(("call", hook), [("differs", hook, d) for d in ("same", "unseen", "visible")])
    for differs in ("unseen", "visible"):
        count.groups(("stage", hook, differs), ["stage"], where=f"{at} AND differs = '{differs}'")
        tally.split(("differs", hook, differs), tally.groups("stage", hook, differs))
    _count_changes(count, hook)


def _count_changes(count: Counter, hook: str) -> None:
    """What a clinician would see change: from which card to which. A card that only one protocol
    shows is always such a change."""
    tally, at = count.tally, f"hook = '{hook}' AND compared"
    for name, holds in (("changed", "differs = 'visible'"), ("unchanged", "differs <> 'visible'")):
        both = f"{at} AND indicator IS NOT NULL AND other IS NOT NULL AND {holds}"
        count.groups((name, hook), where=both)
    tally.split(("against", hook, "both"), [("changed", hook), ("unchanged", hook)])
    one_side = [("against", hook, "first only"), ("against", hook, "second only")]
    tally.split(("differs", hook, "visible"), [*one_side, ("changed", hook)])
    count.groups(("change", hook), ["said", "other_said"], where=f"{at} AND differs = 'visible'")
    changes = sorted(key for key in tally.counts if key[:2] == ("change", hook))
    first = [key for key in changes if key[3] == NO_CARD]
    second = [key for key in changes if key[2] == NO_CARD]
    tally.split(one_side[0], first)
    tally.split(one_side[1], second)
    tally.split(("changed", hook), [key for key in changes if NO_CARD not in key])
