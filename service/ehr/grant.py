"""Grant: what the token that the record lends us allows, and for how long.

Scopes are SMART App Launch v1 (``patient/Observation.read``) and v2 (``user/Observation.rs``,
``patient/Observation.rs?category=…|laboratory``). What they do not cover is not asked for: the
need is a gap. A scope narrowed by a search parameter answers a need in part, unless the
parameter is the category that all results of the need are in; part of it is used, and "none on
file" is never concluded from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

import msgspec

from cards.evidence import Need
from cards.fhir.resource import reference_key
from service.cdshooks.request import Authorization

Cover = Literal["all", "part", "none"]

EXPIRED = "the access lent for it has expired"
_UNUSABLE = "the access lent for it cannot be used"
_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Za-z]+)\.(\*|[a-z]+)(?:\?(.+))?")
# What RFC 6750 lets a bearer token consist of: anything else could end the header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_LONGEST = 16_384
# A lifetime longer than any deadline says the same as no lifetime.
_LONG = 3600.0
_VITAL = frozenset({"weight"})
_NO_LABORATORY = frozenset({"weight", "qtc", "pregnancy"})


@dataclass(frozen=True, slots=True)
class _Scope:
    type: str
    verbs: str  # of "cruds"
    categories: frozenset[str] | None = None  # None: not narrowed; empty: in another way


@dataclass(frozen=True, slots=True, repr=False)  # a repr would carry the token into a log
class Grant:
    """``header`` is the Authorization header, None for an open server; ``seconds`` how long it
    holds; ``refusal`` why nothing may be asked, in words; ``scopes`` None when none were told."""

    header: str | None = None
    seconds: float | None = None
    refusal: str | None = None
    scopes: tuple[_Scope, ...] | None = field(default=None)

    def covers(self, need: Need) -> Cover:
        """How much of a need may be asked for."""
        return self._covers(need.type, "r" if need.single else "s", _category(need))

    def reads(self, type_: str) -> bool:
        """Whether one resource of a type may be read by its id."""
        return self._covers(type_, "r", None) != "none"

    def _covers(self, type_: str, verb: str, category: str | None) -> Cover:
        if self.scopes is None:
            return "all"
        found = [s for s in self.scopes if s.type in ("*", type_) and verb in s.verbs]
        if any(s.categories is None or category in s.categories for s in found):
            return "all"
        return "part" if found else "none"


def read_grant(authorization: Authorization | None, patient_id: str) -> Grant:
    """The Grant of ``fhirAuthorization``; that of an open server when it is absent or holds no
    token: clients of open servers send an empty one."""
    token = (authorization.access_token or "").strip() if authorization is not None else ""
    if authorization is None or not token:
        return Grant()
    if (authorization.token_type or "bearer").lower() != "bearer" or not _is_token(token):
        return Grant(refusal=_UNUSABLE)
    seconds = _seconds(authorization)
    if seconds is not None and seconds <= 0:
        return Grant(refusal=EXPIRED)
    return Grant(f"Bearer {token}", seconds, None, _scopes(authorization, patient_id))


def _is_token(token: str) -> bool:
    return len(token) <= _LONGEST and _TOKEN.fullmatch(token) is not None


def _seconds(authorization: Authorization) -> float | None:
    raw = bytes(authorization.expires_in)
    try:
        seconds = float(msgspec.json.decode(raw, type=int | float | str)) if raw else None
    except ValueError:  # msgspec's errors are ValueErrors, too
        return None
    # NaN compares as false, and says nothing.
    return min(seconds, _LONG) if seconds is not None and seconds == seconds else None


def _scopes(authorization: Authorization, patient_id: str) -> tuple[_Scope, ...] | None:
    """None when no scopes were told: then the server decides."""
    told = (authorization.scope or "").split()
    if not told:
        return None
    # A token of patient scopes is bound to one patient; to another than ours it gives nothing.
    bound = authorization.patient
    key = reference_key(bound)
    ours = not bound or bound == patient_id or key == ("Patient", patient_id)
    matches = [match for text in told if (match := _SCOPE.fullmatch(text))]
    return tuple(_scope(match) for match in matches if ours or match[1] != "patient")


def _scope(match: re.Match[str]) -> _Scope:
    verbs = {"*": "cruds", "read": "rs", "write": "cud"}.get(match[3], match[3])
    if match[4] is None:
        return _Scope(match[2], verbs)
    name, _, value = unquote(match[4]).partition("=")
    if name != "category" or "&" in value:
        return _Scope(match[2], verbs, frozenset())
    return _Scope(match[2], verbs, frozenset(v.rsplit("|", 1)[-1] for v in value.split(",")))


def _category(need: Need) -> str | None:
    """The Observation category that all results of a need are in; None when none is sure."""
    if need.name in _VITAL:
        return "vital-signs"
    return "laboratory" if need.labs and need.name not in _NO_LABORATORY else None
