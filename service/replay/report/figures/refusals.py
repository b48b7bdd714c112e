"""Refusals: what was forbidden, what was not obtained or not used, what stayed quiet."""

from __future__ import annotations

from cards.evidence import title_of
from service.replay.report.disclosure import Key
from service.replay.report.figures.published import NONE, Published, sorted_rows
from service.replay.report.table import Table


def observed(shown: Published) -> Table:
    names = {
        "encounters": "the time of their encounters",
        "records": "from the first to the last dated record",
        "none": "no dated record: no time",
    }
    rows = [
        shown.row((name,), ("counted", key), ("patients",))
        for key, name in names.items()
        if shown.cell("counted", key) != NONE
    ]
    return Table(
        "observed",
        "How patient-days were counted",
        "Each patient once, by what tells how long it was observed; at least one hour.",
        ("counted by",),
        "patients",
        "all patients",
        tuple(rows),
    )


def quality(shown: Published) -> Table:
    names = {
        "undated": "without a date: nobody can tell since when it was known",
        "unread": "broken in its types",
        "conflicts": "the same id twice with different content at one time",
        "guessed_ends": "an order that is over, whose end the record does not tell",
        "patient_missing": "no Patient resource of that id: nothing decided",
    }
    rows = [
        shown.row((key[2], name), key, None)
        for what, name in names.items()
        for key in shown.tally.groups("quality", what)
    ]
    return Table(
        "quality",
        "What could not be used as it came",
        "Resources that were read and not used, or used with a guess. Lines that could not "
        "be read at all stand in rejected.ndjson.",
        ("type", "what"),
        "resources",
        "",
        tuple(rows),
    )


def asked(shown: Published, hooks: list[str]) -> Table:
    names = {
        "offered": "an order was offered, nothing refused",
        "partly": "an order was offered, another way of giving it refused",
        "refused": "refused: a stop forbade it",
        "none": "low, and the protocol has no order for it",
    }
    rows = []
    for hook in hooks:
        rows.append(shown.row((hook, "asked for magnesium"), ("asked", hook), ("call", hook)))
        rows += [
            shown.row((hook, name), ("offered", hook, key), ("asked", hook))
            for key, name in names.items()
        ]
        rows.append(
            shown.row(
                (hook, "of these, refused because data was missing"),
                ("unknown", hook),
                ("asked", hook),
            )
        )
    return Table(
        "asked",
        "What could be offered, what was refused",
        "A decision asks for magnesium when the level or the order at hand calls for a "
        "magnesium order. It is refused when a stop of the protocol holds. The first line of "
        "a hook is of all its calls, the others are of those that asked.",
        ("hook", "decision"),
        "decisions",
        "the calls of that hook in its first line, then the decisions that asked",
        tuple(rows),
    )


def stops(shown: Published, hooks: list[str]) -> Table:
    rows = [
        shown.row((hook, key[2], shown.tally.why.get(key[2], "")), key, ("asked", hook))
        for hook in hooks
        for key in shown.tally.groups("stop", hook)
    ]
    return Table(
        "stops",
        "Why magnesium was refused",
        "Each stop that held in a decision that asked for magnesium. Several can hold at "
        "once, so the lines do not add up.",
        ("hook", "stop", "why"),
        "decisions",
        "decisions that asked for magnesium",
        sorted_rows(rows, by=1),
    )


def gaps(shown: Published, hooks: list[str]) -> Table:
    rows = [
        shown.row((hook, title_of(key[2]), key[3]), key, ("call", hook))
        for hook in hooks
        for key in shown.cells
        if key[:2] == ("gap-reason", hook)
    ]
    return Table(
        "gaps",
        "What data was missing to decide",
        "Decisions for which a need could not be obtained, with the reason, also where "
        "nothing was asked of it. A need that was read and is empty is no gap. Several can be "
        "missing at once.",
        ("hook", "need", "reason"),
        "decisions",
        "calls of that hook",
        sorted_rows(rows, by=1),
    )


def hushed(shown: Published, hooks: list[str]) -> Table:
    rows = []
    for hook in hooks:
        of: Key = ("call", hook)
        rows.append(shown.row((hook, "any rule"), ("hushed-any", hook), of))
        rows += [shown.row((hook, key[2]), key, of) for key in shown.tally.groups("hushed", hook)]
    return Table(
        "hushed",
        "What stayed quiet because it had been answered",
        "Decisions of which a finding was kept quiet by the protocol's quiet rule. A record "
        "of the past holds no answers to cards that were never shown: how they are imagined "
        "is said under 'What was replayed'.",
        ("hook", "rule"),
        "decisions",
        "calls of that hook",
        tuple(rows),
    )
