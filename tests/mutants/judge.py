"""One fault, in a process of its own: what notices it first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .faults import Fault

ROOT = Path(__file__).resolve().parent.parent.parent
CARDS = ROOT / "cards"
# A part of the sweep that runs in a second or two.
COLUMN_STEP, CELL_STEP, RANDOM = 311, 401, 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What caught a fault (``parser``, ``vignette``, ``invariant``) and which; "" for nothing."""

    by: str
    what: str

    @property
    def caught(self) -> bool:
        return self.by != ""


def verdict(fault: Fault, *, skip: str = "") -> Verdict:
    """The Verdict on one fault; ``skip`` leaves ``vignette`` out, to see what else notices it."""
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
            [sys.executable, "-m", "tests.mutants.judge", folder, skip],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{fault.name}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout)
    return Verdict(said["by"], said["what"])


def judge(skip: str) -> Verdict:
    """The Verdict on the ``cards`` that is first on the path."""
    from cards.protocol import ProtocolError, shipped

    try:
        shipped("standard")
    except ProtocolError as error:
        return Verdict("parser", str(error).splitlines()[-1])
    if skip != "vignette":
        from tests.vignette import all_rows, run

        for row in all_rows():
            try:
                found = run(row)
            except Exception as error:
                found = [f"{type(error).__name__}: {error}"]
            if found:
                return Verdict("vignette", f"{row.id}: {found[0]}")
    return _by_invariant()


def _by_invariant() -> Verdict:
    from tests.sweep.cover import open_cells
    from tests.sweep.drawn import run_chunk
    from tests.sweep.grid import columns
    from tests.sweep.whole import judge_cells, judge_columns

    runs = (
        lambda: judge_columns(islice(columns(), 0, None, COLUMN_STEP)),
        lambda: judge_cells(islice(open_cells(), 0, None, CELL_STEP)),
        lambda: run_chunk((1, 0, RANDOM)),
    )
    for run in runs:
        try:
            tally = run()
        except Exception as error:
            return Verdict("invariant", f"{type(error).__name__}: {error}")
        if tally.broken:
            problem = tally.broken.most_common(1)[0][0]
            return Verdict("invariant", f"{problem} ({tally.first[problem]})")
    return Verdict("", "")


if __name__ == "__main__":
    import cards

    assert Path(cards.__file__).is_relative_to(sys.argv[1]), cards.__file__
    result = judge(sys.argv[2])
    print(json.dumps({"by": result.by, "what": result.what}))
