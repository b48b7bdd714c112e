"""Source: the files of an export, cut into chunks, and the lines in them.

NDJSON is read as bytes and cut at newlines by ourselves. DuckDB's line reader leaves empty lines
out (so a bad line could not be located), takes a control character for the end of a column and
refuses what is not UTF-8; it reads the Parquet files.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from service.replay.database import database
from service.replay.errors import ReplayError

Kind = Literal["ndjson", "gz", "parquet"]
MOST = 16_000_000
"""The most bytes of one line that are read as a resource."""
CHUNK = 32_000_000
_ROWS = 20_000
_NAMED = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz", ".parquet")
_COLUMNS = ("resource", "json", "value", "content", "data", "body", "line", "text")
_TYPE = re.compile(r"[A-Z][A-Za-z]+")
_BLOCK = 1 << 20
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00")


class File(Struct, frozen=True):
    """An input file: ``path`` as given or found."""

    path: str
    kind: Kind
    bytes: int
    changed: int  # nanoseconds


class Chunk(Struct, frozen=True):
    """A part of a file: bytes ``start`` to ``end`` (a line belongs to where it starts), of gz
    the whole, of Parquet rows. ``size`` in bytes, for progress."""

    number: int
    file: int
    path: str
    kind: Kind
    start: int
    end: int
    size: int


class InputLine(Struct, frozen=True):
    """``number`` counts from 1 in its chunk. ``rest``: what goes beyond MOST, to be read before
    the next line; None for a line that is whole."""

    number: int
    data: bytes
    rest: Iterator[bytes] | None = None


def find_files(paths: Iterable[Path]) -> tuple[File, ...]:
    """The files at ``paths``, in order of their names; folders are searched for NDJSON and
    Parquet by name. Raises ReplayError for a path that is missing or holds none."""
    found: dict[str, File] = {}
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.name.endswith(_NAMED) and p.is_file()]
            if not inside:
                raise ReplayError(f"{path}: holds no file named {', '.join(_NAMED)}")
        elif path.exists():
            inside = [path]
        else:
            raise ReplayError(f"{path}: there is no such file or folder")
        for file in inside:
            found.setdefault(str(file.resolve()), _file(file))
    return tuple(sorted(found.values(), key=lambda file: file.path))


def _file(path: Path) -> File:
    try:
        with path.open("rb") as stream:
            begins = stream.read(4)
        stat = path.stat()
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    kind: Kind = "ndjson"
    if begins[:2] == b"\x1f\x8b":
        kind = "gz"
    elif begins == b"PAR1":
        kind = "parquet"
    return File(str(path), kind, stat.st_size, stat.st_mtime_ns)


def cut(files: tuple[File, ...], size: int = CHUNK) -> tuple[Chunk, ...]:
    """The chunks of the files, in order. Raises ReplayError for Parquet that cannot be read."""
    chunks: list[Chunk] = []
    for number, file in enumerate(files):
        spans = [(0, file.bytes)]
        if file.kind == "ndjson":
            spans = [(at, min(at + size, file.bytes)) for at in range(0, file.bytes, size)]
        elif file.kind == "parquet":
            rows = _rows(file.path)
            spans = [(at, min(at + _ROWS, rows)) for at in range(0, rows, _ROWS)]
        for start, end in spans:
            weight = end - start if file.kind == "ndjson" else file.bytes // len(spans)
            chunks.append(Chunk(len(chunks), number, file.path, file.kind, start, end, weight))
    return tuple(chunks)


def read_lines(chunk: Chunk) -> Iterator[InputLine]:
    """The lines of a chunk, empty ones too, without their line ends.

    Raises ReplayError when the file cannot be read to its end.
    """
    try:
        if chunk.kind == "parquet":
            yield from _parquet(chunk)
        elif chunk.kind == "gz":
            with gzip.open(chunk.path) as stream:
                yield from _lines(stream, None)  # type: ignore[arg-type]  # reads as a file does
        else:
            with open(chunk.path, "rb") as stream:
                start = 0
                if chunk.start:
                    stream.seek(chunk.start - 1)
                    start = chunk.start - 1 + sum(len(part) for part in _to_newline(stream))
                yield from _lines(stream, chunk.end - start, first=chunk.start == 0)
    except (OSError, EOFError) as error:
        raise ReplayError(f"{chunk.path}: {error}") from None


def _lines(stream: BinaryIO, length: int | None, *, first: bool = True) -> Iterator[InputLine]:
    number = read = 0
    while length is None or read < length:
        data = stream.readline(MOST + 2)
        if not data:
            return
        number += 1
        read += len(data)
        if first and number == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")
        if len(data) > MOST and not data.endswith(b"\n"):
            rest = _Counted(_to_newline(stream))
            yield InputLine(number, data, rest)
            for _ in rest:
                pass
            read += rest.count
        else:
            yield InputLine(number, data.removesuffix(b"\n").removesuffix(b"\r"))


class _Counted(Iterator[bytes]):
    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self.count = parts, 0

    def __next__(self) -> bytes:
        part = next(self._parts)
        self.count += len(part)
        return part


def _to_newline(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes up to and with the next newline, in parts."""
    while part := stream.readline(_BLOCK):
        yield part
        if part.endswith(b"\n"):
            return


