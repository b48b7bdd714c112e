"""Progress: how far a run is, on standard error: bars on a terminal, else a line a stage."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from service.replay.folder import Done


class Shown:
    """A context manager; what it counts stays readable: ``decisions`` of this run, ``seconds``."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._live = console.is_terminal
        self._reading = Progress(
            TextColumn("reading"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._walking = Progress(
            TextColumn("walking"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %  {task.fields[decisions]:,} decisions"),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar: TaskID | None = None
        self._begun = self._from = 0.0
        self.decisions = 0

    def __enter__(self) -> Shown:
        self._begun = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._reading.stop()
            self._walking.stop()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def reading(self, total: int, left: int) -> None:
        self._say(f"reading {left / 1e6:,.1f} of {total / 1e6:,.1f} MB")
        if self._live:
            self._bar = self._reading.add_task("", total=total, completed=total - left)
            self._reading.start()

    def read(self, size: int) -> None:
        if self._bar is not None:
            self._reading.advance(self._bar, size)

    def walking(self, total: int, left: int) -> None:
        if self._live:
            self._reading.stop()
        self._bar, self._from = None, time.monotonic()
        self._say(f"walking {left} of {total} buckets of patients")
        if self._live:
            self._bar = self._walking.add_task(
                "", total=total, completed=total - left, decisions=0, rate=0.0
            )
            self._walking.start()

    def walked(self, done: Done) -> None:
        self.decisions += done.decisions
        if self._bar is not None:
            rate = self.decisions / max(time.monotonic() - self._from, 0.001)
            self._walking.update(self._bar, advance=1, decisions=self.decisions, rate=rate)

    def _say(self, text: str) -> None:
        if not self._live:
            print(f"replay: {text}", file=sys.stderr)
