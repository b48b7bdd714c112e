"""Writer: rows on their way to the store, in one bounded queue and one thread a process."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from service.store import StoreDown

Row = dict[str, Any]
Loss = Literal["full", "down", "fault"]

_HELD = 10_000  # rows; about 10 MB
_BATCH = 500
_GATHER_S = 0.1
_TRIES = 3
_AGAIN_S = 1.0
_END_S = 5.0  # at the end of a process, for what is still queued


class Writer:
    """``write`` stores rows or raises StoreDown; ``lost`` is told how many were not, and why.

    A row is on the disk a moment after ``put``; a process that is killed takes with it what it
    has queued.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Row]], None],
        lost: Callable[[int, Loss], None],
        held: int = _HELD,
    ) -> None:
        self._write, self._lost = write, lost
        self._queue: queue.Queue[Row | threading.Event] = queue.Queue(held)
        self._lock = threading.Lock()
        self._process: int | None = None

    def put(self, rows: Sequence[Row]) -> None:
        """Queues rows; never waits."""
        if rows and self._process != os.getpid():
            self._start()
        for row in rows:
            try:
                self._queue.put_nowait(row)
            except queue.Full:
                self._lost(1, "full")

    def flush(self, timeout: float = _END_S) -> bool:
        """Waits until what was queued before is dealt with; False when that takes too long."""
        if self._process != os.getpid():
            return True
        done, end = threading.Event(), time.monotonic() + timeout
        try:
            self._queue.put(done, timeout=timeout)
        except queue.Full:
            return False
        return done.wait(max(0.0, end - time.monotonic()))

    def _start(self) -> None:
        # In the process that answers, not in the one that forked it: threads do not follow.
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._run, daemon=True, name="store-writer").start()
                atexit.register(self.flush)

    def _run(self) -> None:
        while True:
            taken = self._gathered()
            rows = [row for row in taken if isinstance(row, dict)]
            if rows:
                self._store(rows)
            for event in taken:
                if isinstance(event, threading.Event):
                    event.set()

    def _gathered(self) -> list[Row | threading.Event]:
        """What comes within a moment, from the first row on: one transaction for many calls."""
        taken = [self._queue.get()]
        end = time.monotonic() + _GATHER_S
        while len(taken) < _BATCH and not isinstance(taken[-1], threading.Event):
            try:
                taken.append(self._queue.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                break
        return taken

    def _store(self, rows: list[Row]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                return self._write(rows)
            except StoreDown:
                if left:
                    time.sleep(_AGAIN_S)
            except Exception:  # a row that cannot be stored must not end the thread
                return self._lost(len(rows), "fault")
        self._lost(len(rows), "down")
