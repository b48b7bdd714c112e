"""Which drugs an order's text names: whole words of a list, read in one pass.

The list is `cards/codes/codes.toml` [drug] and the names of `cards/codes/international.csv`. Spaces
and hyphens may be left out or put in, accents too. The bare word "magnesium" is no
drug (esomeprazole magnesium is a proton pump inhibitor); a text that holds it and nothing of the
list is "possibly" one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cards.codes.drugs import BY_KEY, Drug, international
from cards.codes.tables import TABLES
from cards.codes.text import as_ordered, form_named, is_homoeopathic, is_mineral_mix, is_protocol
from cards.codes.union import as_carried

# Names stand at the beginning; of the rest only whether magnesium may be meant is looked at.
READ = 1000
_KEPT = 256  # a longer text is no key of the cache
_TOKEN = re.compile(r"[^\W_]+|[^\w\s-]")
_UNITS = frozenset("g gm gms gram grams mg mcg mmol meq ml %".split())
_SHORT = 4
# "magn" in the scripts of the shipped names, as `fold` leaves it.
_STEMS = ("magn", "магни", "マクネ", "镁", "鎂")


def fold(text: str) -> str:
    """A text as names are compared: lower case, no accents, single spaces."""
    text = " ".join(text.split())
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


class Reading(Struct, frozen=True, gc=False):
    """The drugs that a text names; ``possible``: magnesium may be meant, and no list says so."""

    drugs: tuple[Drug, ...] = ()
    possible: bool = False


NOTHING = Reading()


class Names:
    """Names with what they name (nothing: a false friend), found in text as whole words.

    ``beside`` are names that hold too; of one name these go first.
    """

    def __init__(self, names: Mapping[str, tuple[Drug, ...]], beside: Names | None = None) -> None:
        self._beside = beside
        self._drugs: dict[str, tuple[Drug, ...]] = {}
        self._wide: dict[str, tuple[Drug, ...]] = {}
        for name, drugs in names.items():
            key = "".join(_TOKEN.findall(fold(name)))
            if key:
                self._drugs.setdefault(key, drugs)
                if ord(max(key)) >= 0x3040:  # scripts without spaces between words
                    self._wide.setdefault(key, drugs)
        self._starts = {key[:end] for key in self._drugs for end in range(1, len(key) + 1)}

    def _get(self, key: str) -> tuple[Drug, ...] | None:
        found = self._drugs.get(key)
        return found if found is not None or self._beside is None else self._beside._get(key)

    def _begins(self, key: str) -> bool:
        return key in self._starts or (self._beside is not None and self._beside._begins(key))

    def within(self, text: str) -> Iterator[tuple[Drug, ...]]:
        """What names without word boundaries say."""
        if self._beside is not None:
            yield from self._beside.within(text)
        yield from (drugs for key, drugs in self._wide.items() if key in text)

    def longest(self, tokens: list[re.Match[str]], first: int) -> tuple[int, tuple[Drug, ...]]:
        """(the token after the longest name that begins at a token, what it names); the token
        itself where none begins."""
        key, end = "", first
        drugs: tuple[Drug, ...] = ()
        found: tuple[Drug, ...] | None
        for index in range(first, len(tokens)):
            key += tokens[index][0]
            if not self._begins(key):
                break
            found = self._get(key)
            if found is not None and not self._is_amount(key, tokens, index + 1):
                end, drugs = index + 1, found
        return end, drugs

    @staticmethod
    def _is_amount(key: str, tokens: list[re.Match[str]], after: int) -> bool:
        """ "mag 2" of "mag 2 g" is no brand."""
        short = len(key) <= _SHORT and key[-1].isdigit()
        return short and after < len(tokens) and tokens[after][0] in _UNITS


def _shipped() -> Iterator[tuple[str, tuple[Drug, ...]]]:
    for key, base in BY_KEY.items():
        own = [] if key in ("magnesium", "magnesium antacid") or key != base.name else [base.name]
        for alias in (*own, *TABLES["drug"][key][2].split("|")):
            yield alias, (base,)
        if own and " " not in key and key.endswith("e"):
            # The international name as most languages of Europe write it: furosemid, digoxina.
            yield key[:-1], (base,)
            yield f"{key[:-1]}a", (base,)
    for phrase in TABLES["not_a_drug"]:
        yield phrase, ()
    for kind, name, found in international():
        if kind == "name":
            yield name, () if found is None else (found,)


def _joined(rows: Iterable[tuple[str, tuple[Drug, ...]]]) -> dict[str, tuple[Drug, ...]]:
    """Names of several ingredients ("maxzide") name them all; a false friend is one for good."""
    found: dict[str, tuple[Drug, ...]] = {}
    for name, drugs in rows:
        key = "".join(_TOKEN.findall(fold(name)))
        before = found.get(key)
        named = {drug.name for drug in before or ()}
        if before is None:
            found[key] = drugs
        elif before and drugs and not {drug.name for drug in drugs} <= named:
            found[key] = (*before, *drugs)
    found.pop("", None)
    return found


SHIPPED_NAMES = Names(_joined(_shipped()))


def read_text(text: str, names: Names = SHIPPED_NAMES) -> Reading:
    """The Reading of an order's text; of a longer text the first 1,000 characters are read."""
    return _kept(text, names) if len(text) <= _KEPT else _read(text, names)


@lru_cache(maxsize=4096)
def _kept(text: str, names: Names) -> Reading:
    return _read(text, names)


def _read(text: str, names: Names) -> Reading:
    shown = fold(text[:READ])
    hinted = any(stem in shown for stem in _STEMS)
    if hinted and is_homoeopathic(shown):
        return NOTHING
    tokens = list(_TOKEN.finditer(shown))
    named: dict[str, tuple[Drug, str]] = {}  # with the text after the name
    unsaid = False  # a word for magnesium that belongs to no name
    salts_until = 0  # until there such a word is the salt of the drug before it
    first = 0
    while first < len(tokens):
        end, drugs = names.longest(tokens, first)
        if end == first:
            word = tokens[first][0]
            unsaid |= hinted and first >= salts_until and any(stem in word for stem in _STEMS)
            first += 1
            continue
        for known in drugs:
            if known.name not in named:
                named[known.name] = known, shown[tokens[end - 1].end() :]
            if "ppi" in known.groups:
                salts_until = end + 4
        first = end
    if not shown.isascii():
        for drugs in names.within("".join(_TOKEN.findall(shown))):
            unsaid &= not drugs
            for known in drugs:
                named.setdefault(known.name, (known, ""))
    unsaid |= len(text) > READ and any(stem in text[READ:].lower() for stem in _STEMS)
    return _whole(named, shown, unsaid)


def _whole(named: dict[str, tuple[Drug, str]], shown: str, unsaid: bool) -> Reading:
    form = form_named(shown) if named else None
    found = {name: as_ordered(drug, shown, rest, form) for name, (drug, rest) in named.items()}
    if is_protocol(shown):
        drug = found.get("magnesium sulfate") or BY_KEY["magnesium"]
        return Reading((replace(drug, protocol=True),))
    magnesium = any("magnesium" in group for drug in found.values() for group in drug.groups)
    if (magnesium or unsaid) and is_mineral_mix(shown):
        return Reading((BY_KEY["multivitamin (with minerals)"],))
    return Reading(as_carried(tuple(found.values())), unsaid and not magnesium)
