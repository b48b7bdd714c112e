"""Database: DuckDB in memory: what reads Parquet, and what counts for the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.replay.errors import INSTALL, ReplayError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def database(memory: str, threads: int, spill: Path | None = None) -> Iterator[DuckDBPyConnection]:
    """DuckDB in memory, within its bounds, that loads nothing from anywhere."""
    try:
        import duckdb  # .ci/replay.txt; a service that only serves does without
    except ModuleNotFoundError:
        raise ReplayError(f"DuckDB is missing. {INSTALL}") from None
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(spill or ""),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(config=config) as connection:
        yield connection
