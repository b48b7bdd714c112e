"""Answer: the response to one CDS Hooks call. HTTP, the command line and the tests share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from msgspec import structs

import cards
from cards.card import Response
from cards.evidence import Answered, Evidence
from cards.fhir.instant import read_instant
from cards.protocol import Protocol, shipped
from service.cdshooks.request import HookRequest, read_hook
from service.errors import PatientMissing
from service.gather import Fetch, fetch_nothing, gather

Mode = Literal["live", "shadow"]
Clock = Literal["system", "last-result"]
_SILENT = b'{"cards":[]}'
_TEST_CLOCK = "TEST CLOCK"


@dataclass(frozen=True, slots=True, repr=False)  # as HookRequest
class Answer:
    """``body`` is what is sent, ``response`` what was decided: its body is sent when the mode is
    "live"; the rest is what it rests on.

    ``now`` is the moment that was decided for: with the last-result clock it is not the one
    that was given.
    """

    body: bytes
    response: Response
    decision: cards.Decision
    request: HookRequest
    evidence: Evidence
    protocol: Protocol
    now: datetime


def answer(
    body: bytes,
    service_id: str,
    now: datetime,
    protocol: Protocol | None = None,
    *,
    fetch: Fetch = fetch_nothing,
    answered: Callable[[HookRequest, Evidence], Sequence[Answered]] | None = None,
    mode: Mode = "live",
    clock: Clock = "system",
    page: str | None = None,
) -> Answer:
    """The answer to the request ``body`` sent to the service ``service_id``.

    ``now`` is aware, in the site's time zone. ``protocol`` defaults to the shipped profile
    ``standard``. ``answered`` looks up what was answered to earlier cards about the patient.
    ``mode`` "shadow" decides as ever and sends no card. ``clock`` "last-result" takes the
    patient's newest observation as now (test benches with old data) and every card says so.
    ``page`` is the address of the page of the protocol: cards link to it, and name the protocol
    that they rest on.

    Raises the errors of ``service.errors``: UnknownService, BadRequest, PatientMissing.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    protocol = protocol or _standard()
    request = read_hook(body, service_id)
    evidence, orders = gather(request, protocol, fetch=fetch)
    needed = cards.needs_patient(orders, protocol)
    if evidence.patient is None and needed:
        raise PatientMissing
    before = answered(request, evidence) if answered is not None and needed else ()
    banner = None
    if clock == "last-result":
        then, banner = _last_result(evidence, now), _TEST_CLOCK
        # People answer in their own time, also where the patient's stands still.
        before, now = [structs.replace(a, at=a.at - (now - then)) for a in before], then
    decision = cards.decide(evidence, orders, protocol, now, answered=before, banner=banner)
    response = decision.response(page and f"{page}?hash={protocol.hash[:16]}")
    sent = _SILENT if mode == "shadow" else response.body
    return Answer(sent, response, decision, request, evidence, protocol, now)


@cache
def _standard() -> Protocol:
    return shipped("standard")


def _last_result(evidence: Evidence, now: datetime) -> datetime:
    """The collection time of the newest observation on file, else ``now``."""
    times = [
        instant.start if instant.exact else instant.start + timedelta(days=1)
        for results in evidence.labs.values()
        for result in results
        if (instant := read_instant(result.effectiveDateTime or result.effectiveInstant))
    ]
    # A bare date is the whole day: at its midnight the results of that day would lie ahead.
    return max(times, default=now).astimezone(now.tzinfo)
