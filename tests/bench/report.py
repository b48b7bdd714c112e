"""Report: the findings on the screen, as a plot, and as raw numbers in a file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from tests.bench.findings import Cell, Curve, Findings, Table, Target


def show(findings: Findings, console: Console) -> None:
    """The tables of one part."""
    for table in findings.tables:
        console.print(_rich(table))
        console.print()


def show_targets(targets: Sequence[Target], console: Console) -> None:
    """Each line of "Must show" that was measured, and whether it was reached."""
    table = RichTable(title="Targets", title_justify="left")
    for column in ("target", "bound", "measured", ""):
        table.add_column(column)
    for target in targets:
        sign = "≤" if target.kind == "most" else "≥"
        table.add_row(
            target.words,
            f"{sign} {target.bound:g} {target.unit}",
            f"{number(target.measured)} {target.unit}",
            Text("reached", "green") if target.reached else Text("NOT reached", "bold red"),
        )
    console.print(table)


def _rich(table: Table) -> RichTable:
    made = RichTable(title=table.title, title_justify="left")
    for column in table.columns:
        made.add_column(column, no_wrap=True)
    for position in range(len(table.columns)):
        if all(not isinstance(row[position], str) or not row[position] for row in table.rows):
            made.columns[position].justify = "right"
    for row in table.rows:
        made.add_row(*(Text(number(cell)) for cell in row))
    return made


def number(cell: Cell) -> str:
    """Three digits that count: 1234, 123, 12.3, 1.23, 0.123."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or math.isnan(cell) or math.isinf(cell):
        return str(cell)
    if abs(cell) >= 100:
        return f"{cell:.0f}"
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}" if abs(cell) >= 1 else f"{cell:.3f}"


def write_raw(path: Path, run: dict[str, Any], findings: Iterable[Findings]) -> None:
    """Everything that was measured, each round by itself; what was run on which machine."""
    found = list(findings)
    targets = [
        {
            "target": t.words,
            "kind": t.kind,
            "bound": t.bound,
            "unit": t.unit,
            "measured": t.measured,
            "reached": t.reached,
        }
        for f in found
        for t in f.targets
    ]
    content = {"run": run, "targets": targets, "parts": {f.part: f.raw for f in found}}
    path.write_text(json.dumps(content, indent=1, default=str))


def write_plot(path: Path, curves: Sequence[Curve]) -> None:
    """One SVG, a chart for each kind of curve: bars by percentile, lines by size."""
    import altair  # from the extra "replay"; 0.6 s, and only here

    charts = []
    for title in dict.fromkeys(curve.chart for curve in curves):
        mine = [curve for curve in curves if curve.chart == title]
        rows = [
            {"subject": c.name, "x": x, "y": y}
            for c in mine
            for x, y in c.points
            if not math.isnan(y)
        ]
        base = altair.Chart(altair.Data(values=rows), title=title, width=300, height=200)
        colour = altair.Color("subject:N", title=None)
        named = any(isinstance(row["x"], str) for row in rows)
        if named:
            chart = base.mark_bar().encode(
                x=altair.X("x:N", title=mine[0].x, sort=None),
                xOffset=altair.XOffset("subject:N", sort=None),
                y=altair.Y("y:Q", title=mine[0].y),
                color=colour,
            )
        else:
            wide = max(float(row["x"]) for row in rows) > 20 * min(float(r["x"]) for r in rows)
            scale = altair.Scale(type="log" if wide else "linear")
            chart = base.mark_line(point=True).encode(
                x=altair.X("x:Q", title=mine[0].x, scale=scale, axis=altair.Axis(tickMinStep=1)),
                y=altair.Y("y:Q", title=mine[0].y, scale=scale),
                color=colour,
            )
        charts.append(chart)
    grid = altair.concat(*charts, columns=3).resolve_scale(color="independent")
    grid.save(str(path))
