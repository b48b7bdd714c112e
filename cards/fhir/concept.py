"""Concept: everything that a CodeableConcept, a Coding or a list of them says.

Every coding counts, wherever it stands, and the text beside them (ruling 139). Systems are
folded (`cards.codes.system_of`); codes and words are trimmed and otherwise as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from cards.codes import system_of
from cards.fhir.resource import CodeableConcept, Coding, EncounterClass, many

# What may stand where FHIR has a concept: one, many, a bare Coding, or a code as a string.
Spoken = CodeableConcept | Coding | str | list[CodeableConcept] | list[Coding] | list[str] | None


class Code(Struct, frozen=True, gc=False):
    """One coding: ``system`` folded and "" when none was sent, ``code`` and ``display`` trimmed."""

    system: str
    code: str
    display: str = ""


def read_codes(value: Spoken) -> tuple[Code, ...]:
    """Every coding that holds a code or a display, in the order in which they came."""
    return tuple(_codes(value))


def read_class(value: EncounterClass | list[EncounterClass] | str | None) -> tuple[Code, ...]:
    """The codes of a class of encounter: a Coding, or a CodeableConcept, or many, or a code."""
    if isinstance(value, str):
        return read_codes(value)
    return tuple(
        code
        for one in many(value)
        for code in read_codes([Coding(one.system, one.code, one.display), *many(one.coding)])
    )


def sent_codes(concept: CodeableConcept | None) -> list[tuple[str, str, str]]:
    """(system, code, display) of the codings that hold a code, as they were sent: what is asked of
    every single result of a record, where ``read_codes`` would cost more than the answer."""
    stated = concept.coding if concept is not None else None
    if stated is None:
        return []
    several = stated if isinstance(stated, list) else [stated]
    return [(c.system or "", c.code, c.display or "") for c in several if c.code]


def words_of(value: Spoken) -> tuple[str, ...]:
    """The words of a concept: its text, then the displays of its codings; none of them empty."""
    texts = [part.text for part in _parts(value) if isinstance(part, CodeableConcept)]
    said = [*texts, *(code.display for code in _codes(value))]
    return tuple(dict.fromkeys(word for text in said if text and (word := text.strip())))


def status_of(value: Spoken, system: str = "") -> str | None:
    """A status as its code in lower case; None when there is none.

    Of several codings the one of the bound ``system`` counts, wherever it stands; else the
    first that has no system, else the first. A string is a code (STU3).
    """
    if isinstance(value, str):
        return value.strip().lower() or None
    found = [code for code in _codes(value) if code.code]
    if not found:
        return None
    bound = next((code for code in found if system and code.system == system), None)
    bare = next((code for code in found if not code.system), None)
    return (bound or bare or found[0]).code.lower()


def _parts(value: Spoken) -> Iterator[CodeableConcept | Coding | str]:
    if value is None:
        return
    if isinstance(value, list):
        yield from value
    else:
        yield value


def _codes(value: Spoken) -> Iterator[Code]:
    for part in _parts(value):
        if isinstance(part, str):
            if part.strip():
                yield Code("", part.strip())
            continue
        stated = part.coding if isinstance(part, CodeableConcept) else part
        for coding in stated if isinstance(stated, list) else [stated]:
            if coding is not None and (coding.code or coding.display):
                yield Code(
                    system_of(coding.system or ""),
                    (coding.code or "").strip(),
                    (coding.display or "").strip(),
                )
