"""Premix: the strength of the usual infusion bags and vials of magnesium sulfate, by their text.

"magnesium sulfate 20 g/500 mL in water" is a product that is known; any other pair of numbers
in a name is not taken for a strength (ruling 142).
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from cards.fhir import words_of
from cards.fhir.resource import Resource
from cards.orders.identity import Identity

if TYPE_CHECKING:
    from cards.orders.order import DraftOrder

_LONGEST = 400  # characters of a name that are read
_CACHED = 64  # characters: a key never passes 256 bytes
_BAG = re.compile(
    r"(?<![\d.,])(\d{1,2}(?:,?000)?)\s?(g|gm|grams?|mg)\s?(?:/|in|per)\s?"
    r"(1,?000|\d{2,3})\s?ml\b",
    re.I,
)
_EACH_ML = re.compile(r"(?<![\d.,])(\d{1,3})\s?mg\s?/\s?(?:1 ?)?ml\b", re.I)
# Milligrams and millilitres of the bags, and milligrams in a millilitre of bags and vials.
_BAGS = frozenset({(2000, 50), (4000, 100), (4000, 50), (20_000, 500), (40_000, 1000)})
_STRENGTHS = frozenset({40, 80, 500})


_WORDS = re.compile(r"pre-?mix|piggy ?back|\bivpb\b", re.I)
_VOLUME = re.compile(r"(?<![\d.,])(\d{2,4}|\d,\d{3})\s?ml\b", re.I)


def is_bag(order: DraftOrder, volume: Decimal) -> bool:
    """Whether an order says that it comes in an infusion bag: a known premix, its words, or at
    least so many millilitres (ruling 99)."""
    texts = [order.label, *words_of(order.resource.medicationCodeableConcept)]
    texts += [line.text for line in order.lines]
    for text in (text[:_LONGEST] for text in texts if text):
        if _WORDS.search(text):
            return True
        if any(int(found.replace(",", "")) >= volume for found in _VOLUME.findall(text)):
            return True
    return False


def strength_of(identity: Identity, resource: Resource, salt: str | None) -> Decimal | None:
    """Milligrams in a millilitre: as coded, else of a known premix (ruling 142)."""
    if identity.mg_per_ml is not None or salt != "sulfate":
        return identity.mg_per_ml
    return premix_strength(identity.label, *words_of(resource.medicationCodeableConcept))


def premix_strength(*names: str | None) -> Decimal | None:
    """Milligrams of sulfate in a millilitre; None when no name is that of a known product, or
    they disagree."""
    found = {one for name in names if name for one in _strengths(name)}
    return found.pop() if len(found) == 1 else None


def _strengths(name: str) -> frozenset[Decimal]:
    return _known(name) if len(name) <= _CACHED else _read(name[:_LONGEST])


@lru_cache(maxsize=1024)
def _known(name: str) -> frozenset[Decimal]:
    return _read(name)


def _read(name: str) -> frozenset[Decimal]:
    found = set()
    for match in _BAG.finditer(name):
        mass = int(match[1].replace(",", "")) * (1 if match[2].lower() == "mg" else 1000)
        volume = int(match[3].replace(",", ""))
        if (mass, volume) in _BAGS:
            found.add(Decimal(mass) / volume)
    for match in _EACH_ML.finditer(name):
        if int(match[1]) in _STRENGTHS:
            found.add(Decimal(match[1]))
    return frozenset(found)
