"""Start: what is checked before anything listens, and the five lines that say what runs."""

from __future__ import annotations

import errno
import socket
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import make_url

from cards.protocol import Protocol
from service.config.settings import Settings, SettingsError


def check_free(host: str, port: int) -> None:
    """Raises SettingsError when nothing can listen there: gunicorn would try for seconds, in
    lines of a log, and end."""
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((bare, port))
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            reason = f"{where} is taken by another program: end it, or choose another --port"
        elif error.errno == errno.EACCES:
            reason = f"{where} is not for this user: choose a --port from 1024 on"
        else:
            reason = f"{where}: nothing can listen there: {error.strerror or error}"
        raise SettingsError(reason) from None


def announced(settings: Settings, protocol: Protocol, address: str) -> tuple[str, ...]:
    """Five lines: where, by which protocol, what is kept, for whom, whom it may ask.

    ``address`` is the URL at which this process listens.
    """
    url = settings.base_url or address
    return (
        f"Repletion {version('repletion')} at {url}/cds-services"
        + (f", listening at {address}" if url != address else f"; the workbench: {url}/"),
        f"Protocol: {protocol.name} {protocol.version} ({protocol.hash[:12]}), {_signed(protocol)}",
        f"Store: {_store(settings)}",
        f"Mode: {_mode(settings)}. Authentication: {_authentication(settings)}",
        f"FHIR servers that may be asked: {_hosts(settings)}",
    )


def _signed(protocol: Protocol) -> str:
    head = protocol.file.protocol
    if not head.reviewers:
        return "signed by nobody: not for use on patients"
    return (
        f"reviewed by {', '.join(head.reviewers)} on {head.reviewed}, review due {head.review_due}"
    )


def _store(settings: Settings) -> str:
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return f"SQLite, {Path(url.database or '').resolve()}"
    # Neither user nor password.
    return f"PostgreSQL, database {url.database} at {url.host}:{url.port or 5432}"


def _mode(settings: Settings) -> str:
    if settings.mode == "shadow":
        return "shadow (decides and stores, shows no card)"
    return "live"


def _authentication(settings: Settings) -> str:
    if settings.auth == "open":
        return "open (everyone on this machine, nobody else)"
    return f"jwt (clients of {settings.clients})"


def _hosts(settings: Settings) -> str:
    return ", ".join(settings.fhir_hosts) or "none (REPLETION_FHIR_HOSTS is empty)"
