"""Against: two protocols on the same calls."""

from __future__ import annotations

from service.replay.report.figures.figure import Figure, Rows

SAME, SEEN, UNSEEN = "the same throughout", "a clinician sees it", "not to be seen"

COMPARED = Figure(
    "compared",
    "Both protocols on the same calls",
    "The same calls, decided by each protocol with its own quiet rule.",
    ("hook", "answer"),
    "calls under {one}",
    "calls of that hook",
    (
        Rows(("{hook}", "any card"), "card/{hook}", "call/{hook}", ("other-card/{hook}",)),
        Rows(
            ("{hook}", "{indicator}"),
            "indicator/{hook}/{indicator}",
            "call/{hook}",
            ("other-indicator/{hook}/{indicator}",),
        ),
        Rows(("{hook}", "no card"), "silent/{hook}", "call/{hook}", ("other-silent/{hook}",)),
    ),
    """
        SELECT who, unnest([
            ['against', hook, CASE WHEN indicator IS NULL AND other IS NULL THEN 'neither'
                WHEN indicator IS NULL THEN 'second only'
                WHEN other IS NULL THEN 'first only' ELSE 'both' END],
            [if(other IS NULL, 'other-silent', 'other-card'), hook],
            ['pair', hook, coalesce(indicator, '-'), coalesce(other, '-')]])
        FROM d WHERE compared
        UNION ALL
        SELECT who, ['other-indicator', hook, other] FROM d WHERE compared AND other IS NOT NULL""",
    (
        "other-card/{hook} = other-indicator/{hook}/*indicator",
        "call/{hook} = other-card/{hook} + other-silent/{hook}",
        "card/{hook} = against/{hook}/both + against/{hook}/first only",
        "silent/{hook} = against/{hook}/second only + against/{hook}/neither",
        "other-card/{hook} = against/{hook}/both + against/{hook}/second only",
        "other-silent/{hook} = against/{hook}/first only + against/{hook}/neither",
        # Mostly the two agree on the indicator: one table would give away the other.
        "indicator/{hook}/{indicator} = pair/{hook}/{indicator}/*second",
        "other-indicator/{hook}/{indicator} = pair/{hook}/*first/{indicator}",
    ),
    ("calls under {other}",),
    optional=True,
)
DIFFERS = Figure(
    "differs",
    "Where the decisions part",
    "Calls by whether the two protocols differ, and the first stage at which they do: "
    "chart (the facts), assessment (flags, stops, findings, what is open), quiet, plan "
    "(indicator, rules, suggestions), card (words). A clinician sees it when one has a "
    "card and the other none, or its indicator, rules or suggestions differ.",
    ("hook", "difference", "first stage"),
    "calls",
    "calls of that hook",
    (
        Rows(("{hook}", SAME, "-"), "differs/{hook}/same", "call/{hook}"),
        Rows(("{hook}", SEEN, "any"), "differs/{hook}/visible", "call/{hook}"),
        Rows(("{hook}", SEEN, "{stage}"), "stage/{hook}/visible/{stage}", "call/{hook}"),
        Rows(("{hook}", UNSEEN, "any"), "differs/{hook}/unseen", "call/{hook}"),
        Rows(("{hook}", UNSEEN, "{stage}"), "stage/{hook}/unseen/{stage}", "call/{hook}"),
    ),
    """
        SELECT who, ['differs', hook, differs] FROM d WHERE compared
        UNION ALL
        SELECT who, ['stage', hook, differs, stage] FROM d WHERE compared AND differs <> 'same'""",
    (
        "call/{hook} = differs/{hook}/same + differs/{hook}/unseen + differs/{hook}/visible",
        "differs/{hook}/{differs} = stage/{hook}/{differs}/*stage",
    ),
    optional=True,
)
CHANGES = Figure(
    "changes",
    "What changes for the clinician",
    "Differences that a clinician sees, by what the card leads with and first suggests. "
    "The single decisions stand in differences.ndjson.",
    ("hook", "{one}", "{other}"),
    "calls",
    "calls with a difference to be seen",
    (
        Rows(
            ("{hook}", "{first}", "{second}"),
            "change/{hook}/{first}/{second}",
            "differs/{hook}/visible",
        ),
    ),
    """
        SELECT who, ['change', hook, said, other_said] FROM d
        WHERE compared AND differs = 'visible'
        UNION ALL
        SELECT who, [if(differs = 'visible', 'changed', 'unchanged'), hook] FROM d
        WHERE compared AND indicator IS NOT NULL AND other IS NOT NULL""",
    (
        "against/{hook}/both = changed/{hook} + unchanged/{hook}",
        # A card that only one protocol shows is always such a change.
        "differs/{hook}/visible = against/{hook}/first only + against/{hook}/second only"
        " + changed/{hook}",
        "against/{hook}/first only = change/{hook}/*first/no card",
        "against/{hook}/second only = change/{hook}/no card/*second",
        "changed/{hook} = change/{hook}/*first/*second",
    ),
    ranked=1,
    optional=True,
)
