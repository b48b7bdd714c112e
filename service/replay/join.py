"""Join: the files of `--out`, made of the finished parts of a run."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import msgspec

from service.replay.differences import write_differences
from service.replay.engine import Task
from service.replay.folder import PRIVATE, Folder, making
from service.replay.sample import FORMAT, Drawn, Head, Sample, write_sample
from service.replay.source import Chunk
from service.replay.table import write_table

_BLOCK = 1 << 20


def join(folder: Folder, task: Task) -> None:
    """decisions, patients, rejected, the sample; with a second protocol the differences."""
    decisions = [folder.walked_path(bucket, ".decisions") for bucket in range(task.buckets)]
    patients = [folder.walked_path(bucket, ".patients") for bucket in range(task.buckets)]
    with making(folder.path / "decisions.parquet") as out:
        write_table(decisions, Path(out.name))
    if task.ask.against is not None:
        with making(folder.path / "differences.ndjson") as out:
            write_differences(decisions, out)
    with making(folder.path / "patients.ndjson") as out:
        for path in patients:
            with path.open("rb") as part:
                shutil.copyfileobj(part, out, _BLOCK)
    with making(folder.path / "rejected.ndjson") as out:
        _join_rejected(folder, task.chunks, out)
    if task.ask.sample:
        _draw(folder, task)


def _draw(folder: Folder, task: Task) -> None:
    """The sample, of the first in the draw of every bucket."""
    ask = task.ask
    sample = Sample(ask.sample, ask.seed)
    for bucket in range(task.buckets):
        path = folder.walked_path(bucket, ".sample")
        sample.add(msgspec.json.decode(path.read_bytes(), type=Drawn))
    drawn, protocol = sample.drawn(), ask.protocol.read()
    head = Head(
        FORMAT,
        f"repletion {version('repletion')}",
        protocol.name,
        protocol.version,
        protocol.hash,
        ask.seed,
        len(drawn.first),
        drawn.cards,
    )
    with making(folder.path / "sample.md", PRIVATE) as out:
        write_sample(drawn, head, ask.key, out)


def _join_rejected(folder: Folder, chunks: Iterable[Chunk], out: BinaryIO) -> None:
    before: Counter[int] = Counter()  # lines of the same file in earlier chunks
    for chunk in chunks:
        path = folder.scan_path(chunk.number, ".bad")
        if path.exists():
            file = msgspec.json.encode(chunk.path)
            with path.open("rb") as bad:
                while number := bad.readline():
                    out.write(b'{"file":%b,"line":%d,' % (file, int(number) + before[chunk.file]))
                    while (part := bad.readline(_BLOCK)) and out.write(part):
                        if part.endswith(b"\n"):
                            break
        scan = folder.scan(chunk.number)
        before[chunk.file] += scan.lines if scan is not None else 0
