"""Observer: one canonical log line a request, and the metrics.

The keys of a line are closed: a field is written only when it stands in ``RequestLine``, and
none of them can hold a value of the request, so no patient data and no token reaches the log.
A path that is no route of ours is not written either: it may hold anything.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from dataclasses import dataclass
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

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_ZEROS = "0" * 32
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class RequestLine:
    """What is told of one request. ``route`` is the rule, ``rules`` the rule ids shown."""

    correlation_id: str
    method: str = ""
    route: str = ""
    status: int = 0
    ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    client: str | None = None
    service: str | None = None
    mode: str | None = None
    protocol: str | None = None
    cards: int | None = None
    worst: str | None = None
    rules: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    unread: int = 0
    set_aside: int = 0
    feedback: int | None = None
    error: str | None = None
    where: tuple[str, ...] = ()


_FIELDS = tuple(RequestLine.__dataclass_fields__)

disable_created_metrics()  # type: ignore[no-untyped-call]
# The default registry: with PROMETHEUS_MULTIPROC_DIR set (service.serve, more than one worker)
# the values of all workers live in files there and are added up when read.
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
_FEEDBACK = Counter("repletion_feedback_total", "Feedback items taken", ["service", "outcome"])


class Observer:
    """Writes lines to ``out`` (default: standard output) and keeps the metrics."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(out or sys.stdout),
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
        told = {k: v for k in _FIELDS if (v := getattr(line, k)) not in (None, (), "")}
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

    def feedback(self, service: str, outcomes: list[str]) -> None:
        """Counts feedback items."""
        for outcome in outcomes:
            _FEEDBACK.labels(service, outcome).inc()

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
    if traceparent is not None:
        match = _TRACEPARENT.fullmatch(traceparent.strip())
        if match and match[1] != _ZEROS:
            return match[1]
    return os.urandom(16).hex()


def where(error: BaseException) -> tuple[str, ...]:
    """The innermost places of an exception, ``cards/plan.py:41``: no message, no value."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return tuple("/".join(f.filename.split("/")[-2:]) + f":{f.lineno}" for f in frames)
