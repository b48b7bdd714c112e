"""Fetch: asks the caller's FHIR server for what the request did not bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol as Shape

from cards.evidence import Need, Unread
from cards.fhir.resource import Entry
from service.cdshooks.request import HookRequest


@dataclass(frozen=True, slots=True)
class Wanted:
    """A need to fetch: ``query`` is its template filled in, relative to the server's base."""

    need: Need
    query: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought: resources, or in ``gap`` why not, in words; both when incomplete.

    ``failed``: the server was asked and did not tell, so that not even a ``null`` in the
    request is believed any more.
    """

    entries: tuple[Entry, ...] = ()
    unread: tuple[Unread, ...] = ()
    gap: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Fetches:
    """What was fetched, by need name; a need left out stays as it was. ``medications`` are the
    Medication resources that were referred to and found; ``faults`` errors that were ours."""

    needs: Mapping[str, Fetched]
    medications: tuple[Entry, ...] = ()
    faults: tuple[BaseException, ...] = ()


class Fetch(Shape):
    """Asks the caller's FHIR server. ``references`` lead to Medications that did not come.

    Never raises: what fails is a ``Fetched`` with its ``gap``.
    """

    def __call__(
        self, request: HookRequest, wanted: tuple[Wanted, ...], references: frozenset[str]
    ) -> Fetches: ...


def fetch_nothing(
    request: HookRequest, wanted: tuple[Wanted, ...], references: frozenset[str] = frozenset()
) -> Fetches:
    """The Fetch of a service that calls nobody: with reasons for the card."""
    # An empty REPLETION_FHIR_HOSTS allows no server (contract).
    reason = (
        "not in the request, and no FHIR server to ask"
        if request.fhir_server is None
        else "not in the request, server not allowed"
    )
    return Fetches({w.need.name: Fetched(gap=reason) for w in wanted})
