"""Pseudonyms: what the store holds instead of ids and free text.

HMAC-SHA256 under REPLETION_SECRET: the same patient has the same hash on every machine with
that secret, and a copied database tells nobody who it is. Comments are sealed with a key that is
derived from the same secret (AES-256-GCM).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from service.cdshooks.request import HookRequest
from service.config.secret import FILE, kept_key
from service.config.settings import JWT_NEEDS_A_KEY, Settings, SettingsError
from service.store import Store
from service.trust import Caller

_SEALED = {"alg": "dir", "enc": "A256GCM"}
_HEADER = base64.urlsafe_b64encode(msgspec.json.encode(_SEALED)).decode().rstrip("=")
_NO_ID = "/?"  # how cards.fhir.resource.name ends for a resource without an id


def read_key(settings: Settings, store: Store) -> bytes:
    """The secret of the settings; in open mode else one that is made once and kept in a file
    beside the database (in the working directory for PostgreSQL). Raises SettingsError."""
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    if settings.auth != "open":
        raise SettingsError(JWT_NEEDS_A_KEY)
    path = (store.file.parent if store.file is not None else Path()) / FILE
    try:
        return kept_key(path)
    except OSError as error:
        raise SettingsError(f"REPLETION_SECRET is not set, and {path}: {error.strerror}") from None


class Pseudonyms:
    """Made of one key. Each use has a key of its own, so no hash serves for another thing."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._seal = OctKey.import_key(hmac.digest(key, b"repletion seal", "sha256"))

    def _hash(self, *parts: str) -> bytes:
        # As JSON: no two lists of parts read the same.
        return hmac.digest(self._key, msgspec.json.encode(parts), hashlib.sha256)

    def patient(self, caller: Caller, request: HookRequest) -> bytes:
        """A patient of one issuer and tenant; where no tenant is said, of one FHIR server."""
        issuer, server = caller.issuer or "", (request.fhir_server or "").rstrip("/")
        if caller.tenant is not None:
            return self._hash("patient", issuer, "tenant", caller.tenant, request.patient_id)
        return self._hash("patient", issuer, "server", server, request.patient_id)

    def tenant(self, caller: Caller) -> str:
        """The tenant as the clients file names it; what only the token says is hashed."""
        if caller.tenant is None:
            return ""
        if caller.listed:
            return caller.tenant
        return "#" + self._hash("tenant", caller.issuer or "", caller.tenant).hex()[:16]

    def result(self, patient: bytes, source: str) -> bytes | None:
        """A result of a patient (``cards.fhir.resource.version``), "" for none on file; None when
        it has no id: nothing may be taken for it later."""
        if source.partition("|")[0].endswith(_NO_ID):
            return None
        return self._hash("result", patient.hex(), source)

    def draft(self, patient: bytes, digest: str) -> str:
        """A draft by the digest of its content."""
        return self._hash("draft", patient.hex(), digest).hex()

    def unrecognised(self, *sent: str) -> bytes:
        """A kind of thing that was not recognised."""
        return self._hash("unrecognised", *sent)

    def of_unrecognised(self, key: bytes, patient: bytes) -> bytes:
        """A patient who had it: of two such rows nobody can tell that it was the same one."""
        return self._hash("unrecognised of", key.hex(), patient.hex())

    def short(self, text: str) -> str:
        """A text that is not told, so that the same is known again: ``#`` and 12 digits."""
        return "#" + self._hash("text", text).hex()[:12]

    def seal(self, value: dict[str, str]) -> bytes | None:
        """Free text of a client, encrypted; None for none."""
        if not value:
            return None
        whole = jwe.encrypt_compact(_SEALED, msgspec.json.encode(value), self._seal)
        # Without the header, which is always the same: nothing of it is believed later.
        return whole.removeprefix(_HEADER).encode()

    def open(self, sealed: bytes) -> dict[str, str] | None:
        """What was sealed; None when it was with another secret."""
        try:
            plain = jwe.decrypt_compact(_HEADER.encode() + sealed, self._seal).plaintext
            return msgspec.json.decode(plain or b"", type=dict[str, str])
        except (JoseError, ValueError):
            return None
