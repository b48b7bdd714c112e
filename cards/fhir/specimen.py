"""Specimen: what a result's note and its specimen say of how far it may be believed.

A haemolysed specimen, one contaminated or diluted by an infusion, one that is no blood at all,
and when it was taken (rulings 7, 14, 146, 153). Notes are read in the shipped languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from cards import codes
from cards.fhir.clause import denied, words_after, words_before
from cards.fhir.concept import read_codes, words_of
from cards.fhir.reference import Target, target_of
from cards.fhir.resource import CodeableConcept, Period, Resource, many

Find = Callable[[Target], Resource | None]

_HAEMOLYSED = re.compile(r"\b(?:h(?:ae|e|ä|é|æ)m[oó]l[yiíý]|em[oó]li[sz])\w{0,20}", re.I)
_CONTAMINATED = re.compile(
    r"\b(?:[ck]ontamin|verunreinig|förorena|forurens|forurenet|besmet|zanieczyszcz"
    r"|(?:drip|iv|i\.v\.|infusion|perfusion)[ -]?arm\b|infusionsarm"
    r"|(?:above|proximal to|from|upstream of) (?:the |an |a )?(?:iv|i\.v\.|drip|infusion)\b"
    r"|dilu[téiíc]|verd(?:ünn|uenn|und)|utspäd|fortynd|fortynn|rozcie[nń]cz)\w{0,20}",
    re.I,
)
_DILUTED = re.compile(r"dilu|verd|utspäd|forty|rozcie", re.I)
# A dilution of the laboratory's own: verified by it, or with its ratio.
_OWN = frozenset(
    """verified confirmed checked repeated rerun reran remeasured measured obtained reported after
    auto automatic automated manual serial verifiziert bestätigt überprüft geprüft kontrolliert
    nach automatische vérifié vérifiée confirmé confirmée contrôlé contrôlée après
    verificado verificada confirmado confirmada tras mediante verificato verificata confermato
    confermata dopo geverifieerd bevestigd bekräftad verifierad bekræftet bekreftet factor faktor
    facteur fattore""".split()
)
_RATIO = re.compile(
    r"\b1 ?[:/] ?\d{1,4}\b|\bx ?\d{1,3}\b|\b\d{1,3} ?x\b|\b\d{1,3}[ -]?fold\b", re.I
)
_LINE = frozenset(
    """iv infusion infusions drip line saline fluid fluids arm infusionslösung perfusion suero
    suspected possible probable likely apparent verdacht""".split()
)
_MENTIONS = 100  # a note that speaks of it more often is not read further, and counts
_NOTE = 10_000  # letters of a note that are read: what a laboratory prints is shorter

_BLOOD = re.compile(
    r"\b(?:blood|blut|vollblut|sang|sangre|sangue|bloed|blod|veri|krew|krwi|serum|sérum|suero"
    r"|siero|soro|seerumi|plasma|plasme|osocze|surowic|ser|plas|bld)",
    re.I,
)
_CELLS = re.compile(r"\b(?:red (?:blood )?cells?|rbc|erythro[cz]yt\w*|eritrocit\w*)\b", re.I)
_OTHER = re.compile(
    r"\b(?:urine|urin|urina|harn|spontanurin|sammelurin|orina|virtsa|mocz|csf|cerebrospinal"
    r"|liquor|lcr|stool|faec|feces|fecal|fæces|stuhl|selles|heces|feci|saliva|speichel|sputum"
    r"|sweat|schwei(?:ß|ss)|sudor|pleura|ascit|aszites|peritone|synovia|dialysate|dialysat"
    r"|dialysis fluid|effluent|ultrafiltrat|amnio|drain|wound|bile\b|galle|gastric|magensaft"
    r"|(?:body )?fluid|tissue|gewebe|hair|calculus|vitreous|breast milk|muttermilch|infusate)",
    re.I,
)


class Origin(Struct, frozen=True, gc=False):
    """``other`` names what a result's specimen is when it is no blood, ``collected`` is when it
    was taken, as written."""

    other: str | None = None
    collected: str | None = None


class Handling(Struct, frozen=True, gc=False):
    """What spoilt a specimen."""

    haemolysed: bool = False
    contaminated: bool = False


class _Collection(Struct, frozen=True, gc=False):
    collectedDateTime: str | None = None
    collectedPeriod: Period | None = None


def read_origin(result: Resource, find: Find) -> Origin:
    """The Origin of a result's specimen: contained, referenced (``find`` looks it up) or named."""
    names: list[str] = [r.display for r in many(result.specimen) if r.display]
    kinds: set[str] = set()
    collected = None
    for specimen in _specimens(result, find):
        type_ = _decoded(specimen)
        names += words_of(type_)
        kinds |= {
            kind for c in read_codes(type_) if (kind := codes.specimen_kind(c.system, c.code))
        }
        collected = collected or _collected(specimen)
    return Origin(_other(names, kinds), collected)


