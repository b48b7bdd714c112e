"""Run: a replay from the paths of an export to the files of its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec.structs import replace

from cards.phrase import counted
from service.replay.ask import Ask, ProtocolFile
from service.replay.engine import Engine, Progress, Task
from service.replay.errors import ReplayError
from service.replay.folder import Folder, Scan, fingerprint
from service.replay.join import join
from service.replay.row import Profile, Run, Source
from service.replay.source import File, cut, find_files

_BUCKET = 8_000_000  # bytes of input of the patients that are held in memory together
_FEWEST = 16
_PACKED = 8  # how much smaller gz and Parquet are


def replay(
    paths: Iterable[Path],
    ask: Ask,
    out: Path,
    engine: Engine,
    progress: Progress,
    *,
    min_cell: int = 11,
    fresh: bool = False,
) -> Run:
    """Replays the export at ``paths`` into the folder ``out``, or goes on where a run was ended.

    Raises ReplayError.
    """
    files = find_files(paths)
    chunks = cut(files)
    task = Task(ask, chunks, buckets(files))
    folder = Folder(out)
    with folder.held():
        mark = fingerprint(files, ask, version("repletion"), type(engine).__name__)
        if folder.begin(mark, fresh=fresh):
            run = msgspec.json.decode((out / "run.json").read_bytes(), type=Run)
            run = replace(run, min_cell=min_cell)
            folder.keep_run(run)
            return run
        engine.read(folder, task, progress)
        scans = [scan for c in chunks if (scan := folder.scan(c.number)) is not None]
        held = _sum(scan.held for scan in scans)
        if not held:
            raise ReplayError("The input holds no FHIR resource that a replay reads." + _why(scans))
        engine.walk(folder, task, tuple(held), progress)
        join(folder, task)
        run = _run(files, task, folder, min_cell)
        folder.keep_run(run)
        folder.end(mark)
    return run


def buckets(files: Iterable[File]) -> int:
    """How many buckets of patients the files are spread over."""
    size = sum(f.bytes * (1 if f.kind == "ndjson" else _PACKED) for f in files)
    return max(_FEWEST, size // _BUCKET)


def _run(files: tuple[File, ...], task: Task, folder: Folder, min_cell: int) -> Run:
    ask, lines = task.ask, Counter[int]()
    scans = []
    for chunk in task.chunks:
        scan = folder.scan(chunk.number)
        if scan is not None:
            scans.append(scan)
            lines[chunk.file] += scan.lines
    done = [d for bucket in range(task.buckets) if (d := folder.walked(bucket)) is not None]
    return Run(
        software=f"repletion {version('repletion')}",
        protocol=_profile(ask.protocol),
        against=_profile(ask.against) if ask.against is not None else None,
        hooks=ask.hooks,
        answers=ask.answers,
        assumed_none=ask.assume_none,
        setting=ask.setting,
        alone=ask.alone,
        timezone=ask.timezone,
        min_cell=min_cell,
        sources=tuple(Source(f.path, f.bytes, lines[n]) for n, f in enumerate(files)),
        held=_sum(scan.held for scan in scans),
        rejected=_sum(scan.rejected for scan in scans),
        unused=_sum(scan.unused for scan in scans),
        patients=sum(d.patients for d in done),
        decisions=sum(d.decisions for d in done),
        failed=sum(d.failed for d in done),
    )


def _profile(file: ProtocolFile) -> Profile:
    protocol = file.read()
    titles = {rule: entry.title for rule, entry in sorted(protocol.file.rule.items())}
    head = protocol.file.protocol
    return Profile(protocol.name, protocol.version, head.title, protocol.hash, titles)


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return {key: total[key] for key in sorted(total)}


def _why(scans: Iterable[Scan]) -> str:
    rejected = _sum(scan.rejected for scan in scans)
    return "".join(f" {counted(number, 'line')}: {reason}." for reason, number in rejected.items())
