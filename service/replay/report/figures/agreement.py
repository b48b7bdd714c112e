"""Agreement: what was ordered after a suggestion and after a low result."""

from __future__ import annotations

from service.replay.report.figures.figure import LOW, OUTCOMES, Figure, Rows
from service.replay.row import AFTER_H, LOW_H

SUGGESTED = Figure(
    "outcomes",
    f"What was ordered in the {AFTER_H} hours after a suggestion",
    "Each decision that suggested a magnesium order once, by the best match among the "
    f"magnesium orders written in the next {AFTER_H} hours. As suggested: same salt, route, "
    "dose and daily number, and a stated time that is not shorter (an order that states no "
    "time is never that). Same dose: same route and single dose. Same route: another dose, or "
    "one that cannot be read. Other route. Route unknown: the order does not say. Nothing: "
    "no magnesium order. Nobody saw these "
    "suggestions: this is what clinicians did of their own accord. Suggestions about a "
    "magnesium order at hand are left out: that order is itself an answer. Several results of "
    "one patient count several times.",
    ("hook", "ordered"),
    "suggestions",
    "suggestions at that hook",
    (Rows(("{hook}", "{outcome}"), "outcome/{hook}/{outcome}", "suggested/{hook}"),),
    """
        SELECT who, ['suggested', hook] || if(outcome IS NULL, ['not'], []) FROM d
        UNION ALL
        SELECT who, ['outcome', hook, outcome] FROM d WHERE outcome IS NOT NULL
        UNION ALL
        SELECT who, ['corrects', hook] FROM d WHERE drug AND outcome IS NULL""",
    (
        "call/{hook} = suggested/{hook} + suggested/{hook}/not",
        # On opening the chart no order is at hand, as every reader knows.
        "drug/{ordering} = suggested/{ordering} + corrects/{ordering}",
        "drug/{viewing} = suggested/{viewing}",
        "suggested/{hook} = outcome/{hook}/*outcome",
    ),
)


def _beside(name: str) -> tuple[Rows, ...]:
    """Suggestions by a value, with their outcomes beside."""
    each = f"{name}-outcome/{{hook}}/{{group}}"
    extra = tuple(f"{each}/{outcome}" for outcome in OUTCOMES)
    return (Rows(("{hook}", "{group}"), f"{name}-suggested/{{hook}}/{{group}}", extra=extra),)


def _both_ways(name: str) -> tuple[str, ...]:
    return (
        f"suggested/{{hook}} = {name}-suggested/{{hook}}/*group",
        f"{name}-suggested/{{hook}}/{{group}} = {name}-outcome/{{hook}}/{{group}}/*outcome",
        f"outcome/{{hook}}/{{outcome}} = {name}-outcome/{{hook}}/*group/{{outcome}}",
    )


BY_ROUTE = Figure(
    "outcomes-by-route",
    "By the route that was suggested",
    "The same decisions by the route of the recommended order, or of the first offered where "
    "none is recommended.",
    ("hook", "suggested route"),
    "suggestions",
    "",
    _beside("route"),
    """
        SELECT who, unnest([['route-suggested', hook, coalesce(route, '?')],
                            ['route-outcome', hook, coalesce(route, '?'), outcome]])
        FROM d WHERE outcome IS NOT NULL""",
    _both_ways("route"),
    extra=OUTCOMES,
)
BY_RULE = Figure(
    "outcomes-by-rule",
    "By the rule that the card led with",
    "The same decisions by rule. A rule whose suggestion nobody followed either tells "
    "clinicians something new or is noise.",
    ("hook", "rule"),
    "suggestions",
    "",
    _beside("led"),
    """
        SELECT who, unnest([['led-suggested', hook, coalesce(lead, '?')],
                            ['led-outcome', hook, coalesce(lead, '?'), outcome]])
        FROM d WHERE outcome IS NOT NULL""",
    _both_ways("led"),
    extra=OUTCOMES,
    ranked=1,
)
LOWS = Figure(
    "lows",
    "From a low result to the first magnesium order",
    "Each low result that may be dosed on once. Already ordered or given: active when the "
    "result was known, or given since it was drawn. The first line of a level is of all "
    "low results, the others are of that level.",
    ("level", "then"),
    "low results",
    "all low results in the first line of a level, then those of that level",
    tuple(
        line
        for band in LOW
        for line in (
            Rows((band, "all low results"), f"low/{band}", "lows"),
            Rows((band, "{after}"), f"after/{band}/{{after}}", f"low/{band}"),
        )
    ),
    "SELECT who, unnest([['lows'], ['low', band], ['after', band, after]]) FROM low",
    ("lows = low/*band", "low/{band} = after/{band}/*after"),
    words={
        "treated": "magnesium already ordered or given",
        "ordered": f"ordered within {LOW_H} h",
        "none": f"not ordered in {LOW_H} h",
        "lost": f"not ordered, record ends within {LOW_H} h",
    },
)
WAITS = """
    SELECT band, count(*), count(DISTINCT who), quantile_cont(hours, 0.25),
           quantile_cont(hours, 0.5), quantile_cont(hours, 0.75)
    FROM low WHERE after = 'ordered' GROUP BY band"""
"""Hours from a low result to the first magnesium order, of those that had one."""
