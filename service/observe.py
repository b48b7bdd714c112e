"""Observer: one canonical log line a request, and the metrics.

The keys of a line are closed: a field is written only when it stands in ``RequestLine``, and
none of them can hold a value of the request (but for the name of a host that was refused), so no
patient data and no token reaches the log.
A path that is no route of ours is not written either: it may hold anything.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

import msgspec
import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

# W3C Trace Context: a later version may add fields, but begins as version 00 does.
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class RequestLine:
    """What is told of one request. ``route`` is the rule, ``rules`` the rule ids shown.

    ``unrecognised`` counts by kind. ``client`` and ``tenant`` are words of the clients file,
    ``refused`` why a token was (a trust.Reason), ``store`` "down" when the database did not
    answer. ``fhir_refused`` is the host of a FHIR server that was not asked, the one word of a
    request that is told, and ``allowed_by`` what would allow it (service.ehr.refused_server).
    """

    correlation_id: str
    method: str = ""
    route: str = ""
    status: int = 0
    ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    client: str | None = None
    tenant: str | None = None
    service: str | None = None
    mode: str | None = None
    protocol: str | None = None
    cards: int | None = None
    worst: str | None = None
    rules: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    unread: int = 0
    set_aside: int = 0
    unrecognised: Mapping[str, int] = field(default_factory=dict)
    feedback: int | None = None
    fhir_refused: str | None = None
    allowed_by: str | None = None
    store: str | None = None
    refused: str | None = None
    error: str | None = None
    where: tuple[str, ...] = ()


_FIELDS = tuple(RequestLine.__dataclass_fields__)

disable_created_metrics()  # type: ignore[no-untyped-call]
# The default registry: with PROMETHEUS_MULTIPROC_DIR set (service.server.serve, more than one
# worker) the values of all workers live in files there and are added up when read.
_REQUESTS = Counter("repletion_requests_total", "Requests answered", ["route", "status"])
_SECONDS = Histogram(
    "repletion_request_seconds",
    "Time to answer a hook call",
    ["service"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
_CARDS = Counter("repletion_cards_total", "Cards decided", ["service", "indicator"])
_SILENT = Counter("repletion_silent_total", "Hook calls answered without a card", ["service"])
_GAPS = Counter("repletion_gaps_total", "Needs that were not obtained", ["need"])
_UNREAD = Counter("repletion_unread_total", "Resources that could not be read", ["need"])
_UNRECOGNISED = Counter(
    "repletion_unrecognised_total", "Codes, units and names that are not known here", ["kind"]
)
_REFUSED = Counter("repletion_refused_total", "Calls not authenticated", ["reason"])
_STORE_DOWN = Counter("repletion_store_down_total", "Requests for which the database was down")
_FETCH = Histogram(
    "repletion_fetch_seconds",
    "Time to ask the record's FHIR server for what a call did not bring",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
_UNFETCHED = Counter(
    "repletion_unfetched_total", "Needs that were asked for and not fetched", ["need", "reason"]
)
_SHOWN_LOST = Counter(
    "repletion_shown_lost_total", "Rows for the store that were not stored", ["reason"]
)
_NOT_REMEMBERED = Counter(
    "repletion_quiet_unknown_total", "Hook calls for which earlier answers could not be read"
)
_FEEDBACK = Counter("repletion_feedback_total", "Feedback items taken", ["service", "outcome"])


class Observer:
    """Writes lines to ``out`` (default: standard output) and keeps the metrics."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._log = structlog.wrap_logger(
            # One write a line: of two, lines of other workers come between.
            structlog.WriteLogger(out or sys.stdout),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
            wrapper_class=structlog.BoundLogger,
            cache_logger_on_first_use=True,
        )

    def request(self, line: RequestLine) -> None:
        """Counts and writes one request."""
        _REQUESTS.labels(line.route, str(line.status)).inc()
        if line.service is not None and line.cards is not None:
            _SECONDS.labels(line.service).observe(line.ms / 1000)
            for need in line.gaps:
                _GAPS.labels(need).inc()
            if not line.cards:
                _SILENT.labels(line.service).inc()
        if line.refused is not None:
            _REFUSED.labels(line.refused).inc()
        if line.store is not None:
            _STORE_DOWN.inc()
        told = {k: v for k in _FIELDS if (v := getattr(line, k)) not in (None, (), "", {})}
        log = self._log.error if line.status >= 500 else self._log.info
        log("request", **told)

    def cards(self, service: str, indicators: list[str]) -> None:
        """Counts the cards of one decision."""
        for indicator in indicators:
            _CARDS.labels(service, indicator).inc()

    def unread(self, needs: list[str]) -> None:
        """Counts resources that could not be read, by the need they would have served."""
        for need in needs:
            _UNREAD.labels(need).inc()

    def unrecognised(self, kinds: Mapping[str, int]) -> None:
        """Counts what was not recognised, by its kind."""
        for kind, count in kinds.items():
            _UNRECOGNISED.labels(kind).inc(count)

    def fetched(self, seconds: float, gaps: Mapping[str, str]) -> None:
        """Counts one fetch; ``gaps`` are the reasons by need, in fixed words of ours."""
        _FETCH.observe(seconds)
        for need, reason in gaps.items():
            _UNFETCHED.labels(need, reason).inc()

    def fault(self, error: BaseException) -> None:
        """A line about an error of ours that cost a need and no more: its kind and its place."""
        self._log.error("fault", error=type(error).__name__, where=where(error))

    def feedback(self, service: str, outcomes: list[str]) -> None:
        """Counts feedback items."""
        for outcome in outcomes:
            _FEEDBACK.labels(service, outcome).inc()

    def lost(self, rows: int, reason: str) -> None:
        """Counts rows of cards shown, and of what was not recognised, that were not stored."""
        _SHOWN_LOST.labels(reason).inc(rows)

    def not_remembered(self) -> None:
        """Counts a hook call that was answered as if nothing had been answered before."""
        _NOT_REMEMBERED.inc()

    def event(self, name: str, **told: str | int | bool | None) -> None:
        """A line about the service itself (start, protocol, shutdown)."""
        self._log.info(name, **told)


def _to_json(line: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(line).decode()


def metrics() -> bytes:
    """The body of ``GET /metrics``, over all workers."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def correlation_id(traceparent: str | None) -> str:
    """The trace id of a W3C ``traceparent`` header when it is a valid one, else a new id."""
    match = _trace(traceparent)
    return match["trace"] if match else os.urandom(16).hex()


def trace_returned(correlation: str, traceparent: str | None) -> str:
    """The ``traceparent`` of our answer: the trace, our own span, the caller's flag."""
    match = _trace(traceparent)
    # Of the flags only "sampled" has a meaning that is ours to repeat.
    sampled = int(match["flags"], 16) & 1 if match else 0
    return f"00-{correlation}-{os.urandom(8).hex()}-{sampled:02x}"


def _trace(traceparent: str | None) -> re.Match[str] | None:
    match = _TRACEPARENT.fullmatch((traceparent or "").strip())
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return None
    zero = match["trace"].strip("0") == "" or match["span"].strip("0") == ""
    return None if zero else match


def where(error: BaseException) -> tuple[str, ...]:
    """The innermost places of an exception, ``cards/plan.py:41``: no message, no value."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return tuple("/".join(f.filename.split("/")[-2:]) + f":{f.lineno}" for f in frames)
