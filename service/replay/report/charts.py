"""Charts: the tables drawn as inline SVG, by altair and vl-convert, without any script.

Colours are named once here, in the light scheme; the page's style sheet maps each of them to its
twin in the dark (`[fill="#…"]`), so that a chart needs no script and prints in the light one.
Only what the table publishes is drawn; each chart stands beside its table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from service.replay.report.figure import INDICATORS, OUTCOMES
from service.replay.report.published import Published, Wait
from service.replay.report.table import Table

CRITICAL, WARNING, INFO = "#a61b1b", "#c77700", "#3a6ea5"
INK, FAINT = "#222222", "#cccccc"
GOOD, DOSE, FAIR = "#1f5c40", "#3f8f68", "#8cc0a4"
OTHER, UNSURE, NOTHING = "#8f7bb5", "#b8b8b8", "#8a8a8a"
SAME, SEEN, UNSEEN = "the same throughout", "a clinician sees it", "not to be seen"
WITHHELD, HIDDEN = "withheld", "#dddddd"
COLOURS = {**dict(zip(INDICATORS, (CRITICAL, WARNING, INFO), strict=True)), WITHHELD: HIDDEN}
OUTCOME_COLOURS = {
    **dict(zip(OUTCOMES, (GOOD, DOSE, FAIR, OTHER, UNSURE, NOTHING), strict=True)),
    WITHHELD: HIDDEN,
}
DIFFER_COLOURS = {SEEN: WARNING, UNSEEN: OTHER, SAME: UNSURE, WITHHELD: HIDDEN}
_WIDTH = 520
_MOST = 15
_LONG = 62
_TEXT = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
_CONFIG = {
    "background": "transparent",
    "font": "sans-serif",
    "axis": {
        **_TEXT,
        "titleFontWeight": "normal",
        "labelLimit": 480,
        "gridColor": FAINT,
        "domainColor": FAINT,
        "tickColor": FAINT,
    },
    "legend": _TEXT,
    "view": {"stroke": None},
}
_CLIP = re.compile(r"\b(clip|gradient)(\d+)")
_SVG = re.compile(r"<svg ([^>]*)>")
_SIZE = re.compile(r'(width|height)="([\d.]+)"')


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar or piece of one: ``group`` names its line, ``part`` its colour."""

    group: str
    part: str
    value: float


def draw_charts(figures: Published) -> dict[str, Markup]:
    """An SVG for each table that is better seen, by the table's id; none without values."""
    drawn: dict[str, Markup] = {}
    for table in figures.tables:
        svg = None
        if table.id == "cards":
            svg = _bars(table, _by_indicator(table), "cards per 100 calls", COLOURS)
        elif table.id.startswith("rules-"):
            svg = _bars(table, _by_rule(table), f"cards per 100 {table.of}", COLOURS)
        elif table.id.startswith("hours-"):
            svg = _columns(table)
        elif table.id in ("stops", "gaps"):
            svg = _bars(table, _one_hook(table), f"per 100 {table.of}", {"": INFO})
        elif table.id == "outcomes-by-route":
            svg = _bars(table, _outcomes(table), "% of the suggestions", OUTCOME_COLOURS)
        elif table.id == "lows":
            svg = _waits(table, figures.waits)
        elif table.id == "differs":
            svg = _bars(table, _differs(table), f"per 100 {table.of}", DIFFER_COLOURS)
        if svg is not None:
            drawn[table.id] = svg
    return drawn


# --- which values -------------------------------------------------------------


def _by_indicator(table: Table) -> list[Bar]:
    rates = [(row.name, row.per_100.value) for row in table.rows if row.per_100 is not None]
    bars = [Bar(hook, name, value) for (hook, name), value in rates if name in INDICATORS]
    whole = {hook: value for (hook, name), value in rates if name == "any card"}
    return _filled(bars, whole, WITHHELD)


def _filled(bars: list[Bar], whole: Mapping[str, float], rest: str) -> list[Bar]:
    """The bars of each group, made up to its published whole by what is withheld of it."""
    told: dict[str, float] = {}
    for bar in bars:
        told[bar.group] = told.get(bar.group, 0) + bar.value
    left = [Bar(group, rest, value - told.get(group, 0)) for group, value in whole.items()]
    return bars + [bar for bar in left if bar.value > 0.001]


def _by_rule(table: Table) -> list[Bar]:
    return [
        Bar(_short(f"{row.name[0]}: {row.name[1]}"), row.name[2], row.per_100.value)
        for row in table.rows
        if row.per_100 is not None and row.name[2] in INDICATORS and row.cell.n
    ][:_MOST]


def _one_hook(table: Table) -> list[Bar]:
    """The bars of one hook: at the two order hooks the same data is missing."""
    hooks = list(dict.fromkeys(row.name[0] for row in table.rows))
    hook = "patient-view" if "patient-view" in hooks else hooks[0] if hooks else ""
    return [
        Bar(_short(f"{row.name[1]}: {row.name[2]}"), "", row.per_100.value)
        for row in table.rows
        if row.name[0] == hook and row.per_100 is not None and row.cell.n
    ][:_MOST]


def _outcomes(table: Table) -> list[Bar]:
    whole = {f"{row.name[0]}, {row.name[1]} suggested": 100.0 for row in table.rows if row.cell.n}
    bars = [
        Bar(f"{row.name[0]}, {row.name[1]} suggested", name, 100 * cell.n / row.cell.n)
        for row in table.rows
        if row.cell.n
        for name, cell in zip(table.extra, row.extra, strict=True)
        if cell.n is not None
    ]
    return _filled(bars, whole, WITHHELD)


