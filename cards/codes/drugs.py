"""Which drug an order names, and its part in the protocol.

By RxNorm code: the ingredients of `cards/codes/codes.toml` [drug] and the products of
`cards/codes/rxnorm.csv` (built by .ci/rxnorm_table.py). By text: an allow list of ingredient and
brand names as whole words. The bare word "magnesium" never counts: esomeprazole magnesium is a
proton pump inhibitor.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Literal

from cards.codes.systems import HCPCS, RXNORM, RxNorm, system_of
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


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug as one order names it.

    `name` is the ingredient in lower case ("magnesium oxide"); a combination joins its known
    `ingredients` with " / " and holds the groups of all of them. `rxcui` is the RxNorm ingredient,
    when one was verified and there is one ingredient. `salt` is that of a magnesium drug ("oxide").
    `form` is what the product or the text says; `systemic` is False for drops, ointments and
    inhalations, whose `groups` are empty. `strength` is in mg for one tablet or capsule of a
    magnesium drug: of magnesium when `elemental` is True, of the salt when it is False, of one of
    the two when it is None.
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

    def __post_init__(self) -> None:
        if not self.groups <= GROUPS:
            raise ValueError(f"{self.name}: unknown groups {sorted(self.groups - GROUPS)}")
        if self.systemic is False and self.groups:
            raise ValueError(f"{self.name}: a drug that is not systemic has no groups")


def _salt(name: str) -> str | None:
    """The salt of "magnesium oxide"; None for a mixture, and for magnesium without one."""
    first, _, salt = name.partition(" ")
    mixed = salt in ("", "antacid", "bowel preparation")
    return None if first != "magnesium" or mixed else salt


# Each drug by its key in codes.toml, by its ingredient code, and by each of its names in text.
_BY_KEY: dict[str, Drug] = {}
_BY_CODE: dict[str, Drug] = {}
_BY_NAME: dict[str, list[Drug]] = {}


def _folded(text: str) -> str:
    """A name as it is compared: without the spaces and hyphens that orders put in or leave out."""
    return re.sub(r"[ -]", "", text)


def _ingredient_code(name: str) -> str | None:
    """The code of the ingredient itself, for "magnesium citrate (tablet)"."""
    own = _BY_KEY.get(name)
    return None if own is None else own.rxcui


def _read_ingredients() -> None:
    for key, (codes, groups, names, source) in TABLES["drug"].items():
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
        _BY_KEY[key] = base
        _BY_CODE.update(dict.fromkeys(rxcuis, base))
        own = [] if key in ("magnesium", "magnesium antacid") or key != name else [name]
        for alias in own + [alias for alias in names.split("|") if alias]:
            _BY_NAME.setdefault(_folded(alias), []).append(base)
    for phrase in TABLES["not_a_drug"]:
        _BY_NAME[_folded(phrase)] = []


def _product(keys: str, form: str, systemic: str, strength: str, basis: str) -> Drug:
    """The drug of one row of rxnorm.csv."""
    parts = [_BY_KEY[key] for key in keys.split(" + ")]
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


def _read_products() -> None:
    text = resources.files("cards.codes").joinpath("rxnorm.csv").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        *facts, codes = line.split(",")
        _BY_CODE.update(dict.fromkeys(codes.split(), _product(*facts)))

    for key, forms in TABLES["product"].items():
        for form, codes in forms.items():
            for code in codes.split():
                _BY_CODE.setdefault(RxNorm(code), _product(key, form, "yes", "", ""))


_read_ingredients()
_read_products()
_J3475 = replace(_BY_KEY["magnesium sulfate"], form="parenteral", systemic=True)


def drug(system: str, code: str) -> Drug | None:
    """The drug of an RxNorm ingredient or product code, or of HCPCS J3475; None when not known.

    None is "not in these tables", which is not "no magnesium in it".
    """
    system, code = system_of(system), code.strip()
    if system == HCPCS:
        return _J3475 if code == "J3475" else None
    return _BY_CODE.get(code) if system == RXNORM else None


def known_drugs() -> tuple[Drug, ...]:
    """Every ingredient of codes.toml, in its order: for the protocol page."""
    return tuple(_BY_KEY.values())


def _names() -> re.Pattern[str]:
    """Every name as whole words, the longest first; a space or hyphen in it may be left out."""
    aliases: set[str] = set()
    for key, row in TABLES["drug"].items():
        aliases.update([key, *row[2].split("|")])
    aliases.update(TABLES["not_a_drug"])
    known = [alias for alias in aliases if _folded(alias) in _BY_NAME]
    known.sort(key=lambda alias: (-len(alias), alias))
    choices = "|".join(re.sub(r"[ -]", "[ -]?", re.sub(r"([.()+&/])", r"\\\1", a)) for a in known)
    return re.compile(rf"(?<![a-z0-9])(?:{choices})(?![a-z0-9])")


_NAME = _names()
_LOCAL = re.compile(
    r"ophth|\beye\b|\beyes\b|\botic\b|\bears?\b|topical|\bcream\b|\boint(?:ment)?\b|\blotion\b"
    r"|\bnasal\b|inhal|\bnebul|\bneb\b|irrigat|\bvaginal|(?<!liqui-)\bgel\b(?! ?cap)"
    r"|mouthwash|\bswab\b"
)
_RECTAL = re.compile(r"\brectal|\bsupp(?:os\w*)?\b|\benema\b|\bpatch|transderm")
_PARENTERAL = re.compile(
    r"\biv\b|\bivpb\b|\bivp\b|\bij\b|\binj\w*|intraven|intramusc|\bim\b|subcut|piggy ?back|\bvial\b"
    r"|\bsdv\b|\bamp(?:ule|oule|ul)?s?\b|syringe|premix|infusion|\bdrip\b|\bbolus\b|\bflex cont\b"
    r"|\bplas cont\b|\bin (?:d5w?|d10w?|ns|lr|nacl|dextrose|sterile water)\b|\bd5w\b|\bsolr\b"
    r"|\bin \d+ ?ml\b|\d ?g(?:m|rams?)? ?/ ?(?:50|100|250|500|1000) ?ml"
)
_ORAL = re.compile(
    r"\bpo\b|\boral|\btab(?:let)?s?\b|\bcap(?:sule)?s?\b|\bcap-|\bliq(?:uid|d)?\b|\bsusp\w*|\bpack\b"
    r"|packet|elixir|syrup|by mouth|\btbec\b|\btbcr\b|\bchew|powder|\b(?:er|sr|cr|xr|sa|ec|dr)\b"
    r"|\bcaplet|softgel|\bcup\b|effervescent|\bgranules\b"
)
_PARENTERAL_NUTRITION = re.compile(r"\b[tp]pn\b|parenteral nutrition|clinimix")
_LITRES = re.compile(
    r"meq ?/ ?l\b|\b(?:[5-9]\d\d|[1-9],?\d{3})(?:\.\d+)? ?ml\b"
    r"|\b[1-9](?:\.\d+)? ?l(?:it(?:er|re)s?)?\b|maintenance"
)
_TABLET = re.compile(
    r"[ :-]+(\d+(?:\.\d+)?) ?(?:\((\d+(?:\.\d+)?) ?mg[^)]*\) ?)?"
    r"(?:mg\b(?! ?/)|(?<=\d\d\d )(?=tab|cap|oral|po\b))"
)


def form_named(text: str) -> Form | None:
    """The form that an order's text hints at; None when it hints at none, or at two."""
    text = text.lower()
    if _LOCAL.search(text) or _RECTAL.search(text):
        return "other"
    parenteral, oral = bool(_PARENTERAL.search(text)), bool(_ORAL.search(text))
    if parenteral == oral:
        return None
    return "parenteral" if parenteral else "oral"


