"""Burden: how often a card is shown, on whom, by rule, hour, order and level."""

from __future__ import annotations

from collections.abc import Sequence

from service.replay.report.disclosure import Cell, Key
from service.replay.report.figures.published import CALLED, NONE, Published, sorted_rows
from service.replay.report.table import Table
from service.replay.report.tally import HOURS, INDICATORS


def patients(shown: Published) -> Table:
    of: Key = ("patients",)
    rows = [
        shown.row(("all",), of, None),
        shown.row(("at least one card",), ("patients", "card"), of),
        shown.row(("never a card",), ("patients", "no card"), of),
    ]
    return Table(
        "patients",
        "On whom",
        "Each patient once, over all hooks. A patient without a dated record counts too.",
        ("patients who saw",),
        "patients",
        "all patients",
        tuple(rows),
    )


def cards(shown: Published, hooks: list[str]) -> Table:
    rows = []
    for hook in hooks:
        of: Key = ("call", hook)
        rows.append(shown.row((hook, "any card"), ("card", hook), of, days=True))
        rows += [
            shown.row((hook, name), ("indicator", hook, name), of, days=True) for name in INDICATORS
        ]
        rows.append(shown.row((hook, "no card"), ("silent", hook), of, days=True))
    return Table(
        "cards",
        "How often it would speak",
        "Each magnesium result is one patient-view at the moment it was known; each "
        "medication order is one order-select and one order-sign at the moment it was "
        "written. A call has one card or none. The two order hooks meet the same orders: "
        "never add them.",
        ("hook", "answer"),
        "calls",
        "calls of that hook",
        tuple(rows),
        days=True,
    )


def both(shown: Published) -> Table:
    of: Key = ("orders",)
    names = {
        "both": "at both",
        "select only": "only when chosen",
        "sign only": "only when signed",
        "neither": "at neither",
    }
    return Table(
        "both",
        "The same order at both hooks",
        "Each order once, by where it met a card. This is what a prescriber would live "
        "through: an order with a card at both hooks is one order interrupted twice.",
        ("card",),
        "orders",
        "orders met at both hooks",
        tuple(shown.row((name,), ("orders", key), of) for key, name in names.items()),
    )


def kinds(shown: Published, hooks: list[str]) -> Table:
    names = {
        "magnesium": "replacement magnesium",
        "other": "any other order",
        "irrelevant": "no data needed (a drug that magnesium has no bearing on)",
    }
    rows = [
        shown.row((hook, name), ("kind-card", hook, key), ("kind-call", hook, key), days=True)
        for hook in hooks
        for key, name in names.items()
        if shown.cell("kind-call", hook, key) != NONE
    ]
    return Table(
        "kinds",
        "What was being ordered",
        "Cards by what the order was. The denominator is the orders of that kind.",
        ("hook", "order"),
        "cards",
        "orders of that kind",
        tuple(rows),
        days=True,
    )


def levels(shown: Published) -> Table:
    hook = "patient-view"
    keys = [key[-1] for key in shown.tally.groups("level-call", hook)]
    order = ("severe", "moderate", "mild", "normal", "high", "toxic", "no band")
    keys = [key for key in (*order, "not usable", "no result") if key in keys]
    rows = [
        shown.row((key,), ("level-card", hook, key), ("level-call", hook, key), days=True)
        for key in keys
        if shown.cell("level-call", hook, key) != NONE
    ]
    return Table(
        "levels",
        "At which magnesium level, on opening the chart",
        "Cards at patient-view by what the deciding result acts as in the protocol. Not "
        "usable: the result may not be dosed on (old, unit unknown or contradicted, "
        "haemolysed, implausible).",
        ("level",),
        "cards",
        "results of that level",
        tuple(rows),
        days=True,
    )


def rules(shown: Published, hook: str) -> Table:
    of: Key = ("call", hook)
    found = [key for key in shown.cells if key[:2] == ("rule", hook) and len(key) == 4]
    led = {key[3] for key in found}
    rows = [
        shown.row(
            (key[3], shown.title(key[3]), key[2]),
            key,
            of,
            days=True,
            # A rule that leads with two indicators has its further cards told once.
            extra=(_also(shown, hook, key, found),),
        )
        for key in found
    ]
    rows += [
        shown.row(
            (rule, shown.title(rule), "never leads"),
            ("none",),
            of,
            days=True,
            extra=(shown.cell("also", hook, rule),),
        )
        for rule in (key[2] for key in shown.tally.groups("also", hook))
        if rule not in led and shown.cell("also", hook, rule) != NONE
    ]
    return Table(
        f"rules-{hook}",
        f"Which rules speak at {hook}",
        "Each card once, under the rule it leads with (its worst finding). Other findings "
        "may stand on the same card: those are counted in the last column, not in the rate.",
        ("rule", "asks", "indicator"),
        "cards led",
        CALLED[hook],
        sorted_rows(rows),
        ("also on cards led by another rule",),
        days=True,
    )


def _also(shown: Published, hook: str, key: Key, found: Sequence[Key]) -> Cell:
    first = next(other for other in found if other[3] == key[3])
    return shown.cell("also", hook, key[3]) if key == first else NONE


def hours(shown: Published, hook: str) -> Table:
    rows = [
        shown.row(
            (f"{hour}:00" if hour != "?" else "not known",),
            ("hour-card", hook, hour),
            ("hour-call", hook, hour),
            days=True,
        )
        for hour in HOURS
        if hour != "?" or shown.cell("hour-call", hook, hour) != NONE
    ]
    return Table(
        f"hours-{hook}",
        f"At which hour, at {hook}",
        f"Cards by the hour of the call, in the time zone {shown.run.timezone}. Drawn: cards per "
        "100 patient-days, which add up over the hours. In the table also of the "
        f"{CALLED[hook]} in that hour: a rate of few calls says little (see its interval). Not "
        "known: the record gives a date without a time.",
        ("hour",),
        "cards",
        f"{CALLED[hook]} in that hour",
        tuple(rows),
        days=True,
    )
