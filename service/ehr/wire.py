"""Wire: bytes from a FHIR server, from the address that was checked, and not for ever.

urllib3 keeps the connections and does TLS. What is added: a connection is made to one given
address (the name is for the certificate and the Host header, and is not resolved again), and an
exchange can be cut off from another thread at any point, because a socket time-out starts anew
with every byte and a server that sends one byte a second would hold us for ever. Neither
proxies nor netrc of the environment are looked at, no redirect is followed, no cookie kept.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from service.ehr.hosts import Base

# urllib3 warns with the URL in its words, and with it the patient: nothing of it is wanted.
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)

_POOLS = 16  # addresses kept connected at a time
_IDLE = 32  # idle connections kept for each
_CHUNK = 65_536


class Broken(Exception):
    """No whole answer came. ``reason`` in words; ``temporary``: another try may help."""

    def __init__(self, reason: str, *, temporary: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.temporary = reason, temporary


UNREACHABLE = "the record's server could not be reached"
UNTRUSTED = "the record's server could not prove its identity"
BROKE_OFF = "the record's answer broke off"
TOO_LARGE = "the record's answer is too large"
UNREADABLE = "the record's answer could not be read"
LATE = "the record did not answer in time"


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; ``body`` is decoded, and empty unless the status is 200."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Handle:
    """A second descriptor of a connection: shut from any thread, whatever TLS made of the
    first, without the danger that its number meanwhile means another file."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._lock = sock.dup(), threading.Lock()

    def shut(self) -> None:
        with self._lock:
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # closed, or never connected

    def close(self) -> None:
        with self._lock:
            self._sock.close()


class Call:
    """One exchange at a time, which another thread may end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handle: _Handle | None = None
        self.over = False

    def hold(self, handle: _Handle | None) -> None:
        with self._lock:
            self._handle = handle
            if self.over and handle is not None:
                handle.shut()

    def end(self) -> None:
        """What is being sent or read now fails; what is begun later, too."""
        with self._lock:
            self.over = True
            if self._handle is not None:
                self._handle.shut()


_current = threading.local()  # the Call of this thread: urllib3 has no way to hand it down


class _Pinned:
    """Mixed into urllib3's connections: connects to ``addresses``, holds on to the Call."""

    _handle: _Handle | None = None

    def __init__(self, *args: Any, addresses: tuple[str, ...], **options: Any) -> None:
        super().__init__(*args, **options)
        self._pinned = addresses

    def _new_conn(self) -> socket.socket:
        # The whole time for the last address, a fair share for those before it: the first may
        # be an IPv6 address that leads nowhere.
        me: Any = self
        for left in range(len(self._pinned), 0, -1):
            address = self._pinned[-left]
            try:
                sock = socket.create_connection((address, me.port), me.timeout / left)
            except TimeoutError as error:
                if left == 1:
                    raise ConnectTimeoutError(me, "connect") from error
            except OSError as error:
                if left == 1:
                    raise NewConnectionError(me, "connect") from error
            else:
                break
        sock.settimeout(me.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._handle = _Handle(sock)
        _current.call.hold(self._handle)
        return sock

    def request(self, *args: Any, **options: Any) -> None:
        if self._handle is not None:
            _current.call.hold(self._handle)
        super().request(*args, **options)  # type: ignore[misc]  # a mixin: the connection it is mixed into has it

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        super().close()  # type: ignore[misc]  # a mixin: the connection it is mixed into has it


class _Http(_Pinned, HTTPConnection):
    pass


class _Https(_Pinned, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


_Place = tuple[Base, tuple[str, ...]]


class Wire:
    """Connections to FHIR servers, kept for reuse. Shared by all threads of a worker."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._pools: OrderedDict[tuple[Base, tuple[str, ...]], urllib3.HTTPConnectionPool] = (
            OrderedDict()
        )

    def ask(
        self,
        base: Base,
        addresses: tuple[str, ...],
        target: str,
        headers: Mapping[str, str],
        call: Call,
        seconds: float,
        most: int,
        form: str | None = None,
    ) -> Reply:
        """GET ``target`` (path and query) of ``base`` at the first of ``addresses`` that answers;
        with a ``form`` POST it.

        ``seconds`` bounds each wait for bytes (``call`` bounds the whole), ``most`` the body in
        bytes, unpacked. Raises Broken.
        """
        pool = self._pool(base, addresses)
        _current.call = call
        headers = {"Host": base.authority, "Accept-Encoding": "gzip", **headers}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            response = pool.urlopen(
                "GET" if form is None else "POST",
                target,
                body=form,
                headers=headers,
                timeout=urllib3.Timeout(connect=seconds, read=seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                body = _read(response, most) if response.status == 200 else b""
            finally:
                # Read to the end it went back to the pool by itself; anything else is closed,
                # and with it whatever the server is still sending.
                response.close() if response.status != 200 else response.release_conn()
        except (OSError, HTTPError, HTTPException) as error:
            raise _broken(error, call) from None
        finally:
            call.hold(None)
        if call.over:  # cut off within its headers, an answer looks like an empty one
            raise Broken(LATE)
        return Reply(response.status, response.headers, body)

    def _pool(self, base: Base, addresses: tuple[str, ...]) -> urllib3.HTTPConnectionPool:
        key = (Base(*base.origin, ""), addresses)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                options: dict[str, Any] = {"maxsize": _IDLE, "block": False, "addresses": addresses}
                if base.scheme == "https":
                    self._tls = self._tls or _tls()
                    pool = _HttpsPool(base.host, base.port, ssl_context=self._tls, **options)
                else:
                    pool = _HttpPool(base.host, base.port, **options)
                self._pools[key] = pool
            self._pools.move_to_end(key)
            old = self._pools.popitem(last=False)[1] if len(self._pools) > _POOLS else None
        if old is not None:
            old.close()
        return pool


def _broken(error: Exception, call: Call) -> Broken:
    if call.over:
        return Broken(LATE)
    if isinstance(error, NewConnectionError):  # a ConnectTimeoutError, to urllib3
        return Broken(UNREACHABLE, temporary=True)
    if isinstance(error, (TimeoutError, ReadTimeoutError, ConnectTimeoutError)):
        return Broken(LATE)
    causes = (error, *error.args)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Broken(UNTRUSTED)
    return Broken(BROKE_OFF, temporary=True)


def _tls() -> ssl.SSLContext:
    """Certificates are checked against the machine's store: hospitals have their own CAs."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    # A slim container has the folder and nothing in it; then those that requests brings.
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).glob("*.0"))):
        context.load_verify_locations(certifi.where())
    return context


def _read(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """The body, unpacked, at most ``most`` bytes of it: more raises Broken."""
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip", "x-gzip", ""):
        response.close()
        raise Broken(UNREADABLE)
    # Bounded while unpacking: a megabyte of gzip can hold a gigabyte.
    unpack = zlib.decompressobj(31) if packing.endswith("gzip") else None
    parts, size = [], 0
    while chunk := response.read(_CHUNK, decode_content=False):
        try:
            part = unpack.decompress(chunk, most + 1 - size) if unpack else chunk
        except zlib.error:
            response.close()
            raise Broken(UNREADABLE) from None
        parts.append(part)
        size += len(part)
        if size > most or (unpack and unpack.unconsumed_tail):
            response.close()
            raise Broken(TOO_LARGE)
    if unpack is not None and not unpack.eof:
        raise Broken(BROKE_OFF, temporary=True)
    return b"".join(parts)
