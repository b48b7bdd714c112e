"""Formulary: the drugs that a site names beside the shipped ones, by code and by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cards.codes.drugs import Drug, code_keys, drug, is_other
from cards.codes.named import SHIPPED_NAMES, Names, Reading, read_text
from cards.codes.systems import system_of

# Ingredient -> (groups a site adds it to, groups it takes it from).
Lists = Mapping[str, tuple[frozenset[str], frozenset[str]]]
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)  # no slots; one for each protocol, told apart by identity
class Formulary:
    """What a site adds: ``codes`` by (folded system, code), ``names``, and ``lists`` (ingredient
    -> groups it adds it to, groups it takes it from)."""

    codes: Mapping[tuple[str, str], Drug | None] = field(default_factory=lambda: _NOTHING)
    names: Names = SHIPPED_NAMES
    lists: Lists = field(default_factory=lambda: _NOTHING)

    def drug(self, system: str, code: str) -> Drug | None:
        """The drug of a code, as the site says, else as shipped."""
        if self.codes:
            for key in code_keys(system_of(system), code):
                if (system_of(system), key) in self.codes:
                    return self.codes[system_of(system), key]
        return drug(system, code)

    def is_other(self, system: str, code: str) -> bool:
        """Whether a code is known to be none of our drugs."""
        if self.codes:
            for key in code_keys(system_of(system), code):
                if (system_of(system), key) in self.codes:
                    return self.codes[system_of(system), key] is None
        return is_other(system, code)

    def read(self, text: str) -> Reading:
        """What a text names."""
        return read_text(text, self.names)


SHIPPED = Formulary()


def site_formulary(
    codes: Iterable[tuple[str, str, Drug | None]],
    names: Iterable[tuple[str, Drug | None]],
    lists: Lists,
) -> Formulary:
    """The Formulary of a site's (system, code, drug) and (name, drug); a drug that is None is
    none of ours."""
    by_code = {}
    for system, code, found in codes:
        folded = system_of(system)
        by_code[folded, next(iter(code_keys(folded, code)), code.strip())] = found
    own = {name: () if found is None else (found,) for name, found in names}
    named = Names(own, SHIPPED_NAMES) if own else SHIPPED_NAMES
    return Formulary(MappingProxyType(by_code), named, lists)
