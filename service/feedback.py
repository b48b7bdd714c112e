"""Feedback: what clinicians did with cards, as a client reports it.

Until the memory issue brings the store, feedback is checked and counted (metrics) and then
forgotten: no quiet period follows from it yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Struct

from service.errors import BadRequest, Issue, UnknownService
from service.hooks import SERVICES
from service.schema import complaints, explain


class AcceptedSuggestion(Struct, frozen=True):
    id: str


class ReasonCode(Struct, frozen=True):
    code: str | None = None
    system: str | None = None
    display: str | None = None


class OverrideReason(Struct, frozen=True):
    """``userComment`` is free text about a patient: it is not read."""

    reason: ReasonCode | None = None


class FeedbackItem(Struct, frozen=True):
    """What was done with one card; (card, outcome, outcomeTimestamp) tells repeats."""

    card: str
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: str
    acceptedSuggestions: list[AcceptedSuggestion] | None = None
    overrideReason: OverrideReason | None = None


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
            items.append(msgspec.convert(item, FeedbackItem))
    return Feedback(service_id, tuple(items), tuple(bad))
