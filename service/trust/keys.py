"""Keys: the public keys under which a client signs its tokens.

Pinned (a JWKS file read at start) or fetched from the jku that the clients file names, and
from nowhere else: a token can ask for that fetch but never say where to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from typing import Protocol as Shape

import msgspec
import requests
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

PublicKey = ECKey | RSAKey
# Key type of each algorithm that we accept: the EHR specifications name these two, and no
# shared-secret or unsigned algorithm may ever stand here.
KEY_TYPE: Mapping[str, str] = {"ES384": "EC", "RS384": "RSA"}

_MOST_BYTES = 256_000
_MOST_KEYS = 100
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 8192
_MOST_EXPONENT = 8  # base64url digits: 65537 needs 4; a giant one makes each verification slow

FETCH_S = 3.0
REFETCH_S = 60.0  # an unknown kid asks for the set again, at most this often
# Known keys are asked for again, so that a withdrawn key stops counting ...
_FRESH_S = 900.0
# ... but an unreachable client server must not silence the cards at once.
_STALE_S = 86_400.0
_WAITING = 4  # threads that may wait for one fetch: the others go on serving


class KeysError(Exception):
    """A JWKS that cannot be used; ``str()`` says why and holds no key."""


Keys = Mapping[tuple[str, str], PublicKey]


class KeySource(Shape):
    """Finds a key by kid and key type; None when the client has none such."""

    def find(self, kid: str, type_: str) -> PublicKey | None: ...


class Pinned:
    """The keys of a file."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def find(self, kid: str, type_: str) -> PublicKey | None:
        return self._keys.get((kid, type_))


class Fetched:
    """The keys behind a URL, cached.

    A known kid is answered from the cache at once. An unknown one fetches, at most once in
    REFETCH_S whatever comes of it; who asks meanwhile waits for that fetch.
    """

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._fetch, self._clock = url, fetch or fetch_jwks, clock
        self._keys: Keys = {}
        self._got = self._tried = float("-inf")
        self._fetching = threading.Lock()
        self._places = threading.BoundedSemaphore(_WAITING)

    def find(self, kid: str, type_: str) -> PublicKey | None:
        key = self._cached(kid, type_)
        if key is not None:
            if self._clock() - max(self._got, self._tried) > _FRESH_S:
                # Behind the caller's back: a slow key server delays nobody.
                threading.Thread(target=self._refetch, daemon=True).start()
            return key
        if not self._places.acquire(blocking=False):
            return None
        try:
            self._refetch()
        finally:
            self._places.release()
        return self._cached(kid, type_)

    def _cached(self, kid: str, type_: str) -> PublicKey | None:
        if self._clock() - self._got > _STALE_S:
            return None
        return self._keys.get((kid, type_))

    def _refetch(self) -> None:
        with self._fetching:
            # Looked at inside the lock: who waited for a fetch does not start another.
            if self._clock() - self._tried < REFETCH_S:
                return
            self._tried = self._clock()
            try:
                keys = read_jwks(self._fetch(self._url))
            except (KeysError, OSError):  # every error of requests is an OSError
                return
            self._keys, self._got = keys, self._clock()


def fetch_jwks(url: str, verify: bool | str = True) -> bytes:
    """The body at ``url``: https, no redirect, at most 256 kB and FETCH_S seconds in all.

    Raises KeysError. ``verify`` as in requests.
    """
    if not url.startswith("https://"):
        raise KeysError("keys are fetched by https only")
    result: list[bytes | Exception] = []

    def run() -> None:
        try:
            result.append(_get(url, verify))
        except Exception as error:
            result.append(error)

    # In a thread of its own: a server that sends one byte now and then would pass every
    # time-out of a single read.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(FETCH_S)
    if not result:
        raise KeysError("the key server did not answer in time")
    if isinstance(result[0], Exception):
        raise KeysError(f"the keys could not be fetched: {type(result[0]).__name__}")
    return result[0]


def _get(url: str, verify: bool | str) -> bytes:
    end = time.monotonic() + FETCH_S
    with requests.Session() as session:
        session.trust_env = False  # no .netrc, no proxy of the shell that started us
        with session.get(
            url,
            timeout=FETCH_S,
            allow_redirects=False,
            stream=True,
            verify=verify,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as response:
            if response.status_code != 200:
                raise KeysError("the key server did not answer 200")
            body = b""
            for chunk in response.iter_content(8192):
                body += chunk
                if len(body) > _MOST_BYTES or time.monotonic() > end:
                    raise KeysError("the key set is too large or too slow")
            return body


def read_jwks(data: bytes) -> Keys:
    """The usable public keys of a JWKS by (kid, key type).

    Keys for other ends (encryption, other curves and algorithms) are passed over, and so is a
    kid that stands for two keys of one type: which is meant cannot be known. Raises KeysError
    when nothing usable is left.
    """
    try:
        content: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise KeysError("is not JSON") from None
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise KeysError("is not a JWKS: it has no list `keys`")
    keys: dict[tuple[str, str], PublicKey] = {}
    twice = set()
    for entry in listed[:_MOST_KEYS]:
        found = _key(entry) if isinstance(entry, dict) else None
        if found is None:
            continue
        if found[0] in keys:
            twice.add(found[0])
        keys[found[0]] = found[1]
    for name in twice:
        del keys[name]
    if not keys:
        raise KeysError("has no key for ES384 (P-384) or RS384 (RSA, 2048 bits or more)")
    return keys


def _key(entry: dict[str, Any]) -> tuple[tuple[str, str], PublicKey] | None:
    kid, type_ = entry.get("kid"), entry.get("kty")
    if not isinstance(kid, str) or not kid:
        return None
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ("verify",)):
        return None
    try:
        # Only the public members are handed on: a private key in a JWKS (the Sandbox's
        # repository has one) is not kept in memory.
        if type_ == "EC" and entry.get("crv") == "P-384" and entry.get("alg", "ES384") == "ES384":
            ec = ECKey.import_key(
                {"kty": "EC", "crv": "P-384", "x": str(entry["x"]), "y": str(entry["y"])}
            )
            return (kid, "EC"), ec
        if type_ == "RSA" and entry.get("alg", "RS384") == "RS384":
            n, e = str(entry["n"]), str(entry["e"])
            if len(n) > _MOST_RSA_BITS // 6 + 2 or len(e) > _MOST_EXPONENT or len(n) < 342:
                return None
            rsa = RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
            if _LEAST_RSA_BITS <= rsa.public_key.key_size <= _MOST_RSA_BITS:
                return (kid, "RSA"), rsa
    except (KeyError, ValueError, TypeError, JoseError):
        return None
    return None
