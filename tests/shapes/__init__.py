"""Whole requests in the shapes that records send: the vignette patient, with one part rewritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from service.answer import answer
from tests.vignette import NOW, SERVICE_IDS, build_request, offers

Json = dict[str, Any]
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"


def resources(request: Json, key: str) -> list[Json]:
    """The resources of a prefetch key, to be rewritten in place."""
    return [entry["resource"] for entry in request["prefetch"][key]["entry"]]


def answer_to(
    inputs: str, rewrite: Callable[[Json], object], hook: str = "patient-view", now: datetime = NOW
) -> Card:
    """The one card of a vignette's inputs after ``rewrite`` changed the request; ``now`` is in
    the time zone of the site."""
    request = build_request(hook, inputs)
    rewrite(request)
    found = answer(json.dumps(request).encode(), SERVICE_IDS[hook], now)
    return Card(json.loads(found.body))


class Card:
    """The worst indicator ("no card"), all its words, and its drugs: starred, offered."""

    def __init__(self, response: Json) -> None:
        cards = response["cards"]
        self.indicator = cards[0]["indicator"] if cards else "no card"
        self.words = " ".join(card["summary"] + "\n" + card.get("detail", "") for card in cards)
        found = offers(response)
        self.starred = [offer.shorthand for offer in found if offer.recommended]
        self.offered = [offer.shorthand for offer in found]
        self.frame = (self.indicator, " ".join(self.starred) or ("none" if found else "no drug"))


SEVERE = ("critical", "iv2/20")
