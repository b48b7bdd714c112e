"""Folder: the place of a run, where it stands, and how its parts become the files of `--out`.

While a run goes on, `.replay/` holds what is finished, each part whole or not there:

| part | is |
|---|---|
| `begun.json` | the fingerprint of input, protocol and options; `whole` at the end |
| `scan/N.json` (`.data`, `.index`, `.bad`) | chunk N: its `Scan`, the lines by bucket and where \
each begins (the bucket after the last: Medications), the lines rejected |
| `medications.db` | the Medications of all chunks, by id |
| `walked/N.json` (`.decisions`, `.patients`, `.sample`) | bucket N: its `Done`, its rows, the \
cards it draws |

A run that was killed goes on from there; another input, protocol or option is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from struct import unpack
from typing import BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from service.replay.errors import ReplayError
from service.replay.row import Run
from service.replay.scan import patient_of
from service.replay.source import Chunk, File

T = TypeVar("T")
OUTPUTS = ("run.json", "decisions.parquet", "patients.ndjson", "rejected.ndjson")
MORE = (
    "differences.ndjson",
    "sample.md",
    "marks.json",
    "summary.json",
    "report.html",
    "decisions.ndjson",
)
"""What may stand beside (the last: before there was a table, or made of it): nobody shall take an
old one for that of a new run."""
PRIVATE = 0o600
"""The mode of what holds patient data to be read."""
_AT_ONCE = 500


class Scan(Struct, frozen=True):
    """A chunk that was read; ``rejected`` lines by reason."""

    lines: int
    held: dict[str, int]
    unused: dict[str, int]
    rejected: dict[str, int]


class Done(Struct, frozen=True):
    """A bucket that was walked. ``failed`` patients could not be."""

    patients: int
    decisions: int
    failed: int


def index_width(buckets: int) -> int:
    """Bytes of the index of one spill: where each bucket begins, Medications, the end."""
    return (buckets + 2) * 8


class Begun(Struct, frozen=True):
    fingerprint: str
    whole: bool = False


def fingerprint(files: Iterable[File], *parts: object) -> str:
    """Of the input by names, sizes and times of change, and of everything else asked."""
    return hashlib.sha256(msgspec.json.encode([list(files), *parts])).hexdigest()


class Folder:
    """`--out`. Use as ``with folder.held():``; only one run at a time works in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._work = path / ".replay"

    @contextmanager
    def held(self) -> Iterator[None]:
        try:
            # It holds the lines of the export: nobody else reads them.
            self.path.mkdir(parents=True, exist_ok=True)
            for part in (self._work, self._work / "scan", self._work / "walked"):
                part.mkdir(mode=0o700, exist_ok=True)
            lock = (self._work / "lock").open("wb")
        except OSError as error:
            raise ReplayError(f"{self.path}: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ReplayError(f"{self.path}: another replay is at work there") from None
            yield

    def begin(self, fingerprint: str, *, fresh: bool) -> bool:
        """Whether the run is whole already. Raises ReplayError when something else is there."""
        marker = self._work / "begun.json"
        if fresh:
            self._clear()
            for output in (*OUTPUTS, *MORE):
                (self.path / output).unlink(missing_ok=True)
        elif marker.exists():
            begun = msgspec.json.decode(marker.read_bytes(), type=Begun)
            if begun.fingerprint != fingerprint:
                state = "a finished" if begun.whole else "an unfinished"
                raise ReplayError(
                    f"{self.path} holds {state} replay of other input, protocol or options."
                    " Choose another --out, or --fresh to begin anew there."
                )
            if begun.whole and all((self.path / output).exists() for output in OUTPUTS):
                return True
        elif any((self.path / output).exists() for output in OUTPUTS):
            raise ReplayError(
                f"{self.path} holds results of which nobody can tell what they are from."
                " Choose another --out, or --fresh to begin anew there."
            )
        self._write(marker, Begun(fingerprint))
        return False

    def end(self, fingerprint: str) -> None:
        """The outputs are whole: what led to them goes."""
        self._write(self._work / "begun.json", Begun(fingerprint, whole=True))
        self._clear()

    def _clear(self) -> None:
        for part in ("scan", "walked"):
            shutil.rmtree(self._work / part, ignore_errors=True)
            (self._work / part).mkdir(parents=True)
        self.medications.unlink(missing_ok=True)

    # --- chunks -----------------------------------------------------------------------------

    def scan_path(self, chunk: int, suffix: str) -> Path:
        return self._work / "scan" / f"{chunk}{suffix}"

    def keep_scan(self, chunk: int, scan: Scan) -> None:
        """Marks a chunk as read; its other files are there already."""
        self._write(self.scan_path(chunk, ".json"), scan)

    def scan(self, chunk: int) -> Scan | None:
        return self._read(self.scan_path(chunk, ".json"), Scan)

    def records(self, chunks: Iterable[Chunk], bucket: int, buckets: int) -> Iterator[bytes]:
        """The records of a bucket, of all chunks; those of ``buckets`` are Medications."""
        width = index_width(buckets)
        for chunk in chunks:
            with (
                self.scan_path(chunk.number, ".index").open("rb") as index,
                self.scan_path(chunk.number, ".data").open("rb") as data,
            ):
                for spill in range(os.fstat(index.fileno()).st_size // width):
                    index.seek(spill * width + bucket * 8)
                    start, end = unpack("<QQ", index.read(16))
                    if end > start:
                        data.seek(start)
                        yield from data.read(end - start).split(b"\n")[:-1]

    @property
    def medications(self) -> Path:
        return self._work / "medications.db"

    def keep_medications(self, lines: Iterable[bytes]) -> None:
        """Keeps the lines of Medications, by id; none when there is one already."""
        if self.medications.exists():
            return
        made = self.medications.with_suffix(".new")
        made.unlink(missing_ok=True)
        with closing(sqlite3.connect(made)) as database:
            database.execute("PRAGMA journal_mode = OFF")  # made anew after a kill
            database.execute("CREATE TABLE medication (id TEXT, line BLOB)")
            rows = ((patient_of(line), line) for line in lines)
            database.executemany("INSERT INTO medication VALUES (?, ?)", rows)
            database.execute("CREATE INDEX by_id ON medication (id)")
            database.commit()
        made.rename(self.medications)

    # --- buckets ----------------------------------------------------------------------------

    def walked_path(self, bucket: int, suffix: str) -> Path:
        return self._work / "walked" / f"{bucket}{suffix}"

    def keep_walked(self, bucket: int, done: Done) -> None:
        self._write(self.walked_path(bucket, ".json"), done)

    def walked(self, bucket: int) -> Done | None:
        return self._read(self.walked_path(bucket, ".json"), Done)

    def keep_run(self, run: Run) -> None:
        self._write(self.path / "run.json", run)

    def _write(self, path: Path, value: Struct) -> None:
        with making(path) as out:
            out.write(msgspec.json.encode(value))

    def _read(self, path: Path, type_: type[T]) -> T | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=type_)
        except FileNotFoundError:
            return None


@contextmanager
def making(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file that appears under its name when it is whole and on the disk."""
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)  # what a killed run left may be open to others
    with open(made, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    made.rename(path)


class Medications:
    """Looks up the lines of Medications by id; ``path`` may be missing: then there are none."""

    def __init__(self, path: Path) -> None:
        self._database: sqlite3.Connection | None = None
        if path.exists():
            self._database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    def __call__(self, ids: Iterable[str]) -> list[bytes]:
        if self._database is None:
            return []
        wanted, found = sorted(ids), []
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT line FROM medication WHERE id IN ({marks})"  # noqa: S608  # marks only
            found += [line for (line,) in self._database.execute(query, some)]
        return found

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
