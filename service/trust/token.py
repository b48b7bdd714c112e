"""Token: a JWT as the CDS Hooks specification describes it, read strictly.

Nothing of a token is believed before its signature has been verified, except the two things
that say which key to try: issuer and kid (and the tenant, which chooses among the entries of one
issuer). When there is no such key a verification is done all the same, with a key of ours: the
time of a refusal does not tell whether a kid exists.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NoReturn, TypeGuard

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from service.errors import NotAuthenticated
from service.trust.keys import KEY_TYPE, PublicKey

LEEWAY_S = 60
LIFETIME_S = 15 * 60
_MOST_CHARS = 12_000
_MOST_ID = 512  # characters of a jti, kid, issuer or tenant

Reason = Literal[
    "absent",  # no Authorization header
    "scheme",  # not one bearer token
    "malformed",  # not three parts of strict base64url and JSON
    "algorithm",  # neither ES384 nor RS384
    "header",  # typ, kid, or a parameter that we do not honour
    "issuer",  # not in the clients file
    "tenant",  # not a tenant of this client
    "jku",  # not the client's
    "key",  # the client has no such key
    "signature",
    "audience",
    "expired",
    "future",  # iat or nbf ahead
    "lifetime",  # exp - iat is no time up to 15 minutes
    "claims",  # one is missing or of the wrong kind
    "service",  # this client may not use this service
    "replayed",  # the jti was used before
    "plaintext",  # it came over a wire that anyone can read
    "route",  # no such route
    "metrics",  # not the token of REPLETION_METRICS_TOKEN
]


class Refused(NotAuthenticated):
    """The one 401. ``reason`` is for our log only."""

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True, repr=False)  # a repr would carry the token into a log
class Token:
    """A token read, not verified. ``issuer`` and ``tenant`` only choose a client."""

    text: str
    algorithm: str
    kid: str
    jku: str | None
    issuer: str
    tenant: str | None
    claims: dict[str, Any]


_BEARER = re.compile(
    r"bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)", re.IGNORECASE | re.ASCII
)
# Each would change what is verified or with what: a key of the sender's choice, an unencoded
# payload, compression, an extension that must be understood.
_NEVER = frozenset({"crit", "b64", "jwk", "x5u", "zip", "enc", "epk", "p2c", "p2s"})


def read_token(authorization: str | None) -> Token:
    """The Token of an ``Authorization`` header; Refused when it is not exactly one JWT.

    Two headers reach us joined by a comma, and a comma is in no token.
    """
    if not authorization:
        raise Refused("absent")
    match = _BEARER.fullmatch(authorization)
    if match is None or len(authorization) > _MOST_CHARS:
        raise Refused("scheme")
    text = match[1]
    first, second, third = text.split(".")
    header, claims = _object(first), _object(second)
    _bytes(third)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in KEY_TYPE:
        raise Refused("algorithm")
    kid, jku = header.get("kid"), header.get("jku")
    if header.get("typ") != "JWT" or not _is_id(kid) or not _NEVER.isdisjoint(header):
        raise Refused("header")
    if jku is not None and not isinstance(jku, str):
        raise Refused("jku")
    issuer, tenant = claims.get("iss"), claims.get("tenant")
    if not _is_id(issuer) or ("tenant" in claims and not _is_id(tenant)):
        raise Refused("claims")
    return Token(text, algorithm, kid, jku, issuer, tenant, claims)


def verify(token: Token, key: PublicKey | None) -> None:
    """Refused unless ``key`` signed the token. Takes as long when there is no key."""
    algorithm = token.algorithm
    tried = key if key is not None else dummy_key(KEY_TYPE[algorithm])
    registry = _registry(algorithm)
    try:
        jws.deserialize_compact(token.text, tried, registry=registry)
    except (JoseError, ValueError, TypeError):
        _refuse_key(key)
    if key is None:
        _refuse_key(key)


def _refuse_key(key: PublicKey | None) -> NoReturn:
    raise Refused("key" if key is None else "signature")


def check_claims(token: Token, audiences: tuple[str, ...], now: float) -> tuple[str, float]:
    """The jti and the expiry of a verified token; Refused unless all its claims are right.

    ``audiences`` are the URLs any of which the token may be for; ``now`` in seconds.
    """
    claims = token.claims
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not named or not all(isinstance(a, str) for a in named):
        raise Refused("claims")
    if not any(a in audiences for a in named):
        raise Refused("audience")
    expires, issued = _time(claims.get("exp")), _time(claims.get("iat"))
    begins = _time(claims["nbf"]) if "nbf" in claims else issued
    if not 0 < expires - issued <= LIFETIME_S:
        raise Refused("lifetime")
    if expires + LEEWAY_S <= now:
        raise Refused("expired")
    if max(issued, begins) > now + LEEWAY_S:
        raise Refused("future")
    jti = claims.get("jti")
    # Epic sends `sub`, too: the specification gives it no meaning here.
    if not _is_id(jti) or ("sub" in claims and not _is_id(claims["sub"])):
        raise Refused("claims")
    return jti, expires


def _time(value: Any) -> float:
    # A bool is an int to Python; NaN compares false with everything.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Refused("claims")
    if not 0 <= value < 1e11:
        raise Refused("claims")
    return float(value)


def _is_id(value: Any) -> TypeGuard[str]:
    """Whether ``value`` is text that can name something: visible, not blank, not endless."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _MOST_ID
        and value == value.strip()
        and value.isprintable()
    )


def _bytes(part: str) -> bytes:
    """The bytes of one part. Bits beyond the last byte must be zero: else one signature has
    several spellings."""
    try:
        found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Refused("malformed") from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part.encode():
        raise Refused("malformed")
    return found


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(
            _bytes(part).decode(), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise Refused("malformed") from None
    if not isinstance(found, dict):
        raise Refused("malformed")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name stands twice: two readers would read two tokens."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


class _Registry(jws.JWSRegistry):
    # The library's 512 bytes are too few for a long jku beside a certificate thumbprint;
    # read_token has bounded the whole.
    max_header_length = _MOST_CHARS


@cache
def _registry(algorithm: str) -> jws.JWSRegistry:
    return _Registry(algorithms=[algorithm], strict_check_header=False)


@cache
def dummy_key(type_: str) -> PublicKey:
    """A key that nobody has the private half of: what there is no key for is tried on it."""
    if type_ == "EC":
        return ECKey.import_key(ECKey.generate_key("P-384").as_dict(private=False))
    return RSAKey.import_key(RSAKey.generate_key(2048).as_dict(private=False))


def warm_up(dummy: Callable[[str], PublicKey] = dummy_key) -> None:
    """Makes the dummy keys before the first token comes: the RSA one takes 50 ms and more."""
    for type_ in KEY_TYPE.values():
        dummy(type_)