# --- Parquet ----------------------------------------------------------------------------------


@contextmanager
def _duckdb() -> Iterator[Any]:
    # Rows are streamed: nothing has to go to the disk.
    with database("300MB", 1) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _ask(connection: Any, query: str, path: str, *more: int) -> Iterator[tuple[Any, ...]]:
    import duckdb

    try:
        answer = connection.execute(query, [path, *more])
        while rows := answer.fetchmany(1000):
            yield from rows
    except duckdb.Error as error:
        raise ReplayError(f"{path}: {str(error).splitlines()[0]}") from None


def _rows(path: str) -> int:
    with _duckdb() as connection:
        ((rows,),) = _ask(connection, "SELECT num_rows FROM parquet_file_metadata(?)", path)
    return int(rows)


def _parquet(chunk: Chunk) -> Iterator[InputLine]:
    """Each row as JSON: a column of JSON text, or a FHIR resource in columns of its elements
    (as Spark or Pathling writes it; without resourceType the file or its folder names it)."""
    with _duckdb() as connection:
        described = _ask(connection, "DESCRIBE SELECT * FROM read_parquet(?)", chunk.path)
        columns = {name: type_ for name, type_, *_ in described}
        text, given = _shape(columns, chunk.path)
        what = f'"{text}"::VARCHAR' if text else "to_json(t)::VARCHAR"
        query = (
            f"SELECT {what} FROM read_parquet(?, file_row_number=true) t"  # noqa: S608  # our words
            " WHERE t.file_row_number >= ? AND t.file_row_number < ?"
        )
        rows = _ask(connection, query, chunk.path, chunk.start, chunk.end)
        for number, (value,) in enumerate(rows, 1):
            data = (value or "").encode()
            yield InputLine(number, data if text else _resource(data, given))


def _shape(columns: dict[str, str], path: str) -> tuple[str | None, str | None]:
    """(the column of JSON text, the resource type the place names): one of them at most."""
    if "resourceType" in columns:
        return None, None
    texts = [name for name, type_ in columns.items() if type_ in ("VARCHAR", "JSON")]
    if len(columns) == 1 and texts and '"' not in texts[0]:
        return texts[0], None
    named = next((name for name in _COLUMNS if name in texts), None)
    if named is not None:
        return named, None
    if "id" in columns:
        for part in (Path(path).name, *(parent.name for parent in Path(path).parents)):
            match = _TYPE.match(part)
            if match is not None and match[0] in _PATHLING:
                return None, match[0]
    raise ReplayError(
        f"{path}: neither a column of JSON text ({', '.join(_COLUMNS)}) nor a FHIR resource in "
        "columns (resourceType, or the type as the name of the file or its folder)"
    )


_PATHLING = frozenset(
    """Patient Observation Condition MedicationRequest MedicationAdministration Medication
    Encounter Procedure AllergyIntolerance ServiceRequest Specimen""".split()
)


def _resource(data: bytes, type_: str | None) -> bytes:
    value = _full(msgspec.json.decode(data))
    if not isinstance(value, dict):
        return data
    value.pop("file_row_number", None)
    if type_ is not None:
        value = {"resourceType": type_, **value}
    return msgspec.json.encode(value)


def _full(value: object) -> object:
    """The value without what a table holds where FHIR holds nothing, and with the moments of a
    time column as FHIR writes them."""
    if isinstance(value, str):
        match = _MOMENT.fullmatch(value)
        return f"{match[1]}T{match[2]}Z" if match is not None else value
    if isinstance(value, dict):
        full = {key: _full(inside) for key, inside in value.items()}
        return {key: inside for key, inside in full.items() if inside is not None} or None
    if isinstance(value, list):
        return [inside for inside in map(_full, value) if inside is not None] or None
    return value
