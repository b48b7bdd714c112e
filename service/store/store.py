"""Store: what outlives a request. SQLAlchemy Core over SQLite (one machine) or PostgreSQL.

Tables (service.store.tables) are made and changed by the migrations in
``service/store/migrations``, at start, under a lock. Every transaction is short, and
every wait is bounded: a database that is down costs a hook about a second, never its answer.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    QueuePool,
    create_engine,
    delete,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.config.settings import SettingsError
from service.store.faults import NO_DRIVER, why_not
from service.store.tables import metadata, used_token

__all__ = ["Store", "StoreDown", "metadata", "open_store", "used_token"]

T = TypeVar("T")

# Seconds to wait for a lock, a connection or a statement.
_WAIT_S = 2
_MIGRATE_S = 60
_CONNECT_S = 5
_PRUNE_S = 60.0
_PRUNED = 5_000  # rows at a time: nobody waits for a great clearing-up
# After a server did not answer nobody tries it again for so long: one call waits, not each.
_REST_S = 5.0
# One more try after a fault: a connection that the server closed is found out by using it.
_TRIES = 2
# Any number, the same for every version of this program: "repletion" on a telephone.
_ADVISORY_LOCK = 737538466


class StoreDown(Exception):
    """The database did not do it in time. Nothing was stored. ``str()`` is safe to log."""


class Store:
    """One database. Made before the workers are forked; they share no connection."""

    def __init__(self, url: str, *, connections: int = 4, wait: float = _WAIT_S) -> None:
        """``connections`` is the most that one process opens, ``wait`` the seconds for a lock, a
        connection or a statement. Connects to nothing yet.

        Raises SettingsError when the URL is none of ours.
        """
        self._url = _url(url)
        self._connections, self._wait = connections, wait
        self.engine = self._engine(wait, pooled=True)
        # SQLite lets one write at a time: threads of one process queue here, in order, rather
        # than by polling the file, where the unlucky one starves.
        self._writing = threading.Lock() if self.is_sqlite else None
        self._watch = _Watch(wait)
        self._pruned = self._rests_until = float("-inf")
        # Made once: a token is marked at every call.
        insert = sqlite.insert if self.is_sqlite else postgresql.insert
        mark = insert(used_token).on_conflict_do_nothing()
        self._mark = mark.returning(used_token.c.expires)

    def waiting(self, wait: float) -> Store:
        """The same database with connections of its own and another patience, in seconds."""
        return Store(self._url.render_as_string(hide_password=False), wait=wait)

    @property
    def file(self) -> Path | None:
        """The database's file; None for PostgreSQL."""
        return Path(self._url.database or "") if self.is_sqlite else None

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    # --- at start ---------------------------------------------------------------------------

    def migrate(self) -> None:
        """Brings the schema to this version. Safe with others starting at the same time.

        All of it is one transaction, so a crash in the middle leaves the old schema. Raises
        SettingsError: the service must not start without its store.
        """
        self._make_file()
        engine = self._engine(_MIGRATE_S, pooled=False)
        try:
            with engine.begin() as connection:
                # SQLite: BEGIN IMMEDIATE holds everyone off until the commit.
                if not self.is_sqlite:
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK}
                    )
                _upgrade(connection)
        except SQLAlchemyError as error:
            raise SettingsError(
                f"REPLETION_DATABASE_URL: {self.name}: cannot be used: {why_not(error)}"
            ) from None
        finally:
            engine.dispose()
            self.engine.dispose()

    @property
    def name(self) -> str:
        """Which database this is, without user and password."""
        url = self._url
        return str(URL.create(url.get_backend_name(), None, None, url.host, url.port, url.database))

    def _make_file(self) -> None:
        if not self.is_sqlite or self._url.database is None:
            return
        try:
            # The owner only: it tells which clinicians' feedback came when.
            os.close(os.open(self._url.database, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise SettingsError(
                f"REPLETION_DATABASE_URL: {Path(self._url.database)}: {error.strerror}"
            ) from None

    # --- used tokens ------------------------------------------------------------------------

    def use_token(self, key: bytes, expires: float, now: float) -> bool:
        """Marks a token used, durably and for all workers and machines; False if it was.

        ``key`` names it (32 bytes), ``expires`` is when it may be forgotten, in seconds.
        Raises StoreDown.
        """

        def run(connection: Connection) -> bool:
            # The primary key decides between two that come at once: one of them inserts a row.
            row = connection.execute(self._mark, {"key": key, "expires": expires}).first()
            if time.monotonic() - self._pruned > _PRUNE_S:
                self._pruned = time.monotonic()
                _prune(connection, now)
            return row is not None

        return self.write(run)

    # --- transactions -----------------------------------------------------------------------

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, its changes committed to the disk. Raises StoreDown.

        ``work`` may be run twice: a first connection may turn out to be dead.
        """
        with self._turn():
            return self._attempt(lambda: self._in_transaction(work))

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns; it changes nothing. Raises StoreDown."""

        def run() -> T:
            with self.engine.connect() as connection, self._watched(connection):
                return work(connection.execution_options(reads=True))

        return self._attempt(run)

    def ping(self) -> bool:
        """Whether the database answers."""
        try:
            self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
        except StoreDown:
            return False
        return True

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with (
            self.engine.connect() as connection,
            self._watched(connection),
            connection.begin(),
        ):
            return work(connection)

    @contextmanager
    def _watched(self, connection: Connection) -> Iterator[None]:
        if self.is_sqlite:
            yield
            return
        with self._watch.over(cast(Any, connection.connection.dbapi_connection).fileno()):
            yield

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._writing is None:
            yield
            return
        if not self._writing.acquire(timeout=self._wait):
            raise StoreDown("no turn to write")
        try:
            yield
        finally:
            self._writing.release()

    def _attempt(self, run: Callable[[], T]) -> T:
        if time.monotonic() < self._rests_until:
            raise StoreDown("not tried: it did not answer a moment ago")
        started = time.monotonic()
        for left in reversed(range(_TRIES)):
            try:
                return run()
            except (DBAPIError, PoolTimeout) as error:
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                # Found closed, not cut off by us for hanging: a new one may do better.
                if left and lost and time.monotonic() - started < self._wait / 2:
                    continue
                # Of a file only a lock can be waited for, and the next may get it.
                if not self.is_sqlite and isinstance(error, (OperationalError, PoolTimeout)):
                    self._rests_until = time.monotonic() + _REST_S
                raise StoreDown(_kind(error)) from None
        raise AssertionError("unreachable")  # pragma: no cover - the last try returns or raises

    # --- engines ----------------------------------------------------------------------------

    def _engine(self, wait: float, *, pooled: bool) -> Engine:
        options: dict[str, Any] = {"hide_parameters": True}  # no value in an error's text
        if pooled:
            options |= {
                "poolclass": QueuePool,
                "pool_size": self._connections,
                "max_overflow": 0,
                "pool_timeout": wait,
                "pool_recycle": 1800,  # firewalls forget idle connections
            }
        else:
            options["poolclass"] = NullPool
        if self.is_sqlite:
            engine = create_engine(self._url, connect_args={"timeout": wait}, **options)
            event.listen(engine, "connect", _sqlite_connection)
            event.listen(engine, "begin", _sqlite_begin)
            return engine
        limits = f"-c statement_timeout={wait * 1000:.0f} -c lock_timeout={wait * 1000:.0f}"
        return create_engine(
            self._url,
            # Whole seconds, and the library takes 1 for 2.
            connect_args={
                "connect_timeout": max(2, int(min(wait, _CONNECT_S))),
                "options": limits,
                "tcp_user_timeout": 2000,
            },
            **options,
        )


class _Watch:
    """Cuts off connections over which nothing comes back in time.

    statement_timeout is the server's own, and one that hangs does not keep it either; its
    machine goes on acknowledging, so TCP sees nothing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._watched: dict[socket.socket, float] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, descriptor: int) -> Iterator[None]:
        """Watches the socket while the block runs."""
        # A descriptor of our own: the driver may close its, and the number be another's by then.
        line = socket.socket(fileno=os.dup(descriptor))
        with self._lock:
            self._watched[line] = time.monotonic() + self._seconds
            if self._thread is None:  # in the process that works, not in the one that forked it
                self._thread = threading.Thread(target=self._run, daemon=True, name="store-watch")
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._watched[line]
            line.close()

    def _run(self) -> None:
        while True:
            time.sleep(0.25)
            now = time.monotonic()
            with self._lock:
                for line, until in self._watched.items():
                    if until < now:
                        with suppress(OSError):  # cut already
                            line.shutdown(socket.SHUT_RDWR)


def open_store(url: str) -> Store:
    """The Store at ``url``, its schema that of this version. Raises SettingsError."""
    store = Store(url)
    store.migrate()
    return store


def _url(url: str) -> URL:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError("REPLETION_DATABASE_URL: is not a database URL") from None
    if found.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if find_spec("psycopg") is None:
            raise SettingsError(NO_DRIVER)
        return found.set(drivername="postgresql+psycopg")
    # A database in memory would be another one for each connection.
    if found.drivername in ("sqlite", "sqlite+pysqlite") and found.database not in (
        None,
        "",
        ":memory:",
    ):
        return found
    raise SettingsError("REPLETION_DATABASE_URL: expected sqlite:///FILE or postgresql://…")


def _prune(connection: Connection, now: float) -> None:
    old = (
        used_token.select()
        .with_only_columns(used_token.c.key)
        .where(used_token.c.expires < now)
        .limit(_PRUNED)
    )
    connection.execute(delete(used_token).where(used_token.c.key.in_(old)))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "service.store:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise SettingsError(
            "REPLETION_DATABASE_URL: the database was made by a newer version of this program"
        ) from None


def _kind(error: SQLAlchemyError) -> str:
    """What went wrong, by its kind: a driver's message may quote what it was given."""
    origin = getattr(error, "orig", None)
    return type(origin if origin is not None else error).__name__


# --- SQLite -----------------------------------------------------------------------------------

_PRAGMAS = (
    # A reader never waits for the writer, nor the writer for readers.
    "journal_mode=WAL",
    # WAL's usual NORMAL may lose the last commits when the power fails: a used token would be
    # good again, and feedback that was acknowledged would be gone.
    "synchronous=FULL",
    # Off by default, for old programs' sake.
    "foreign_keys=ON",
    # What is deleted is overwritten: what retention removed is not left in the file.
    "secure_delete=ON",
    # Sorting never writes rows to a temporary file outside the database's folder.
    "temp_store=MEMORY",
    # A schema that somebody tampered with cannot call functions with side effects.
    "trusted_schema=OFF",
)


def _sqlite_connection(connection: sqlite3.Connection, _: object) -> None:
    # The module would begin transactions by itself, late and deferred; _sqlite_begin does it.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        _patiently(partial(_set_pragma, connection, pragma))


def _set_pragma(connection: sqlite3.Connection, pragma: str) -> None:
    connection.execute(f"PRAGMA {pragma}").close()


def _patiently(work: Callable[[], None]) -> None:
    """The change to WAL is refused at once, not waited for, while another process makes it."""
    for _ in range(100):
        try:
            return work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.02)
    return work()


def _sqlite_begin(connection: Connection) -> None:
    # A statement that reads is a transaction by itself. IMMEDIATE: one that reads and then writes
    # would else find, too late to wait, that another wrote in between.
    if not connection.get_execution_options().get("reads", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
