"""Five sentences: what the replay says to somebody who reads nothing else."""

from __future__ import annotations

from service.replay.report.disclosure import Key
from service.replay.report.figure import LOW
from service.replay.report.published import CALLED, Published
from service.replay.report.table import Row
from service.replay.row import AFTER_H, LOW_H

FEW = "withheld, too few patients concerned or left over"
FEW_PATIENTS = (
    "Few patients: counts of few, and what would give them away, are withheld (--min-cell), and"
    " nothing is said of them. Replay more patients to learn more."
)
_OFTEN = 2  # withheld so often, it is said once for all
_LOUD = 3
WHEN = {
    "order-sign": "at signing",
    "order-select": "at choosing, the same orders,",
    "patient-view": "on opening the chart after a result",
}
SHORT = {"order-sign": "signing", "order-select": "choosing", "patient-view": "opening the chart"}


def five_sentences(figures: Published) -> tuple[str, ...]:
    """How often, on whom, which rules, what data was missing, whether clinicians agreed.

    Where few patients leave several things unsaid, one sentence more says so, and they are left
    out.
    """
    sentences = (
        _how_often(figures),
        _on_whom(figures),
        _which_rules(figures),
        _what_missing(figures),
        _agreed(figures),
    )
    if sum(sentence.count(FEW) for sentence in sentences) < _OFTEN:
        return sentences
    left = (_without_few(sentence) for sentence in sentences)
    return (*(sentence for sentence in left if sentence), FEW_PATIENTS)


def _without_few(sentence: str) -> str:
    """A sentence without its parts that are withheld; "" when nothing is left of it."""
    head, _, rest = sentence.removesuffix(".").partition(": ")
    parts = [part for part in rest.split("; ") if FEW not in part]
    return f"{head}: {'; '.join(parts)}." if parts else ""


def _hooks(figures: Published) -> list[str]:
    order = ("order-sign", "order-select", "patient-view")
    return [hook for hook in order if hook in figures.run.hooks]


def _how_often(figures: Published) -> str:
    parts = []
    for hook in _hooks(figures):
        calls, card = figures.cell("call", hook).n, figures.cell("card", hook).n
        cards = figures.share(("card", hook), ("call", hook))
        critical = figures.share(("indicator", hook, "critical"), ("call", hook))
        if calls == 0:
            unread = hook == "patient-view" and (
                figures.cell("unknown-result").n != 0 or figures.cell("lost-magnesium").n != 0
            )
            known = " that could be read (see what was missing)" if unread else ""
            parts.append(f"no {CALLED[hook]}{known} on record")
        elif cards is None:
            parts.append(f"{WHEN[hook]} {FEW}")
        else:
            worst = f", {critical.value:.1f} critical" if critical is not None else ""
            parts.append(
                f"{WHEN[hook]} {cards.value:.1f} of 100 {CALLED[hook]}{worst} "
                f"({card:,} of {calls:,})"
            )
    several = figures.share(("size", "order-sign", "several"), ("call", "order-sign"))
    if several is not None:
        parts.append(f"{several.value:.0f} % of the signings were of more than one order")
    return f"How often a card would appear: {'; '.join(parts)}."


def _on_whom(figures: Published) -> str:
    who = figures.share(("patients", "card"), ("patients",))
    whole = figures.cell("patients")
    if who is not None:
        parts = [
            f"{figures.cell('patients', 'card').n:,} of {whole.n:,} patients ({who.value:.0f} %) "
            "would have seen at least one card"
        ]
    elif whole.n is not None and figures.cell("patients", "no card").why == "small":
        parts = [f"nearly all of {whole.n:,} patients would have seen a card"]
    else:
        parts = [f"patients with a card: {FEW}"]
    rates = [
        f"{rate.value:.0f} at {SHORT[hook]}"
        for hook in _hooks(figures)
        if (rate := figures.per_100_days("card", hook)) is not None
    ]
    if figures.days and rates:
        parts.append(f"in {figures.days:,.0f} patient-days, cards per 100: {', '.join(rates)}")
    levels = []
    for level in ("severe", "moderate", "mild", "not usable"):
        n = figures.cell("level-card", "patient-view", level).n
        share = figures.share(("level-card", "patient-view", level), ("card", "patient-view"))
        if n and share is not None:
            name = (
                "a result that may not be dosed on" if level == "not usable" else f"a {level} level"
            )
            levels.append(f"{share.value:.0f} % for {name}")
    if levels:
        parts.append(f"of the cards on opening the chart {', '.join(levels)}")
    return f"On whom: {'; '.join(parts)}."


def _which_rules(figures: Published) -> str:
    parts = []
    hooks = _hooks(figures)
    if "order-sign" in hooks:
        # Choosing meets the same orders, and much the same rules.
        hooks = [hook for hook in hooks if hook != "order-select"]
    for hook in hooks:
        table = figures.table(f"rules-{hook}")
        rows = [row for row in table.rows if row.cell.n] if table else []
        cards = figures.cell("card", hook).n
        if not rows or not cards:
            continue
        said = [_rule(row, cards) for row in rows[:_LOUD]]
        parts.append(f"at {SHORT[hook]} {', '.join(said)}")
    text = f"of the cards {'; '.join(parts) or FEW}"
    for hook in hooks:
        card, call = ("kind-card", hook, "magnesium"), ("kind-call", hook, "magnesium")
        share = figures.share(card, call)
        if share is not None:
            text += (
                f"; of the orders of replacement magnesium {share.value:.0f} % met a card at "
                f"{SHORT[hook]} ({figures.cell(*card).n:,} of {figures.cell(*call).n:,})"
            )
    return f"Which rules make the noise: {text}."


