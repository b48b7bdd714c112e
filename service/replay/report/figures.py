"""Figures: the tables of the report, made of what may be published and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.replay.report.disclosure import Cell, Key, protect
from service.replay.report.table import Rate, Row, Table, rate, share
from service.replay.report.tally import (
    AFTER_LOW,
    HOURS,
    INDICATORS,
    LOW,
    ORDER_HOOKS,
    OUTCOMES,
    Quartiles,
    Tally,
)
from service.replay.row import AFTER_H, HOOKS, LOW_H, Run

NONE = Cell(0, 0)
CALLED = {
    "patient-view": "magnesium results",
    "order-select": "orders chosen",
    "order-sign": "orders signed",
}


@dataclass(frozen=True, slots=True)
class Wait:
    """Hours from a low result to the first magnesium order; None where too few had one."""

    band: str
    hours: Quartiles | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is published. ``days`` is None where even that would tell too much."""

    run: Run
    cells: Mapping[Key, Cell]
    days: float | None
    first: str
    last: str
    tables: tuple[Table, ...]
    waits: tuple[Wait, ...]

    def table(self, id_: str) -> Table | None:
        return next((table for table in self.tables if table.id == id_), None)

    def cell(self, *key: str) -> Cell:
        return self.cells.get(key, NONE)

    def share(self, part: Key, of: Key) -> Rate | None:
        return share(self.cell(*part).n, self.cell(*of).n)

    def per_100_days(self, *key: str) -> Rate | None:
        return rate(self.cell(*key).n, self.days)


def make_figures(run: Run, tally: Tally, min_cell: int) -> Figures:
    """The Figures of a Tally, with small groups of patients withheld."""
    cells = protect(tally.counts, tally.sums, min_cell)
    whole = cells[("patients",)].n is not None
    make = _Maker(run, tally, cells, tally.days if whole else None)
    hooks = [hook for hook in HOOKS if hook in run.hooks]
    orders = [hook for hook in hooks if hook in ORDER_HOOKS]
    tables = [make.patients(), make.observed(), make.quality(), make.cards(hooks)]
    if len(orders) == len(ORDER_HOOKS) and ("orders",) in tally.counts:
        tables.append(make.both())
    if orders:
        tables.append(make.kinds(orders))
    if "patient-view" in hooks:
        tables.append(make.levels())
    tables += [make.rules(hook) for hook in hooks]
    tables += [make.hours(hook) for hook in hooks]
    tables += [make.asked(hooks), make.stops(hooks), make.gaps(hooks), make.hushed(hooks)]
    tables += [make.outcomes(hooks), make.outcomes_by_rule(hooks), make.lows()]
    if run.against is not None:
        tables += [make.compared(hooks), make.differs(hooks), make.changes(hooks)]
    enough = max(min_cell, 1)
    waits = tuple(
        Wait(
            band,
            found
            if (found := tally.waits.get(band)) and found.patients >= enough
            # Quartiles of a withheld group would tell of it.
            and cells["after", band, "ordered"].n is not None
            else None,
        )
        for band in LOW
    )
    first, last = (tally.first, tally.last) if whole else ("", "")
    return Figures(run, cells, make.days, first, last, tuple(tables), waits)


