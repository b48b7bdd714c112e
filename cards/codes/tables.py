"""What a code means to the protocol: laboratory and condition concepts, procedures, orders, routes.

Read once, at import, from `cards/codes/codes.toml`; every code is checked by its type, so that a
mistyped one stops the program. All lookups are of dictionaries; none raises on unknown input.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from cards.codes.systems import (
    ICD10,
    ICD10CM,
    LOINC,
    RXNORM,
    SNOMED,
    TABLE_SYSTEMS,
    V3_ROUTE,
    system_of,
)

Property = Literal["mass", "molar"]
Route = Literal["iv", "im", "po", "sc", "other"]

_NONE: frozenset[str] = frozenset()


def _read() -> dict[str, Any]:
    text = resources.files("cards.codes").joinpath("codes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


TABLES: dict[str, Any] = _read()
SOURCES: Mapping[str, str] = MappingProxyType(TABLES["sources"])
# What the protocol names and no code or need can show: listed on the protocol page (ruling 17).
NOT_DETECTED: tuple[str, ...] = tuple(TABLES["not_detected"])


class Entry(Struct, frozen=True, gc=False):
    """One code's display, the key of its source in `SOURCES`, and a LOINC code's property."""

    display: str
    source: str
    property: Property | None = None

    def __post_init__(self) -> None:
        if not self.display or self.source not in SOURCES:
            raise ValueError(f"{self.display!r} needs a display and a source, not {self.source!r}")
        if self.property not in (None, "mass", "molar"):
            raise ValueError(f"{self.display!r} has property {self.property!r}")


class CodeSet(Struct, frozen=True, gc=False):
    """The codes of one concept in one system.

    `name` is the table of codes.toml ("lab.magnesium", "condition.arrest.icd10cm"), `codes` maps
    each code to its entry in preferred order, `prefixes` are the ICD prefixes (without the star)
    and `excluded` the prefixes that these do not cover.
    """

    name: str
    system: str
    codes: Mapping[str, Entry]
    prefixes: Mapping[str, Entry]
    excluded: tuple[str, ...] = ()


def _code_set(name: str, kind: str, rows: dict[str, list[str]], excluded: list[str]) -> CodeSet:
    system, check = TABLE_SYSTEMS[kind]
    codes: dict[str, Entry] = {}
    prefixes: dict[str, Entry] = {}
    for code, row in rows.items():
        entry = Entry(*row)  # type: ignore[arg-type]
        if check(code).endswith("*"):
            prefixes[code.removesuffix("*")] = entry
        else:
            codes[code] = entry
    return CodeSet(
        name, system, MappingProxyType(codes), MappingProxyType(prefixes), tuple(excluded)
    )


def _code_sets() -> Iterator[CodeSet]:
    for concept, rows in TABLES["lab"].items():
        yield _code_set(f"lab.{concept}", "loinc", rows, [])
    for concept, rows in TABLES["route"].items():
        yield _code_set(f"route.{concept}", "snomed", rows, [])
    for section in ("condition", "procedure", "order", "specimen"):
        for concept, kinds in TABLES[section].items():
            for kind, rows in kinds.items():
                if kind != "except":
                    excluded = kinds.get("except", []) if kind == "icd10cm" else []
                    yield _code_set(f"{section}.{concept}.{kind}", kind, rows, excluded)


_SETS: dict[str, CodeSet] = {codes.name: codes for codes in _code_sets()}


def code_set(name: str) -> CodeSet:
    """The set of that name; KeyError when there is none (a mistake of the program)."""
    return _SETS[name]


def code_sets() -> tuple[CodeSet, ...]:
    """Every set, in the order of codes.toml: what follows each to its source."""
    return tuple(_SETS.values())


def _concepts(section: str) -> dict[tuple[str, str], frozenset[str]]:
    found: dict[tuple[str, str], frozenset[str]] = {}
    for codes in _SETS.values():
        head, concept, *_ = codes.name.split(".")
        if head == section:
            for code in codes.codes:
                key = (codes.system, _icd(code) if codes.system == ICD10CM else code)
                found[key] = found.get(key, _NONE) | {concept}
    return found


def _icd(code: str) -> str:
    """An ICD code as it is compared: upper case, without its dot and spaces."""
    return code.strip().upper().replace(".", "")


_LAB = {code: next(iter(found)) for (_, code), found in _concepts("lab").items()}
_CONDITION = _concepts("condition")
_PROCEDURE = _concepts("procedure")
_ORDER = _concepts("order")
_SPECIMEN = _concepts("specimen")
_ROUTE = {code: next(iter(found)) for (_, code), found in _concepts("route").items()}
_PREFIX: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
for _found in _SETS.values():
    for _prefix in _found.prefixes:
        _PREFIX.setdefault(_icd(_prefix), []).append(
            (_found.name.split(".")[1], tuple(map(_icd, _found.excluded)))
        )
_DISPLAY = {
    (codes.system, _icd(code) if codes.system == ICD10CM else code): entry.display
    for codes in _SETS.values()
    for code, entry in codes.codes.items()
}
for _name, _row in TABLES["drug"].items():
    _DISPLAY.update(dict.fromkeys([(RXNORM, code) for code in _row[0].split()], _name))


def lab_concept(loinc_code: str) -> str | None:
    """The concept of a LOINC code ("magnesium", "egfr"), or None when the protocol has no use."""
    return _LAB.get(loinc_code.strip())


@lru_cache(maxsize=4096)
def lab_of(system: str, code: str) -> str | None:
    """The concept of a coding, when its system is LOINC however that is written."""
    return lab_concept(code) if system_of(system) == LOINC else None


def lab_codes(concept: str) -> tuple[str, ...]:
    """The LOINC codes of a concept, the most usual first; KeyError when there is none."""
    return tuple(_SETS[f"lab.{concept}"].codes)


def lab_property(loinc_code: str) -> Property | None:
    """Whether the code names a mass or a molar concentration; None when it fixes neither."""
    code = loinc_code.strip()
    concept = _LAB.get(code)
    return None if concept is None else _SETS[f"lab.{concept}"].codes[code].property


def condition_concepts(system: str, code: str) -> frozenset[str]:
    """What a Condition, Observation value or AllergyIntolerance code says; empty when nothing.

    ICD-10-CM and ICD-10 codes are read with or without their dot; a prefix of the table (I21*)
    holds for both, and for the category itself.
    """
    system = system_of(system)
    if system not in (ICD10CM, ICD10):
        return _CONDITION.get((system, code.strip()), _NONE)
    code = _icd(code)
    found = set(_CONDITION.get((ICD10CM, code), _NONE))
    for end in range(1, len(code) + 1):
        for concept, excluded in _PREFIX.get(code[:end], ()):
            if not code.startswith(excluded):
                found.add(concept)
    return frozenset(found)


def procedure_concepts(system: str, code: str) -> frozenset[str]:
    """ "dialysis" and "crrt" (continuous dialysis is both); empty for any other procedure."""
    return _PROCEDURE.get((system_of(system), code.strip()), _NONE)


def order_concepts(system: str, code: str) -> frozenset[str]:
    """What a ServiceRequest code orders: "magnesium", "potassium", "creatinine", "ecg"; or nothing.

    CPT 83735 and SNOMED CT 38151008 do not say the specimen: support, not proof, of a serum level.
    """
    return _ORDER.get((system_of(system), code.strip()), _NONE)


def specimen_kind(system: str, code: str) -> str | None:
    """ "blood" (serum and plasma, too), or which other specimen a code names; None when unknown."""
    return next(iter(_SPECIMEN.get((system_of(system), code.strip()), _NONE)), None)


def named_lab(code: str, display: str) -> str | None:
    """The concept of a code sent without a system: of LOINC when it is one of ours and its
    display begins as LOINC's own does (ruling 139)."""
    concept = lab_concept(code)
    if concept is None:
        return None
    own = _SETS[f"lab.{concept}"].codes[code.strip()].display.lower()
    said = display.strip().lower()
    return concept if said and (own.startswith(said) or said.startswith(own.split()[0])) else None


