"""Token: the JWT by which a CDS Hooks client shows who it is, one for each call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

LIFETIME_S = 300
_LEAST_RSA_BITS = 2048


class KeyRefused(ValueError):
    """The key cannot sign; ``str()`` says why, without a word of it."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who signs. The key never shows in a repr."""

    issuer: str
    kid: str
    algorithm: str
    key: ECKey | RSAKey = field(repr=False)
    jku: str | None = None
    tenant: str | None = None

    def token(self, audience: str, now: datetime, jti: str) -> str:
        """A token for the URL ``audience``, good from ``now`` on for five minutes."""
        issued = int(now.timestamp())
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": audience,
            "iat": issued,
            "exp": issued + LIFETIME_S,
            "jti": jti,
        }
        if self.jku is not None:
            header["jku"] = self.jku
        if self.tenant is not None:
            claims["tenant"] = self.tenant
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])


def read_client(
    data: bytes, issuer: str, kid: str | None, jku: str | None, tenant: str | None
) -> Client:
    """The Client of a private JWK; ``kid`` defaults to the key's own. Raises KeyRefused."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise KeyRefused("is not JSON: expected a JWK") from None
    if not isinstance(content, dict) or "keys" in content:
        raise KeyRefused("is not one JWK: a key set has to be taken apart")
    kid = kid or content.get("kid")
    if not isinstance(kid, str) or not kid:
        raise KeyRefused("has no kid: give one with --kid")
    key, algorithm = _key(content)
    return Client(issuer, kid, algorithm, key, jku, tenant)


def _key(content: dict[str, Any]) -> tuple[ECKey | RSAKey, str]:
    # CDS Hooks names these two algorithms, and a service accepts no other.
    if "d" not in content:
        raise KeyRefused("has no private part: it can verify, and not sign")
    try:
        if content.get("kty") == "EC" and content.get("crv") == "P-384":
            return ECKey.import_key(_bare(content, "kty", "crv", "x", "y", "d")), "ES384"
        if content.get("kty") == "RSA":
            parts = ("kty", "n", "e", "d", "p", "q", "dp", "dq", "qi")
            rsa = RSAKey.import_key(_bare(content, *parts))
            if rsa.public_key.key_size >= _LEAST_RSA_BITS:
                return rsa, "RS384"
    except (KeyError, ValueError, TypeError, JoseError):
        raise KeyRefused("cannot be read as a JWK") from None
    raise KeyRefused("is neither EC P-384 (ES384) nor RSA of 2048 bits or more (RS384)")


def _bare(content: dict[str, Any], *names: str) -> Any:
    """The key itself: what else stands beside it (use, alg, key_ops) may be about verifying."""
    return {name: content[name] for name in names if name in content}
