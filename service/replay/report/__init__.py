"""Report: what a replay's decisions say, counted, and told to a hospital.

```
decisions.parquet, patients.ndjson ──rows.sql──▶ tables of DuckDB
tables ──the queries of figures.toml──▶ counts, and what adds up to what
counts ──disclosure──▶ cells that may be published ──published──▶ tables
tables ──▶ sentences, charts ──▶ report.html        tables ──▶ summary.json
```
Everything right of disclosure sees published cells only. No clock, no chance: the same rows give
the same bytes.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import msgspec

from service.replay.errors import INSTALL, ReplayError
from service.replay.row import Run

_NEEDED = ("altair", "duckdb", "vl_convert")


def require() -> None:
    """Raises ReplayError where what draws and counts is not installed: said before hours of
    walking, not after them."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ReplayError(f"The report needs {', '.join(missing)}. {INSTALL}")


def write(folder: Path) -> tuple[str, ...]:
    """Writes ``summary.json`` and ``report.html`` beside the rows in ``folder``. The five
    sentences, for a terminal.

    Each file is whole or not there. Raises OSError, and ValueError on rows that contradict
    themselves.
    """
    # Charts and counting need .ci/replay.txt; whoever only decides need not have it.
    from service.replay.report.charts import draw_charts
    from service.replay.report.count import count
    from service.replay.report.page import render_page
    from service.replay.report.published import publish
    from service.replay.report.sentences import five_sentences
    from service.replay.report.summary import make_summary

    run = msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)
    figures = publish(run, count(folder, run.min_cell), run.min_cell)
    sentences = five_sentences(figures)
    _whole(folder / "summary.json", make_summary(figures, sentences, run.min_cell))
    page = render_page(figures, sentences, draw_charts(figures), run.min_cell)
    _whole(folder / "report.html", page.encode())
    return sentences


def _whole(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
