"""One fault, in a process of its own: what notices it first."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .faults import Fault

if TYPE_CHECKING:
    import pytest

    from tests.sweep.drawn import Tally
    from tests.vignette import Row

ROOT = Path(__file__).resolve().parent.parent.parent
CARDS = ROOT / "cards"
# A part of the sweep that runs in a second or two.
COLUMN_STEP, CELL_STEP, RANDOM = 311, 401, 500
# What the words of the vignettes cannot say: requests as records write them.
SHAPES = (
    "tests/shapes",
    *(f"tests/test_{room}.py" for room in ("identity", "timing", "evidence", "orders")),
)
RECORD = Path(__file__).with_name("caught.toml")
CAUGHT: dict[str, str] = tomllib.loads(RECORD.read_text(encoding="utf-8"))
"""What caught each fault when it was last recorded (`python -m tests.mutants --record`): the id of
a vignette or a test, `parser`, or a run of the invariants. It is tried first; what it misses is
looked for everywhere, so that a record out of date costs time and hides nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What caught a fault (``parser``, ``vignette``, ``invariant``, ``test``), what it said, and
    its name in the record; "" for nothing."""

    by: str
    what: str
    name: str

    @property
    def caught(self) -> bool:
        return self.by != ""


def verdict(fault: Fault, *, skip: str = "", first: str | None = None) -> Verdict:
    """The Verdict on one fault; ``skip`` leaves ``vignette`` out, to see what else notices it.
    What ``first`` names is tried first (None: what is recorded of the fault)."""
    first = CAUGHT.get(fault.name, "") if first is None else first
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "cards"
        shutil.copytree(CARDS, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / fault.file
        path.write_text(fault.apply(path.read_text(encoding="utf-8")), encoding="utf-8")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join((folder, str(ROOT))),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.mutants.judge", folder, skip, first],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{fault.name}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout)
    return Verdict(said["by"], said["what"], said["name"])


def judge(skip: str, first: str) -> Verdict:
    """The Verdict on the ``cards`` that is first on the path."""
    from cards.protocol import ProtocolError, shipped

    try:
        shipped("standard")
    except ProtocolError as error:
        return Verdict("parser", str(error).splitlines()[-1], "parser")
    runs = _invariants()
    if first in runs and (found := _by_invariant(first, runs[first])).caught:
        return found
    if first.startswith(SHAPES) and (found := _by_test(first)).caught:
        return found
    if skip != "vignette":
        from tests.vignette import all_rows

        for row in sorted(all_rows(), key=lambda row: row.id != first):
            if (found := _by_vignette(row)).caught:
                return found
    for name, run in runs.items():
        if (found := _by_invariant(name, run)).caught:
            return found
    return _by_test(*SHAPES) if skip != "vignette" else Verdict("", "", "")


class _Failed:
    """The first test that fails, for pytest to fill in."""

    def __init__(self) -> None:
        self.test = self.what = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid
            self.what = str(report.longrepr).strip().splitlines()[-1]


def _by_test(*chosen: str) -> Verdict:
    """Pytest over files of tests, or one test, on the ``cards`` that is imported."""
    import pytest

    failed = _Failed()
    words = ["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    configuration = ["-c", str(ROOT / "pyproject.toml")]
    with contextlib.redirect_stdout(sys.stderr):
        paths = [str(ROOT / one) for one in chosen]
        said = pytest.main([*words, *configuration, *paths], plugins=[failed])
    if failed.test:
        return Verdict("test", f"{failed.test}: {failed.what}", failed.test)
    if chosen == SHAPES and said != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest ended with {said}")
    return Verdict("", "", "")


def _by_vignette(row: Row) -> Verdict:
    from tests.vignette import run

    try:
        found = run(row)
    except Exception as error:
        found = [f"{type(error).__name__}: {error}"]
    return Verdict("vignette", f"{row.id}: {found[0]}", row.id) if found else Verdict("", "", "")


def _invariants() -> dict[str, Callable[[], Tally]]:
    from tests.sweep.cover import open_cells
    from tests.sweep.drawn import run_chunk
    from tests.sweep.grid import columns
    from tests.sweep.whole import judge_cells, judge_columns

    return {
        "columns": lambda: judge_columns(islice(columns(), 0, None, COLUMN_STEP)),
        "cells": lambda: judge_cells(islice(open_cells(), 0, None, CELL_STEP)),
        "random": lambda: run_chunk((1, 0, RANDOM)),
    }


def _by_invariant(name: str, run: Callable[[], Tally]) -> Verdict:
    try:
        tally = run()
    except Exception as error:
        return Verdict("invariant", f"{type(error).__name__}: {error}", name)
    if tally.broken:
        problem = tally.broken.most_common(1)[0][0]
        return Verdict("invariant", f"{problem} ({tally.first[problem]})", name)
    return Verdict("", "", "")


if __name__ == "__main__":
    import cards

    assert Path(cards.__file__).is_relative_to(sys.argv[1]), cards.__file__
    result = judge(sys.argv[2], sys.argv[3])
    print(json.dumps({"by": result.by, "what": result.what, "name": result.name}))
