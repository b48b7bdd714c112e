"""Clause: the few words around a word of a record's text, and whether they deny it.

"Not haemolysed", "Hemolysis index: 0 (none)", "keine Hämolyse": up to three words before or
after, never across the end of a clause (rulings 14 and 153). A look costs the same however long
the text is.
"""

from __future__ import annotations

import re

_WINDOW = 90  # letters on each side; three words and what stands between them
_CUT = re.compile(r"[;|!?\r\n]|[.,](?!\d)|(?<!\d)[.,]")
_WORD = re.compile(r"\d+(?:[.,]\d+)*\+*|[^\W\d_]+")
_NEAR = 3
# Between a denial and its word these do not count: "no evidence of gross hemolysis".
_FILLERS = frozenset("of any the a an evidence sign signs de des di von på af av".split())
_BEFORE = frozenset(
    """no not non without negative neg nil never
    kein keine keinen keiner keinerlei nicht ohne negativ
    pas aucun aucune sans négatif négative
    sin ningún ninguna ningun negativo negativa
    senza nessun nessuna sem não nao nenhum nenhuma
    geen niet zonder negatief
    ingen inga inget inte ej utan ikke uden uten
    ei ilman nie brak bez""".split()
)
_AFTER = frozenset(
    """none absent negative neg nil
    keine negativ fehlt
    aucune aucun absente négatif négative néant
    ausente ausentes ninguna ninguno negativo negativa
    assente assenti nessuna nessuno nenhuma
    afwezig geen negatief ingen inga brak""".split()
)
_NOT = frozenset("not non nicht pas no não nao niet inte ej ikke nie ei".split())
_FOUND = frozenset(
    """detected detectable seen present observed noted found evident visible apparent identified
    nachweisbar nachgewiesen vorhanden sichtbar erkennbar festgestellt
    détecté détectée visible observé observée présent présente retrouvée
    detectado detectada presente visible observado observada aparente
    rilevato rilevata rilevabile evidente presenti
    aanwezig waarneembaar zichtbaar aantoonbaar
    påvisad påvist synlig detetada detetado stwierdzono""".split()
)
# A word that begins what is said of something else, or says that it is there.
_ENDS = re.compile(
    r"(?:lip(?:a?e|ä|é|ê)m|icter|ikter|ictér|turbid|trüb|bilirub|slight|mild|moderate|marked|gross"
    r"|severe|positiv|present|visible|yes|leicht|deutlich|stark|mäßig|légère?|modéré|sí|oui|ja)\w*\Z"
)


def words_before(text: str, start: int) -> list[str]:
    """The words of the clause before a place, nearest first, in lower case."""
    before = text[max(start - _WINDOW, 0) : start]
    cuts = list(_CUT.finditer(before))
    return _WORD.findall(before[cuts[-1].end() if cuts else 0 :].lower())[::-1]


def words_after(text: str, end: int) -> list[str]:
    """The words of the clause after a place, nearest first, in lower case."""
    after = text[end : end + _WINDOW]
    cut = _CUT.search(after)
    return _WORD.findall(after[: cut.start() if cut else _WINDOW].lower())


def denied(text: str, start: int, end: int) -> bool:
    """Whether the word that stands from ``start`` to ``end`` is denied by its clause."""
    before = [word for word in words_before(text, start) if word not in _FILLERS]
    if not _BEFORE.isdisjoint(before[:_NEAR]):
        return True
    return _denied_after(words_after(text, end))


def _denied_after(words: list[str]) -> bool:
    for place, word in enumerate(words[:_NEAR]):
        if word in _AFTER or _is_zero(word):
            return True
        following = words[place + 1] if place + 1 < len(words) else None
        if word in _NOT and (following is None or following in _FOUND):
            return True
        if _ENDS.match(word):
            return False
    return False


def _is_zero(word: str) -> bool:
    return set(word.rstrip("+")) <= set("0.,") and word[0] == "0"
