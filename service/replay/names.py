"""Names: the pseudonyms that stand in a replay's rows instead of ids.

HMAC-SHA256 under REPLETION_SECRET (else the key kept in ``repletion.secret``): the same patient
has the same one in each run, of each engine, and the rows alone tell nobody who it is. They
differ from those in the store: who holds both cannot join them.
"""

from __future__ import annotations

import hmac

import msgspec

LENGTH = 24  # hex digits: no two of a billion patients share one


class Names:
    """Made of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def patient(self, id_: str) -> str:
        return self._hash("replay patient", id_)

    def resource(self, patient: str, name: str) -> str:
        """A resource (``Observation/1``) of a patient (its pseudonym)."""
        return self._hash("replay resource", patient, name)

    def _hash(self, *parts: str) -> str:
        return hmac.digest(self._key, msgspec.json.encode(parts), "sha256").hex()[:LENGTH]
