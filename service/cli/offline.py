"""Offline: what ``repletion decide`` was given, as the request that a hook would get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.cdshooks.fixture import read_fixture
from service.cdshooks.request import SERVICE_OF_HOOK


class NoRequest(ValueError):
    """It is none; ``str()`` says why."""


@dataclass(frozen=True, slots=True, repr=False)  # patient data
class Offline:
    """``body`` is sent to the service ``service``; ``remarks`` say how it was made."""

    body: bytes
    service: str
    remarks: tuple[str, ...] = ()


def read_offline(data: bytes, hook: str | None, now: datetime) -> Offline:
    """The Offline of a request (to the byte), a fixture (its times moved to ``now``) or a
    patient Bundle, of which ``hook`` is asked (default: order-select with a draft order in it,
    else patient-view). Raises NoRequest."""
    try:
        content: Any = json.loads(data)
        fixture = read_fixture(data)
    except RecursionError:
        raise NoRequest("the JSON is nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise NoRequest(str(error)) from None
    if fixture is not None:
        return Offline(fixture.body(now), fixture.service)
    if isinstance(content, dict) and content.get("resourceType") == "Bundle":
        return _of_bundle(data, hook, now)
    named = content.get("hook") if isinstance(content, dict) else None
    if not isinstance(named, str) or named not in SERVICE_OF_HOOK:
        raise NoRequest(
            f"expected a request for {', '.join(SERVICE_OF_HOOK)}, a fixture or a patient Bundle"
        )
    return Offline(data, SERVICE_OF_HOOK[named])


def _of_bundle(data: bytes, hook: str | None, now: datetime) -> Offline:
    # The workbench reads one, too: there and here it becomes the same request.
    from service.pages.paste import PasteError, hook_of, read_paste

    try:
        pasted = read_paste(data.decode("utf-8-sig"), hook, now)
    except (PasteError, UnicodeDecodeError) as error:
        raise NoRequest(str(error)) from None
    asked = hook_of(pasted.request)
    assert asked is not None  # noqa: S101 - read_paste made it
    return Offline(pasted.text.encode(), SERVICE_OF_HOOK[asked], pasted.remarks)
