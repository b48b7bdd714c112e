"""Progress: how far a run is, on standard error: bars on a terminal, else a line a stage."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from service.replay.folder import Done


class Shown:
    """A context manager; what it counts stays readable: ``decisions`` of this run, ``seconds``."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._live = console.is_terminal
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %  {task.fields[told]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar: TaskID | None = None
        self._begun = self._from = 0.0
        self._read = self.decisions = 0

    def __enter__(self) -> Shown:
        self._begun = time.monotonic()
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def reading(self, total: int, left: int) -> None:
        self._begin("reading", total, left, f"{left / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    def read(self, size: int) -> None:
        self._read += size
        self._go_on(size, self._read / 1e6, "MB")

    def walking(self, total: int, left: int) -> None:
        self._begin("walking", total, left, f"{left} of {total} buckets of patients")

    def walked(self, done: Done) -> None:
        self.decisions += done.decisions
        self._go_on(1, self.decisions, "decisions")

    def _begin(self, stage: str, total: int, left: int, what: str) -> None:
        self._from = time.monotonic()
        if self._live:
            self._bar = self._bars.add_task(stage, total=total, completed=total - left, told="")
        else:
            print(f"replay: {stage} {what}", file=sys.stderr)

    def _go_on(self, steps: int, done: float, unit: str) -> None:
        if self._bar is not None:
            rate = done / max(time.monotonic() - self._from, 0.001)
            told = f"{done:,.0f} {unit}, {rate:,.0f}/s"
            self._bars.update(self._bar, advance=steps, told=told)
