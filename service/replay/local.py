"""Local: the engine of one machine. Processes on all cores; what lies between reading and
walking is on the disk, so that memory does not grow with the number of patients."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing.connection import wait
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import msgspec

from service.replay.bucket import walk_records, walker
from service.replay.engine import Progress, Task
from service.replay.errors import ReplayError
from service.replay.folder import Done, Folder, Medications, Scan, making
from service.replay.names import Names
from service.replay.sample import Sample
from service.replay.scan import Bad, Kept, Scanned, Shared, scan
from service.replay.source import Chunk

T = TypeVar("T")
_HELD = 16_000_000  # bytes of lines that a reader gathers before it writes them


class Local:
    """``workers`` processes; 1 works in this one."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def read(self, folder: Folder, task: Task, progress: Progress) -> None:
        waiting = [chunk for chunk in task.chunks if folder.scan(chunk.number) is None]
        sizes = {chunk.number: chunk.size for chunk in task.chunks}
        progress.reading(sum(sizes.values()), sum(sizes[c.number] for c in waiting))
        read = _map(self._workers, read_chunk, waiting, (folder.path, task))
        for number in read:
            progress.read(sizes[number])
        folder.keep_medications(folder.records(task.chunks, task.buckets, task.buckets))

    def walk(self, folder: Folder, task: Task, held: tuple[str, ...], progress: Progress) -> None:
        waiting = [b for b in range(task.buckets) if folder.walked(b) is None]
        progress.walking(task.buckets, len(waiting))
        for done in _map(self._workers, walk_bucket, waiting, (folder.path, task, held)):
            progress.walked(done)


# --- the work of a process ----------------------------------------------------------------------


def read_chunk(chunk: Chunk, path: Path, task: Task) -> int:
    """Reads a chunk into the folder; its number."""
    folder, names = Folder(path), Names(task.ask.key)
    reasons: Counter[str] = Counter()
    scanned = Scanned(0, {}, {})
    with (
        making(folder.scan_path(chunk.number, ".data")) as data,
        making(folder.scan_path(chunk.number, ".index")) as index,
        making(folder.scan_path(chunk.number, ".bad")) as bad,
    ):
        spill = _Spill(data, index, task.buckets)
        for found in scan(chunk, names, task.buckets):
            match found:
                case Kept():
                    spill.add(found.bucket, found.record)
                case Shared():
                    spill.add(task.buckets, found.line)
                case Bad():
                    reasons[found.reason] += 1
                    bad.write(b"%d\n" % found.line)
                    bad.writelines(found.text)
                    bad.write(b"}\n")
                case Scanned():
                    scanned = found
        spill.write()
    folder.keep_scan(
        chunk.number,
        Scan(scanned.lines, scanned.held, scanned.unused, dict(reasons)),
    )
    return chunk.number


class _Spill:
    """Lines by bucket, written whenever there are many."""

    def __init__(self, data: BinaryIO, index: BinaryIO, buckets: int) -> None:
        self._data, self._index, self._buckets = data, index, buckets
        self._held = 0
        self._lines: dict[int, list[bytes]] = {}

    def add(self, bucket: int, line: bytes) -> None:
        self._lines.setdefault(bucket, []).append(line)
        self._held += len(line)
        if self._held > _HELD:
            self.write()

    def write(self) -> None:
        starts = array("Q")
        for bucket in range(self._buckets + 1):
            starts.append(self._data.tell())
            lines = self._lines.pop(bucket, None)
            if lines is not None:
                self._data.write(b"\n".join(lines) + b"\n")
        starts.append(self._data.tell())
        if sys.byteorder == "big":
            starts.byteswap()
        self._index.write(starts.tobytes())
        self._held = 0


def walk_bucket(bucket: int, path: Path, task: Task, held: tuple[str, ...]) -> Done:
    """Walks the patients of a bucket into the folder."""
    folder = Folder(path)
    patients = decisions = failed = 0
    sample = Sample(task.ask.sample, task.ask.seed)
    with (
        closing(Medications(folder.medications)) as medications,
        making(folder.walked_path(bucket, ".decisions")) as rows,
        making(folder.walked_path(bucket, ".patients")) as lines,
        making(folder.walked_path(bucket, ".sample")) as drawn,
    ):
        records = folder.records(task.chunks, bucket, task.buckets)
        about = walker(task.ask, held)
        for some, line, walked in walk_records(records, about, medications, sample):
            rows.writelines(some)
            lines.write(line)
            patients += 1
            decisions += len(some)
            failed += not walked
        drawn.write(msgspec.json.encode(sample.drawn()))
    done = Done(patients, decisions, failed)
    folder.keep_walked(bucket, done)
    return done


# --- processes ----------------------------------------------------------------------------------


def _map(
    workers: int, work: Callable[..., T], items: Iterable[object], same: tuple[object, ...]
) -> Iterator[T]:
    """``work(item, *same)`` of each item, in the order in which they finish."""
    if workers == 1:
        yield from (work(item, *same) for item in items)
        return
    # A server that has loaded everything once: the memory of its forks is shared.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(work, same))
    try:
        for job in as_completed([pool.submit(_go, item) for item in items]):
            yield cast(T, job.result())
    except BrokenProcessPool:
        raise ReplayError(
            "A worker was killed (out of memory?). What is finished is kept: start again with the"
            " same arguments, or with fewer --workers."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_work: list[tuple[Callable[..., object], tuple[object, ...]]] = []


def _begin(work: Callable[..., object], same: tuple[object, ...]) -> None:
    _work[:] = [(work, same)]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A run that was killed leaves nobody behind who would write into its folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _go(item: object) -> object:
    ((work, same),) = _work
    return work(item, *same)
