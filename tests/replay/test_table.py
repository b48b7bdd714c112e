"""decisions.parquet: every element of a row stands in it, as decisions.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest
from msgspec import inspect

from service.replay.row import (
    Decided,
    Followed,
    Level,
    Missing,
    Ordered,
    Other,
    Refused,
    Suggestion,
    Trigger,
    line,
)
from service.replay.table import write_table

from .walking import read_table

DOCUMENT = files("service.replay").joinpath("decisions.md")
PLAIN = Decided("a" * 24, "2026-01-01T08:00:00Z", 9, 3, "patient-view", Trigger("Observation", "b"))
SULFATE = Suggestion("2 g", "severe", "iv", Decimal("2.5"), "g", 20, True, ("magnesium",), 1, True)
YOUNG = Refused("H1", "all", "age")
FULL = Decided(
    "c" * 24,
    "2026-01-01T08:00:01Z",
    23,
    6,
    "order-sign",
    Trigger("MedicationRequest", "d"),
    False,
    (Ordered("furosemide", ("loop",), True, True, "po", True, False, False, "e", True),),
    "ambulatory",
    True,
    "R2",
    Level(Decimal("1.1"), "mg/dL", "<", "severe", "severe", True, ("old",), 0.5),
    "D1",
    ("D1", "H2"),
    ("D1-sign",),
    "critical",
    (SULFATE, Suggestion("a level")),
    (Refused("H2", "all", "kidneys", True), Refused("H6", "parenteral", "nerves")),
    (Missing("weight", "not sent"),),
    ("mild",),
    (Followed(1.5, "iv", "sulfate", Decimal(2000), True, True), Followed(2.0)),
    Other(
        "mild",
        ("mild",),
        "info",
        (SULFATE,),
        (Refused("H1", "all", "age"),),
        ("N1",),
        "mild",
        "plan",
        True,
    ),
)


def made(path: Path, *parts: list[Decided]) -> Path:
    lines = [path / str(number) for number, _ in enumerate(parts)]
    for file, rows in zip(lines, parts, strict=True):
        file.write_bytes(b"".join(map(line, rows)))
    write_table(lines, path / "decisions.parquet")
    return path / "decisions.parquet"


def test_every_element_of_every_row_stands_in_the_table_in_order(tmp_path: Path) -> None:
    assert read_table(made(tmp_path, [FULL], [], [PLAIN, FULL])) == [FULL, PLAIN, FULL]


def test_only_what_may_be_none_is_null(tmp_path: Path) -> None:
    """An element that a line leaves out has its default, also within lists."""
    path = made(tmp_path, [PLAIN, FULL])
    with duckdb.connect() as db:
        given = db.execute(
            "SELECT exact, gaps, setting, followed, against, magnesium FROM read_parquet(?)",
            [str(path)],
        ).fetchone()
        labs = db.execute(
            "SELECT suggestions[2].labs, suggestions[2].removes FROM read_parquet(?)", [str(path)]
        ).fetchall()[1]
    assert given == (True, [], "inpatient", None, None, None)
    assert labs == ([], 0)


def test_without_a_decision_the_table_is_empty_and_has_its_columns(tmp_path: Path) -> None:
    assert read_table(made(tmp_path, [], [])) == []
    assert list(written(tmp_path / "decisions.parquet")) == list(documented())


def test_the_columns_are_those_that_are_documented(tmp_path: Path) -> None:
    assert list(written(made(tmp_path, [PLAIN]))) == list(documented())


def test_what_may_be_null_is_said() -> None:
    """Of an element with the words of another ("as `lead`") the other says it."""
    told = {column: meaning for column, _, meaning in _lines()}
    for name, shape in _elements("", inspect.type_info(Decided)):
        if not told[name].startswith("as `"):
            none = isinstance(shape, inspect.UnionType)
            assert bool(re.search(r"\bnone\b", told[name])) == none, name


def _elements(before: str, shape: inspect.Type) -> Iterator[tuple[str, inspect.Type]]:
    for inner in getattr(shape, "types", (shape,)):
        inside = getattr(inner, "item_type", inner)
        for field in getattr(inside, "fields", ()):
            yield f"{before}{field.name}", field.type
            yield from _elements(f"{before}{field.name}.", field.type)


def test_the_queries_that_are_shown_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, [FULL, PLAIN])
    monkeypatch.chdir(tmp_path)
    (queries,) = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    with duckdb.connect() as db:
        assert len(db.execute(queries.split(";")[0]).fetchall()) == 2
        db.execute(queries)
    assert len((tmp_path / "decisions.ndjson").read_text().splitlines()) == 2


def test_the_same_rows_give_the_same_bytes_however_they_are_cut(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    rows = [PLAIN, FULL] * 3000
    one = made(tmp_path / "one", rows)
    two = made(tmp_path / "two", rows[:17], [], rows[17:4000], rows[4000:])
    assert one.read_bytes() == two.read_bytes()


def _lines() -> list[tuple[str, str, str]]:
    """(column, type, meaning) of each line of the table in decisions.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+) \|$", text, re.M)


def documented() -> Iterator[tuple[str, str]]:
    for column, type_, _ in _lines():
        yield column, type_


def written(path: Path) -> Iterator[tuple[str, str]]:
    """The columns of a table and, after a dot, the parts of each."""
    with duckdb.connect() as db:
        for name, type_, *_ in db.execute(
            "DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]
        ).fetchall():
            yield from _parts(name, duckdb.type(type_))


def _parts(name: str, type_: duckdb.DuckDBPyType) -> Iterator[tuple[str, str]]:
    """A list of structs is told as "list", its parts under its name."""
    ids = []
    while type_.id == "list":
        ids.append("list")
        ((_, type_),) = type_.children
    if type_.id != "struct":
        yield name, " of ".join([*ids, str(type_)])
        return
    yield name, " of ".join([*ids, "struct"])
    for part, inside in type_.children:
        yield from _parts(f"{name}.{part}", inside)