def route_code(system: str, code: str) -> Route | None:
    """The route of a SNOMED CT or HL7 v3 route code; None when it is not known."""
    system = system_of(system)
    if system == V3_ROUTE:
        return route_named(code)
    return _ROUTE.get(code.strip()) if system == SNOMED else None  # type: ignore[return-value]


_ROUTES: tuple[tuple[Route, re.Pattern[str]], ...] = (
    ("iv", re.compile(r"\biv|\bi\.v|intraven|piggy ?back|\bpicc\b|central line")),
    ("im", re.compile(r"\bi\.?m\b|\bim(?:inj)?\b|intramusc")),
    ("sc", re.compile(r"\bs\.?[cq]\b|\bsub-?(?:cut|q\b)|\bsqinj\b")),
    (
        "po",
        re.compile(
            r"\bp\.?o\b|\boral|by mouth|\b(?:ng|og|nj|gt|ngt|ogt|dht|peg)\b|(?<!chest )\btube\b"
            r"|\benteral|gastr|jejun|swallow"
        ),
    ),
    (
        "other",
        re.compile(
            r"topical|ophth|\beyes?\b|\botic|\bears?\b|inhal|nebul|\bneb\b|nasal|rectal|\bpr\b"
            r"|vaginal|irrig|transderm|buccal|sublingual|\bsl\b|intraperit|intrathec|epidural"
            r"|intraoss|bladder"
        ),
    ),
)


_READ = 1000


def route_named(text: str) -> Route | None:
    """The route that a free text names ("IVPB", "PER NG TUBE"); None when none or several. Its
    first 1,000 characters are read."""
    text = text[:_READ].lower()
    found = [route for route, pattern in _ROUTES if pattern.search(text)]
    return found[0] if len(found) == 1 else None


def display(system: str, code: str) -> str | None:
    """The display of a code of these tables, as its source has it; None when it is not there.

    For an RxNorm ingredient: its name. Products have none.
    """
    system = system_of(system)
    if system in (ICD10CM, ICD10):
        return _DISPLAY.get((ICD10CM, _icd(code)))
    return _DISPLAY.get((system, code.strip()))
