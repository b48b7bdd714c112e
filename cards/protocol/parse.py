"""Protocol from bytes: parsed into the strict types, cross-checked, hashed, indexed.

Whatever would make a wrong card is refused here with its place (``file: table.key: what is
wrong``, see ``cards/protocol/faults.py``). The core never sees an unchecked file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import resources
from types import MappingProxyType

from msgspec import Struct
from pydantic import ValidationError

from cards.codes import Formulary, system_of
from cards.protocol.drugs import formulary_of
from cards.protocol.faults import faults
from cards.protocol.merge import DropError, Merged, Raw, merge
from cards.protocol.model import LOW, Band, ProtocolFile, Renal, Rule, Stop
from cards.protocol.said import said
from cards.protocol.words import filled, literal_faults, word_faults
from cards.units.quantity import magnesium_unit

_FOLDER = resources.files("cards").joinpath("protocols")
PROFILES: tuple[str, ...] = tuple(
    sorted(f.name.removesuffix(".toml") for f in _FOLDER.iterdir() if f.name.endswith(".toml"))
)


class ProtocolError(Exception):
    """A protocol file that cannot be used; ``lines`` say where and what is wrong."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class Protocol(Struct, frozen=True, dict=True):
    """A protocol as the core uses it: the parsed file, its hash, and a few derived limits."""

    file: ProtocolFile
    origin: str
    hash: str

    @property
    def name(self) -> str:
        return self.file.protocol.name

    @property
    def version(self) -> str:
        return self.file.protocol.version

    @property
    def title(self) -> str:
        return self.file.protocol.title

    @property
    def review_due(self) -> date:
        return self.file.protocol.review_due

    @cached_property
    def site_labs(self) -> Mapping[tuple[str, str], str]:
        """(system, code) -> lab concept, for the codes a site maps; systems folded."""
        return MappingProxyType(
            {(system_of(c.system), c.code.strip()): c.lab for c in self.file.result.site_codes}
        )

    @cached_property
    def site_units(self) -> Mapping[tuple[str, str], str]:
        """(system, code) -> the unit a site declares for it (ruling 20)."""
        return MappingProxyType(
            {
                (system_of(c.system), c.code.strip()): unit
                for c in self.file.result.site_codes
                if c.unit and (unit := magnesium_unit(c.unit))
            }
        )

    @cached_property
    def drug_lists(self) -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
        """Ingredient -> (groups the site adds it to, groups it takes it from)."""
        found: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        for row in self.file.drug_list:
            for name in (*row.adds, *row.removes):
                adds, removes = found.get(name, (frozenset(), frozenset()))
                if name in row.adds:
                    adds |= {row.group}
                else:
                    removes |= {row.group}
                found[name] = adds, removes
        return MappingProxyType(found)

    @cached_property
    def formulary(self) -> Formulary:
        """The drugs that the site names, and its products, by code and by name."""
        return formulary_of(self.file, self.drug_lists)

    def band_of(self, value: Decimal) -> Band | None:
        """The band of a quantised value in mg/dL; None below the lowest band."""
        return next((band for band in self.file.band if band.holds(value)), None)

    @cached_property
    def severe_high(self) -> Decimal:
        """The upper bound of the severe class: a ``<x`` up to here is severe (ruling 21)."""
        return max(b.high for b in self._acting("severe") if b.high is not None)

    @cached_property
    def low_high(self) -> Decimal:
        """The upper bound of what counts as low."""
        return max(b.high for c in LOW for b in self._acting(c) if b.high is not None)

    @cached_property
    def normal_high(self) -> Decimal:
        """The upper bound of the normal class (H3)."""
        return max(b.high for b in self._acting("normal") if b.high is not None)

    def _acting(self, acts_as: str) -> list[Band]:
        return [b for b in self.file.band if b.acts_as == acts_as]

    def renal(self, id_: str) -> Renal:
        return next(r for r in self.file.renal if r.id == id_)

    def rule(self, id_: str) -> Rule:
        return self.file.rule[id_]

    def stop(self, id_: str) -> Stop:
        return self.file.stop[id_]

    def relaxed(self, name: str) -> bool:
        return any(r.stop == name for r in self.file.relaxed)


def parse_protocol(data: bytes, origin: str) -> Protocol:
    """The Protocol of a TOML file; ``origin`` names it in errors.

    Raises ProtocolError with located lines.
    """
    return build_protocol(_raw(data, origin), origin)


def build_protocol(raw: Raw, origin: str) -> Protocol:
    """The Protocol of a file's tables, as ``tomllib`` reads them with Decimals.

    Raises ProtocolError with located lines.
    """
    merged = _merged(raw, origin)
    try:
        file = ProtocolFile.model_validate(merged.raw)
    except ValidationError as error:
        raise ProtocolError(
            [merged.line(e["loc"], said(dict(e))) for e in error.errors()]
        ) from None
    found = [*faults(file), *word_faults(file)]
    # An inherited sentence was looked at in its own file; here an equal number is a coincidence.
    found += [f for f in literal_faults(file) if not merged.inherited(f[0])]
    if found:
        raise ProtocolError([merged.line(path, says) for path, says in found])
    return Protocol(filled(file), origin, merged.hash)


@lru_cache(maxsize=8)
def shipped(name: str) -> Protocol:
    """A shipped profile by name; ProtocolError when there is none of that name."""
    return parse_protocol(shipped_bytes(name), f"{name}.toml")


def shipped_bytes(name: str) -> bytes:
    """The file of a shipped profile; ProtocolError when there is none of that name."""
    if name not in PROFILES:
        raise ProtocolError([f"no profile {name!r}; shipped: {', '.join(PROFILES)}"])
    return _FOLDER.joinpath(f"{name}.toml").read_bytes()


def _raw(data: bytes, origin: str) -> Raw:
    try:
        return tomllib.loads(data.decode("utf-8"), parse_float=Decimal)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProtocolError([f"{origin}: {error}"]) from None


def _merged(raw: Raw, origin: str) -> Merged:
    """The tables of a file over those of the profile it extends."""
    head = raw.get("protocol")
    name = head.get("extends") if isinstance(head, dict) else None
    if name is None:
        if isinstance(head, dict) and "drops" in head:
            raise ProtocolError([f"{origin}: protocol.drops: nothing is inherited"])
        return Merged(raw, origin)
    if name not in PROFILES:
        says = f"no profile {name!r}; shipped: {', '.join(PROFILES)}"
        raise ProtocolError([f"{origin}: protocol.extends: {says}"])
    base = _merged(_raw(shipped_bytes(name), f"{name}.toml"), f"{name}.toml")
    try:
        return merge(raw, origin, base)
    except DropError as error:
        raise ProtocolError([f"{origin}: protocol.drops: {error}"]) from None
