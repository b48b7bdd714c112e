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
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "REPLETION_"
_OF_TESTS = "REPLETION_TEST_"  # read by the test suite, not by the service


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


List = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """See the descriptions; the defaults serve one machine, open, on loopback."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )

    protocol: str = Field("standard", description="path of a protocol file, or a shipped profile")
    database_url: str = Field(
        "sqlite:///repletion.db", description="SQLAlchemy URL of the store (not used yet)"
    )
    auth: Literal["open", "jwt"] = Field(
        "open", description="open: everyone, on loopback only; jwt: clients of REPLETION_CLIENTS"
    )
    clients: Path | None = Field(None, description="path of the trusted-clients file (jwt)")
    fhir_hosts: List = Field(
        (), description="FHIR servers that may be asked: host or host:port, comma-separated"
    )
    base_url: str | None = Field(None, description="public URL: JWT audience and links")
    cors_origins: List | None = Field(
        None, description="origins of web clients, comma-separated; default * (open), none (jwt)"
    )
    max_body_mb: float = Field(10, gt=0, le=1024, description="largest request body, in MB")
    secret: SecretStr | None = Field(None, description="key under which patient ids are hashed")
    mode: Literal["live", "shadow"] = Field(
        "live", description="shadow: decides as ever and answers no card"
    )
    fhir_deadline_s: float = Field(2, gt=0, le=30, description="time for all fetches of a call")
    tls_cert: Path | None = Field(None, description="path of the TLS certificate chain, PEM")
    tls_key: Path | None = Field(None, description="path of its key, PEM")
    proxies: List = Field(
        (), description="addresses of the proxies whose X-Forwarded-* count, comma-separated"
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
        for path in (self.tls_cert, self.tls_key, self.clients):
            if path is not None and not path.is_file():
                raise ValueError(f"no such file: {path}")
        if self.clock == "last-result" and self.auth != "open":
            raise ValueError("REPLETION_CLOCK=last-result is for open mode on loopback only")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError("REPLETION_BASE_URL starts with http:// or https://")
        return self

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

    def check_start(self, host: str) -> None:
        """Raises SettingsError when the service must not listen on ``host`` as it is set up."""
        if self.auth == "jwt":
            raise SettingsError(
                "REPLETION_AUTH=jwt: this version cannot verify tokens yet, so it does not start"
                " rather than let anyone in. Use REPLETION_AUTH=open on loopback."
            )
        if not is_loopback(host):
            raise SettingsError(
                f"REPLETION_AUTH=open lets everyone in, so it is served on loopback only, not on"
                f" {host}. Bind to 127.0.0.1, or use REPLETION_AUTH=jwt."
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
    where = ".".join(str(part) for part in error["loc"])
    words = str(error["msg"]).removeprefix("Value error, ")
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
