"""Hosts: which FHIR servers we may call (REPLETION_FHIR_HOSTS).

``fhirServer`` comes from the request body, so whoever may call us could send us anywhere: into
the hospital's network, to a cloud's metadata address, to our own machine. Nothing is called
that is not listed, and a listed name does not lead to where its DNS was not expected to lead:

| entry of the list | allows |
|---|---|
| ``ehr.example.org`` | this name, on port 443 |
| ``ehr.example.org:8443`` | this name, on this port only |
| ``10.2.3.4``, ``[2001:db8::1]:8443`` | this address as a host; listed names may lead to it |
| ``127.0.0.1``, ``[::1]``, ``localhost`` | this machine, on any port, http too (test benches) |
| ``10.2.0.0/16`` | no host; listed names may lead to addresses in it |

A name may lead to public addresses. To any other (private, link-local, loopback, reserved,
multicast) only when the address is listed, itself or by its network. Nothing is guessed: an
address in decimal, octal or hexadecimal, or shortened, is a name that nobody listed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_ENTRY = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
# Stricter than any URL parser, so that no two parsers can disagree about where it leads: no
# user, no query, no fragment, no backslash, no space or control character.
_URL = re.compile(
    rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?((?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)",
    re.IGNORECASE,
)
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LONGEST = 2048
_LONGEST_NAME = 253  # of a host, in DNS


@dataclass(frozen=True, slots=True)
class Base:
    """The base of an allowed FHIR server; ``host`` without brackets, ``path`` without its end
    slash."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> Address | None:
        """The host as an address; None when it is a name."""
        return _address(self.host)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def root(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        return self.root + self.path


@dataclass(frozen=True, slots=True)
class Hosts:
    """The allow-list. ``listed`` are (host, port), the port None when none was written."""

    listed: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[Network, ...] = ()

    def base(self, url: str) -> Base | None:
        """The Base of a ``fhirServer``; None when it may not be called."""
        base = read_base(url)
        if base is None or not self._lists(base):
            return None
        return base if base.scheme == "https" or _is_here(base.host) else None

    def _lists(self, base: Base) -> bool:
        if (base.host, base.port) in self.listed:
            return True
        return (base.host, None) in self.listed and (base.port == 443 or _is_here(base.host))

    def permits(self, base: Base, address: str) -> bool:
        """Whether ``base`` may be called at this address, which its name led to."""
        found = _address(address)
        if found is None:
            return False
        if base.address is not None:
            return found == base.address
        inner = _inner(found)
        if base.host == "localhost":
            return inner.is_loopback
        if _is_public(found) and _is_public(inner):
            return True
        literals = {host for host, _ in self.listed}
        return str(inner) in literals or any(inner in network for network in self.networks)


def read_hosts(entries: Iterable[str]) -> Hosts:
    """The Hosts of a setting. Raises ValueError, saying which entry is wrong."""
    listed, networks = set(), []
    for entry in entries:
        if "/" in entry:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                raise ValueError(f"{entry} is neither host, host:port nor network") from None
            continue
        match = _ENTRY.fullmatch(entry)
        host = _host(match[1]) if match else None
        port = int(match[2]) if match and match[2] else None
        if host is None or (port is not None and not 0 < port < 65536):
            raise ValueError(f"{entry} is neither host nor host:port (IPv6 in brackets)")
        listed.add((host, port))
    return Hosts(frozenset(listed), tuple(networks))


def read_base(url: str) -> Base | None:
    """The Base of a URL of a server; None when it is no plain http or https URL."""
    match = _URL.fullmatch(url) if len(url) <= _LONGEST else None
    host = _host(match[2]) if match else None
    if match is None or host is None:
        return None
    scheme = match[1].lower()
    port = int(match[3]) if match[3] else _PORTS[scheme]
    return Base(scheme, host, port, match[4].rstrip("/")) if 0 < port < 65536 else None


def refused_server(url: str | None, entries: Iterable[str]) -> tuple[str | None, str | None]:
    """(the host of a server that was not asked, what would allow it), for the log.

    What is no plain URL is not named: it may hold anything.
    """
    base = read_base(url or "")
    if base is None or len(base.host) > _LONGEST_NAME:
        return None, "fhirServer is no plain http or https URL"
    setting = f"REPLETION_FHIR_HOSTS={base.authority}"
    if read_hosts(entries).base(url or "") is not None:
        setting = f"REPLETION_FHIR_HOSTS: the address or network that {base.host} leads to"
    elif base.scheme == "http" and not _is_here(base.host):
        setting += ", and https in the record's fhirServer"
    return base.authority, setting


def _host(text: str) -> str | None:
    """A host in its one spelling; None for what only looks like an address."""
    text = text.lower()
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            return None
    # As browsers have it: a name whose last label is a number is an address, or nothing.
    last = text.rsplit(".", 1)[-1]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            return None
    return text


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_here(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that leads to it, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.teredo is not None:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )
