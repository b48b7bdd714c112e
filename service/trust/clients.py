"""Clients: the file of those who may call, read once at start; wrong anywhere, no start."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cards.protocol import Protocol, ProtocolError, said
from service.cdshooks.request import SERVICES
from service.config.protocol import load_named
from service.config.settings import SettingsError
from service.trust.keys import Fetched, KeysError, KeySource, Pinned, read_jwks

Mode = Literal["live", "shadow"]


@dataclass(frozen=True, slots=True)
class Client:
    """One ``[[client]]``. No ``tenants``: any, or none; no ``services``: all.

    ``protocol`` and ``mode`` are None where the entry leaves them to the settings.
    """

    issuer: str
    keys: KeySource
    jku: str | None = None
    tenants: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    protocol: Protocol | None = None
    mode: Mode | None = None


def _https(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("must be an https:// URL")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("must have no user, password or fragment")
    return url


def _service(id_: str) -> str:
    if id_ not in SERVICES:
        raise ValueError(f"is none of {', '.join(SERVICES)}")
    return id_


Text = Annotated[str, Field(min_length=1, max_length=512)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    issuer: Text
    jku: Annotated[Text, AfterValidator(_https)] | None = None
    jwks_file: Text | None = None
    tenants: list[Text] = []
    services: list[Annotated[Text, AfterValidator(_service)]] = []
    protocol: Text | None = None
    mode: Mode | None = None

    @model_validator(mode="after")
    def _keyed(self) -> _Entry:
        if self.jku is None and self.jwks_file is None:
            raise ValueError("needs `jku` or `jwks_file`: without keys no token can be verified")
        return self


def read_clients(path: Path) -> tuple[Client, ...]:
    """The clients of a file; SettingsError naming file, line, entry and field of each fault."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"REPLETION_CLIENTS: {path}: {error.strerror}") from None
    except ValueError as error:  # not UTF-8, or not TOML: tomllib says the line
        raise SettingsError(f"REPLETION_CLIENTS: {path}: {error}") from None
    tables = content.pop("client", None)
    if content or not isinstance(tables, list) or not tables:
        raise SettingsError(
            f"REPLETION_CLIENTS: {path}: expected [[client]] tables and nothing else"
        )
    places = _Places(path, text)
    faults: list[str] = []
    clients: list[Client] = []
    for position, table in enumerate(tables):
        try:
            clients.append(_client(_Entry.model_validate(table), path.parent))
        except ValidationError as error:
            faults += [places.at(position, e) for e in map(dict, error.errors())]
        except _Fault as error:
            faults.append(places.say(position, error.field, error.words))
    if not faults:
        faults = [places.say(p, "tenants", words) for p, words in _overlaps(clients)]
    if faults:
        raise SettingsError("\n".join(faults))
    return tuple(clients)


class _Fault(Exception):
    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field, self.words = field, words


def _client(entry: _Entry, folder: Path) -> Client:
    return Client(
        issuer=entry.issuer,
        keys=_keys(entry, folder),
        jku=entry.jku,
        tenants=frozenset(entry.tenants),
        services=frozenset(entry.services),
        protocol=None if entry.protocol is None else _protocol(entry.protocol, folder),
        mode=entry.mode,
    )


def _keys(entry: _Entry, folder: Path) -> KeySource:
    if entry.jwks_file is not None:
        try:
            return Pinned(read_jwks((folder / entry.jwks_file).read_bytes()))
        except OSError as error:
            raise _Fault("jwks_file", f"{entry.jwks_file}: {error.strerror}") from None
        except KeysError as error:
            raise _Fault("jwks_file", f"{entry.jwks_file} {error}") from None
    assert entry.jku is not None  # noqa: S101 - _keyed
    return Fetched(entry.jku)


def _protocol(name: str, folder: Path) -> Protocol:
    path = folder / name
    try:
        # A file beside this one, as with jwks_file; else the name of a shipped profile.
        return load_named(str(path) if path.is_file() else name)
    except SettingsError:
        raise _Fault("protocol", f"{name} is neither a shipped profile nor a file") from None
    except ProtocolError as error:
        raise _Fault("protocol", str(error)) from None


def _overlaps(clients: Iterable[Client]) -> list[tuple[int, str]]:
    """Entries that one token could mean both of."""
    seen: dict[tuple[str, str | None], int] = {}
    found = []
    for position, client in enumerate(clients):
        for tenant in client.tenants or (None,):
            before = seen.setdefault((client.issuer, tenant), position)
            if before != position:
                which = "every tenant" if tenant is None else f"tenant {tenant}"
                found.append((position, f"client {before + 1} is for {which} of this issuer, too"))
    return found


class _Places:
    """Says where in the file something is."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._lines = path, text.splitlines()
        self._heads = [
            n for n, line in enumerate(self._lines) if re.match(r"\s*\[\[\s*client\s*\]\]", line)
        ]

    def at(self, position: int, error: Mapping[str, Any]) -> str:
        field = ".".join(
            str(part + 1) if isinstance(part, int) else str(part) for part in error["loc"]
        )
        return self.say(position, field, said(error))

    def say(self, position: int, field: str, words: str) -> str:
        name = f"client {position + 1}" + (f", {field}" if field else "")
        return f"REPLETION_CLIENTS: {self._path}:{self._line(position, field)}: {name}: {words}"

    def _line(self, position: int, field: str) -> int:
        """The line of the field, else of its ``[[client]]``, counted from 1."""
        if position >= len(self._heads):  # written inline: client = [{…}]
            return 1
        start = self._heads[position]
        end = self._heads[position + 1] if position + 1 < len(self._heads) else len(self._lines)
        key = re.compile(rf"\s*[\"']?{re.escape(field.split('.')[0])}[\"']?\s*=")
        lines = (n for n in range(start, end) if field and key.match(self._lines[n]))
        return next(lines, start) + 1
