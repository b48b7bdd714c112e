"""Which drug a code is, and its part in the protocol.

The ingredients of `cards/codes/codes.toml` [drug]; the RxNorm products of `cards/codes/rxnorm.csv`
(built by .ci/rxnorm_table.py); ATC, NDC, SNOMED CT and the codes of other countries in
`cards/codes/international.csv` (built by .ci/international_table.py).
"""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cards.codes.systems import (
    ASK,
    ATC,
    DMD,
    HCPCS,
    NDC,
    RXNORM,
    SNOMED,
    YJ,
    RxNorm,
    system_of,
)
from cards.codes.tables import SOURCES, TABLES

Form = Literal["parenteral", "oral", "other"]

GROUPS = frozenset(
    {
        "magnesium",
        "magnesium-laxative",
        "magnesium-fluid",
        "potassium",
        "potassium-fluid",
        "calcium",
        "loop",
        "thiazide",
        "k-sparing",
        "ppi",
        "cause",
        "cause-tier2",
        "cause-always",
        "platinum-egfr",
        "qt-known",
        "qt-strong",
        "qt-haloperidol",
        "digoxin",
        "neuromuscular-blocker",
        "dihydropyridine",
        "opioid",
        "anticoagulant",
        "chelated",
    }
)
# Fluids and mixtures that hold magnesium and are no magnesium order (ruling 150).
CARRIERS = frozenset(
    {
        "multi-electrolyte fluid",
        "parenteral nutrition",
        "parenteral nutrition without electrolytes",
        "cardioplegia",
        "dialysis fluid",
        "multivitamin",
    }
)


class Drug(Struct, frozen=True, gc=False):
    """A drug as one order names it.

    `name` is the ingredient in lower case ("magnesium oxide"); a combination joins its known
    `ingredients` with " / " and holds the groups of all of them. `rxcui` is the RxNorm ingredient,
    when one was verified and there is one ingredient. `salt` is that of a magnesium drug ("oxide").
    `form` is what the product or the text says; `systemic` is False for drops, ointments and
    inhalations, whose `groups` are empty. `strength` is in mg for one tablet or capsule of a
    magnesium drug: of magnesium when `elemental` is True, of the salt when it is False, of one of
    the two when it is None. `mg_per_ml` is the sulfate in a vial or premix. `protocol` is True of
    a replacement protocol's order, which is given only as needed.
    """

    name: str
    groups: frozenset[str]
    rxcui: str | None = None
    salt: str | None = None
    form: Form | None = None
    systemic: bool | None = None
    strength: Decimal | None = None
    elemental: bool | None = None
    ingredients: tuple[str, ...] = ()
    mg_per_ml: Decimal | None = None
    protocol: bool = False

    def __post_init__(self) -> None:
        if not self.groups <= GROUPS:
            raise ValueError(f"{self.name}: unknown groups {sorted(self.groups - GROUPS)}")
        if self.systemic is False and self.groups:
            raise ValueError(f"{self.name}: a drug that is not systemic has no groups")

    @property
    def carrier(self) -> bool:
        """Whether it is a fluid or mixture that may hold magnesium and is no order of it."""
        return self.name in CARRIERS


def _salt(name: str) -> str | None:
    """The salt of "magnesium oxide"; None for a mixture, and for magnesium without one."""
    first, _, salt = name.partition(" ")
    mixed = salt in ("", "antacid", "laxative", "bowel preparation")
    return None if first != "magnesium" or mixed else salt


# Each drug by its key in codes.toml, and by its code in each system; None is a code that is known
# to be none of ours. ATC codes of a class (A02BC) stand for every code that begins so.
BY_KEY: dict[str, Drug] = {}
_BY_CODE: dict[str, dict[str, Drug | None]] = {RXNORM: {}}


def _ingredient_code(name: str) -> str | None:
    """The code of the ingredient itself, for "magnesium citrate (tablet)"."""
    own = BY_KEY.get(name)
    return None if own is None else own.rxcui


def _read_ingredients() -> None:
    for key, (codes, groups, _, source) in TABLES["drug"].items():
        if source not in SOURCES:
            raise ValueError(f"{key}: no source {source!r}")
        name = key.split(" (")[0]
        rxcuis = [RxNorm(code) for code in codes.split()]
        base = Drug(
            name,
            frozenset(groups.split()),
            rxcui=rxcuis[0] if rxcuis else _ingredient_code(name),
            salt=_salt(name),
            ingredients=(name,),
        )
        BY_KEY[key] = base
        _BY_CODE[RXNORM].update(dict.fromkeys(rxcuis, base))


def _product(keys: str, form: str, systemic: str, strength: str, basis: str) -> Drug:
    """The drug of one row of rxnorm.csv."""
    parts = [BY_KEY[key] for key in keys.split(" + ")]
    groups: frozenset[str] = frozenset().union(*(part.groups for part in parts))
    local = systemic == "no"
    return Drug(
        " / ".join(part.name for part in parts),
        frozenset() if local else groups,
        rxcui=parts[0].rxcui if len(parts) == 1 else None,
        salt=next((part.salt for part in parts if part.salt), None),
        form=form or None,  # type: ignore[arg-type]
        systemic=False if local else (systemic == "yes" or None),
        strength=Decimal(strength) if strength else None,
        elemental={"elemental": True, "salt": False}.get(basis),
        ingredients=tuple(part.name for part in parts),
    )


