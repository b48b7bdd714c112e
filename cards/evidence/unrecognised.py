"""Unrecognised: something that came under a code, name or unit that is not known here.

For the people who connect a laboratory or a formulary: what to map. It is of the kind of thing,
not of a patient; its text may all the same hold a name, and is the service's to protect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from cards.fhir import read_codes, words_of
from cards.fhir.resource import CodeableConcept, Resource

Kind = Literal["result", "unit", "drug", "condition", "status", "timing"]
MOST_UNRECOGNISED = 50  # of one call
_LONGEST = 200


class Unrecognised(Struct, frozen=True, gc=False):
    """``system`` and ``code`` as sent (the system folded), ``text`` the words beside them, ``unit``
    that of a result; each "" when there was none, and cut to 200 characters."""

    kind: Kind
    system: str = ""
    code: str = ""
    text: str = ""
    unit: str = ""

    def cut(self) -> Unrecognised:
        """As it is kept: nothing of it longer than 200 characters."""
        said = (self.system, self.code, self.text, self.unit)
        system, code, text, unit = (part.strip()[:_LONGEST] for part in said)
        return Unrecognised(self.kind, system, code, text, unit)


def each_once(found: Iterable[Unrecognised]) -> tuple[Unrecognised, ...]:
    """Each thing once, in order, and no more than MOST_UNRECOGNISED: of many of one kind fewer,
    so that some of every kind stay."""
    every = dict.fromkeys(found)
    if len(every) <= MOST_UNRECOGNISED:
        return tuple(every)
    turn: Counter[Kind] = Counter()
    turns = []
    for place, one in enumerate(every):
        turns.append((turn[one.kind], place, one))
        turn[one.kind] += 1
    kept = sorted(turns, key=lambda it: it[:2])[:MOST_UNRECOGNISED]
    return tuple(one for _, _, one in sorted(kept, key=lambda it: it[1]))


def unrecognised_result(resource: Resource) -> Unrecognised:
    """An Observation of which no code is one that is known here."""
    quantity = resource.valueQuantity
    unit = ((quantity.unit or quantity.code) if quantity is not None else None) or ""
    return unrecognised_as("result", resource.code, unit)


def unrecognised_as(kind: Kind, concept: CodeableConcept | None, unit: str = "") -> Unrecognised:
    """A concept none of whose codes says anything here: its first code, its first words."""
    first = next((code for code in read_codes(concept) if code.code), None)
    text = next(iter(words_of(concept)), "")
    system, code = (first.system, first.code) if first is not None else ("", "")
    return Unrecognised(kind, system, code, text, unit).cut()
