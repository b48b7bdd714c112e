"""Store faults: why a database cannot be used, in words of ours, and what to do about it.

A driver's own message may quote what it was given: it is read here, and never passed on.
"""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

NO_DRIVER = (
    "REPLETION_DATABASE_URL: PostgreSQL needs the package psycopg, which is not installed here:"
    " python -m pip install 'psycopg[binary]'"
)
_SET = "set REPLETION_DATABASE_URL=postgresql://USER:PASSWORD@HOST:PORT/NAME"
# What stands in a message of PostgreSQL or its library, and what it means. The first that fits.
_MEANS = (
    ("Connection refused", f"nobody listens there (connection refused). Start it, or {_SET}"),
    ("could not translate host name", f"the host's name is not known here (DNS): {_SET}"),
    ("failed to resolve host", f"the host's name is not known here (DNS): {_SET}"),
    ("Name or service not known", f"the host's name is not known here (DNS): {_SET}"),
    ("timeout expired", f"the host did not answer in time. Look at the way there, or {_SET}"),
    ("No route to host", f"no way leads to the host from here: {_SET}"),
    ("unreachable", f"no way leads to the host from here: {_SET}"),
    ("authentication failed", f"user or password is not accepted: {_SET}"),
    ("no password supplied", f"a password is asked for: {_SET}"),
    ("no pg_hba.conf entry", "the server does not let this machine in (its pg_hba.conf)"),
    ('role "', f"the server knows no such user: {_SET}"),
    ('database "', "the server has no such database: make it (createdb), or name another"),
    ("permission denied", "the user may not make tables there: grant it CREATE on the schema"),
    ("database is locked", "another program keeps it locked"),
    ("readonly database", "the file may not be written by this user"),
    ("file is not a database", "the file is no SQLite database"),
)


def why_not(error: SQLAlchemyError) -> str:
    """Why a database cannot be used, and what to set or mend; else the error's kind."""
    origin = getattr(error, "orig", None) or error
    text = str(origin)
    found = next((words for mark, words in _MEANS if mark in text), None)
    return found or type(origin).__name__