def _differs(table: Table) -> list[Bar]:
    bars = [
        Bar(row.name[0], row.name[1], row.per_100.value)
        for row in table.rows
        if row.per_100 is not None and row.name[2] in ("-", "any")
    ]
    return _filled(bars, {row.name[0]: 100.0 for row in table.rows if row.of}, WITHHELD)


def _short(text: str) -> str:
    text = text.removesuffix(": ")
    return text if len(text) <= _LONG else text[: _LONG - 1].rstrip() + "…"


# --- how they are drawn -------------------------------------------------------


def _bars(table: Table, bars: Sequence[Bar], title: str, colours: dict[str, str]) -> Markup | None:
    """Lying bars, one for each group, stacked by part."""
    import altair as alt

    if not any(bar.value for bar in bars):
        return None
    rank = {name: i for i, name in enumerate(colours)}
    values = [
        {"group": b.group, "part": b.part, "value": round(b.value, 3), "rank": rank[b.part]}
        for b in bars
    ]
    totals: dict[str, float] = {}
    for bar in bars:
        totals[bar.group] = totals.get(bar.group, 0) + bar.value
    # Rules by their whole; what has an order of its own (hooks, routes) keeps it.
    ranked = table.id.startswith("rules-")
    groups = sorted(totals, key=lambda name: -totals[name]) if ranked else list(totals)
    shares = table.id == "outcomes-by-route"
    scale = alt.Scale(domainMax=100) if shares else alt.Undefined
    used = [name for name in colours if any(bar.part == name for bar in bars)]
    chart = (
        alt.Chart({"values": values})
        .mark_bar()
        .encode(
            y=alt.Y(
                "group:N",
                sort=groups,
                title=None,
            ),
            x=alt.X("value:Q", title=title, stack="zero", axis=alt.Axis(tickCount=8), scale=scale),
            order=alt.Order("rank:Q"),
            color=alt.Color(
                "part:N",
                title=None,
                scale=alt.Scale(domain=used, range=[colours[name] for name in used]),
                legend=alt.Legend(orient="top") if len(colours) > 1 else None,
            ),
        )
        .properties(width=_WIDTH, height=alt.Step(22))
    )
    return _svg(chart, table)


def _columns(table: Table) -> Markup | None:
    """Standing bars, one for each hour."""
    import altair as alt

    rows = [row for row in table.rows if row.name[0] != "not known"]
    if not any(row.per_100_days and row.per_100_days.value for row in rows):
        return None
    # Per patient-day, as the hours then add up; a rate of the few calls of an hour jumps about.
    values = [
        {"hour": row.name[0][:2], "value": round(row.per_100_days.value, 3)}
        for row in rows
        if row.per_100_days is not None
    ]
    hours = [row.name[0][:2] for row in rows]
    chart = (
        alt.Chart({"values": values})
        .mark_bar(color=INFO)
        .encode(
            x=alt.X(
                "hour:N",
                title="hour of the day",
                sort=hours,
                scale=alt.Scale(domain=hours),
                axis=alt.Axis(labelAngle=0),
            ),
            y=alt.Y("value:Q", title="cards per 100 patient-days"),
        )
        .properties(width=_WIDTH + 80, height=160)
    )
    return _svg(chart, table)


def _waits(table: Table, waits: Sequence[Wait]) -> Markup | None:
    """Quartiles and median of the hours to the first order, a line for each level."""
    import altair as alt

    values = [
        {
            "level": wait.band,
            "first": round(wait.hours.first, 2),
            "median": round(wait.hours.median, 2),
            "third": round(wait.hours.third, 2),
        }
        for wait in waits
        if wait.hours is not None
    ]
    if not values:
        return None
    base = alt.Chart({"values": values}).encode(
        y=alt.Y("level:N", sort=[wait.band for wait in waits], title=None)
    )
    box = base.mark_bar(color=FAIR, size=14).encode(
        x=alt.X(
            "first:Q",
            title="hours to the first order: quartiles and median",
            axis=alt.Axis(tickCount=8),
        ),
        x2="third:Q",
    )
    middle = base.mark_tick(color=INK, thickness=3, size=20).encode(x="median:Q")
    return _svg((box + middle).properties(width=_WIDTH, height=alt.Step(30)), table)


def _svg(chart: Any, table: Table) -> Markup:
    """The chart as an SVG element that is named, scales, and shares no id with another."""
    import altair as alt
    import vl_convert

    spec = {**chart.to_dict(), "config": _CONFIG}
    version = alt.SCHEMA_VERSION.lstrip("v").rsplit(".", 1)[0]
    drawn = vl_convert.vegalite_to_svg(spec, vl_version=version, allowed_base_urls=[])
    drawn = _CLIP.sub(rf"{table.id}-\1\2", drawn)

    def named(match: re.Match[str]) -> str:
        width = {name: float(value) for name, value in _SIZE.findall(match[1])}.get("width", 0)
        attributes = _SIZE.sub("", match[1], count=2).replace('class="marks"', "")
        return (
            f'<svg {" ".join(attributes.split())} role="img" class="chart" '
            f'aria-labelledby="{table.id}-t {table.id}-d" style="max-width:{width:g}px">'
            f'<title id="{table.id}-t">{escape(table.title)}</title>'
            f'<desc id="{table.id}-d">{escape(_described(table))}</desc>'
        )

    return Markup(_SVG.sub(named, drawn, count=1))  # noqa: S704  vega escapes every text it draws


def _described(table: Table) -> str:
    return f"{table.title}. The numbers stand in the table that follows."
