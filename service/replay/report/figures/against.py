"""Against: two protocols on the same calls."""

from __future__ import annotations

from service.replay.report.disclosure import Key
from service.replay.report.figures.published import Published, sorted_rows
from service.replay.report.table import Table
from service.replay.report.tally import INDICATORS

SAME, SEEN, UNSEEN = "the same throughout", "a clinician sees it", "not to be seen"


def compared(shown: Published, hooks: list[str]) -> Table:
    rows = []
    for hook in hooks:
        for name in ("any card", *INDICATORS, "no card"):
            first, second = {
                "any card": (("card", hook), ("other-card", hook)),
                "no card": (("silent", hook), ("other-silent", hook)),
            }.get(name, (("indicator", hook, name), ("other-indicator", hook, name)))
            rows.append(
                shown.row((hook, name), first, ("call", hook), extra=(shown.cell(*second),))
            )
    return Table(
        "compared",
        "Both protocols on the same calls",
        "The same calls, decided by each protocol with its own quiet rule.",
        ("hook", "answer"),
        f"calls under {shown.run.protocol.name}",
        "calls of that hook",
        tuple(rows),
        (f"calls under {shown.other}",),
    )


def differs(shown: Published, hooks: list[str]) -> Table:
    rows = []
    for hook in hooks:
        of: Key = ("call", hook)
        rows.append(shown.row((hook, SAME, "-"), ("differs", hook, "same"), of))
        for name, text in (("visible", SEEN), ("unseen", UNSEEN)):
            rows.append(shown.row((hook, text, "any"), ("differs", hook, name), of))
            rows += [
                shown.row((hook, text, key[3]), key, of)
                for key in shown.tally.groups("stage", hook, name)
            ]
    return Table(
        "differs",
        "Where the decisions part",
        "Calls by whether the two protocols differ, and the first stage at which they do: "
        "chart (the facts), assessment (flags, stops, findings, what is open), quiet, plan "
        "(indicator, rules, suggestions), card (words). A clinician sees it when one has a "
        "card and the other none, or its indicator, rules or suggestions differ.",
        ("hook", "difference", "first stage"),
        "calls",
        "calls of that hook",
        tuple(rows),
    )


def changes(shown: Published, hooks: list[str]) -> Table:
    rows = [
        shown.row((hook, key[2], key[3]), key, ("differs", hook, "visible"))
        for hook in hooks
        for key in shown.cells
        if key[:2] == ("change", hook)
    ]
    return Table(
        "changes",
        "What changes for the clinician",
        "Differences that a clinician sees, by what the card leads with and first suggests. "
        "The single decisions stand in differences.ndjson.",
        ("hook", shown.run.protocol.name, shown.other),
        "calls",
        "calls with a difference to be seen",
        sorted_rows(rows, by=1),
    )
