"""Agreement: what was ordered after a suggestion and after a low result."""

from __future__ import annotations

from collections.abc import Iterator

from service.replay.report.figures.published import Published, sorted_rows
from service.replay.report.table import Row, Table
from service.replay.report.tally import AFTER_LOW, LOW, OUTCOMES
from service.replay.row import AFTER_H, LOW_H


def outcomes(shown: Published, hooks: list[str]) -> Table:
    rows = [
        shown.row((hook, name), ("outcome", hook, name), ("suggested", hook))
        for hook in hooks
        for name in OUTCOMES
    ]
    return Table(
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
        tuple(rows),
    )


def outcomes_by_route(shown: Published, hooks: list[str]) -> Table:
    return Table(
        "outcomes-by-route",
        "By the route that was suggested",
        "The same decisions by the route of the recommended order, or of the first offered where "
        "none is recommended.",
        ("hook", "suggested route"),
        "suggestions",
        "",
        tuple(_by(shown, hooks, "route")),
        OUTCOMES,
    )


def outcomes_by_rule(shown: Published, hooks: list[str]) -> Table:
    return Table(
        "outcomes-by-rule",
        "By the rule that the card led with",
        "The same decisions by rule. A rule whose suggestion nobody followed either tells "
        "clinicians something new or is noise.",
        ("hook", "rule"),
        "suggestions",
        "",
        sorted_rows(list(_by(shown, hooks, "led")), by=1),
        OUTCOMES,
    )


def _by(shown: Published, hooks: list[str], name: str) -> Iterator[Row]:
    """A row for each group of suggestions, its outcomes beside."""
    for hook in hooks:
        for group in shown.tally.groups(f"{name}-suggested", hook):
            parts = (shown.cell(f"{name}-outcome", hook, group[2], o) for o in OUTCOMES)
            yield shown.row((hook, group[2]), group, None, extra=tuple(parts))


def lows(shown: Published) -> Table:
    names = {
        "treated": "magnesium already ordered or given",
        "ordered": f"ordered within {LOW_H} h",
        "none": f"not ordered in {LOW_H} h",
        "lost": f"not ordered, record ends within {LOW_H} h",
    }
    rows = []
    for band in LOW:
        rows.append(shown.row((band, "all low results"), ("low", band), ("lows",)))
        rows += [
            shown.row((band, names[name]), ("after", band, name), ("low", band))
            for name in AFTER_LOW
        ]
    return Table(
        "lows",
        "From a low result to the first magnesium order",
        "Each low result that may be dosed on once. Already ordered or given: active when the "
        "result was known, or given since it was drawn. The first line of a level is of all "
        "low results, the others are of that level.",
        ("level", "then"),
        "low results",
        "all low results in the first line of a level, then those of that level",
        tuple(rows),
    )
