"""Wire: one HTTP request and its answer, or why there is none. Nothing is followed or kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.exceptions import ConnectionError as NotConnected

_MOST_BYTES = 20_000_000


class NoAnswer(Exception):
    """Nothing came back that is an answer; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes out. ``body`` None: a GET."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True, slots=True)
class Came:
    """What came back, and after how many milliseconds the last byte was here."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    ms: float


class Wire:
    """One connection, kept from discovery to the call, as a record keeps it.

    ``seconds`` bound each request whole. ``authorities`` is a PEM file of certificates to trust
    instead of the machine's own.
    """

    def __init__(self, seconds: float, authorities: Path | None = None) -> None:
        self._seconds = seconds
        self._verify: bool | str = True if authorities is None else str(authorities)
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc, no proxy of the shell
        self._session.headers.clear()

    def send(self, sent: Sent) -> Came:
        """The answer to ``sent``. Raises NoAnswer."""
        started = time.perf_counter()
        try:
            with self._session.request(
                sent.method,
                sent.url,
                data=sent.body,
                headers=dict(sent.headers),
                timeout=self._seconds,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
            ) as response:
                body = self._body(response, started)
                ms = (time.perf_counter() - started) * 1000
                return Came(response.status_code, dict(response.headers), body, ms)
        except requests.RequestException as error:
            raise NoAnswer(_why(error, self._seconds)) from None
        except OSError as error:  # the file of --ca
            raise NoAnswer(f"the certificates cannot be read: {error}") from None

    def close(self) -> None:
        self._session.close()

    def _body(self, response: requests.Response, started: float) -> bytes:
        body = b""
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > _MOST_BYTES:
                raise NoAnswer("the answer is longer than 20 MB")
            # A server that sends a byte now and then passes every time-out of a single read.
            if time.perf_counter() - started > self._seconds:
                raise NoAnswer(_late(self._seconds))
        return body


def _late(seconds: float) -> str:
    return f"nothing whole came within {seconds:g} s"


def _why(error: requests.RequestException, seconds: float) -> str:
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        reason = text.rpartition("SSLCertVerificationError")[2].strip("()', ") or "no TLS there"
        return f"the server's certificate is not accepted, or it speaks no TLS: {reason}"
    if isinstance(error, requests.Timeout):
        return _late(seconds)
    if isinstance(error, NotConnected):
        if "Connection refused" in text:
            return "nobody listens there (connection refused)"
        if "NameResolutionError" in text or "Failed to resolve" in text:
            return "the name of the host is not known here (DNS)"
        if "unreachable" in text or "No route" in text:
            return "no way leads there from this machine (network unreachable)"
        return "the connection was cut before an answer came"
    return f"the answer cannot be read as HTTP ({type(error).__name__})"
