"""Input: files found and cut, lines read whole, bad ones located and kept."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.replay import scan as scanning
from service.replay import source
from service.replay.errors import ReplayError
from service.replay.names import Names
from service.replay.scan import Bad, Kept, Scanned, Shared, patient_of, scan, split
from service.replay.source import cut, find_files, read_lines
from tests.contract.shapes import Json

NAMES = Names(b"a key of tests, long enough")
GOOD = b'{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p1"}}'


def all_lines(*paths: Path, size: int = 32_000_000) -> list[bytes]:
    return [line.data for c in cut(find_files(paths), size) for line in read_lines(c)]


def found(path: Path) -> list[Any]:
    (chunk,) = cut(find_files([path]))
    return list(scan(chunk, NAMES, 4))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 10, 1000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_wherever_a_file_is_cut_each_line_is_read_once(
    tmp_path: Path, size: int, end: bytes
) -> None:
    lines = [b"abc", b"", b"d", b"efghijkl\xff", b"\x01\x00", b"mn"]
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(lines) + end)
    assert all_lines(tmp_path, size=size) == lines


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"\xef\xbb\xbfab\r\ncd\r\n")
    assert all_lines(tmp_path) == [b"ab", b"cd"]


def test_folders_are_searched_by_name_and_files_are_known_by_content(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.ndjson.gz").write_bytes(gzip.compress(b"packed\n"))
    (tmp_path / "a.jsonl").write_bytes(b"plain\n")
    (tmp_path / "manifest.json").write_bytes(b"not a line\n")
    (tmp_path / "any.name").write_bytes(gzip.compress(b"named\n"))
    assert all_lines(tmp_path) == [b"plain", b"packed"]
    assert all_lines(tmp_path / "any.name", tmp_path, tmp_path / "a.jsonl") == [
        b"plain", b"named", b"packed"
    ]  # fmt: skip


def test_a_path_that_is_not_there_or_holds_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"missing: there is no such file"):
        find_files([tmp_path / "missing"])
    with pytest.raises(ReplayError, match="holds no file named"):
        find_files([tmp_path])


def test_a_damaged_archive_is_no_shorter_input(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(GOOD + b"\n")[:-12])
    with pytest.raises(ReplayError, match=r"a\.ndjson\.gz"):
        all_lines(tmp_path)


BAD = [
    (b"{broken", scanning.NOT_JSON),
    (GOOD + b"}", scanning.NOT_JSON),
    (b'{"resourceType":"Observation","id":"\xff"}', scanning.NOT_UTF8),
    (b"[1]", scanning.NOT_AN_OBJECT),
    (b'"text"', scanning.NOT_AN_OBJECT),
    (b"null", scanning.NOT_AN_OBJECT),
    (b"[" * 100_000, scanning.NOT_AN_OBJECT),
    (b'{"x":' * 100_000, scanning.TOO_DEEP),
    (b"{}", scanning.NO_TYPE),
    (b'{"resourceType":5}', scanning.NO_TYPE),
    (b'{"resourceType":""}', scanning.NO_TYPE),
    (b'{"resourceType":"Patient"}', scanning.NO_ID),
    (b'{"resourceType":"Medication"}', scanning.NO_ID),
    (b'{"resourceType":"Observation"}', scanning.NO_PATIENT),
    (b'{"resourceType":"Observation","subject":[]}', scanning.NO_PATIENT),
    (b'{"resourceType":"Observation","subject":{"reference":"Group/p1"}}', scanning.NO_PATIENT),
    (b'{"resourceType":"Observation","subject":{"display":"Sam"}}', scanning.NO_PATIENT),
    (b'{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"}}', scanning.NO_PATIENT),
    (b'{"resourceType":"Bundle","entry":[]}', scanning.A_BUNDLE),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_line_is_located_and_kept_whole(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(GOOD + b"\n\n" + line + b"\n" + GOOD)
    kept, bad, also, scanned = found(path)
    assert isinstance(kept, Kept)
    assert isinstance(also, Kept)
    assert isinstance(bad, Bad)
    assert (bad.line, bad.reason) == (3, reason)
    told: Json = json.loads(b"{" + b"".join(bad.text) + b"}")
    whole = told["text"].encode() if "text" in told else base64.b64decode(told["base64"])
    assert whole == line
    assert scanned == Scanned(4, {"Observation": 2}, {})


def test_a_line_larger_than_memory_is_kept_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MOST", 100)
    monkeypatch.setattr(source, "_BLOCK", 7)
    large = b'{"resourceType":"Observation","note":"' + b"x" * 500 + b'"}'
    path = tmp_path / "a.ndjson"
    path.write_bytes(GOOD + b"\n" + large + b"\n" + GOOD + b"\n")
    for size in (50, 130, 400, 10_000):
        items = [i for c in cut(find_files([path]), size) for i in scan(c, NAMES, 4)]
        assert [type(i) for i in items if not isinstance(i, Scanned)] == [Kept, Bad, Kept]
    bad = next(i for i in found(path) if isinstance(i, Bad))
    assert (bad.line, bad.reason) == (2, scanning.TOO_LARGE)


def test_a_large_line_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST", 100)
    monkeypatch.setattr(source, "_BLOCK", 7)
    large = b"x" * 1001
    path = tmp_path / "a.ndjson"
    path.write_bytes(large + b"\n" + GOOD)
    (chunk,) = cut(find_files([path]))
    texts = [b"".join(item.text) for item in scan(chunk, NAMES, 4) if isinstance(item, Bad)]
    assert base64.b64decode(json.loads(b"{" + texts[0] + b"}")["base64"]) == large


WHOSE = [
    (b'{"resourceType":"Patient","id":"p1"}', "p1"),
    (b'{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/p2"}}', "p2"),
    (b'{"resourceType":"Encounter","subject":{"reference":"http://e/fhir/Patient/p3"}}', "p3"),
    (b'{"resourceType":"Condition","subject":{"reference":"Patient/p4/_history/2"}}', "p4"),
]


@pytest.mark.parametrize(("line", "patient"), WHOSE)
def test_whose_a_line_is(tmp_path: Path, line: bytes, patient: str) -> None:
    (tmp_path / "a.ndjson").write_bytes(line)
    kept, _ = found(tmp_path / "a.ndjson")
    assert split(kept.record) == (NAMES.patient(patient), line)
    assert patient_of(line) == patient


def test_medications_are_nobodys_and_other_types_are_counted(tmp_path: Path) -> None:
    lines = [b'{"resourceType":"Medication","id":"m1"}', b'{"resourceType":"Claim"}']
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(lines))
    assert found(tmp_path / "a.ndjson") == [
        Shared("m1", lines[0]), Scanned(2, {"Medication": 1}, {"Claim": 1})
    ]  # fmt: skip


def test_buckets_one_after_the_other_hold_the_patients_in_order() -> None:
    hashes = sorted(NAMES.patient(str(n)) for n in range(300))
    places = [int(hash_[:8], 16) * 7 >> 32 for hash_ in hashes]
    assert places == sorted(places)
    assert set(places) == set(range(7))


# --- Parquet ------------------------------------------------------------------------------------

ROWS = [
    {"resourceType": "Observation", "id": "o1", "subject": {"reference": "Patient/p1"},
     "valueQuantity": {"value": 1.2, "unit": "mg/dL"}, "note": [{"text": "a"}]},
    {"resourceType": "Observation", "id": "o2", "subject": {"reference": "Patient/p2"},
     "effectiveDateTime": "2026-03-01T08:00:00Z"},
]  # fmt: skip


def parquet(path: Path, select: str, rows: list[Json] = ROWS) -> Path:
    """Writes what a query makes of rows."""
    duckdb = pytest.importorskip("duckdb")
    path.parent.mkdir(exist_ok=True)
    data = path.with_suffix(".json.tmp")
    data.write_text("\n".join(json.dumps(row) for row in rows))
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select.format(data=data)}) TO '{path}' (FORMAT parquet)")
    data.unlink()
    return path


NESTED = "SELECT * FROM read_json('{data}', format='newline_delimited')"


def test_parquet_with_the_elements_in_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "part-0.parquet", NESTED)
    assert [msgspec.json.decode(line) for line in all_lines(path)] == ROWS


def test_parquet_without_a_type_has_that_of_its_place(tmp_path: Path) -> None:
    select = "SELECT * EXCLUDE resourceType FROM read_json('{data}', format='newline_delimited')"
    for path in (tmp_path / "Observation.parquet", tmp_path / "Observation/part-0.parquet"):
        parquet(path, select)
        assert [msgspec.json.decode(line) for line in all_lines(path)] == ROWS
    parquet(tmp_path / "part-0.parquet", select)
    with pytest.raises(ReplayError, match="neither a column of JSON text"):
        all_lines(tmp_path / "part-0.parquet")


@pytest.mark.parametrize("column", ["anything", "resource"])
def test_parquet_with_json_in_a_column(tmp_path: Path, column: str) -> None:
    more = ", 1 AS other" if column == "resource" else ""
    select = f"SELECT json::VARCHAR AS {column}{more} FROM read_json_objects('{{data}}')"
    path = parquet(tmp_path / "a.parquet", select)
    assert [json.loads(line) for line in all_lines(tmp_path)] == ROWS
    assert path.exists()


def test_parquet_is_cut_into_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_ROWS", 3)
    rows = [{"resourceType": "Observation", "id": f"o{n}"} for n in range(10)]
    path = parquet(tmp_path / "a.parquet", NESTED, rows)
    assert len(cut(find_files([path]))) == 4
    assert [json.loads(line)["id"] for line in all_lines(path)] == [f"o{n}" for n in range(10)]


def test_parquet_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ReplayError, match=r"a\.parquet"):
        all_lines(tmp_path)
