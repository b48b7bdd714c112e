"""Databases for tests: a PostgreSQL database of the test's own.

On the server that REPLETION_TEST_POSTGRES_URL names (a user who may create databases), else on
one that answers on this machine, else on one that is started here and stopped at the end.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.conftest import require_program
from tests.server import free_port

_NAMED = os.environ.get("REPLETION_TEST_POSTGRES_URL")
_HERE = "postgresql+psycopg://root@127.0.0.1/test"


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a new, empty database, dropped at the end. Skips without PostgreSQL."""
    engine = create_engine(_server(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"repletion_test_{uuid.uuid4().hex[:12]}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield engine.url.set(drivername="postgresql", database=name).render_as_string(
            hide_password=False
        )
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@cache
def _server() -> str:
    if _NAMED:
        return _NAMED
    try:
        with create_engine(_HERE, poolclass=NullPool).connect():
            return _HERE
    except OperationalError:
        return _started()


def _started() -> str:
    """A server of our own, as whoever runs the tests: PostgreSQL refuses to be run by root."""
    programs = require_program("postgres").parent
    folder = Path(tempfile.mkdtemp(prefix="repletion-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    user = None
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres").pw_uid  # Debian's package makes it
        os.chown(folder, user, -1)
    port, data = free_port(), folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(
            command,
            check=True,
            user=user,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    run(programs / "initdb", "-D", data, "-U", "root", "-A", "trust", "-E", "UTF8", "--no-sync")
    control = programs / "pg_ctl"
    listen = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run(control, "-D", data, "-w", "-l", folder / "log", "-o", listen, "start")
    # Registered last, hence run first.
    atexit.register(run, control, "-D", data, "-m", "immediate", "stop")
    return f"postgresql+psycopg://root@127.0.0.1:{port}/postgres"
