"""A replay of a million results of 20,000 made-up patients: speed, memory, kill and resume.

`python -m tests.replay.large --work /tmp/large` takes an hour; `--patients 500` a minute. Prints
decisions per second and per core-second, the peak memory of all its processes together, and
whether each way gave the same bytes.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from service.replay.run import buckets
from service.replay.source import find_files
from tests.replay.export import write

OUTPUTS = ("run.json", "decisions.parquet", "patients.ndjson", "rejected.ndjson")
ROOT = Path(__file__).parents[2]
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass
class Measured:
    """A process and those it started: seconds, CPU seconds, peak MB (resident, and with shared
    pages counted once)."""

    wall: float = 0
    peak: float = 0
    peak_shared: float = 0
    code: int | None = None
    _cpu: dict[int, float] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return sum(self._cpu.values())

    def look(self, root: int) -> None:
        resident = shared = 0.0
        for pid in _tree(root):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                shared += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            except (OSError, IndexError):
                continue
            self._cpu[pid] = (int(stat[11]) + int(stat[12])) / _TICK
        self.peak = max(self.peak, resident / 1024)
        self.peak_shared = max(self.peak_shared, shared / 1024)


def _tree(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                stat = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(stat[1]), []).append(int(path.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += parents.get(pid, [])
    return found


def run(export: Path, out: Path, *more: str, kill_at: int | None = None) -> Measured:
    """Runs the command; ``kill_at``: kills it once so many buckets are walked."""
    command = [sys.executable, "-m", "service.cli", "replay", str(export), "--out", str(out), *more]
    measured = Measured()
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    while process.poll() is None:
        measured.look(process.pid)
        walked = len(list((out / ".replay/walked").glob("*.json")))
        if kill_at is not None and walked >= kill_at:
            process.send_signal(signal.SIGKILL)
            process.wait()
            break
        time.sleep(0.25)
    measured.wall, measured.code = time.monotonic() - begun, process.returncode
    return measured


def same(one: Path, two: Path) -> bool:
    _, differ, missing = filecmp.cmpfiles(one, two, (*OUTPUTS, "sample.md"), shallow=False)
    return not differ and not missing


def told(title: str, measured: Measured, decisions: int) -> str:
    return (
        f"{title}: {decisions:,} decisions in {measured.wall:.0f} s wall"
        f" ({decisions / measured.wall:.0f}/s), {measured.cpu:.0f} s CPU"
        f" ({decisions / max(measured.cpu, 0.01):.0f} per core-second); peak"
        f" {measured.peak:.0f} MB resident, {measured.peak_shared:.0f} MB with shared pages once;"
        f" exit {measured.code}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.replay.large")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--orders", type=int, default=4)
    parser.add_argument(
        "ways", nargs="*", default=["two", "one", "killed", "spark"], help="two one killed spark"
    )
    asked = parser.parse_args()
    os.environ.setdefault("REPLETION_SECRET", "of the large replay")
    export = asked.work / f"export-{asked.patients}-{asked.orders}"
    if not export.exists():
        results = write(export, asked.patients, orders=asked.orders)
        print(f"{results:,} Observations of {asked.patients:,} patients", flush=True)
    first: Path | None = None
    for way in asked.ways:
        out = asked.work / f"out-{asked.patients}-{way}"
        shutil.rmtree(out, ignore_errors=True)
        more = {
            "one": ("--workers", "1"),
            "spark": ("--engine", "spark", "--master", "local[2]"),
        }.get(way, ("--workers", "2"))
        if way == "killed":
            some = run(export, out, *more, kill_at=buckets(find_files([export])) // 2)
            print(told("killed in its middle", some, _decisions(out)), flush=True)
        measured = run(export, out, *more)
        print(told(way, measured, _decisions(out)), flush=True)
        first = first or out
        print(f"  the same bytes as {first.name}: {same(first, out)}", flush=True)
    return 0


def _decisions(out: Path) -> int:
    path = out / "run.json"
    return int(json.loads(path.read_bytes())["decisions"]) if path.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
