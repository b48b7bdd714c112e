"""Spoken: what the words or the code of a timing say (``Q6H X4``, ``alle 6 Stunden``, ``1-0-1``).

English, and the usual phrases of German, French, Spanish, Portuguese, Italian, Dutch, Swedish,
Danish, Norwegian and Polish. Every pattern is linear in its text; of a long text only the
beginning is read, and the caller is told.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from cards.orders.timing import DAY, Continuous, Frequency, Once, frequency

LONGEST = 2000  # characters that are read of a text
_CACHED = 64  # characters: a key never passes 256 bytes

_WORDS = {
    "half": "0.5", "once": "1", "twice": "2", "thrice": "3",
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "eight": "8",
    "twelve": "12", "other": "2", "second": "2", "third": "3",
    "ein": "1", "eine": "1", "einen": "1", "zwei": "2", "drei": "3", "vier": "4", "sechs": "6",
    "acht": "8", "zwolf": "12", "zweiten": "2", "zweite": "2",
    "une": "1", "un": "1", "deux": "2", "trois": "3", "quatre": "4", "huit": "8", "douze": "12",
    "una": "1", "dos": "2", "tres": "3", "cuatro": "4", "seis": "6", "ocho": "8", "doce": "12",
    "due": "2", "tre": "3", "quattro": "4", "sei": "6", "otto": "8", "dodici": "12",
    "uma": "1", "duas": "2", "quatro": "4", "oito": "8", "doze": "12",
    "een": "1", "twee": "2", "drie": "3", "zes": "6", "twaalf": "12", "om de": "2",
    "tva": "2", "fyra": "4", "atta": "8", "tolv": "12", "to": "2", "fire": "4", "seks": "6",
    "otte": "8", "varannan": "2", "hveranden": "2",
    "jeden": "1", "dwa": "2", "trzy": "3", "cztery": "4",
}  # fmt: skip
_N = r"(\d{1,3}(?:[.,]\d{1,2})?|" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_UP_TO = r"(?:\s?(?:-|to|bis|a|or)\s?\d{1,3})?"
_HOUR = (
    r"h|hr|hrs|hours?|hourly|std|stdn|stunden?|heures?|horas?|ore|ora|uur|uren|timmar?|timmen|"
    r"timmes?|timers?|(?<!every )(?<!each )time|godzin[aey]?|godz"
)
_MINUTE = r"min|mins|minutes?|minuten?|minuti|minutos?|minuter|minutter|minut"
_DAILY = (
    r"day|days|daily|d|tag|tage|tagen|tgl|taglich|jours?|j|jour|dias?|giorn[oi]|die|dag|dagen|"
    r"dagar|dage|daags|dagligen|dagligt|daglig|dagelijks|dziennie|dzien|dni|doba|dobe|24\s?h"
)
_WEEK = (
    r"week|weeks|weekly|wk|wks|woche|wochen|wochentlich|semaines?|semanas?|settiman[ae]|weken|"
    r"vecka|veckor|veckan|uge|ugen|uger|uke|uken|tydzien|tygodniowo"
)
_MONTH = r"months?|monthly|monat|monate|mois|mes|meses|mese|mesi|maand|manad"
_EACH = (
    r"every|each|q|alle|jede[nrs]?|toutes les|tous les|chaque|a cada|cada|ogni|om de|elke|iedere|"
    r"var|vart|varje|hver|hvert|co|de"
)
_IN = r"\s?(?:/|a|per|pro|am|im|in der|par|al|alla|ao|a la|por|om|each|every|in a|pr|na|w)?\s?"
_OF = rf"(?:(?P<min>{_MINUTE})|(?P<h>{_HOUR})|(?P<d>{_DAILY})|(?P<wk>{_WEEK})|(?P<mo>{_MONTH}))"
_UNITS = {"min": Decimal(1), "h": Decimal(60), "d": DAY, "wk": DAY * 7, "mo": DAY * 30}

# every 6 hours, q6h, q 4-6 h, alle 6 Stunden, var 6:e timme, every other day
_EVERY = re.compile(rf"\b(?:{_EACH})\s?{_N}{_UP_TO}[.:]?(?:e|te|de|th)?[\s-]?{_OF}(?![a-z])")
_BARE = re.compile(rf"\b(?:{_EACH}|codziennie)\s?{_OF}(?![a-z])")  # every day, chaque jour
_OTHER = re.compile(r"\b(?:q\.?o\.?d|om de dag|varannan dag|hveranden dag)\b")
_HOURLY = re.compile(
    rf"\b{_N}[\s-]?(?:hourly|hrly|stundlich|stdl|uurlijks|timmarsvis)(?![a-z])"
    r"|\b(\d{1,2})\s?/\s?\2\s?h|\bde (\d{1,2}) em \d{1,2} h|\b(?:hourly|stundlich|stdl)(?![a-z])"
)
# 3 times a day, 3x taglich, zweimal taglich, trois fois par jour, 2/d, twice daily
_TIMES = re.compile(
    rf"\b{_N}\s?(?:(?:x|mal|maal|times?|fois|vez|veces|vezes|volte|volta|keer|ggr?|ganger?|gange?|"
    rf"razy?|dd)(?![a-z]){_IN}|(?<=once|wice|rice)\s?(?:a|per|each|every|in a)?\s)\s?"
    rf"(?:the )?{_OF}(?![a-z])"
)
_SLASH = re.compile(rf"(?<![\d.,/])(\d{{1,2}})\s?/\s?(?:(?P<d>{_DAILY})|(?P<wk>{_WEEK}))(?![a-z])")
_DUTCH = re.compile(r"\b(\d)\s?dd\b")
_SCHEME = re.compile(r"(?<![\d.,/-])(\d)\s?-\s?(\d)\s?-\s?(\d)(?:\s?-\s?(\d))?(?![\d.,/-])")
_PER_DAY = (
    (
        re.compile(r"\bq\.?i\.?d\b|\bqds\b|\b(?:ac|meals) ?(?:&|and|\+) ?(?:at )?(?:hs|bedtime)\b"),
        4,
    ),
    (
        re.compile(
            r"\bt\.?i\.?d(?:ac|pc)?\b|\btds\b|\b(?:with|before|after) meals\b"
            r"|\bzu den mahlzeiten\b"
        ),
        3,
    ),
    (re.compile(r"\bb\.?i\.?d\b|\bmorgens (?:und|u\.?|&) abends\b|\bam ?(?:&|and) ?pm\b"), 2),
    (
        re.compile(
            r"\bdaily\b|\bqd\b|\bq\.d\.|\bq(?:hs|am|pm|day)\b|\bnightly\b|\bnocte\b|\bmane\b"
            r"|\b(?:at )?bedtime\b|\b(?:every|each) (?:morning|evening|night)\b|\bzur nacht\b"
            r"|\bmorgens\b|\bmittags\b|\babends\b|\btaglich\b|\btgl\b|\bquotidien|\bdiari[oa]"
            r"|\bdagelijks\b|\bdaglig|\bcodziennie\b|\bwith (?:breakfast|lunch|dinner)\b"
        ),
        1,
    ),
)
_PER_WEEK = re.compile(r"\bweekly\b|\bwochentlich\b|\bhebdomadaire\b|\bsemanal|\bwekelijks\b")
_DAYS = re.compile(
    r"\b(mon|tue|wed|thu|fri|sat|sun)(?:s|day|days|nes|nesday|nesdays|rs|rsday|rsdays|ur|urday|"
    r"urdays)?\b"
)
_CODES = {
    "am": 1, "pm": 1, "hs": 1, "bed": 1, "od": 1, "bd": 2, "ac": 3, "pc": 3, "wm": 3,
}  # fmt: skip
_ALONE = {"wk": DAY * 7, "mo": DAY * 30}
_FLOWS = re.compile(
    r"\bcontinuous(?:ly)?\b|\bcont\b|\bcontinu[oa]?\b|\bkontinuierlich|\bdauer(?:infusion|tropf)"
    r"|\bkontinuerlig|\bciagl"
)
_SINGLE = re.compile(
    r"\bonce\b|\bone[ -]?time\b|\bx ?1\b|\b1 ?x\b|\b(?:single|one|1) dose\b|\bsingle\b|\b1 time\b"
    r"|\bone[ -]off\b|\beinmal|\beinzeldosis\b|\bune fois\b|\bdose unique\b|\bdos[ie]s? unica\b"
    r"|\buna vez\b|\buna tantum\b|\buna volta\b|\buma vez\b|\beenmalig|\bengang|\bjednorazowo\b"
    r"|\bon call\b|\bpre-?op\b"
)
_HASTE = re.compile(r"\bstat\b|\bnow\b|\bimmediate(?:ly)?\b|\bsofort\b")
# Something comes again, however it is said.
_AGAIN = re.compile(
    r"\b(?:every|q ?\d|alle|jede[nrs]?|toutes|tous les|chaque|cada|ogni|elke|hourly|weekly|"
    r"monthly|biweekly|times (?:a|per)|mal (?:am|pro)|fois par)(?![a-z])"
)
# "Q4H (int) X2": what stands in brackets between the hours and the number is passed over.
_COUNT = re.compile(
    rf"(?:\s?\([a-z]{{1,12}}\))?[^\w(]{{0,3}}(?:(?:x|for|times|fur|pour|por|per|voor)\s?(\d{{1,2}})"
    rf"|(\d{{1,2}})(?=\s?(?:doses?|gaben|dosen)\b))(?![.,]?\d)"
    rf"(?:\s?(?:doses?|gaben|dosen)\b|\s?{_OF}(?![a-z]))?"
)
_NEEDED = re.compile(
    r"\bp\.?r\.?n\b|\bas (?:needed|required)\b|\b(?:when|if) (?:needed|required|necessary)\b"
    r"|\bbei bedarf\b|\bb\. ?bed\b|\bbedarfsweise\b|\bau besoin\b|\bsi besoin\b"
    r"|\bsi (?:es )?necesario\b|\bsegun necesidad\b|\ba demanda\b|\bal bisogno\b|\bse necessario\b"
    r"|\bem caso de necessidade\b|\bzo nodig\b|\bindien nodig\b|\bvid behov\b|\bved behov\b"
    r"|\bw razie potrzeby\b|\bs\.?o\.?s\b"
)
_NO = re.compile(r"\b(?:not?|non|nicht|pas|sin)\W{1,3}\Z")
# What is looked at every so often, and not given.
_LOOKED_AT = re.compile(
    r"\b(?:re)?check|\bmonitor|\bmeasur|\bassess|\bvital|\breflex|\blevels?\b|\blabs?\b|\bdraw\b"
    r"|\bkontroll|\bcontrole|\bspiegel\b|\bobserv"
)
_GIVEN = re.compile(
    r"\b(?:give|administer|infuse|run|repeat|geben)\b|\d\s?(?:m?g|gm|grams?|m?mol|meq)\b"
)


class Spoken(Struct, frozen=True, gc=False):
    """``timing`` None: not understood; ``needed``: as needed; ``empty``: says nothing else;
    ``again``: something is said to come again, understood or not."""

    timing: Frequency | Once | Continuous | None = None
    needed: bool = False
    empty: bool = False
    again: bool = False


def read_code(text: str) -> Spoken:
    """What the code, the display or the text of ``Timing.code`` says."""
    text = text.strip()
    return _known(text) if len(text) <= _CACHED else _read(text[:LONGEST])


@lru_cache(maxsize=1024)
def _known(text: str) -> Spoken:
    return _read(text)


def read_words(text: str) -> Spoken:
    """What the text of a whole dosage says: a frequency, or that one is there. Where nothing of
    the kind stands in it, it says nothing; what is only looked at so often is passed over."""
    folded = _folded(text[:LONGEST])
    found = _frequency(folded, prose=True)
    again = any(not _looked_at(folded, m.start()) for m in _AGAIN.finditer(folded))
    return Spoken(found, _needed(folded), again=again or len(text) > LONGEST)


def _read(text: str) -> Spoken:
    folded = _folded(text)
    needed = _needed(folded)
    if needed:
        folded = _NEEDED.sub(" ", folded)
    bare = folded.strip(" .,;:()-")
    found: Frequency | Once | Continuous | None = _frequency(folded, prose=False)
    if found is None and bare in _CODES:
        found = frequency(Decimal(_CODES[bare]), DAY)
    if found is None and bare in _ALONE:
        found = frequency(Decimal(1), _ALONE[bare])
    if found is None and _FLOWS.search(folded):
        found = Continuous()
    if found is None and not _AGAIN.search(folded) and "repeat" not in folded:
        if _SINGLE.search(folded):
            found = Once()
        elif _HASTE.search(folded):
            found = Once(urgent=True)
    return Spoken(found, needed, empty=not bare)


def _folded(text: str) -> str:
    text = text.casefold()
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text.replace("×", "x"))
        text = "".join(c for c in apart if not unicodedata.combining(c))
    return " ".join(text.replace("_", " ").split())


def _needed(folded: str) -> bool:
    return any(
        not _NO.search(folded, max(match.start() - 12, 0), match.start())
        for match in _NEEDED.finditer(folded)
    )


def _looked_at(folded: str, at: int) -> bool:
    """Whether the words of the same clause before ``at`` speak of what is looked at."""
    clause = folded[max(at - 60, 0) : at]
    for mark in ".;,\n":
        clause = clause.rpartition(mark)[2]
    ends = [match.end() for match in _LOOKED_AT.finditer(clause)]
    return bool(ends) and not _GIVEN.search(clause, ends[-1])


def _number(text: str) -> Decimal:
    return Decimal(_WORDS.get(text, text).replace(",", "."))


def _unit(match: re.Match[str]) -> Decimal:
    return next(_UNITS[name] for name, found in match.groupdict().items() if found)


def _frequency(folded: str, *, prose: bool) -> Frequency | Once | None:
    """The most frequent of what is said; a count beside it is its count."""
    found: list[tuple[Frequency, int]] = []

    def keep(times: Decimal, period: Decimal, match: re.Match[str]) -> None:
        sane = times > 0 and period >= times  # no more than one dose a minute
        if sane and not (prose and _looked_at(folded, match.start())):
            found.append((frequency(times, period), match.end()))

    one = Decimal(1)
    for match in _EVERY.finditer(folded):
        keep(one, _number(match[1]) * _unit(match), match)
    for pattern in (_TIMES, _SLASH):
        for match in pattern.finditer(folded):
            keep(_number(match[1]), _unit(match), match)
    for match in _HOURLY.finditer(folded):
        every = match[1] or match[2] or match[3] or "1"
        keep(one, _number(every) * 60, match)
    for match in _DUTCH.finditer(folded):
        keep(_number(match[1]), DAY, match)
    for match in _SCHEME.finditer(folded):
        keep(Decimal(sum(int(part) for part in match.groups() if part)), DAY, match)
    for match in _OTHER.finditer(folded):
        keep(one, DAY * 2, match)
    if not found:
        for match in _BARE.finditer(folded):
            keep(one, _unit(match), match)
        for pattern, times in _PER_DAY:
            for match in pattern.finditer(folded):
                keep(Decimal(times), DAY, match)
    if not found and not prose:
        days = {match[1] for match in _DAYS.finditer(folded)}
        last = next(iter(_DAYS.finditer(folded)), None)
        if last is not None:
            found.append((frequency(Decimal(len(days)), DAY * 7), last.end()))
    if not found:
        for match in _PER_WEEK.finditer(folded):
            keep(one, DAY * 7, match)
    if not found:
        return None
    often, end = max(found, key=lambda pair: pair[0].per_day)
    count = _count(folded, end, often)
    return Once() if count == 1 else Frequency(often.per_day, often.every, count)


def _count(folded: str, end: int, often: Frequency) -> int | None:
    match = _COUNT.match(folded, end)
    if not match:
        return None
    number = int(match[1] or match[2])
    span = next((_UNITS[name] for name, found in match.groupdict().items() if found), None)
    if span is None:
        return number or None
    return max(int(number * span / often.every), 1)
