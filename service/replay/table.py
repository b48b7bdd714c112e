"""Table: ``decisions.parquet``, made of the lines of a walk, whichever engine walked.

What a column means stands in `decisions.md`; its type follows from ``Decided``. Where a line
leaves an element out, its default stands in the table: only what may be None is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import NODEFAULT, inspect

from service.replay.database import database
from service.replay.row import Decided

_PLAIN: dict[type[inspect.Type], str] = {
    inspect.StrType: "VARCHAR",
    inspect.BoolType: "BOOLEAN",
    inspect.IntType: "INTEGER",
    inspect.FloatType: "DOUBLE",
    inspect.DecimalType: "DOUBLE",
}
_MOMENT = {"time": "TIMESTAMP"}  # text in a line, in UTC


def write_table(parts: Sequence[Path], to: Path) -> None:
    """Writes the lines of Decided in ``parts``, in order, as one Parquet file at ``to``."""
    fields = [(f, *_column(f.type, f'"{f.name}"')) for f in _fields(inspect.type_info(Decided))]
    given = ", ".join(f"\"{f.name}\": '{kind}'" for f, kind, _ in fields)
    made = ", ".join(
        f'CAST({_filled(f, value)} AS {_MOMENT.get(f.name, kind)}) AS "{f.name}"'
        for f, kind, value in fields
    )
    query = (
        f"SELECT {made} FROM "  # noqa: S608  # the names and types of Decided
        f"read_json(?, format = 'newline_delimited', columns = {{{given}}})"
    )
    # One thread: the same rows give the same bytes. Rows are streamed: nothing has to be spilled.
    with database("512MB", 1) as db:
        table = db.sql(query, params=[[str(part) for part in parts]])
        table.write_parquet(str(to), compression="zstd")


def _fields(shape: inspect.Type) -> tuple[inspect.Field, ...]:
    return shape.fields if isinstance(shape, inspect.StructType) else ()


def _column(shape: inspect.Type, at: str) -> tuple[str, str]:
    """(SQL type, the value of the expression ``at`` with every default in it)"""
    if isinstance(shape, inspect.UnionType):  # with None
        (shape,) = (kind for kind in shape.types if not isinstance(kind, inspect.NoneType))
    if isinstance(shape, inspect.VarTupleType):
        item = f"x{at.count('x')}"
        kind, value = _column(shape.item_type, item)
        return f"{kind}[]", at if value == item else f"list_transform({at}, lambda {item}: {value})"
    if isinstance(shape, inspect.StructType):
        parts = [(f, *_column(f.type, f'{at}."{f.name}"')) for f in shape.fields]
        kind = ", ".join(f'"{f.name}" {kind}' for f, kind, _ in parts)
        value = ", ".join(f'"{f.name}": {_filled(f, value)}' for f, _, value in parts)
        return f"STRUCT({kind})", f"CASE WHEN {at} IS NOT NULL THEN {{{value}}} END"
    return _PLAIN[type(shape)], at


def _filled(field: inspect.Field, value: str) -> str:
    default = field.default
    if default is None or default is NODEFAULT:
        return value
    words = f"'{default}'" if isinstance(default, str) else "[]" if default == () else str(default)
    return f"coalesce({value}, {words})"