def _rule(row: Row, cards: int) -> str:
    rule, title, indicator = row.name
    named = f"{rule} ({title}; {indicator})" if title else f"{rule} ({indicator})"
    return f"{100 * (row.cell.n or 0) / cards:.0f} % are {named}"


def _what_missing(figures: Published) -> str:
    hooks = _hooks(figures)
    needs: dict[str, float] = {}
    table = figures.table("gaps")
    for row in table.rows if table else ():
        if row.name[0] == hooks[0] and row.per_100 is not None and row.cell.n:
            needs[row.name[1]] = needs.get(row.name[1], 0) + row.per_100.value
    worst = sorted(needs.items(), key=lambda item: (-item[1], item[0]))
    text = "nothing else the decisions read was missing"
    lost = _not_recognised(figures)
    if not lost:
        text = "nothing the decisions read was missing"
    if worst:
        groups: dict[str, list[str]] = {}
        for need, part in worst:
            groups.setdefault(f"{part:.0f} %", []).append(need)
        said = "; ".join(f"{', '.join(names)} in {part}" for part, names in groups.items())
        text = f"of the decisions at {SHORT[hooks[0]]}, {said}"
    elif any(figures.cell("gap-any", hook).n is None for hook in hooks):
        text = FEW
    refused = []
    for hook in ("patient-view", *hooks):
        share = figures.share(("unknown", hook), ("asked", hook))
        if share is not None and figures.cell("unknown", hook).n:
            refused.append(
                f"{share.value:.0f} % of the decisions at {SHORT[hook]} that asked for magnesium "
                f"({figures.cell('unknown', hook).n:,} of {figures.cell('asked', hook).n:,})"
            )
            break
    if refused:
        text += f"; missing data forbade an order, or a way of giving it, in {refused[0]}"
    if figures.run.assumed_none:
        assumed = ", ".join(figures.run.assumed_none)
        text += f"; taken as empty because the run was told so: {assumed}"
    return f"What was missing: {lost}{text}."


def _not_recognised(figures: Published) -> str:
    """First of all, and loud: an export whose magnesium has a laboratory's own codes looks like
    one without a low level."""
    lost, unknown = figures.cell("lost-magnesium").n, figures.cell("unknown-result").n
    none = figures.cell("call", "patient-view").n == 0 and "patient-view" in figures.run.hooks
    named = ""
    if lost:
        named = f"{lost:,} RESULTS THAT ARE A MAGNESIUM BY THEIR NAME WERE NOT READ"
    elif none and unknown:
        named = f"NO MAGNESIUM WAS READ, AND {unknown:,} RESULTS WERE NOT RECOGNISED"
    elif not figures.cells_withheld("lost-magnesium") and not (
        none and figures.cells_withheld("unknown-result")
    ):
        return ""
    else:
        named = "SOME RESULTS THAT MAY BE A MAGNESIUM WERE NOT READ"
    return (
        f"{named}: they came under codes that are not known here; map them in the site's protocol "
        "file ([[result.site_codes]]) and replay again; "
    )


def _agreed(figures: Published) -> str:
    hook = "patient-view" if "patient-view" in figures.run.hooks else _hooks(figures)[0]
    whole: Key = ("suggested", hook)
    number = figures.cell(*whole).n
    if number == 0:
        text = f"no magnesium order was suggested at {SHORT[hook]}"
    else:
        said = {
            "nothing": "nothing",
            "as suggested": "what was suggested",
            "same dose": "the same dose by the same route at another or no stated rate",
            "same route": "another dose by the same route",
            "other route": "another route",
        }
        parts = [
            f"{share.value:.0f} % {words}"
            for name, words in said.items()
            if (share := figures.share(("outcome", hook, name), whole)) is not None
        ]
        rest = " (the rest withheld)" if 0 < len(parts) < len(said) else ""
        of = f"the {number:,} suggestions" if number is not None else "the suggestions"
        text = (
            f"in the {AFTER_H} h after {of} at {SHORT[hook]} clinicians ordered "
            f"{', '.join(parts) or FEW}{rest}"
        )
    waits = [
        f"{wait.hours.median:.1f} h for {wait.band} ({wait.hours.n:,} results)"
        for wait in figures.waits
        if wait.hours is not None
    ]
    if waits:
        text += f"; the first order came after a median of {', '.join(waits)}"
    none = [
        f"{share.value:.0f} % of {band}"
        for band in LOW
        if (share := figures.share(("after", band, "none"), ("low", band))) is not None
    ]
    if none:
        text += f"; none came in {LOW_H} h for {', '.join(none)}"
    return f"Whether clinicians agreed: {text}."
