"""Message: the request to send, from a fixture or from what a record once sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.cdshooks.fixture import Fixture, read_fixture

Json = dict[str, Any]
# When something was known or written, as against when it is planned for: the newest of these
# is about when the request was made.
_WRITTEN = frozenset(
    {"effectiveDateTime", "effectiveInstant", "issued", "authoredOn", "recordedDate"}
)


class MessageError(ValueError):
    """The file holds no request; ``str()`` says why, without a word of it."""


@dataclass(frozen=True, slots=True, repr=False)  # patient data, perhaps a token
class Message:
    """A request: ``body`` as it is sent. ``service`` is the one the file names, ``how`` says
    what was done to it, ``secrets`` are the tokens in it."""

    body: bytes
    hook: str
    service: str | None
    prefetched: frozenset[str]
    how: str
    secrets: tuple[str, ...] = ()


def read_message(
    data: bytes, now: datetime, instance: str, *, captured: datetime | None, as_is: bool
) -> Message:
    """The Message of a file's content, its times as far from ``now`` as from when it was made.

    That is a fixture's own ``now``, else ``captured``, else its newest time of writing.
    ``instance`` becomes the hookInstance: some services refuse one that they have seen.
    ``as_is`` sends the request to the byte. Raises MessageError.
    """
    try:
        fixture = read_fixture(data)
        request = json.loads(data) if fixture is None else fixture.request
    except RecursionError:
        raise MessageError("the JSON is nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise MessageError(f"is not a request: {error}") from None
    hook = request.get("hook") if isinstance(request, dict) else None
    if not isinstance(hook, str) or not hook:
        raise MessageError("is not a CDS Hooks request: it names no hook")
    service = None if fixture is None else fixture.service
    if as_is:
        body = data if fixture is None else json.dumps(request, ensure_ascii=False).encode()
        return _message(request, body, service, "sent as it is")
    then = fixture.now if fixture is not None else captured or _newest(request)
    renewed = {**request, "hookInstance": instance}
    if then is None:
        body = json.dumps(renewed, ensure_ascii=False).encode()
        return _message(request, body, service, "no time in it to move")
    body = Fixture(then, "", renewed).body(now)
    return _message(request, body, service, f"its times moved by {_span(now - then)}")


def _message(request: Json, body: bytes, service: str | None, how: str) -> Message:
    prefetch, grant = request.get("prefetch"), request.get("fhirAuthorization")
    lent = grant.get("access_token") if isinstance(grant, dict) else None
    return Message(
        body=body,
        hook=request["hook"],
        service=service,
        prefetched=frozenset(prefetch) if isinstance(prefetch, dict) else frozenset(),
        how=how,
        secrets=(lent,) if isinstance(lent, str) and lent else (),
    )


def _newest(value: Any, key: str = "") -> datetime | None:
    return max(_times(value, key), default=None)


def _times(value: Any, key: str) -> Iterator[datetime]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _times(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _times(inner, key)
    elif isinstance(value, str) and key in _WRITTEN and "T" in value:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return
        yield moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _span(by: timedelta) -> str:
    seconds = round(abs(by.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    back = "back " if by.total_seconds() < 0 else ""
    return f"{back}{days} d {hours} h {minutes} min"
