"""Tokens for tests: keys of our own, and the clients file that trusts them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

Json = dict[str, Any]
PATIENTS_KEY = "of the patients of tests"
BASE = "https://repletion.example.org"
ISSUER, OTHER = "https://ehr.example.org", "https://other.example.org"
JKU, OTHER_JKU = f"{ISSUER}/jwks.json", f"{OTHER}/jwks.json"


@cache
def ec(name: str, curve: str = "P-384") -> ECKey:
    """A key by any name: the same name gives the same key."""
    return ECKey.generate_key(curve)


@cache
def rsa(name: str, bits: int = 2048) -> RSAKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a key that is too short is made on purpose
        return RSAKey.generate_key(bits)


def public(key: ECKey | RSAKey, kid: str, **more: Any) -> Json:
    return {**key.as_dict(private=False), "kid": kid, **more}


def b64(data: bytes | str | Json) -> str:
    if isinstance(data, dict):
        data = json.dumps(data)
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Json | str, payload: Json | str, key: Any, algorithm: str = "") -> str:
    """A token whose parts are taken as they are, signed by the library's algorithm."""
    first, second = b64(header), b64(payload)
    name = algorithm or (header["alg"] if isinstance(header, dict) else "ES384")
    model = jws.JWSRegistry.algorithms[name]
    signature = model.sign(f"{first}.{second}".encode(), key)
    return f"{first}.{second}.{b64(signature)}"


def hmac_signed(header: Json, payload: Json, secret: bytes, digest: str = "sha256") -> str:
    first, second = b64(header), b64(payload)
    mac = hmac.new(secret, f"{first}.{second}".encode(), getattr(hashlib, digest)).digest()
    return f"{first}.{second}.{b64(mac)}"


def write_clients(folder: Path) -> Path:
    """Three clients: one with two keys and all services, one for two tenants, one of a jku."""
    sets = {
        "ehr.json": [public(ec("ehr"), "ehr-ec"), public(rsa("ehr"), "ehr-rsa")],
        "other.json": [public(ec("other"), "other-ec")],
        "clinic.json": [public(ec("clinic"), "clinic-ec")],
    }
    for name, keys in sets.items():
        (folder / name).write_text(json.dumps({"keys": keys}))
    path = folder / "clients.toml"
    path.write_text(
        f"""[[client]]
issuer = "{ISSUER}"
jku = "{JKU}"
jwks_file = "ehr.json"

[[client]]
issuer = "{OTHER}"
jku = "{OTHER_JKU}"
jwks_file = "other.json"
tenants = ["north", "south"]
services = ["magnesium-patient-view"]
protocol = "standard"
mode = "shadow"

[[client]]
issuer = "https://clinic.example.org"
jwks_file = "clinic.json"
"""
    )
    return path
