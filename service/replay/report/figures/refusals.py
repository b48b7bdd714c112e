"""Refusals: what was forbidden, what was not obtained or not used, what stayed quiet."""

from __future__ import annotations

from service.replay.report.figures.figure import Figure, Rows

OBSERVED = Figure(
    "observed",
    "How patient-days were counted",
    "Each patient once, by what tells how long it was observed; at least one hour.",
    ("counted by",),
    "patients",
    "all patients",
    (Rows(("{by}",), "counted/{by}", "patients", given="counted/{by}"),),
    "SELECT who, ['counted', counted] FROM p",
    ("patients = counted/*counted",),
    words={
        "encounters": "the time of their encounters",
        "records": "from the first to the last dated record",
        "none": "no dated record: no time",
    },
)
QUALITY = Figure(
    "quality",
    "What could not be used as it came",
    "Resources that were read and not used, or used with a guess. Lines that could not "
    "be read at all stand in rejected.ndjson.",
    ("type", "what"),
    "resources",
    "",
    tuple(
        Rows(("{type}", words), f"quality/{what}/{{type}}")
        for what, words in (
            ("undated", "without a date: nobody can tell since when it was known"),
            ("unread", "broken in its types"),
            ("conflicts", "the same id twice with different content at one time"),
            ("guessed_ends", "an order that is over, whose end the record does not tell"),
            ("patient_missing", "no Patient resource of that id: nothing decided"),
        )
    ),
    """
        SELECT who, ['quality', what, e.key] FROM (
            SELECT who, what, e, unnest(range(e.value)) FROM (
                SELECT who, 'undated' AS what, unnest(map_entries(undated)) AS e FROM p
                UNION ALL SELECT who, 'unread', unnest(map_entries(unread)) FROM p
                UNION ALL SELECT who, 'conflicts', unnest(map_entries(conflicts)) FROM p))
        UNION ALL
        SELECT who, ['quality', 'guessed_ends', 'MedicationRequest']
        FROM (SELECT who, unnest(range(guessed_ends)) FROM p)
        UNION ALL
        SELECT who, ['quality', 'patient_missing', 'Patient'] FROM p WHERE patient_missing""",
)
ASKED = Figure(
    "asked",
    "What could be offered, what was refused",
    "A decision asks for magnesium when the level or the order at hand calls for a "
    "magnesium order. It is refused when a stop of the protocol holds. The first line of "
    "a hook is of all its calls, the others are of those that asked.",
    ("hook", "decision"),
    "decisions",
    "the calls of that hook in its first line, then the decisions that asked",
    (
        Rows(("{hook}", "asked for magnesium"), "asked/{hook}", "call/{hook}"),
        Rows(("{hook}", "{offer}"), "offered/{hook}/{offer}", "asked/{hook}"),
        Rows(
            ("{hook}", "of these, refused because data was missing"),
            "unknown/{hook}",
            "asked/{hook}",
        ),
    ),
    """
        SELECT who, ['asked', hook] || if(offer IS NULL, ['not'], []) FROM d
        UNION ALL
        SELECT who, ['offered', hook, offer] FROM d WHERE offer IS NOT NULL
        UNION ALL
        SELECT who, ['drug', hook] FROM d WHERE drug""",
    (
        "call/{hook} = asked/{hook} + asked/{hook}/not",
        "asked/{hook} = offered/{hook}/*offer",
        # What was offered is what was suggested, and what corrects a magnesium order at hand.
        "drug/{hook} = offered/{hook}/offered + offered/{hook}/partly",
    ),
    words={
        "offered": "an order was offered, nothing refused",
        "partly": "an order was offered, another way of giving it refused",
        "refused": "refused: a stop forbade it",
        "none": "low, and the protocol has no order for it",
    },
)
STOPS = Figure(
    "stops",
    "Why magnesium was refused",
    "Each stop that held in a decision that asked for magnesium. Several can hold at "
    "once, so the lines do not add up.",
    ("hook", "stop", "why"),
    "decisions",
    "decisions that asked for magnesium",
    (Rows(("{hook}", "{stop}", "{why}"), "stop/{hook}/{stop}", "asked/{hook}"),),
    """
        SELECT who, ['stop', hook, stop] ||
            if(list_contains(list_transform(refusals, lambda r: r.stop), stop), [], ['not'])
        FROM d JOIN (SELECT DISTINCT hook, unnest(refusals).stop AS stop FROM d) USING (hook)
        WHERE offer IS NOT NULL
        UNION ALL
        SELECT who, ['unknown', hook] ||
            if(len(list_filter(refusals, lambda r: r.unknown)) > 0, [], ['not'])
        FROM d WHERE offer IS NOT NULL""",
    (
        "asked/{hook} = stop/{hook}/{stop} + stop/{hook}/{stop}/not",
        "asked/{hook} = unknown/{hook} + unknown/{hook}/not",
    ),
    ranked=1,
)
GAPS = Figure(
    "gaps",
    "What data was missing to decide",
    "Decisions for which a need could not be obtained, with the reason, also where "
    "nothing was asked of it. A need that was read and is empty is no gap. Several can be "
    "missing at once.",
    ("hook", "need", "reason"),
    "decisions",
    "calls of that hook",
    (Rows(("{hook}", "{need}", "{reason}"), "gap-reason/{hook}/{need}/{reason}", "call/{hook}"),),
    """
        SELECT who, ['gap-any', hook] || if(len(gaps) > 0, [], ['not']) FROM d
        UNION ALL
        SELECT who, ['gap', hook, need] ||
            if(list_contains(list_transform(gaps, lambda g: g.need), need), [], ['not'])
        FROM d JOIN (SELECT DISTINCT hook, unnest(gaps).need AS need FROM d) USING (hook)
        UNION ALL
        SELECT who, ['gap-reason', hook, g.need, g.reason]
        FROM (SELECT who, hook, unnest(gaps) AS g FROM d)""",
    (
        "call/{hook} = gap-any/{hook} + gap-any/{hook}/not",
        "call/{hook} = gap/{hook}/{need} + gap/{hook}/{need}/not",
        "gap/{hook}/{need} = gap-reason/{hook}/{need}/*reason",
    ),
    ranked=1,
)
HUSHED = Figure(
    "hushed",
    "What stayed quiet because it had been answered",
    "Decisions of which a finding was kept quiet by the protocol's quiet rule. A record "
    "of the past holds no answers to cards that were never shown: how they are imagined "
    "is said under 'What was replayed'.",
    ("hook", "rule"),
    "decisions",
    "calls of that hook",
    (
        Rows(("{hook}", "any rule"), "hushed-any/{hook}", "call/{hook}"),
        Rows(("{hook}", "{rule}"), "hushed/{hook}/{rule}", "call/{hook}"),
    ),
    """
        SELECT who, ['hushed-any', hook] || if(len(hushed) > 0, [], ['not']) FROM d
        UNION ALL
        SELECT who, ['hushed-left', hook, if(indicator IS NULL, 'silent', 'card')]
        FROM d WHERE len(hushed) > 0
        UNION ALL
        SELECT who, ['hushed', hook, rule] || if(list_contains(hushed, rule), [], ['not'])
        FROM d JOIN (SELECT DISTINCT hook, unnest(hushed) AS rule FROM d) USING (hook)""",
    (
        "call/{hook} = hushed-any/{hook} + hushed-any/{hook}/not",
        "hushed-any/{hook} = hushed-left/{hook}/*left",
        "call/{hook} = hushed/{hook}/{rule} + hushed/{hook}/{rule}/not",
    ),
)
WHY = "SELECT r.stop, min(r.why) FROM (SELECT unnest(refusals) AS r FROM d) GROUP BY r.stop"
"""The title of each stop."""
