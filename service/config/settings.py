"""Settings: everything an operator chooses, read from ``REPLETION_*``; complete or no start.

Nothing else of the service reads the environment. The fields stand in the order in which
``repletion serve --help`` lists them, with their descriptions.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.ehr import read_hosts

PREFIX = "REPLETION_"
_OF_TESTS = "REPLETION_TEST_"  # read by the test suite, not by the service


JWT_NEEDS_A_KEY = (
    "REPLETION_AUTH=jwt needs REPLETION_SECRET, the key under which patient ids are hashed: the"
    " same on every machine, and never changed."
)


class SettingsError(Exception):
    """The service must not start; ``str()`` says why, one line a reason."""


def _split(value: Any) -> Any:
    return (
        tuple(v for part in value.split(",") if (v := part.strip()))
        if isinstance(value, str)
        else value
    )


def _zone(value: Any) -> Any:
    try:
        return ZoneInfo(value) if isinstance(value, str) else value
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError("no such time zone") from None
    except KeyError:
        raise ValueError("no such time zone") from None


def _allowed(entries: tuple[str, ...]) -> tuple[str, ...]:
    read_hosts(entries)  # raises ValueError
    return entries


List = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """See the descriptions; the defaults serve one machine, open, on loopback."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )

    protocol: str = Field("standard", description="path of a protocol file, or a shipped profile")
    database_url: str = Field(
        "sqlite:///repletion.db",
        repr=False,  # it may hold a password
        description="the store: sqlite:///FILE; for several machines postgresql://USER@HOST/NAME",
    )
    auth: Literal["open", "jwt"] = Field(
        "open", description="open: everyone, on loopback only; jwt: clients of REPLETION_CLIENTS"
    )
    clients: Path | None = Field(None, description="path of the trusted-clients file (jwt)")
    fhir_hosts: Annotated[List, AfterValidator(_allowed)] = Field(
        (),
        description="FHIR servers that may be asked: host or host:port, comma-separated; also"
        " addresses or networks (10.2.0.0/16) that these names may lead to when not public",
    )
    base_url: str | None = Field(
        None, description="public URL: JWT audience and links (needed for jwt)"
    )
    cors_origins: List | None = Field(
        None, description="origins of web clients, comma-separated; default * (open), none (jwt)"
    )
    max_body_mb: float = Field(10, gt=0, le=1024, description="largest request body, in MB")
    rate_limit: float | None = Field(
        None,
        ge=0,
        le=100_000,
        description="requests a second of one client to one worker, in bursts up to twice that;"
        " 0: no limit; default 200 (jwt), no limit (open)",
    )
    secret: SecretStr | None = Field(
        None,
        description="key under which patient ids are hashed and comments sealed, at least 16"
        " characters, the same on every machine; needed for jwt, else one is made and kept in the"
        " file repletion.secret beside the database",
    )
    pages_password: SecretStr | None = Field(
        None,
        description="jwt mode: opens the workbench and all outcomes and gaps in a browser (any user"
        " name), at least 12 characters; without it they are off there",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="jwt mode: the bearer token that opens /metrics to a scraper, at least 16"
        " characters; without it /metrics is off there",
    )
    mode: Literal["live", "shadow"] = Field(
        "live", description="shadow: decides as ever and answers no card"
    )
    fhir_deadline_s: float = Field(2, gt=0, le=30, description="time for all fetches of a call")
    tls_cert: Path | None = Field(None, description="path of the TLS certificate chain, PEM")
    tls_key: Path | None = Field(None, description="path of its key, PEM")
    proxies: List = Field(
        (),
        description="addresses or networks of the proxies that speak TLS for us and whose"
        " X-Forwarded-* count, comma-separated",
    )
    clock: Literal["system", "last-result"] = Field(
        "system", description="last-result: test benches with old data; open mode on loopback only"
    )
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] = Field(
        ZoneInfo("UTC"), description="the hospital's time zone, for 'next morning'"
    )

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("REPLETION_TLS_CERT and REPLETION_TLS_KEY go together")
        for name in ("tls_cert", "tls_key", "clients"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{PREFIX}{name.upper()}: no such file: {path}")
        if self.clock == "last-result" and self.auth != "open":
            raise ValueError("REPLETION_CLOCK=last-result is for open mode on loopback only")
        return self

    @field_validator("secret", "metrics_token")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("has at least 16 characters")
        return value

    @field_validator("pages_password")
    @classmethod
    def _long_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 12:
            raise ValueError("has at least 12 characters")
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("starts with http:// or https:// and names a host")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("has no query, fragment, user or password")
        return value.rstrip("/")

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            try:
                ipaddress.ip_network(address)
            except ValueError:
                # A name may come to mean another machine, and * is every machine.
                raise ValueError("expected IP addresses or networks (10.0.0.0/24)") from None
        return value

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that may read answers in a browser; ("*",) for every one."""
        if self.cors_origins is not None:
            return self.cors_origins
        return ("*",) if self.auth == "open" else ()

    @property
    def max_body(self) -> int:
        """The largest request body, in bytes (1 MB is 1,000,000 bytes)."""
        return int(self.max_body_mb * 1_000_000)

    @property
    def rate(self) -> float:
        """Requests a second that one client may send to one worker; 0: no limit."""
        if self.rate_limit is not None:
            return self.rate_limit
        return 0.0 if self.auth == "open" else 200.0

    def is_private(self, peer: str | None) -> bool:
        """Whether what came from the address ``peer`` came over a wire that nobody else reads.

        True with our own TLS, from a proxy that is named, and from this machine.
        """
        if self.tls_cert is not None:
            return True
        try:
            address = ipaddress.ip_address(peer or "")
        except ValueError:
            return False
        return address.is_loopback or any(
            address in ipaddress.ip_network(proxy) for proxy in self.proxies
        )

    def check_start(self, host: str) -> None:
        """Raises SettingsError when the service must not listen on ``host`` as it is set up."""
        if self.auth == "jwt":
            reasons = list(self._missing_for_jwt())
            if reasons:
                raise SettingsError("\n".join(reasons))
        elif not is_loopback(host):
            raise SettingsError(
                f"REPLETION_AUTH=open lets everyone in, so it is served on loopback only, not on"
                f" {host}. Bind to 127.0.0.1, or use REPLETION_AUTH=jwt."
            )

    def _missing_for_jwt(self) -> Iterator[str]:
        if self.clients is None:
            yield "REPLETION_AUTH=jwt needs REPLETION_CLIENTS, the file of those who may call."
        if self.secret is None:
            yield JWT_NEEDS_A_KEY
        if self.base_url is None:
            yield (
                "REPLETION_AUTH=jwt needs REPLETION_BASE_URL: a token counts only at the very URL"
                " it was made for."
            )
        elif not self.base_url.startswith("https:") and not is_loopback(
            urlsplit(self.base_url).hostname or ""
        ):
            yield "REPLETION_BASE_URL starts with https:// in jwt mode, except on loopback."
        if self.tls_cert is None and not self.proxies:
            yield (
                "REPLETION_AUTH=jwt starts only with TLS: set REPLETION_TLS_CERT and"
                " REPLETION_TLS_KEY, or name in REPLETION_PROXIES the proxy that speaks it for us."
                " On an open wire tokens and patient data can be read."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``. A name other than localhost counts as not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_settings() -> Settings:
    """The Settings of the environment; SettingsError when one is wrong or misspelt."""
    known = {name for name, _, _ in described()}
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and not name.startswith(_OF_TESTS) and name not in known
    )
    reasons = [f"{name}: there is no such setting" for name in unknown]
    try:
        settings = Settings()
    except ValidationError as error:
        reasons += [_reason(dict(e)) for e in error.errors()]
    if reasons:
        raise SettingsError("\n".join(reasons))
    return settings


def _reason(error: dict[str, Any]) -> str:
    # Never the value: it may be the secret.
    from cards.protocol import said

    where = ".".join(str(part) for part in error["loc"])
    words = said(error)
    return f"{PREFIX}{where.upper()}: {words}" if where else words


def described() -> Iterator[tuple[str, str, str]]:
    """(environment variable, default in words, description) of each setting."""
    for name, field in Settings.model_fields.items():
        default = field.default
        if default is None or default == ():
            words = "none"
        else:
            words = f"{default:g}" if isinstance(default, (int, float)) else str(default)
        yield PREFIX + name.upper(), words, field.description or ""