# Contents that labels give for one tablet, of magnesium itself: oxide 400 and 420 mg, Slow-Mag.
_ELEMENTAL = {"241", "241.3", "253", "64", "71.5", "84"}
_OF_THE_SALT = {"oxide", "gluconate", "chloride"}


def _strength(found: Drug, rest: str) -> tuple[Decimal | None, bool | None]:
    """The mg of an oral magnesium drug that follow its name: "400 (241.3 MG) MG PO TABS" is 400."""
    number = _TABLET.match(rest)
    if found.salt is None or number is None:
        return None, None
    elemental = None
    if number[1] in _ELEMENTAL or re.match(r" ?mg (?:of )?elemental", rest[number.end(1) :]):
        elemental = True
    elif number[2] or found.salt in _OF_THE_SALT:
        elemental = False
    return Decimal(number[1]), elemental


def _as_ordered(found: Drug, text: str, rest: str, form: Form | None) -> Drug:
    """A drug with what its order's text adds: form, strength, and the groups these change."""
    if _LOCAL.search(text):
        return replace(found, groups=frozenset(), form="other", systemic=False)
    groups = found.groups
    if found.name == "magnesium sulfate" and form == "oral":
        groups = frozenset({"magnesium-laxative"})
    elif found.name == "magnesium citrate" and re.search(r"\b(?:tab|cap)(?:let|sule)?s?\b", text):
        groups = frozenset({"magnesium"})
    elif _PARENTERAL_NUTRITION.search(text):
        fluid = groups & {"magnesium", "potassium"}
        groups = frozenset(f"{group}-fluid" for group in fluid) | (groups - fluid - {"calcium"})
    elif found.name == "potassium chloride" and form != "oral" and _LITRES.search(text):
        groups = frozenset({"potassium-fluid"})
    strength, elemental = (None, None)
    if form == "oral":
        strength, elemental = _strength(found, rest)
    return replace(
        found,
        groups=groups,
        form=form,
        systemic=None if form is None else True,
        strength=strength,
        elemental=elemental,
    )


@lru_cache(maxsize=4096)
def drug_named(text: str) -> tuple[Drug, ...]:
    """The drugs that an order's text names, in the order of the text; empty when none is known.

    "4 ML VIAL : FUROSEMIDE 10 MG/ML INJ SOLN" is furosemide, parenteral. "pantoprazole (PROTONIX)"
    names one drug, once. A form is a hint: the order's own route and dose form come before it.
    """
    text = " ".join(text.lower().split())
    form = form_named(text)
    found: dict[str, Drug] = {}
    for match in _NAME.finditer(text):
        for known in _BY_NAME[_folded(match[0])]:
            if known.name not in found:
                found[known.name] = _as_ordered(known, text, text[match.end() :], form)
    return tuple(found.values())