def _lines(name: str) -> list[str]:
    return resources.files("cards.codes").joinpath(name).read_text(encoding="utf-8").splitlines()


def _read_products() -> None:
    rxnorm = _BY_CODE[RXNORM]
    for line in _lines("rxnorm.csv")[1:]:
        *facts, codes = line.split(",")
        rxnorm.update(dict.fromkeys(codes.split(), _product(*facts)))

    for key, forms in TABLES["product"].items():
        for form, codes in forms.items():
            for code in codes.split():
                rxnorm.setdefault(RxNorm(code), _product(key, form, "yes", "", ""))


_SYSTEMS = {"atc": ATC, "ndc": NDC, "snomed": SNOMED, "ask": ASK, "yj": YJ, "rxnorm": RXNORM}


def international() -> Iterator[tuple[str, str, Drug | None]]:
    """(kind, code or name, drug) of each row of international.csv; kind as in its `system`."""
    for row in csv.reader(_lines("international.csv")[1:]):
        keys, form, strength, kind, code, *_ = row
        yield kind, code, _foreign(keys, form, strength) if keys else None


def _foreign(keys: str, form: str, strength: str) -> Drug:
    amount, _, unit = strength.partition(" ")
    tablet = unit == "mg"
    found = _product(keys, form, "yes" if form else "", amount if tablet else "", "salt")
    if unit == "mg/mL":
        found = replace(found, mg_per_ml=Decimal(amount))
    return found if tablet else replace(found, elemental=None)


def _read_international() -> None:
    for kind, code, found in international():
        if kind in _SYSTEMS:
            _BY_CODE.setdefault(_SYSTEMS[kind], {})[code] = found
    _BY_CODE[DMD] = _BY_CODE[SNOMED]  # its codes are those of the national extension
    injection = replace(BY_KEY["magnesium sulfate"], form="parenteral", systemic=True)
    _BY_CODE[HCPCS] = {"J3475": injection}


_read_ingredients()
_read_products()
_read_international()

# The German substance numbers carry a check digit that some writers add ("03748-6").
_CHECKED = re.compile(r"(\d{5})-?\d")
_CLASS = re.compile(r"[A-Z]\d\d(?:[A-Z](?:[A-Z](?:\d\d)?)?)?")
# Classes in which a code that these tables do not hold may hold magnesium.
_MAY_HOLD_IT = ("A02", "A06", "A11", "A12", "B05", "D11", "V")


def code_keys(system: str, code: str) -> tuple[str, ...]:
    """How a code stands in a table of its (folded) system, the most exact first: an NDC as the 11
    digits of its package and the 9 of its product, an ATC code with the classes above it."""
    code = code.strip()
    if system == ATC:
        code = code.upper()
        return (code, code[:5], code[:4], code[:3]) if _CLASS.fullmatch(code) else ()
    if system == NDC:
        return _ndc(code)
    if system == ASK and (found := _CHECKED.fullmatch(code)):
        return (code, found[1])
    return (code,)


def _ndc(code: str) -> tuple[str, ...]:
    parts = code.split("-")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return ()
    if len(parts) in (2, 3):
        widths = (5, 4, 2)[: len(parts)]
        padded = [part.zfill(width) for part, width in zip(parts, widths, strict=True)]
        return _package("".join(padded)) if len(parts) == 3 else ("".join(padded),)
    if len(parts) != 1 or len(code) not in (9, 10, 11):
        return ()
    if len(code) == 10:  # without its hyphens one of three is a zero short
        filled = (f"0{code}", f"{code[:5]}0{code[5:]}", f"{code[:9]}0{code[9:]}")
        return tuple(key for one in filled for key in _package(one))
    return _package(code)


def _package(digits: str) -> tuple[str, ...]:
    return (digits, digits[:9]) if len(digits) == 11 else (digits,)


def drug(system: str, code: str) -> Drug | None:
    """The drug of an ingredient's, a product's or a class's code; None when not known.

    None is "not in these tables", which is not "no magnesium in it"; `is_other` tells the two
    apart.
    """
    system = system_of(system)
    table = _BY_CODE.get(system)
    if table is None:
        return None
    for key in code_keys(system, code):
        if key in table:
            return table[key]
    return None


def is_other(system: str, code: str) -> bool:
    """Whether a code is known to be none of our drugs: it says so, or its class does."""
    system = system_of(system)
    table = _BY_CODE.get(system, {})
    keys = code_keys(system, code)
    for key in keys:
        if key in table:
            return table[key] is None
    return system == ATC and bool(keys) and not keys[0].startswith(_MAY_HOLD_IT)


def drug_keys() -> tuple[str, ...]:
    """The keys of codes.toml [drug], in its order."""
    return tuple(BY_KEY)


def known_drugs() -> tuple[Drug, ...]:
    """Every ingredient of codes.toml, in its order: for the protocol page."""
    return tuple(BY_KEY.values())
