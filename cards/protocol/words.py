"""Words: the sentences of a protocol file, with the numbers they speak of put in their places.

A sentence names a number instead of repeating it, so that a site that changes the one changes the
other: ``{limit.quiet}`` is the number with its unit (``24 h``), ``{limit.adult_age.value}`` the
number alone, ``{regimen.emergency}`` what the regimen of that id recommends (``2 g over 15 min``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from cards.protocol.model import Limit, LimitKind, Limits, Model, ProtocolFile, Result, Spoken
from cards.units.quantity import plain, span

Path = tuple[str | int, ...]
# The keys of each table that hold sentences.
_SENTENCES: Mapping[str, tuple[str, ...]] = {
    "wording": ("text",),
    "rule": ("title", "says"),
    "stop": ("title", "says"),
    "renal": ("says",),
    "product": ("diluent",),
}
# A brace before a letter opens a place; any other is text.
_PLACE = re.compile(r"\{(?=[a-zA-Z])([^{}]*)(\}?)")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?![\d.]*\d)")
# What a unit of a limit is called in a sentence, beside itself.
_SPELLINGS = {
    "a": ("years", "year"),
    "d": ("days", "day", "d"),
    "h": ("hours", "hour", "h"),
    "min": ("minutes", "min"),
    "1": ("times", "x"),
    "%": ("%", "percent", "per cent"),
    "10*9/L": ("x 10^9/L", "10^9/L", "10*9/L"),
}


def limits(file: ProtocolFile) -> Iterator[tuple[str, Limit]]:
    """Every Limit with its place in the file."""
    for table, entries in (("limit", file.limit), ("result", file.result)):
        for name in type(entries).model_fields:
            value = getattr(entries, name)
            if isinstance(value, Limit):
                yield f"{table}.{name}", value


def limit_kinds() -> Iterator[tuple[str, LimitKind]]:
    """Every limit's place in the file, and what the code knows of it; in the page's order."""
    for table, model in (("limit", Limits), ("result", Result)):
        for name, field in model.model_fields.items():
            yield from ((f"{table}.{name}", m) for m in field.metadata if isinstance(m, LimitKind))


def fill(text: str, file: ProtocolFile) -> str:
    """The sentence with every ``{place}`` of it said. Raises KeyError with what is wrong."""
    return _PLACE.sub(lambda match: _said(match[1], file, closed=bool(match[2])), text)


def _said(place: str, file: ProtocolFile, *, closed: bool) -> str:
    table, _, name = place.partition(".")
    name, _, alone = name.partition(".")
    entries = {"limit": file.limit, "result": file.result}.get(table)
    found = getattr(entries, name, None)
    if not closed:
        raise KeyError(f"{{{place.split()[0]} is not closed")
    if isinstance(found, Limit) and alone in ("", "value"):
        return found.number if alone else found.said
    if table == "regimen" and not alone:
        return _recommended(name, file)
    raise KeyError(f"{{{place}}} is no limit and no regimen of this file")


def _recommended(id_: str, file: ProtocolFile) -> str:
    said = {
        f"{plain(option.dose)} {file.product[option.product].dose_unit} over {span(option.minutes)}"
        for row in file.regimen
        if row.id == id_
        for option in row.offer
        if option.star and option.minutes
    }
    if len(said) != 1:
        what = "; ".join(sorted(said)) or "no infusion"
        raise KeyError(f"{{regimen.{id_}}} must stand for one recommended infusion, not {what}")
    return said.pop()


def sentences(file: ProtocolFile) -> Iterator[tuple[Path, Model, str]]:
    """Every sentence with its place in the file and the entry it belongs to."""
    for table, keys in _SENTENCES.items():
        for name, entry in _entries(getattr(file, table)):
            for key in keys:
                yield (table, name, key), entry, getattr(entry, key)


def _entries(table: object) -> Iterable[tuple[str | int, Model]]:
    if isinstance(table, tuple):
        return enumerate(table)
    if isinstance(table, dict):
        return table.items()
    # Neither a tuple nor a table by name: one of our models.
    return ((name, getattr(table, name)) for name in type(table).model_fields)  # type: ignore[attr-defined]


def word_faults(file: ProtocolFile) -> Iterator[tuple[Path, str]]:
    """Places that a sentence names and the file does not have."""
    for path, _, text in sentences(file):
        try:
            fill(text, file)
        except KeyError as error:
            yield path, str(error.args[0])


def literal_faults(file: ProtocolFile) -> Iterator[tuple[Path, str]]:
    """Numbers that stand in a sentence and in a limit (ruling 131)."""
    known = dict(limits(file))
    for path, entry, text in sentences(file):
        if not isinstance(entry, Spoken):
            continue  # what a product is diluted with is its own
        for own in entry.own_numbers:
            text = text.replace(own, "")
        for number, place in literals(text, known):
            says = f"{number} stands in {place}: write {{{place}}}, or say so in own_numbers"
            yield path, says


def literals(text: str, known: Mapping[str, Limit]) -> Iterator[tuple[str, str]]:
    """(number with its unit, place of the first limit that equals it) of a sentence."""
    for match in _NUMBER.finditer(text):
        value, after = Decimal(match[0]), text[match.end() :].lstrip(" -")
        for place, limit in known.items():
            if value != limit.value:
                continue
            unit = next((u for u in _spellings(limit.unit) if _begins(after, u)), None)
            of_age = limit.unit == "a" and re.search(r"\bage[ds]?\b[^.;]*$", text[: match.start()])
            if unit is not None or of_age:
                yield f"{match[0]} {unit or ''}".strip(), place
                break


def _spellings(unit: str) -> tuple[str, ...]:
    return _SPELLINGS.get(unit, (unit,))


def _begins(text: str, unit: str) -> bool:
    return text.startswith(unit) and not re.match(r"[\w/]", text[len(unit) :])


def filled(file: ProtocolFile) -> ProtocolFile:
    """The file with every sentence of it said; it has no ``word_faults``."""
    tables: dict[str, object] = {}
    for table, keys in _SENTENCES.items():
        whole = getattr(file, table)
        entries = {
            name: entry.model_copy(update={key: fill(getattr(entry, key), file) for key in keys})
            for name, entry in _entries(whole)
        }
        if isinstance(whole, dict):
            tables[table] = entries
        elif isinstance(whole, tuple):
            tables[table] = tuple(entries.values())
        else:
            tables[table] = whole.model_copy(update=entries)
    return file.model_copy(update=tables)
