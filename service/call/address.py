"""Address: where discovery and the services of a CDS Hooks server are."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_DISCOVERY = "/cds-services"


class AddressError(ValueError):
    """The URL may not, or cannot, be called."""


@dataclass(frozen=True, slots=True)
class Address:
    """``discovery`` is the URL of discovery; ``service`` the id that the given URL named."""

    discovery: str
    service: str | None = None

    def of(self, service: str) -> str:
        return f"{self.discovery}/{service}"


def read_address(url: str, *, insecure: bool, is_loopback: bool) -> Address:
    """The Address of a base URL, of the URL of discovery, or of that of one service.

    Patient data and tokens go there: over plain http only on this machine, or when it is asked
    for. ``is_loopback`` says whether the host is this machine. Raises AddressError.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressError("starts with http:// or https:// and names a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise AddressError("has no user, password, query or fragment")
    if parts.scheme == "http" and not is_loopback and not insecure:
        raise AddressError(
            "is plain http to another machine: patient data and tokens could be read on the way."
            " Use https, or --insecure with made-up data"
        )
    base, found, rest = url.rstrip("/").partition(f"{_DISCOVERY}")
    service = rest.strip("/") if found else ""
    return Address(base + _DISCOVERY, service or None)


def host_of(url: str) -> str:
    """The host that a URL names, "" for none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