@dataclass(frozen=True, slots=True)
class _Maker:
    run: Run
    tally: Tally
    cells: Mapping[Key, Cell]
    days: float | None

    def cell(self, *key: str) -> Cell:
        return self.cells.get(key, NONE)

    def row(
        self,
        name: tuple[str, ...],
        key: Key,
        of: Key | None,
        *,
        days: bool = False,
        extra: tuple[Cell, ...] = (),
    ) -> Row:
        cell = self.cell(*key)
        base = self.cell(*of).n if of else None
        per_days = rate(cell.n, self.days) if days else None
        return Row(name, cell, base, share(cell.n, base), per_days, extra)

    def patients(self) -> Table:
        of: Key = ("patients",)
        rows = [
            self.row(("all",), of, None),
            self.row(("at least one card",), ("patients", "card"), of),
            self.row(("never a card",), ("patients", "no card"), of),
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

    def observed(self) -> Table:
        names = {
            "encounters": "the time of their encounters",
            "records": "from the first to the last dated record",
            "none": "no dated record: no time",
        }
        rows = [
            self.row((name,), ("counted", key), ("patients",))
            for key, name in names.items()
            if self.cell("counted", key) != NONE
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

    def quality(self) -> Table:
        names = {
            "undated": "without a date: nobody can tell since when it was known",
            "unread": "broken in its types",
            "conflicts": "the same id twice with different content at one time",
            "guessed_ends": "an order that is over, whose end the record does not tell",
            "patient_missing": "no Patient resource of that id: nothing decided",
        }
        rows = [
            self.row((key[2], name), key, None)
            for what, name in names.items()
            for key in self.tally.groups("quality", what)
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

    def cards(self, hooks: list[str]) -> Table:
        rows = []
        for hook in hooks:
            of: Key = ("call", hook)
            rows.append(self.row((hook, "any card"), ("card", hook), of, days=True))
            rows += [
                self.row((hook, name), ("indicator", hook, name), of, days=True)
                for name in INDICATORS
            ]
            rows.append(self.row((hook, "no card"), ("silent", hook), of, days=True))
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

    def both(self) -> Table:
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
            tuple(self.row((name,), ("orders", key), of) for key, name in names.items()),
        )

    def kinds(self, hooks: list[str]) -> Table:
        names = {
            "magnesium": "replacement magnesium",
            "other": "any other order",
            "irrelevant": "no data needed (a drug that magnesium has no bearing on)",
        }
        rows = [
            self.row((hook, name), ("kind-card", hook, key), ("kind-call", hook, key), days=True)
            for hook in hooks
            for key, name in names.items()
            if self.cell("kind-call", hook, key) != NONE
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

    def levels(self) -> Table:
        hook = "patient-view"
        keys = [key[-1] for key in self.tally.groups("level-call", hook)]
        order = ("severe", "moderate", "mild", "normal", "high", "toxic", "no band")
        keys = [key for key in (*order, "not usable", "no result") if key in keys]
        rows = [
            self.row((key,), ("level-card", hook, key), ("level-call", hook, key), days=True)
            for key in keys
            if self.cell("level-call", hook, key) != NONE
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

    def rules(self, hook: str) -> Table:
        of: Key = ("call", hook)
        found = [key for key in self.cells if key[:2] == ("rule", hook) and len(key) == 4]
        led = {key[3] for key in found}
        rows = [
            self.row(
                (key[3], self.title(key[3]), key[2]),
                key,
                of,
                days=True,
                # A rule that leads with two indicators has its further cards told once.
                extra=(self._also(hook, key, found),),
            )
            for key in found
        ]
        rows += [
            self.row(
                (rule, self.title(rule), "never leads"),
                ("none",),
                of,
                days=True,
                extra=(self.cell("also", hook, rule),),
            )
            for rule in (key[2] for key in self.tally.groups("also", hook))
            if rule not in led and self.cell("also", hook, rule) != NONE
        ]
        return Table(
            f"rules-{hook}",
            f"Which rules speak at {hook}",
            "Each card once, under the rule it leads with (its worst finding). Other findings "
            "may stand on the same card: those are counted in the last column, not in the rate.",
            ("rule", "asks", "indicator"),
            "cards led",
            CALLED[hook],
            _sorted(rows),
            ("also on cards led by another rule",),
            days=True,
        )

    def _also(self, hook: str, key: Key, found: list[Key]) -> Cell:
        first = next(other for other in found if other[3] == key[3])
        return self.cell("also", hook, key[3]) if key == first else NONE

    def title(self, rule: str) -> str:
        return self.run.protocol.rules.get(rule, "")

    def hours(self, hook: str) -> Table:
        rows = [
            self.row(
                (f"{hour}:00" if hour != "?" else "not known",),
                ("hour-card", hook, hour),
                ("hour-call", hook, hour),
                days=True,
            )
            for hour in HOURS
            if hour != "?" or self.cell("hour-call", hook, hour) != NONE
        ]
        return Table(
            f"hours-{hook}",
            f"At which hour, at {hook}",
            f"Cards by the hour of the call, in the time zone {self.run.timezone}. The rate is of "
            f"the {CALLED[hook]} in that hour; a rate of few calls says little (see its interval). "
            "Not known: the record gives a date without a time.",
            ("hour",),
            "cards",
            f"{CALLED[hook]} in that hour",
            tuple(rows),
            days=True,
        )

    def asked(self, hooks: list[str]) -> Table:
        names = {
            "offered": "an order was offered, nothing refused",
            "partly": "an order was offered, another way of giving it refused",
            "refused": "no drug could be offered",
        }
        rows = []
        for hook in hooks:
            rows.append(self.row((hook, "asked for magnesium"), ("asked", hook), ("call", hook)))
            rows += [
                self.row((hook, name), ("offered", hook, key), ("asked", hook))
                for key, name in names.items()
            ]
            rows.append(
                self.row(
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
            "see the text",
            tuple(rows),
        )

    def stops(self, hooks: list[str]) -> Table:
        rows = [
            self.row((hook, key[2], self.tally.why.get(key[2], "")), key, ("asked", hook))
            for hook in hooks
            for key in self.tally.groups("stop", hook)
        ]
        return Table(
            "stops",
            "Why magnesium was refused",
            "Each stop that held in a decision that asked for magnesium. Several can hold at "
            "once, so the lines do not add up.",
            ("hook", "stop", "why"),
            "decisions",
            "decisions that asked for magnesium",
            _sorted(rows, by=1),
        )

    def gaps(self, hooks: list[str]) -> Table:
        rows = [
            self.row((hook, key[2], key[3]), key, ("call", hook))
            for hook in hooks
            for key in self.cells
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
            _sorted(rows, by=1),
        )

    def hushed(self, hooks: list[str]) -> Table:
        rows = []
        for hook in hooks:
            of: Key = ("call", hook)
            rows.append(self.row((hook, "any rule"), ("hushed-any", hook), of))
            rows += [
                self.row((hook, key[2]), key, of) for key in self.tally.groups("hushed", hook)
            ]
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

    def outcomes(self, hooks: list[str]) -> Table:
        rows = []
        for hook in hooks:
            whole: Key = ("suggested", hook)
            rows += [
                self.row((hook, "any", name), ("outcome", hook, name), whole) for name in OUTCOMES
            ]
            for group in self.tally.groups("route-suggested", hook):
                rows += [
                    self.row((hook, group[2], name), ("route-outcome", hook, group[2], name), group)
                    for name in OUTCOMES
                ]
        return Table(
            "outcomes",
            f"What was ordered in the {AFTER_H} hours after a suggestion",
            "Each decision that suggested a magnesium order once, by the best match among the "
            f"magnesium orders written in the next {AFTER_H} hours: as suggested (same salt, "
            "route, dose and daily number, not given faster); same route (another dose or time); "
            "other route; route unknown (the order does not say); nothing. Nobody saw these "
            "suggestions: this is what clinicians did of their own accord. Several results of "
            "one patient count several times.",
            ("hook", "suggested route", "ordered"),
            "suggestions",
            "suggestions of that route",
            tuple(rows),
        )

    def outcomes_by_rule(self, hooks: list[str]) -> Table:
        rows = []
        for hook in hooks:
            for group in self.tally.groups("led-suggested", hook):
                rule = group[2]
                cells = tuple(self.cell("led-outcome", hook, rule, name) for name in OUTCOMES)
                rows.append(
                    self.row(
                        (hook, rule, self.title(rule)), group, ("suggested", hook), extra=cells
                    )
                )
        return Table(
            "outcomes-by-rule",
            "Whether clinicians did what a rule suggested",
            "The same decisions by the rule the card led with. A rule whose suggestion nobody "
            "followed either tells clinicians something new or is noise.",
            ("hook", "rule", "asks"),
            "suggestions",
            "suggestions at that hook",
            _sorted(rows, by=1),
            OUTCOMES,
        )

    def lows(self) -> Table:
        names = {
            "treated": "magnesium already ordered or given",
            "ordered": f"ordered within {LOW_H} h",
            "none": f"not ordered in {LOW_H} h",
            "lost": f"not ordered, record ends within {LOW_H} h",
        }
        rows = []
        for band in LOW:
            rows.append(self.row((band, "all low results"), ("low", band), ("lows",)))
            rows += [
                self.row((band, names[name]), ("after", band, name), ("low", band))
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
            "see the text",
            tuple(rows),
        )

    def compared(self, hooks: list[str]) -> Table:
        rows = []
        for hook in hooks:
            for name in ("any card", *INDICATORS, "no card"):
                first, second = {
                    "any card": (("card", hook), ("other-card", hook)),
                    "no card": (("silent", hook), ("other-silent", hook)),
                }.get(name, (("indicator", hook, name), ("other-indicator", hook, name)))
                rows.append(
                    self.row(
                        (hook, name), first, ("call", hook), extra=(self.cell(*second),)
                    )
                )
        return Table(
            "compared",
            "Both protocols on the same calls",
            "The same calls, decided by each protocol with its own quiet rule.",
            ("hook", "answer"),
            f"calls under {self.run.protocol.name}",
            "calls of that hook",
            tuple(rows),
            (f"calls under {self.other}",),
        )

    @property
    def other(self) -> str:
        return self.run.against.name if self.run.against else ""

    def differs(self, hooks: list[str]) -> Table:
        rows = []
        for hook in hooks:
            of: Key = ("call", hook)
            rows.append(self.row((hook, "the same throughout", "-"), ("differs", hook, "same"), of))
            for name, text in (("visible", "a clinician sees it"), ("unseen", "not to be seen")):
                rows.append(self.row((hook, text, "any"), ("differs", hook, name), of))
                rows += [
                    self.row((hook, text, key[3]), key, of)
                    for key in self.tally.groups("stage", hook, name)
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

    def changes(self, hooks: list[str]) -> Table:
        rows = [
            self.row((hook, key[2], key[3]), key, ("differs", hook, "visible"))
            for hook in hooks
            for key in self.cells
            if key[:2] == ("change", hook)
        ]
        return Table(
            "changes",
            "What changes for the clinician",
            "Differences that a clinician sees, by what the card leads with and first suggests. "
            "The single decisions stand in differences.ndjson.",
            ("hook", self.run.protocol.name, self.other),
            "calls",
            "calls with a difference to be seen",
            _sorted(rows, by=1),
        )


def _sorted(rows: list[Row], by: int = 0) -> tuple[Row, ...]:
    """Most first within the first ``by`` parts of the name, which keep their order.

    What is withheld comes last, by name: its place among the others would tell its size.
    """
    groups = list(dict.fromkeys(row.name[:by] for row in rows))

    def place(row: Row) -> tuple[int, bool, int, tuple[str, ...]]:
        hidden = row.cell.n is None
        return groups.index(row.name[:by]), hidden, -(row.cell.n or 0), row.name

    return tuple(sorted(rows, key=place))
