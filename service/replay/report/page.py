"""Page: the report as one HTML file that asks no host for anything and needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from service.replay.report import charts
from service.replay.report.published import TOGETHER, Published
from service.replay.row import AFTER_H, HOOKS, LOW_H, Run

# Each colour of a chart and its twin on a dark page.
TWINS = (
    (charts.CRITICAL, "#f08080"),
    (charts.WARNING, "#f0b050"),
    (charts.INFO, "#7fb2e5"),
    (charts.INK, "#e8e8e8"),
    (charts.FAINT, "#3d4248"),
    (charts.GOOD, "#5fbf92"),
    (charts.DOSE, "#3f9a70"),
    (charts.FAIR, "#2c6e50"),
    (charts.OTHER, "#a994d6"),
    (charts.UNSURE, "#8f8f8f"),
    (charts.NOTHING, "#666666"),
    (charts.HIDDEN, "#33383e"),
)
_SECTIONS = (
    (
        "burden",
        "How often, and on whom",
        "A card is one answer of the service to one call. Order-select (a drug is chosen) and "
        "order-sign (the orders are signed) meet the same orders, so their cards stand apart and "
        "are never added.",
        ("cards", "together", "both", "kinds", "drugs", "magnesium", "levels", "patients"),
    ),
    (
        "rules",
        "Which rules speak",
        "",
        ("rules-order-sign", "rules-order-select", "rules-patient-view"),
    ),
    (
        "hours",
        "When",
        "",
        ("hours-order-sign", "hours-order-select", "hours-patient-view"),
    ),
    (
        "refusals",
        "What was refused, and why",
        "",
        ("asked", "stops"),
    ),
    (
        "missing",
        "What data was missing",
        "In the live service these would be read from the record; a replay reads only what the "
        "export holds. A resource type that the export does not hold at all counts as not "
        "obtained, unless it was assumed to be empty.",
        ("gaps", "unrecognised", "quality"),
    ),
    ("quiet", "What stayed quiet", "", ("hushed",)),
    (
        "agreement",
        "Whether clinicians agreed",
        "",
        ("outcomes", "outcomes-by-route", "outcomes-by-rule", "lows"),
    ),
)
_COUNTED = (
    "Rates are per 100 of the denominator named under each table, with Wilson's 95 % interval; "
    "rates per 100 patient-days carry the 95 % interval of a Poisson count (Byar). Both take "
    "every call as independent, which calls of one patient are not: the true uncertainty is "
    "wider. Every decision saw only what was known at its time."
)
_ANSWERS = {
    "record": "a card counts as accepted where a magnesium order follows its suggestion within "
    f"{AFTER_H} h, else as never answered",
    "none": "no card counts as answered, so nothing is kept quiet",
    "overridden": "every card counts as overridden, so the quiet rule holds back most",
}


def render_page(
    figures: Published,
    sentences: tuple[str, ...],
    drawn: Mapping[str, Markup],
    min_cell: int,
) -> str:
    """The whole HTML document."""
    run = figures.run
    sections = list(_SECTIONS)
    if run.against is not None:
        intro = _against(figures, run.protocol.name, run.against.name)
        sections.append(
            ("against", f"Against {run.against.name}", intro, ("compared", "differs", "changes"))
        )
    sections.append(("what", "What was replayed, and how it was counted", _COUNTED, ("observed",)))
    rendered: str = _template().render(
        figures=figures,
        run=run,
        # No number is parted from its unit at the end of a line.
        sentences=[sentence.replace(" %", "\u00a0%") for sentence in sentences],
        charts=drawn,
        min_cell=min_cell,
        low_h=LOW_H,
        sections=sections,
        contents=[(id_, title) for id_, title, _, _ in sections],
        facts=list(_facts(figures, run, min_cell)),
        twins=TWINS,
        long=[table.id for table in figures.tables if table.id.startswith("hours-")],
    )
    return rendered


def _against(figures: Published, one: str, other: str) -> str:
    parts = []
    for hook in HOOKS:
        seen = figures.share(("differs", hook, "visible"), ("call", hook))
        if seen is not None:
            n, of = figures.cell("differs", hook, "visible").n, figures.cell("call", hook).n
            parts.append(f"{n:,} of {of:,} calls at {hook} ({seen.value:.1f} %)")
    told = f": a clinician would see another answer at {', '.join(parts)}" if parts else ""
    return (
        f"{one} against {other} on the same calls{told}. Each difference stands, decision by "
        "decision, in differences.ndjson."
    )


def _facts(figures: Published, run: Run, min_cell: int) -> list[tuple[str, str]]:
    open_ = figures.tells_input

    def listed(counts: Mapping[str, int]) -> str:
        if not open_:
            return "withheld"
        return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) or "none"

    protocols = [("Protocol", run.protocol)]
    if run.against is not None:
        protocols.append(("Against", run.against))
    failed = f"<{min_cell}" if 0 < run.failed < min_cell else f"{run.failed:,}"
    days = f"{figures.days:,.1f}" if figures.days is not None else "withheld"
    return [
        ("Software", run.software),
        *(
            (name, f"{p.name}, version {p.version}: {p.title}; hash {p.hash}")
            for name, p in protocols
        ),
        ("Hooks", ", ".join(run.hooks)),
        ("Patient-days", days),
        ("Read", listed(run.held)),
        ("Assumed to be empty", ", ".join(run.assumed_none) or "nothing"),
        ("Setting where none is told", run.setting or "as the protocol has it: inpatient"),
        ("Signed together", TOGETHER[run.alone]),
        ("Answers to cards", _ANSWERS.get(run.answers, run.answers)),
        ("Time zone", run.timezone),
        ("Lines rejected", listed(run.rejected)),
        (
            "Patients lost to a fault of this program",
            failed,
        ),
        ("Resources of types not read", listed(run.unused)),
        (
            "Input",
            "; ".join(
                f"{s.name} ({s.lines:,} lines, {s.bytes:,} bytes)" if open_ else s.name
                for s in run.sources
            ),
        ),
    ]


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    text = files("service.replay.report").joinpath("report.html").read_text(encoding="utf-8")
    return Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    ).from_string(text)
