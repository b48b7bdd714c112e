"""Sample: some cards of a replay, drawn by chance, whole, for a pharmacist to mark keep or drop.

A card's place in the draw is a hash of the seed and of the call: which are drawn depends on no
engine, no order of walking and no other card. ``sample.md`` is patient data. Each card ends in a
keyed hash of what stands above it, and the head in one of all cards: marks are counted for what
was drawn, unaltered and whole (marks.py).
"""

from __future__ import annotations

import hashlib
import hmac
from bisect import insort
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

import cards
from cards.fhir.resource import Resource, many
from service.replay.describe import hours
from service.replay.moment import Moment, Written
from service.replay.row import AFTER_H

FORMAT = "repletion-replay-sample/1"
CARD, END = "<!-- card ", "<!-- end "
HEAD = "<!-- sample "
CLOSE = " -->"
_FIRST = """\
**Patient data.** For the one who reads these cards, in this house: not for mail, ticket or report.

Each card below is one that the protocol would have shown. After `Mark:` write `keep` (new, true,
to be done now, worth the interruption) or `drop`; after `Why:` the reason, if you like. Leave all
else as it is: a file in which a card was altered is not counted. Then
`repletion replay --marks sample.md --out DIR`.
"""


class Sampled(Struct, frozen=True, order=True):
    """A card that was drawn: ``rank`` is its place in the draw, ``rule`` the finding it leads
    with, ``text`` all of it in Markdown."""

    rank: str
    rule: str
    text: str


class Drawn(Struct, frozen=True):
    """The first in the draw of some patients, and how many cards they had."""

    cards: int = 0
    first: tuple[Sampled, ...] = ()


class Head(Struct, frozen=True):
    """What a sample is of: ``cards`` of ``of``, under one protocol."""

    format: str
    software: str
    protocol: str
    version: str
    hash: str
    seed: str
    cards: int
    of: int


class Sample:
    """Draws ``size`` cards at most."""

    def __init__(self, size: int, seed: str) -> None:
        self._size, self._seed = size, seed
        self._first: list[Sampled] = []
        self._cards = 0

    def rank(self, *call: str) -> str:
        return hashlib.sha256(msgspec.json.encode([self._seed, *call])).hexdigest()

    def wants(self, rank: str) -> bool:
        """Whether a card of that rank is still among the first."""
        first = self._first
        return len(first) < self._size or (bool(first) and rank < first[-1].rank)

    def add(self, drawn: Drawn) -> None:
        self._cards += drawn.cards
        for one in drawn.first:
            insort(self._first, one)
        del self._first[self._size :]

    def drawn(self) -> Drawn:
        return Drawn(self._cards, tuple(self._first))


# --- a card -------------------------------------------------------------------------------------


def card_text(
    decision: cards.Decision, moment: Moment, later: Iterable[Written], results: Iterable[Moment]
) -> str:
    """The card, the facts it rests on, what was ordered and what was ordered ``later``."""
    (card,) = msgspec.json.decode(decision.response().body)["cards"]
    now = decision.chart.now
    parts = [f"**{card['indicator']}, {moment.hook}:** {card['summary']}", card["detail"]]
    parts.append(_list("Suggested", map(_suggested, card.get("suggestions", ()))))
    facts = next(stage.lines for stage in decision.trace().stages() if stage.title == "Facts")
    parts.append(_list("Facts", facts))
    if moment.orders:
        parts.append(_list("Ordered in this call", (_order(o.resource, o) for o in moment.orders)))
    after = [
        f"{hours(o.at, now):.1f} h after: {_order(o.resource, o)}"
        for o in later
        if o not in moment.orders and 0 <= hours(o.at, now) <= AFTER_H
    ]
    parts.append(_list(f"Ordered in the {AFTER_H} h after", after))
    coming = next((m for m in results if m.at > moment.at), None)
    if coming is not None:
        told = f"{hours(coming.at, now):.1f} h after: {_value(coming.resource)}"
        parts.append(_list("Next magnesium result", [told]))
    return "\n\n".join(parts)


def _list(title: str, items: Iterable[str]) -> str:
    lines = [f"- {' '.join(item.split())}" for item in items]
    return "\n".join([f"*{title}*", "", *(lines or ["- nothing"])])


def _suggested(suggestion: dict[str, Any]) -> str:
    star = " (recommended)" if suggestion.get("isRecommended") else ""
    return f"{suggestion['label']}{star}"


def _order(resource: Resource, written: Written) -> str:
    lines = [line.text for line in many(resource.dosageInstruction) if line.text]
    return "; ".join([written.order.label or "an order without a name", *lines])


def _value(resource: Resource) -> str:
    quantity = resource.valueQuantity
    if quantity is None:
        return "no number"
    return f"{bytes(quantity.value).decode()} {quantity.unit or ''}".strip()


# --- the file -----------------------------------------------------------------------------------


def write_sample(drawn: Drawn, head: Head, key: bytes, out: BinaryIO) -> None:
    """Writes the cards to be marked."""
    macs, blocks = [], []
    for number, one in enumerate(drawn.first, 1):
        quoted = list(_quoted(one.text))
        mac = card_mac(key, number, one.rule, quoted)
        macs.append(mac)
        top = f"{CARD}{number} {one.rule}{CLOSE}"
        end = f"{END}{number} {mac}{CLOSE}"
        blocks.append(
            "\n".join([f"## {number}: {one.rule}", "", top, *quoted, end, "", "Mark: ", "Why: "])
        )
    told = msgspec.json.encode(head).decode()
    line = f"{HEAD}{told} {head_mac(key, told, macs)}{CLOSE}"
    count = f"{head.cards} of {head.of} cards, seed {head.seed or 'none'}"
    text = "\n\n".join([_FIRST, f"{count}, protocol {head.protocol} {head.version}", line, *blocks])
    out.write(text.encode() + b"\n")


def _quoted(text: str) -> Iterator[str]:
    """Quoted, no line of a card can be taken for one of the file's own."""
    return (f"> {line}".rstrip() for line in text.splitlines())


def card_mac(key: bytes, number: int, rule: str, lines: Iterable[str]) -> str:
    """Of a card as it stands in the file; spaces at the ends of lines do not count."""
    return _mac(key, "card", str(number), rule, *(line.rstrip() for line in lines))


def head_mac(key: bytes, head: str, cards: Iterable[str]) -> str:
    return _mac(key, "sample", head, *cards)


def _mac(key: bytes, *parts: str) -> str:
    return hmac.digest(key, msgspec.json.encode(["replay sample", *parts]), "sha256").hex()[:32]
