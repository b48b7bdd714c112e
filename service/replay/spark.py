"""Spark: the engine beyond one machine. Executors read the chunks, Spark's shuffle brings each
patient's lines together, executors walk them; the driver writes.

The files must be readable under the same path on every executor, and this package installed
there. Rejected lines and Medications pass through the driver.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from service.replay.bucket import walk_records, walker
from service.replay.engine import Progress, Task
from service.replay.errors import ReplayError
from service.replay.folder import Done, Folder, Medications, Scan, making
from service.replay.names import Names
from service.replay.sample import Sample
from service.replay.scan import Bad, Kept, Scanned, Shared, scan

_WAVES = 4  # buckets of one job, for each task slot: so much is lost by a kill


class _Lost(Struct, frozen=True, tag=True):
    """A rejected line of a chunk."""

    chunk: int
    line: int
    reason: str
    text: bytes


class _Read(Struct, frozen=True, tag=True):
    """A chunk that was read."""

    chunk: int
    lines: int
    held: dict[str, int]
    unused: dict[str, int]


class _Medication(Struct, frozen=True, tag=True):
    line: bytes


_News = _Lost | _Read | _Medication


class Spark:
    """``master`` as Spark knows it; None: what spark-submit set, else all local cores."""

    def __init__(self, master: str | None) -> None:
        try:
            import pyspark  # noqa: F401  # the extra `spark`
        except ModuleNotFoundError:
            raise ReplayError(
                "--engine spark needs PySpark: the cluster's own, or `make spark` in the checkout"
            ) from None
        self._master = master
        self._context: Any = None
        self._spread: Any = None

    def read(self, folder: Folder, task: Task, progress: Progress) -> None:
        size = sum(chunk.size for chunk in task.chunks)
        progress.reading(size, size)
        context = self._start()
        chunks = context.parallelize(task.chunks, len(task.chunks))
        names, buckets = Names(task.ask.key), task.buckets
        read = chunks.flatMap(lambda chunk: _read(chunk, names, buckets))
        # One part more than buckets: what the driver is told.
        self._spread = read.partitionBy(buckets + 1, int)
        told = self._job(_values, [buckets])
        self._note(folder, task, (msgspec.msgpack.decode(item, type=_News) for item in told))
        for chunk in task.chunks:
            progress.read(chunk.size)

    def _note(self, folder: Folder, task: Task, told: Iterable[_News]) -> None:
        read: dict[int, _Read] = {}
        lost: dict[int, list[_Lost]] = {}
        medications: list[bytes] = []
        for item in told:
            match item:
                case _Read():
                    read[item.chunk] = item
                case _Lost():
                    lost.setdefault(item.chunk, []).append(item)
                case _Medication():
                    medications.append(item.line)
        folder.keep_medications(medications)
        for chunk in task.chunks:
            found = read[chunk.number]
            bad = sorted(lost.get(chunk.number, ()), key=lambda item: item.line)
            with making(folder.scan_path(chunk.number, ".bad")) as out:
                for item in bad:
                    out.write(b"%d\n%b}\n" % (item.line, item.text))
            reasons = dict(Counter(item.reason for item in bad))
            folder.keep_scan(chunk.number, Scan(found.lines, found.held, found.unused, reasons))

    def walk(self, folder: Folder, task: Task, held: tuple[str, ...], progress: Progress) -> None:
        waiting = [b for b in range(task.buckets) if folder.walked(b) is None]
        progress.walking(task.buckets, len(waiting))
        context, ask = self._start(), task.ask
        context.addFile(str(folder.medications))
        name = folder.medications.name

        def walk(items: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
            from pyspark import SparkFiles

            records = (record for _, record in items)
            rows, lines, done = [], [], Counter[str]()
            sample = Sample(ask.sample, ask.seed)
            with closing(Medications(Path(SparkFiles.get(name)))) as medications:
                about = walker(ask, held)
                for some, line, walked in walk_records(records, about, medications, sample):
                    rows += some
                    lines.append(line)
                    done.update(patients=1, decisions=len(some), failed=int(not walked))
            yield b"".join(rows)
            yield b"".join(lines)
            yield msgspec.json.encode(sample.drawn())
            yield msgspec.json.encode(Done(done["patients"], done["decisions"], done["failed"]))

        wave = max(context.defaultParallelism * _WAVES, 1)
        for at in range(0, len(waiting), wave):
            some = waiting[at : at + wave]
            made = self._job(walk, some)
            for number, bucket in enumerate(some):
                *parts, told = made[number * 4 : number * 4 + 4]
                for suffix, content in zip(
                    (".decisions", ".patients", ".sample"), parts, strict=True
                ):
                    with making(folder.walked_path(bucket, suffix)) as out:
                        out.write(content)
                done = msgspec.json.decode(told, type=Done)
                folder.keep_walked(bucket, done)
                progress.walked(done)
        self.stop()

    def _job(self, work: Callable[..., Iterator[bytes]], parts: list[int]) -> list[bytes]:
        try:
            done: list[bytes] = self._start().runJob(self._spread, work, parts)
        except Exception as error:  # py4j's: a worker's own error is quoted in its middle
            said = [line.strip() for line in str(error).splitlines()]
            ours = [line for line in said if "ReplayError: " in line]
            words = ours[0].partition("ReplayError: ")[2] if ours else (said or ["no reason"])[0]
            raise ReplayError(f"Spark: {words}") from None
        return done

    def _start(self) -> Any:
        if self._context is None:
            from pyspark import SparkConf, SparkContext

            conf = SparkConf().setAppName("repletion replay")
            if self._master is not None:
                conf.setMaster(self._master)
            elif not conf.contains("spark.master"):
                conf.setMaster("local[*]")
            if conf.get("spark.master", "").startswith("local"):
                # Nothing of it listens to other machines.
                os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
                conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
                conf.setIfMissing("spark.driver.host", "127.0.0.1")
                conf.setIfMissing("spark.driver.memory", "512m")
            conf.setIfMissing("spark.ui.enabled", "false")
            conf.setIfMissing("spark.ui.showConsoleProgress", "false")
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            try:
                self._context = SparkContext(conf=conf)
            except Exception as error:  # of Java, of the gateway, of the network
                words = str(error).strip().splitlines() or [type(error).__name__]
                raise ReplayError(f"Spark does not start: {words[0]}") from None
            self._context.setLogLevel("ERROR")
        return self._context

    def stop(self) -> None:
        if self._context is not None:
            self._context.stop()
            self._context = self._spread = None


def _read(chunk: Any, names: Names, buckets: int) -> Iterator[tuple[int, bytes]]:
    for found in scan(chunk, names, buckets):
        match found:
            case Kept():
                yield found.bucket, found.record
                continue
            case Shared():
                news: _News = _Medication(found.line)
            case Bad():
                news = _Lost(chunk.number, found.line, found.reason, b"".join(found.text))
            case Scanned():
                news = _Read(chunk.number, found.lines, found.held, found.unused)
        yield buckets, msgspec.msgpack.encode(news)


def _values(items: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    return (value for _, value in items)
