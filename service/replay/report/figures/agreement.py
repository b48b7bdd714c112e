"""Agreement: what was ordered after a suggestion and after a low result."""

from __future__ import annotations

from service.replay.report.disclosure import Key
from service.replay.report.figures.published import Published, sorted_rows
from service.replay.report.table import Table
from service.replay.report.tally import AFTER_LOW, LOW, OUTCOMES
from service.replay.row import AFTER_H, LOW_H


def outcomes(shown: Published, hooks: list[str]) -> Table:
    rows = []
    for hook in hooks:
        whole: Key = ("suggested", hook)
        rows += [
            shown.row((hook, "any", name), ("outcome", hook, name), whole) for name in OUTCOMES
        ]
        for group in shown.tally.groups("route-suggested", hook):
            rows += [
                shown.row((hook, group[2], name), ("route-outcome", hook, group[2], name), group)
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
        ("hook", "suggested route", "ordered"),
        "suggestions",
        "suggestions of that route",
        tuple(rows),
    )


def outcomes_by_rule(shown: Published, hooks: list[str]) -> Table:
    rows = []
    for hook in hooks:
        for group in shown.tally.groups("led-suggested", hook):
            rule = group[2]
            cells = tuple(shown.cell("led-outcome", hook, rule, name) for name in OUTCOMES)
            rows.append(
                shown.row((hook, rule, shown.title(rule)), group, ("suggested", hook), extra=cells)
            )
    return Table(
        "outcomes-by-rule",
        "Whether clinicians did what a rule suggested",
        "The same decisions by the rule the card led with. A rule whose suggestion nobody "
        "followed either tells clinicians something new or is noise.",
        ("hook", "rule", "asks"),
        "suggestions",
        "suggestions at that hook",
        sorted_rows(rows, by=1),
        OUTCOMES,
    )


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
