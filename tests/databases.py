"""Databases for tests: a SQLite file, or a PostgreSQL database of the test's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.conftest import REQUIRED

# The machine's server; REPLETION_TEST_POSTGRES_URL names another, with the right to create
# databases.
_SERVER = os.environ.get("REPLETION_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1/test")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a new, empty database, dropped at the end. Skips when no server answers."""
    import pytest

    engine = create_engine(_SERVER, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"repletion_test_{uuid.uuid4().hex[:12]}"
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        if {"postgres", "all"} & set(REQUIRED):
            pytest.fail("no PostgreSQL server answers, and REPLETION_TEST_REQUIRE asks for it")
        pytest.skip("no PostgreSQL server answers (postgres)")
    try:
        yield engine.url.set(drivername="postgresql", database=name).render_as_string(
            hide_password=False
        )
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