def read_handling(result: Resource, find: Find) -> Handling:
    """The Handling of a result's specimen, by the result's notes and those of the specimen."""
    if result.specimen is None and result.note is None:
        return _WELL
    notes = [note.text for note in many(result.note) if note.text]
    notes += [r.display for r in many(result.specimen) if r.display]
    conditions: list[str] = []
    for specimen in _specimens(result, find):
        conditions += [c.code.upper() for c in read_codes(specimen.condition)]
        notes += words_of(specimen.condition)
        notes += words_of(_decoded(specimen))
        notes += [note.text for note in many(specimen.note) if note.text]
    return Handling(
        haemolysed="HEM" in conditions or any(_says_haemolysed(note) for note in notes),
        contaminated="CON" in conditions or any(_says_contaminated(note) for note in notes),
    )


_WELL = Handling()


def not_blood(text: str) -> str | None:
    """The word of a text that names another specimen than blood, serum or plasma."""
    text = text[:_LONGEST]
    cells = _CELLS.search(text)
    if cells is not None:
        return cells[0]
    other = _OTHER.search(text)
    return text.strip() if other is not None and _BLOOD.search(text) is None else None


_LONGEST = 200


def _other(names: list[str], kinds: set[str]) -> str | None:
    if "blood" in kinds:
        return None
    named = next((found for text in names if (found := not_blood(text))), None)
    return named or next(iter(sorted(kinds)), None)


def _specimens(result: Resource, find: Find) -> Iterator[Resource]:
    for reference in many(result.specimen):
        target = target_of(reference)
        if target is None:
            continue
        if target.inside:
            inside = (
                c for c in result.contained or () if (c.id or "").lstrip("#") == target.inside
            )
            specimen = next(inside, None)
        else:
            specimen = find(target)
        if specimen is not None:
            yield specimen


def _decoded(specimen: Resource) -> CodeableConcept | None:
    try:
        return msgspec.json.decode(specimen.type, type=CodeableConcept) if specimen.type else None
    except msgspec.DecodeError:
        return None


def _collected(specimen: Resource) -> str | None:
    try:
        found = msgspec.json.decode(specimen.collection or b"{}", type=_Collection)
    except msgspec.DecodeError:
        return None
    period = found.collectedPeriod
    return found.collectedDateTime or (period and (period.end or period.start)) or None


def _mentions(pattern: re.Pattern[str], note: str) -> Iterator[tuple[str, re.Match[str], bool]]:
    """(the text, each mention, whether it is one too many to be looked at)."""
    note = note[:_NOTE]
    if not note.isascii():
        note = unicodedata.normalize("NFC", note)
    for count, match in enumerate(pattern.finditer(note)):
        yield note, match, count >= _MENTIONS


def _says_haemolysed(note: str) -> bool:
    return any(
        many_ or not denied(text, match.start(), match.end())
        for text, match, many_ in _mentions(_HAEMOLYSED, note)
    )


def _says_contaminated(note: str) -> bool:
    return any(
        many_ or not (denied(text, match.start(), match.end()) or _own_dilution(text, match))
        for text, match, many_ in _mentions(_CONTAMINATED, note)
    )


def _own_dilution(text: str, match: re.Match[str]) -> bool:
    if _DILUTED.match(match[0]) is None:
        return False
    before = words_before(text, match.start())[:3]
    after = words_after(text, match.end())[:4]
    if not _LINE.isdisjoint((*before, *after)):
        return False
    beside = text[max(match.start() - 12, 0) : match.start()], text[match.end() : match.end() + 20]
    return not _OWN.isdisjoint((*before, *after[:2])) or any(_RATIO.search(part) for part in beside)
