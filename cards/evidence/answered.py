"""Answered: what a user answered to an earlier card, as a site's memory holds it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Answered(Struct, frozen=True, gc=False):
    """What was answered to an earlier card about this patient (what a site's memory holds).

    ``outcome`` is ``accepted`` or ``overridden``; ``result`` identifies the deciding result,
    ``draft`` the digest of the judged draft, ``acts_as`` the band class then, ``alarms`` the
    stops and flags shown then.
    """

    rule: str
    result: str
    outcome: str
    at: datetime
    acts_as: str | None = None
    draft: str | None = None
    alarms: frozenset[str] = frozenset()
