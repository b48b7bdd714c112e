"""Feedback: what clinicians did with cards, as a client reports it.

Read here, stored by service.memory. What is free text may be about a patient: it is sealed there
and never logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cards.card import OVERRIDE_REASONS, REASON_SYSTEM
from service.cdshooks.request import SERVICES
from service.cdshooks.schema import complaints, explain
from service.errors import BadRequest, Issue, UnknownService

CLIENTS_OWN = "client's own"
_OURS = frozenset(code for code, _ in OVERRIDE_REASONS)


class AcceptedSuggestion(Struct, frozen=True):
    id: str


class ReasonCode(Struct, frozen=True):
    code: str | None = None
    system: str | None = None
    display: str | None = None


class OverrideReason(Struct, frozen=True):
    reason: ReasonCode | None = None
    userComment: str | None = None


class FeedbackItem(Struct, frozen=True):
    """What was done with one card; (card, outcome, outcomeTimestamp) tells repeats."""

    card: str
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: str
    acceptedSuggestions: list[AcceptedSuggestion] | None = None
    overrideReason: OverrideReason | None = None

    @property
    def at(self) -> datetime:
        """``outcomeTimestamp``. Raises ValueError when there is no such time."""
        return datetime.fromisoformat(self.outcomeTimestamp)

    @property
    def reason(self) -> str | None:
        """The code of a reason that our cards offer; CLIENTS_OWN for any other."""
        reason = self.overrideReason.reason if self.overrideReason is not None else None
        if reason is None:
            return None
        ours = reason.system in (None, "", REASON_SYSTEM) and reason.code in _OURS
        return reason.code if ours else CLIENTS_OWN

    @property
    def private(self) -> dict[str, str]:
        """The free text: comment, and a reason that is not ours."""
        given = self.overrideReason
        if given is None:
            return {}
        words: dict[str, str | None] = {"comment": given.userComment}
        if given.reason is not None and self.reason == CLIENTS_OWN:
            reason = given.reason
            words |= {"code": reason.code, "system": reason.system, "display": reason.display}
        return {name: text for name, text in words.items() if text}


@dataclass(frozen=True, slots=True)
class Feedback:
    """The good items of a call, and what is wrong with the others."""

    service: str
    items: tuple[FeedbackItem, ...]
    bad: tuple[Issue, ...] = ()


def read_feedback(body: bytes, service_id: str) -> Feedback:
    """The Feedback of a request body.

    A bad item is told of in ``bad`` (its pointer names it) and costs only itself. Raises
    UnknownService, and BadRequest when the body as a whole is not feedback.
    """
    if service_id not in SERVICES:
        raise UnknownService
    try:
        decoded: Any = msgspec.json.decode(body)
    except RecursionError:
        raise BadRequest.saying("The JSON is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest.saying("The body is not JSON.") from None
    if not isinstance(decoded, dict) or not isinstance(decoded.get("feedback"), list):
        raise BadRequest(*explain("feedback", body))
    items: list[FeedbackItem] = []
    bad: list[Issue] = []
    for position, item in enumerate(decoded["feedback"]):
        wrong = complaints("feedback", {"feedback": [item]})
        if wrong:
            bad += [
                Issue(w.text, (w.pointer or "").replace("/feedback/0", f"/feedback/{position}", 1))
                for w in wrong
            ]
        else:
            read = msgspec.convert(item, FeedbackItem)
            try:
                read.at.timestamp()
            except (ValueError, OverflowError):
                words = "is not a time that exists"
                bad.append(Issue(words, f"/feedback/{position}/outcomeTimestamp"))
            else:
                items.append(read)
    return Feedback(service_id, tuple(items), tuple(bad))
