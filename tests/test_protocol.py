"""The protocol file: what is refused and where, what is remarked on, what is inherited, shown."""

from __future__ import annotations

import ast
import copy
import json
import re
import tomllib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import cards
from cards import codes
from cards.handbook import check, show, template
from cards.orders.identity import Identity, relisted
from cards.protocol import (
    PROFILES,
    Protocol,
    ProtocolError,
    build_protocol,
    parse_protocol,
    shipped,
)
from cards.protocol.faults import STOPS
from cards.protocol.model import Limit, Limits, Result, Wordings
from cards.protocol.parse import shipped_bytes
from cards.protocol.rules import RULES
from cards.protocol.words import limit_kinds, limits
from service.answer import answer
from tests.vignette import NOW, SERVICE_IDS, build_request, offers

SITE = Path(__file__).parent / "protocols" / "site.toml"
Raw = dict[str, Any]
Change = Callable[[Raw], None]


def raw(name: str = "standard") -> Raw:
    return tomllib.loads(shipped_bytes(name).decode(), parse_float=Decimal)


def lines(tables: Raw, origin: str = "site.toml") -> tuple[str, ...]:
    """The located lines a file is refused with; () when it is not."""
    try:
        build_protocol(tables, origin)
    except ProtocolError as error:
        return error.lines
    return ()


def changed(path: str, value: object, tables: Raw | None = None) -> Raw:
    """The standard file with one key changed; ``limit.quiet.value``, ``regimen.1.offer.0.dose``.
    ``...`` takes the key away."""
    tables = raw() if tables is None else tables
    *heads, last = path.split(".")
    place: Any = tables
    for head in heads:
        place = place[int(head)] if isinstance(place, list) else place[head]
    key: Any = int(last) if isinstance(place, list) else last
    if value is ...:
        del place[key]
    elif isinstance(place, list) and key == len(place):
        place.append(value)
    else:
        place[key] = value
    return tables


def row(table: str, start: int = 0, /, **wanted: object) -> int:
    """The number of the first row of the standard file, from ``start``, with these keys."""
    return next(
        n
        for n, found in enumerate(raw()[table])
        if n >= start and all(found.get(key) == value for key, value in wanted.items())
    )


SEVERE = row("regimen", id="severe")
ORAL = row("regimen", row("regimen", id="oral") + 2, id="oral")  # the first oral step
OURS: Raw = {
    "drug": "magnesium sulfate",
    "names": ["house bag no. 4"],
    "codes": [{"system": "urn:house", "code": "4711"}],
    "sources": ["A"],
    "why": "our formulary",
}
GROUP: Raw = {"group": "qt-known", "names": ["rhythmol"], "sources": ["A"], "why": "on our list"}
IM = row("regimen", id="parenteral")
R0, R2, R3, RU = (row("renal", id=id_) for id_ in ("R0", "R2", "R3", "RU"))


# -- the shipped profiles ----------------------------------------------------------------------
def test_the_shipped_profiles_parse() -> None:
    assert PROFILES == ("slow-infusion", "standard")
    for name in PROFILES:
        protocol = shipped(name)
        assert (protocol.name, protocol.origin) == (name, f"{name}.toml")
        assert re.fullmatch("[0-9a-f]{64}", protocol.hash)
        assert protocol.review_due > protocol.file.protocol.reviewed
        assert protocol.title
        assert protocol.version
    with pytest.raises(ProtocolError, match="no profile 'fast'; shipped: slow-infusion, standard"):
        shipped("fast")


def test_nothing_in_the_shipped_profiles_needs_a_remark_but_the_signature() -> None:
    for name in PROFILES:
        (only,) = check(shipped(name), date(2026, 12, 1))
        assert only.startswith("protocol.reviewers: nobody has signed this file")


def test_no_drug_the_service_knows_as_chelated_lacks_its_hours() -> None:
    assert not [remark for remark in check(shipped("standard")) if remark.startswith("interaction")]


def test_an_unused_name_is_noticed() -> None:
    """Every limit, wording, rule and stop of the file is read by the core."""
    names = used_names()
    assert not unused({f"limit.{n}" for n in Limits.model_fields}, names)
    fields = {n for n, f in Result.model_fields.items() if f.annotation is Limit}
    assert not unused({f"result.{n}" for n in fields | {"stale"}}, names)
    assert not unused({f"wording.{n}" for n in Wordings.model_fields}, names)
    # A rule that listens to drugs is found by them.
    assert not unused({f"rule.{n}" for n, kind in RULES.items() if not kind.listens}, names)
    assert not unused({f"stop.{n}" for n in STOPS}, names)
    assert unused({"limit.daily_oral", "wording.bye", "rule.D99", "stop.H99"}, names) == {
        "limit.daily_oral",
        "wording.bye",
        "rule.D99",
        "stop.H99",
    }


def used_names() -> set[str]:
    """Attributes read, and string constants that are one name, in cards/ beside cards/protocol
    and cards/handbook, which read a whole file; the regimen table is read to decide."""
    found: set[str] = set()
    root = Path(cards.__file__).parent
    for path in root.rglob("*.py"):
        whole = path.relative_to(root).parts[0] in ("protocol", "handbook")
        if whole and path.name != "regimens.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                found.add(f".{node.attr}")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def unused(places: set[str], names: set[str]) -> set[str]:
    """Rules and stops are looked up by their name, the rest by attribute."""
    return {
        place
        for place in places
        for table, name in [place.split(".")]
        if (name if table in ("rule", "stop") else f".{name}") not in names
    }


UNITS = {place: kind.unit for place, kind in limit_kinds()}


def test_every_limit_has_its_unit_and_group() -> None:
    assert set(UNITS) == {place for place, _ in limits(shipped("standard").file)}


@pytest.mark.parametrize("place", UNITS)
def test_another_unit_is_refused(place: str) -> None:
    (line,) = lines(changed(f"{place}.unit", "mEq"))
    expected = " or ".join(UNITS[place].split())
    assert line == f"site.toml: {place}.unit: must be {expected}, is 'mEq'"


# -- what is refused, and where ------------------------------------------------------------------
FAULTS: list[tuple[str, object, str]] = [
    # shape
    ("limit.quiet.value", "24", "limit.quiet.value: must be a number"),
    ("limit.quiet.value", True, "limit.quiet.value: must be a number"),
    (f"regimen.{SEVERE}.offer.0.minutes", "20", f"regimen[{SEVERE}] (severe).offer[0].minutes: "),
    (f"regimen.{SEVERE}.offer.0.star", "yes", f"regimen[{SEVERE}] (severe).offer[0].star: "),
    ("limit.quiet.value", Decimal("NaN"), "limit.quiet.value: "),
    ("limit.quiet.value", Decimal("Infinity"), "limit.quiet.value: "),
    ("limit.quiet.unit", ..., "limit.quiet.unit: is missing"),
    ("limit.quiet.sources", [], "limit.quiet.sources: "),
    ("limit.quiet.why", "", "limit.quiet.why: "),
    ("limit.quiet.seeds", ["S4-01"], "limit.quiet.seeds[0]: "),
    ("limit.quite", {"value": 1}, "limit.quite: there is no such entry"),
    ("limit.quiet", ..., "limit.quiet: is missing"),
    ("renal", "R0", "renal: must be a list"),
    ("renal.0", "R0", "renal[0]: must be a table"),
    (f"regimen.{SEVERE}.offer.0.dose", 0, f"regimen[{SEVERE}] (severe).offer[0].dose: "),
    ("wording.target", ..., "wording.target: is missing"),
    # citations
    ("limit.quiet.sources", ["B"], "limit.quiet.sources: 'B' is not in [sources]"),
    ("band.0.sources", ["B", "SPS"], "band[0] (severe).sources: 'B' is not in [sources]"),
    ("sources.NEW", "x", "sources.NEW: cited nowhere"),
    ("rule.D0.why", ..., "rule.D0.why: a design choice (source A alone) must say why"),
    # limits
    ("limit.infusion_rate.value", 151, "limit.infusion_rate.value: the label's 150 mg/min"),
    ("limit.quiet.value", -1, "limit.quiet.value: must be above 0"),
    ("limit.quiet.value", 0, "limit.quiet.value: must be above 0"),
    ("limit.potassium_low.value", 5, "limit.potassium_low.value: must not be above"),
    ("result.quantise.value", Decimal("0.05"), "result.quantise.value: must be 0, or 1, 0.1"),
    # site codes
    (
        "result.site_codes",
        [{"lab": "magnesium", "system": "urn:x", "code": "M", "unit": "mg", "why": "y"}],
        "result.site_codes[0].unit: unknown magnesium unit 'mg'",
    ),
    (
        "result.site_codes",
        [{"lab": "magnesium", "system": "lab", "code": "M", "why": "y"}],
        "result.site_codes[0].system: 'lab' is no URI",
    ),
    (
        "result.site_codes",
        [{"lab": "magnesium", "system": "urn:x", "code": "M", "why": "y"}] * 2,
        "result.site_codes[1]: M stands twice",
    ),
    # bands
    ("band.1.low", Decimal("1.25"), "band[1] (moderate): a gap between 0.20 <= v <= 1.20 and"),
    ("band.1.low", Decimal("1.1"), "band[1] (moderate): 0.20 <= v <= 1.20 and 1.1 < v < 1.50"),
    ("band.1.low_inclusive", True, "band[1] (moderate): 0.20 <= v <= 1.20 and 1.20 <= v < 1.50"),
    ("band.0.high_inclusive", False, "band[1] (moderate): a gap between 0.20 <= v < 1.20 and"),
    ("band.0.high", ..., "band[1] (moderate): the bound between severe and moderate is missing"),
    ("band.1.low", ..., "band[1] (moderate): the bound between severe and moderate is missing"),
    ("band.0.low", 2, "band[0] (severe): 2 <= v <= 1.20 holds no value"),
    ("band.1.name", "severe", "band[1] (severe).name: stands twice"),
    ("band.1.acts_as", "normal", "band[2] (mild): acts as mild above normal"),
    ("band.1.indicator", "none", "band[1] (moderate).indicator: a low band needs an indicator"),
    ("band.3.indicator", "info", "band[3] (normal).indicator: a normal value is never treated"),
    ("band.3.high", Decimal("3.1"), "band[3] (normal).high: H3 is never relaxable: above 3 mg/dL"),
    ("band.5.high", 9, "band[5] (toxic).high: the last band must be open above"),
    ("band.5.acts_as", "high", "band: none acts as toxic"),
    # kidney
    (f"renal.{R0}.id", "R1", "renal: exactly one row R0 is needed, found 0"),
    (f"renal.{R0}.start", 30, "renal: R0, R1 and R2 need falling starts"),
    (f"renal.{R0}.start", ..., "renal: R0, R1 and R2 need falling starts"),
    (f"renal.{R2}.start", 15, f"renal[{R2}] (R2).start: below 20 mL/min refusing is never relax"),
    (f"renal.{R3}.start", 5, f"renal[{R3}] (R3).start: only R0, R1 and R2 have one"),
    (f"renal.{R3}.oral", "full", f"renal[{R3}] (R3): refusing is never relaxable"),
    (f"renal.{R3}.cap_g", 1, f"renal[{R3}] (R3).cap_g: 1 g beside intravenous 'refuse'"),
    (f"renal.{R0}.cap_g", -1, f"renal[{R0}] (R0).cap_g: a cap must not be negative"),
    (f"renal.{R0}.cap_g_per_kg", 0, f"renal[{R0}] (R0).cap_g: a cap must not be negative"),
    (f"renal.{RU}.oral", "full", f"renal[{RU}] (RU): allowed only with a [[relaxed]] entry RU"),
    # relaxed
    (
        "relaxed",
        [{"stop": "RU", "approver": "a", "reason": "b"}],
        f"renal[{RU}] (RU): relaxed, but it still refuses",
    ),
    (
        "relaxed",
        [{"stop": "H8", "approver": "a", "reason": "b"}] * 2,
        "relaxed[1] (H8): stands twice",
    ),
    ("relaxed", [{"stop": "H8", "approver": "a"}], "relaxed[0] (H8).reason: is missing"),
    *[
        ("relaxed", [{"stop": s, "approver": "a", "reason": "b"}], f"relaxed[0] ({s}).stop: must")
        for s in ("H3", "H6", "R3", "R4", "H2", "infusion_rate")
    ],
    # rules and stops
    ("rule.D99", {"title": "x", "indicator": "info", "sources": ["L50"]}, "rule.D99: no such rule"),
    ("rule.D1", ..., "rule.D1: missing"),
    ("rule.D1.indicator", {"severe": "info"}, "rule.D1.indicator: this rule has one indicator"),
    ("rule.N1.indicator", {"severe": "info"}, "rule.N1.indicator: say severe, moderate and mild"),
    ("rule.life.indicator", "info", "rule.life.indicator: must be critical"),
    (
        "stop.H99",
        {"title": "x", "blocks": "all", "says": "x", "sources": ["L50"]},
        "stop.H99: no such stop",
    ),
    ("stop.H1", ..., "stop.H1: missing"),
    ("stop.H6.blocks", "parenteral", "stop.H6.blocks: must be 'all'"),
    ("stop.H3.life_exempt", True, "stop.H3.life_exempt: only H2-unknown and H7 may be exempt"),
    # products
    ("product.oxide-400.salt", "sulfate", "product.oxide-400.salt: parenteral magnesium is the"),
    ("product.sulfate-iv.dose_unit", "mg", "product.sulfate-iv.dose_unit: must be g here"),
    ("product.oxide-400.dose_unit", "g", "product.oxide-400.dose_unit: must be mg here"),
    ("product.lactate-sr.elemental_mg", ..., "product.lactate-sr: unit_mg and elemental_mg must"),
    ("product.oxide-400.unit_mg", 0, "product.oxide-400.unit_mg: must be above 0"),
    ("product.oxide-400.round_to_mg", -1, "product.oxide-400.round_to_mg: must be above 0"),
    ("product.oxide-400.codings", [], "product.oxide-400.codings: "),
    (
        "product.oxide-400.codings.0.code",
        "723",
        "product.oxide-400.codings[0].code: RxNorm 723 is not a known magnesium product",
    ),
    (
        "product.oxide-400.codings.0.code",
        "283562",
        "product.oxide-400.codings[0].code: RxNorm 283562 is not a known magnesium product",
    ),
    (
        "product.oxide-400.codings.0.code",
        "198936",
        "product.oxide-400.codings[0].code: RxNorm 198936 is magnesium lactate",
    ),
    (
        "product.oxide-400.codings.0.code",
        "311431",
        "product.oxide-400.codings[0].code: RxNorm 311431 is 500 mg, unit_mg another",
    ),
    (
        "product.oxide-400.codings.0",
        {"system": "ndc", "code": "12", "display": "x"},
        "product.oxide-400.codings[0].code: '12' is no NDC",
    ),
    (
        "product.oxide-400.codings.0",
        {"system": "local", "code": "12", "display": "x"},
        "product.oxide-400.codings[0].system: rxnorm, ndc or the URI of a local system, not",
    ),
    # regimens
    (
        f"regimen.{SEVERE}.when.flags",
        ["arrest"],
        f"regimen[{SEVERE}] (severe).when.flags[0]: no flag 'arrest'",
    ),
    (f"regimen.{SEVERE}.when.bands", ["x"], f"regimen[{SEVERE}] (severe).when.bands: no band 'x'"),
    (
        f"regimen.{SEVERE}.when.bands",
        ["mild"],
        f"regimen[{SEVERE}] (severe).when.bands: 'mild' acts as mild, not as the classes stated",
    ),
    (
        f"regimen.{SEVERE}.when.without",
        ["life"],
        "",
    ),
    (
        f"regimen.{SEVERE}.when",
        {"flags": ["symp"], "without": ["symp"], "renal": ["R0"]},
        f"regimen[{SEVERE}] (severe).when: symp both asked and excluded",
    ),
    (
        f"regimen.{SEVERE}.offer.1.when",
        {"weight_from": 60, "weight_to": 50},
        f"regimen[{SEVERE}] (severe).offer[1].when.weight_from: above weight_to",
    ),
    (f"regimen.{SEVERE}.offer.1.star", True, f"regimen[{SEVERE}] (severe): at most one option is"),
    (f"regimen.{SEVERE}.offer.0.product", "x", f"regimen[{SEVERE}] (severe).offer[0].product: no"),
    (
        f"regimen.{SEVERE}.offer.0.minutes",
        13,
        f"regimen[{SEVERE}] (severe).offer[0].minutes: 2 g over 13 min is faster than 150 mg/min:"
        " at least 14 min",
    ),
    (f"regimen.{SEVERE}.offer.0.minutes", ..., f"regimen[{SEVERE}] (severe).offer[0].minutes: a"),
    (f"regimen.{SEVERE}.offer.0.then_dose", 1, f"regimen[{SEVERE}] (severe).offer[0]: then_dose"),
    (
        f"regimen.{SEVERE}.offer.0",
        {"product": "sulfate-iv", "dose": 2, "minutes": 20, "then_dose": 4, "then_minutes": 26},
        f"regimen[{SEVERE}] (severe).offer[0].then_minutes: 4 g over 26 min is faster than 150",
    ),
    (f"regimen.{SEVERE}.offer.0.per_day", 1, f"regimen[{SEVERE}] (severe).offer[0].per_day: means"),
    (f"regimen.{SEVERE}.offer.0.count", 2, f"regimen[{SEVERE}] (severe).offer[0].count: means"),
    (f"regimen.{IM}.offer.1.every_hours", ..., f"regimen[{IM}] (parenteral).offer[1].every_hours"),
    (f"regimen.{IM}.offer.1.minutes", 9, f"regimen[{IM}] (parenteral).offer[1].minutes: means"),
    (f"regimen.{IM}.offer.1.count", 9, f"regimen[{IM}] (parenteral).offer[1].dose: 9 g in 24 h is"),
    (
        f"regimen.{SEVERE}.offer.2.when",
        {},
        f"regimen[{SEVERE}] (severe).offer[2].dose: 5 g in 24 h is over the cap (R1 4 g)",
    ),
    (
        f"regimen.{SEVERE}.offer.2.when",
        {"renal": ["R2"]},
        f"regimen[{SEVERE}] (severe).offer[2].when: its renal classes are none of the row's",
    ),
    (
        "regimen.0.offer.0",
        {"product": "sulfate-iv", "dose": 6, "minutes": 60},
        "regimen[0] (emergency).offer[0].dose: exempt from the cap, so at most limit.single_iv (5",
    ),
    (f"regimen.{ORAL}.offer.0.per_day", ..., f"regimen[{ORAL}] (oral).offer[0].per_day: a dose"),
    (
        f"regimen.{ORAL}.offer.1.per_day",
        3,
        f"regimen[{ORAL}] (oral).offer[1].dose: 29.8 mmol a day is over the oral ceiling",
    ),
    (
        f"regimen.{ORAL}.when.renal",
        ["R0", "R3"],
        f"regimen[{ORAL}] (oral).offer[0]: by mouth, where R3 refuses it",
    ),
    (
        "product.oxide-500.round_to_mg",
        200,
        f"regimen[{ORAL}] (oral).offer[0].dose: 500 mg is no multiple of the 200 mg that are"
        " stocked; the next lower is 400 mg",
    ),
    (
        "product.sulfate-iv.round_to_mg",
        2000,
        f"regimen[{SEVERE}] (severe).offer[1].dose: 1 g is no multiple of the 2000 mg that are"
        " stocked; the next lower is 0 g",
    ),
    # follow-up
    ("followup.0.regimens", ["x"], "followup[0].regimens: no regimen 'x'"),
    ("followup.0.when", {"flags": ["life"]}, "followup[0].when.flags: a follow-up row speaks of"),
    ("followup.0.recheck", [], "followup[0].recheck: says no time"),
    ("followup.0.recheck", ["end+6"], "followup[0].recheck[0]: must have the form"),
    (
        "followup.3",
        ...,
        f"regimen[{ORAL}] (oral).offer[0]: ",
    ),
    (
        "followup.5.recheck",
        ["end+6h"],
        f"regimen[{ORAL}] (oral).offer[0]: no [[followup]] row bounds it (moderate, ambulatory, R0)"
        ": an oral order lasts until its start+ recheck",
    ),
    # interactions
    ("interaction.0.drug", "eravacycline", "interaction[0] (eravacycline).drug: no chelated drug"),
    ("interaction.0.drug", "furosemide", "interaction[0] (furosemide).drug: no chelated drug"),
    ("interaction.1.drug", "levothyroxine", "interaction[1] (levothyroxine).drug: stands twice"),
    # lists of drugs
    (
        "drug_list",
        [{"group": "cause", "adds": ["aspirin"], "sources": ["A"], "why": "x"}],
        "drug_list[0] (cause).adds: 'aspirin' is no ingredient that cards/codes/codes.toml knows",
    ),
    (
        "drug_list",
        [{"group": "cause", "adds": ["cisplatin"], "sources": ["A"], "why": "x"}],
        "drug_list[0] (cause).adds: cisplatin is already in cause",
    ),
    (
        "drug_list",
        [{"group": "qt-known", "removes": ["cisplatin"], "sources": ["A"], "why": "x"}],
        "drug_list[0] (qt-known).removes: cisplatin is not in qt-known",
    ),
    ("drug_list", [{"group": "loop", "sources": ["A"], "why": "x"}], "drug_list[0] (loop).group: "),
    # the site's own drugs
    ("drug", [OURS | {"drug": "magnesia"}], "drug[0] (magnesia).drug: 'magnesia' is no drug that"),
    ("drug", [OURS | {"drug": ""}], "drug[0] (): says what it is once"),
    ("drug", [OURS | {"group": "loop"}], "drug[0] (magnesium sulfate): says what it is once"),
    ("drug", [GROUP | {"group": "diuretic"}], "drug[0] (diuretic).group: 'diuretic' is no group: "),
    ("drug", [OURS | {"names": [], "codes": []}], "drug[0] (magnesium sulfate): names nothing"),
    ("drug", [OURS | {"mg": 400}], "drug[0] (magnesium sulfate).mg: is the salt in a tablet"),
    (
        "drug",
        [OURS | {"form": "oral", "mg_per_ml": 40}],
        "drug[0] (magnesium sulfate).mg_per_ml: is magnesium sulfate in an injection",
    ),
    ("drug", [GROUP | {"protocol": True}], "drug[0] (qt-known).protocol: a replacement protocol"),
    (
        "drug",
        [OURS | {"codes": [{"system": "house", "code": "1"}]}],
        "drug[0] (magnesium sulfate).codes[0].system: rxnorm, ndc, atc, snomed or the URI",
    ),
    (
        "drug",
        [OURS | {"codes": [{"system": "ndc", "code": "12"}]}],
        "drug[0] (magnesium sulfate).codes[0].code: '12' is no NDC",
    ),
    ("drug", [OURS, OURS], "drug[1] (magnesium sulfate).codes[0].code: stands twice"),
    (
        "drug",
        [GROUP | {"codes": [{"system": "rxnorm", "code": "6585"}]}],
        "drug[0] (qt-known).codes[0].code: 6585 is magnesium sulfate",
    ),
    (
        "drug",
        [GROUP | {"names": ["Cormagnesin 400"]}],
        "drug[0] (qt-known).names: 'Cormagnesin 400' is magnesium sulfate",
    ),
    (
        "drug",
        [GROUP | {"group": "none", "names": ["Magnesium"]}],
        "drug[0] (none).names: 'Magnesium' alone tells no drug",
    ),
    ("drug", [OURS | {"sources": ["HOUSE"]}], "drug[0] (magnesium sulfate).sources: 'HOUSE'"),
    # head
    ("protocol.authors", [], "protocol.authors: "),
    ("protocol.review_due", "soon", "protocol.review_due: must be a date"),
    ("protocol.drops", [], "protocol.drops: nothing is inherited"),
    ("protocol.extends", "fast", "protocol.extends: no profile 'fast'"),
    ("protocol", "x", "protocol: must be a table"),
]


@pytest.mark.parametrize(
    ("path", "value", "says"), FAULTS, ids=[f"{n}-{f[0]}" for n, f in enumerate(FAULTS)]
)
def test_a_fault_is_located(path: str, value: object, says: str) -> None:
    found = lines(changed(path, value))
    # Without the inpatients' follow-up row the outpatients' rows bound them.
    if path == "followup.3" or not says:
        assert found == ()
    else:
        assert any(line.startswith(f"site.toml: {says}") for line in found), found


def test_the_standard_file_has_no_fault() -> None:
    assert lines(raw()) == ()


@pytest.mark.parametrize("data", [b"\xff", b"x = ", b"x = 1\nx = 2\n"])
def test_what_is_not_toml_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^site\.toml: "):
        parse_protocol(data, "site.toml")


def test_a_product_that_no_regimen_offers_is_refused() -> None:
    tables = raw()
    tables["product"]["more"] = tables["product"]["oxide-400"]
    assert lines(tables) == ("site.toml: product.more: offered by no regimen",)


def test_bands_that_no_row_may_speak_of() -> None:
    tables = raw()
    tables["band"][1]["acts_as"] = "mild"
    found = lines(tables)
    assert any(line.endswith("when.classes: no band acts as moderate") for line in found)


def test_an_oral_option_for_a_band_is_bounded_for_its_class() -> None:
    tables = raw()
    tables["followup"] = [f for f in tables["followup"] if f["routes"] != ["po"]]
    mild = {"routes": ["po"], "recheck": ["start+2d"], "sources": ["RCHT"]}
    tables["followup"].append({**mild, "when": {"classes": ["mild"]}})
    kept = [row for row in tables["regimen"] if row["id"] in ("emergency", "severe")]
    oral = {
        "id": "oral",
        "when": {"bands": ["mild"], "renal": ["R0", "R1"]},
        "offer": [{"product": "oxide-400", "dose": 400, "per_day": 2, "star": True}],
        "sources": ["SPS"],
        "why": "x",
    }
    tables["regimen"] = [*kept, oral]
    used = {o["product"] for row in tables["regimen"] for o in row["offer"]}
    tables["product"] = {k: v for k, v in tables["product"].items() if k in used}
    found = [one for one in lines(tables) if "cited nowhere" not in one]
    assert found == []
    tables["regimen"][-1]["when"] = {"bands": ["mild", "moderate"]}
    (line,) = [one for one in lines(tables) if "cited nowhere" not in one]
    assert "(oral).offer[0]: no [[followup]] row bounds it (moderate, inpatient, R0)" in line


def test_an_empty_interval_is_refused() -> None:
    tables = raw()
    tables["band"][1] |= {"low": Decimal("1.20"), "high": Decimal("1.20")}
    assert "site.toml: band[1] (moderate): 1.20 < v < 1.20 holds no value" in lines(tables)


def test_a_dose_that_fits_in_no_class_is_over_its_cap() -> None:
    tables = raw()
    tables["regimen"][SEVERE]["when"] = {"classes": ["severe"]}
    tables["regimen"][SEVERE]["offer"] = [{"product": "sulfate-litre", "dose": 9, "minutes": 600}]
    (line,) = lines(tables)
    assert line.endswith("offer[0].dose: 9 g in 24 h is over the cap (R0 8 g, R1 4 g, R2 2 g)")
    tables["regimen"][SEVERE]["offer"] = [{"product": "sulfate-litre", "dose": 5, "minutes": 600}]
    assert lines(tables) == ()


# -- bands -------------------------------------------------------------------------------------
def test_a_band_says_its_interval_and_holds_its_values() -> None:
    protocol = shipped("standard")
    named = {band.name: band for band in protocol.file.band}
    assert named["severe"].interval == "0.20 <= v <= 1.20"
    assert named["moderate"].interval == "1.20 < v < 1.50"
    assert named["toxic"].interval == "4.70 <= v"
    found = {v: protocol.band_of(Decimal(v)) for v in ("0.1", "1.20", "1.21", "1.5", "2.6", "9")}
    names = [band.name if band else None for band in found.values()]
    assert names == [None, "severe", "moderate", "mild", "normal", "toxic"]
    assert (protocol.severe_high, protocol.low_high) == (Decimal("1.20"), Decimal("1.80"))
    assert protocol.normal_high == Decimal("2.60")


def test_several_bands_may_act_as_one() -> None:
    tables = raw()
    tables["band"].insert(1, {**copy.deepcopy(tables["band"][1]), "name": "nearly severe"})
    tables["band"][1] |= {"acts_as": "severe", "high": Decimal("1.30"), "indicator": "critical"}
    tables["band"][2] |= {"low": Decimal("1.30"), "low_inclusive": True}
    protocol = build_protocol(tables, "site.toml")
    found = protocol.band_of(Decimal("1.25"))
    assert found is not None
    assert (found.name, found.acts_as, protocol.severe_high) == (
        "nearly severe",
        "severe",
        Decimal("1.30"),
    )
    assert shorthand(protocol, "Mg 1.29 mg/dL") == ["iv2/20", "iv5/180"]
    assert shorthand(protocol, "Mg 1.30 mg/dL") == ["po500x1", "po400x2", "alt"]


# -- extends -----------------------------------------------------------------------------------
def site(**tables: Any) -> Raw:
    head = {
        "extends": "standard",
        "name": "site",
        "version": "1",
        "title": "Site",
        "authors": ["A"],
        "reviewers": ["B"],
        "reviewed": date(2026, 1, 1),
        "review_due": date(2027, 1, 1),
    }
    return {"protocol": {**head, **tables.pop("protocol", {})}, **tables}


def quiet(**changes: Any) -> Raw:
    return {"quiet": {"value": 12, "unit": "h", "sources": ["A"], "why": "x", **changes}}


def test_a_file_that_only_extends_is_the_profile_under_another_name() -> None:
    protocol = build_protocol(site(), "site.toml")
    standard = shipped("standard")
    assert protocol.file.model_copy(update={"protocol": standard.file.protocol}) == standard.file
    assert protocol.file.protocol.notice == standard.file.protocol.notice
    assert protocol.file.protocol.reviewers == ("B",)
    assert protocol.hash != standard.hash


def test_the_hash_covers_what_is_inherited_and_no_comment() -> None:
    own = "[protocol]\nextends = 'standard'\n"
    own += "name = 'a'\nversion = '1'\ntitle = 't'\nauthors = ['x']\n"
    own += "reviewed = 2026-01-01\nreview_due = 2027-01-01\n"
    one = parse_protocol(own.encode(), "a.toml")
    assert parse_protocol(b"# a comment\n" + own.encode(), "b.toml").hash == one.hash
    slow = own.replace("'standard'", "'slow-infusion'")
    assert parse_protocol(slow.encode(), "a.toml").hash != one.hash


def test_an_entry_replaces_the_inherited_one_whole() -> None:
    protocol = build_protocol(site(limit=quiet()), "site.toml")
    assert protocol.file.limit.quiet.value == 12
    assert protocol.file.limit.accepted_unseen == shipped("standard").file.limit.accepted_unseen
    without = {"quiet": {"value": 12}}
    assert "site.toml: limit.quiet.unit: is missing" in lines(site(limit=without))


def test_rows_of_a_name_stand_where_the_first_stood() -> None:
    severe = {
        "id": "severe",
        "when": {"classes": ["severe"]},
        "offer": [{"product": "sulfate-iv", "dose": 2, "minutes": 60, "star": True}],
        "sources": ["A"],
        "why": "x",
    }
    other = {**severe, "id": "other", "when": {"classes": ["mild"]}}
    protocol = build_protocol(site(regimen=[other, severe]), "site.toml")
    ids = [row.id for row in protocol.file.regimen]
    assert ids[:3] == ["emergency", "severe", "parenteral"]
    assert ids.count("severe") == 1
    assert ids[-1] == "other"
    assert "sulfate-litre" not in protocol.file.product  # used by the replaced rows alone


def test_bands_and_followups_are_stated_whole() -> None:
    followup = {"routes": ["iv", "im", "po"], "recheck": ["start+24h"], "sources": ["HIGH"]}
    protocol = build_protocol(site(followup=[followup]), "site.toml")
    assert len(protocol.file.followup) == 1
    assert len(protocol.file.band) == 6
    (one,) = lines(site(band=[]))
    assert one.startswith("site.toml: band: ")


def test_what_is_dropped_is_not_inherited() -> None:
    drops = ["regimen.maintenance", "followup.*", "interaction.digoxin"]
    found = lines(site(protocol={"drops": drops}))
    assert found
    assert all("no [[followup]] row bounds it" in line for line in found)
    protocol = build_protocol(site(protocol={"drops": drops[2:] + drops[:1]}), "site.toml")
    assert "glycinate" not in protocol.file.product
    assert "digoxin" not in {row.drug for row in protocol.file.interaction}
    with pytest.raises(ProtocolError, match=r"protocol\.drops: regimen\.nothing: nothing of that"):
        build_protocol(site(protocol={"drops": ["regimen.nothing"]}), "site.toml")


def test_a_source_nothing_cites_any_more_is_left_out() -> None:
    every = [{**entry, "sources": ["A"], "why": "x"} for entry in raw()["interaction"]]
    protocol = build_protocol(site(interaction=every, rule={"N8": n8()}), "site.toml")
    assert "SMI" not in protocol.file.sources
    own = site(sources={"MINE": "mine"})
    assert lines(own) == ("site.toml: sources.MINE: cited nowhere",)


def n8() -> Raw:
    return {**raw()["rule"]["N8"], "sources": ["A"], "why": "x"}


def test_a_fault_in_an_inherited_entry_says_so() -> None:
    slower = {"value": 50, "unit": "mg/min", "sources": ["A"], "why": "x"}
    found = lines(site(limit={"infusion_rate": slower}))
    assert (
        "site.toml: regimen[0] (emergency).offer[0].minutes: 2 g over 15 min is faster than"
        " 50 mg/min: at least 40 min (inherited from standard.toml)" in found
    )


def test_a_fault_in_an_own_row_has_its_number_in_the_own_file() -> None:
    oral = {
        "id": "oral",
        "when": {"classes": ["mild"]},
        "offer": [{"product": "oxide-400", "dose": 400, "per_day": 9}],
        "sources": ["A"],
        "why": "x",
    }
    (line,) = lines(site(regimen=[oral]))
    assert line.startswith("site.toml: regimen[0] (oral).offer[0].dose: 89.3 mmol a day")


def test_faults_through_two_files_name_the_one_they_stand_in() -> None:
    tables = site(
        limit={"infusion_rate": {"value": 20, "unit": "mg/min", "sources": ["L50"], "why": "x"}}
    )
    tables["protocol"]["extends"] = "slow-infusion"
    found = lines(tables)
    assert any(
        "regimen[0] (severe)" in one and one.endswith("(inherited from slow-infusion.toml)")
        for one in found
    )
    assert any(
        "(emergency)" in one and one.endswith("(inherited from standard.toml)") for one in found
    )


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"limit": 3}, "limit: "),
        ({"sources": [1]}, "sources: "),
        ({"regimen": {"id": "x"}}, "regimen"),
        ({"regimen": [1]}, "regimen[0]: "),
        ({"regimen": [{"id": "x", "offer": 3}]}, "regimen[0] (x)"),
        ({"regimen": [{"id": 3}]}, "regimen[0] (3)"),
        ({"product": []}, "product: "),
        ({"wording": {"target": 3}}, "wording.target"),
        ({"protocol": {"drops": 3}}, "protocol.drops: "),
        ({"protocol": {"drops": [3]}}, "protocol.drops[0]: "),
        ({"protocol": {"extends": 3}}, "protocol.extends: no profile 3"),
        ({"more": {}}, "more: there is no such entry"),
        ({"limit": {"quiet": {"sources": 3}}}, "limit.quiet"),
    ],
)
def test_what_has_the_wrong_shape_is_refused_with_its_place(tables: Raw, says: str) -> None:
    found = lines(site(**tables))
    assert any(line.startswith(f"site.toml: {says}") for line in found), found


# -- check ---------------------------------------------------------------------------------------
def remarks(path: str, value: object, today: date | None = None) -> tuple[str, ...]:
    return check(build_protocol(changed(path, value), "site.toml"), today)


OPTION = {"product": "sulfate-litre", "dose": 5, "minutes": 180}
REMARKS: list[tuple[str, object, str]] = [
    ("protocol.authors", ["(name)"], "protocol.authors: a placeholder"),
    ("protocol.review_due", date(2026, 1, 1), "protocol.review_due: 2026-01-01 is not after"),
    ("band.0.low", ..., "band 'severe': open below"),
    ("band.0.indicator", "info", "band 'severe': info is milder than the band above it"),
    ("band.0.indicator", "info", "rule.severe.indicator: critical is not used: band 'severe' says"),
    ("result.quantise.value", 1, "band 'severe': the bound 0.20 is finer than"),
    ("result.quantise.value", 0, "result.quantise: 0 compares as reported"),
    ("result.stale", "silent", "result.stale: silent about every old result"),
    (
        "rule.N1.indicator",
        {"severe": "info", "moderate": "warning", "mild": "info"},
        "rule.N1.indicator: milder for a worse class",
    ),
    ("rule.D1.indicator", "info", "rule.D1.indicator: info, milder than the standard profile's"),
    (
        "limit.single_iv.value",
        4,
        f"regimen[{SEVERE}] (severe).offer[2].dose: 5 g is above limit.single_iv, 4 g",
    ),
    ("limit.single_iv.value", 6, "limit.single_iv: 6 g is above the standard profile's 5 g"),
    ("limit.weight_floor.value", 30, "limit.weight_floor: 30 kg is below the standard profile's"),
    (f"renal.{R0}.cap_g", 9, "renal R0: its cap is above limit.daily_parenteral"),
    ("product.lactate-sr.unit_mg", 100, ""),
    (f"regimen.{ORAL}.offer.2.dose", 100, f"regimen[{ORAL}] (oral).offer[2].dose: 100 mg is no"),
    ("product.sulfate-iv.diluent", "", "product.sulfate-iv: neither a diluent nor what is stocked"),
    ("product.sulfate-iv.text", "MgSO4 IV", "product.sulfate-iv: 'MgSO4' on an order is misread"),
    ("followup.0.recheck", ["end+6h"], ""),
    ("followup.2", ..., ""),
    ("interaction.0", ..., "interaction: no row for levothyroxine: N8 is silent on them"),
    (
        f"regimen.{SEVERE}.when",
        {"classes": ["severe"], "renal": ["R0", "R1"], "flags": ["life"]},
        f"regimen[{SEVERE}] (severe): no patient reaches it",
    ),
    (
        f"regimen.{SEVERE}.offer.1.when",
        {"without": ["life"], "settings": ["ambulatory"]},
        f"regimen[{SEVERE}] (severe).offer[1]: never offered",
    ),
    ("band.3.high", Decimal("3.0"), "band: normal up to 3.0: H3 holds only above that"),
]


@pytest.mark.parametrize(
    ("path", "value", "says"), REMARKS, ids=[f"{n}-{r[0]}" for n, r in enumerate(REMARKS)]
)
def test_a_pharmacist_would_remark(path: str, value: object, says: str) -> None:
    tables = changed(path, value)
    if path == "band.3.high":
        tables["band"][4]["low"] = value
    if path == "product.lactate-sr.unit_mg":
        assert lines(tables)  # the code says 84 mg
        return
    found = check(build_protocol(tables, "site.toml"))
    if says:
        assert any(one.startswith(says) for one in found), found
    else:
        assert len(found) == 1, found


def test_an_overdue_review_is_remarked_on() -> None:
    protocol = shipped("standard")
    assert not any("due" in one for one in check(protocol, protocol.review_due))
    late = check(protocol, protocol.review_due.replace(year=2028))
    assert "protocol.review_due: the review was due on 2027-11-25" in late
    assert not any("due" in one for one in check(protocol))


def test_relaxations_come_first() -> None:
    found = check(parse_protocol(SITE.read_bytes(), "site.toml"))
    assert [one.split(":")[0] for one in found[:3]] == ["site-relaxed"] * 3
    assert any(one.startswith("band: low up to 1.9: advises on values") for one in found)
    assert found[0] == (
        "site-relaxed: RU: policy 12 asks for no creatinine "
        "(approved by Example Hospital drugs and therapeutics committee)"
    )
    assert not any(one.startswith("site-relaxed") for one in found[3:])


def test_a_level_without_a_regimen_and_classes_without_a_band_are_remarked_on() -> None:
    tables = raw()
    tables["regimen"] = [row for row in tables["regimen"] if row["id"] != "severe"]
    tables["followup"][0].pop("regimens")
    tables["product"].pop("sulfate-litre")
    found = check(build_protocol(tables, "site.toml"))
    assert "band 'severe': no regimen offers anything at this level" in found
    own = site(
        band=[
            {**raw()["band"][0], "high": Decimal("1.8"), "high_inclusive": False},
            *raw()["band"][3:],
        ],
        protocol={
            "drops": [
                *(f"regimen.{n}" for n in ("parenteral", "moderate-at-risk", "gi-loss", "oral")),
                "followup.*",
                "regimen.maintenance",
            ]
        },
    )
    found = check(build_protocol(own, "site.toml"))
    assert {"band: none acts as moderate", "band: none acts as mild"} <= set(found)
    assert "followup: no follow-up level is suggested after any regimen" in found


def test_a_route_without_a_followup_row_is_remarked_on() -> None:
    tables = raw()
    tables["followup"] = [f for f in tables["followup"] if "po" in f["routes"] or "regimens" in f]
    found = check(build_protocol(tables, "site.toml"))
    assert "followup: no row for every regimen given im" in found
    assert "followup: no row for every regimen given iv" in found


# -- show ----------------------------------------------------------------------------------------
def test_the_whole_table_is_shown() -> None:
    protocol = shipped("standard")
    text = show(protocol)
    file = protocol.file
    assert text.startswith("# Magnesium repletion in adults, standard\n")
    for place, limit in limits(file):
        assert f"| {place} | " in text, place
        assert limit.why in text
    for name in Wordings.model_fields:
        assert getattr(file.wording, name).text in text
    for table in (file.rule, file.stop):
        for name, entry in table.items():
            assert f"| {name} | {entry.title} |" in text
    for key, source in file.sources.items():
        assert f"| {key} | {source} |" in text
    for drug in file.interaction:
        said = f"{drug.says} (off: no card)" if drug.off else drug.says
        assert f"| {drug.drug} | {said} |" in text
    for name in codes.NOT_DETECTED:
        assert f"- {name}\n" in text
    assert "★ magnesium sulfate 2 g IV over 15 min (8.1 mmol, 16.2 mEq, 133.3 mg/min)" in text
    im = "1 g IM every 6 h x 4 (4.1 mmol, 8.1 mEq each; in all 4 g)"
    assert f"{im} [not with anticoagulant or low platelets], product sulfate-im" in text
    oxide = "magnesium oxide 500 mg at night (12.4 mmol, 24.8 mEq, 302 mg elemental a day)"
    assert oxide in text
    twice = "magnesium oxide 400 mg twice daily (19.8 mmol, 39.7 mEq, 482 mg elemental a day)"
    assert twice in text
    assert "glycinate 200 mg elemental twice daily (16.5 mmol, 32.9 mEq, 400 mg elemental" in text
    assert "[40 to 50 kg]" in text
    assert "rounded to 0.01 mg/dL, half up, then compared. A result that is too old asks" in text
    assert "Reviewed by nobody: not signed" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for line, below in pairwise(rows):
        if set(below) == {"|", "-"}:
            assert line.count("|") == below.count("|")


def test_what_a_site_changes_is_shown() -> None:
    text = show(parse_protocol(SITE.read_bytes(), "site.toml"))
    assert "Builds on the shipped profile `standard`." in text
    assert "## Relaxed by the site" in text
    assert "| weight-unknown | policy 12 doses without weight |" in text
    assert "Results are compared as reported. A result that is too old is not spoken of." in text
    assert "Site code for magnesium: MGSER of urn:oid:2.999.1, sent in mg/dL" in text
    assert "None is suggested." in text
    assert "ndc 99999-0001-01 Magnesium Sulfate in Water, bag<br>urn:oid:2.999.2 MAG-IV" in text
    assert "stocked in steps of 1000 mg" in text
    assert "| 1 | by-band | band below 1.0 |" in text
    slow = show(shipped("slow-infusion"))
    assert "2 g IV over 20 min, then 4 g IV over 4 h (8.1 mmol, 16.2 mEq, 100 mg/min, " in slow
    assert ", then 16.2 mmol, 32.5 mEq, 16.7 mg/min)" in slow


def test_a_row_that_always_holds_is_shown_so() -> None:
    tables = raw()
    tables["regimen"].append(
        {"id": "last", "when": {}, "offer": [], "sources": ["SPS"], "why": "a | b"}
    )
    text = show(build_protocol(tables, "site.toml"))
    assert "| last | always | nothing |  | SPS |  | a \\| b |" in text


# -- template ------------------------------------------------------------------------------------
@pytest.mark.parametrize("short", [False, True])
def test_a_starting_file_can_be_used_and_keeps_its_comments(short: bool) -> None:
    text = template('St "Else"\n where', date(2028, 2, 29), short=short)
    protocol = parse_protocol(text.encode(), "new.toml")
    head = protocol.file.protocol
    assert (protocol.name, head.version, head.reviewers) == ('St "Else" where', "1", ())
    assert (head.reviewed, head.review_due) == (date(2028, 2, 29), date(2029, 2, 28))
    found = check(protocol, date(2028, 3, 1))
    assert any(one.startswith("protocol.reviewers") for one in found)
    assert any(one.startswith("protocol.authors") for one in found)
    standard = shipped("standard")
    same = protocol.file.model_copy(update={"protocol": standard.file.protocol})
    assert same == standard.file
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert len(comments) > 10
    if not short:
        shipped_comments = shipped_bytes("standard").decode().splitlines()
        assert {c for c in shipped_comments if c.startswith("#")} <= set(comments)


def test_a_starting_file_without_a_date_has_the_shipped_dates() -> None:
    head = parse_protocol(template("x").encode(), "new.toml").file.protocol
    assert head.reviewed == shipped("standard").file.protocol.reviewed
    later = parse_protocol(template("x", date(2027, 5, 6)).encode(), "new.toml").file.protocol
    assert later.review_due == date(2028, 5, 6)


def test_the_examples_of_the_short_file_can_be_used() -> None:
    text = template("x", short=True)
    head, _, examples = text.partition("drops = []\n")
    lines_ = [
        line.removeprefix("# ")
        for line in examples.splitlines()
        if re.match(r"# (\[|[a-z_]+ = |HOSP)", line)
    ]
    protocol = parse_protocol((head + "\n".join(lines_)).replace('"RU"', '"H8"').encode(), "x.toml")
    assert protocol.file.limit.fast_rate.value == 1
    assert protocol.relaxed("H8")
    assert not protocol.relaxed("RU")
    assert shorthand(protocol, "Mg 1.1 mg/dL") == ["iv4/240"]


# -- slow infusion -------------------------------------------------------------------------------
def cards_of(protocol: Protocol, inputs: str, hook: str = "patient-view") -> Raw:
    request = json.dumps(build_request(hook, inputs)).encode()
    found: Raw = json.loads(answer(request, SERVICE_IDS[hook], NOW, protocol).body)
    return found


def shorthand(protocol: Protocol, inputs: str) -> list[str]:
    return [offer.shorthand for offer in offers(cards_of(protocol, inputs))]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("Mg 1.1 mg/dL", ["iv4/240"]),
        ("Mg 1.1 mg/dL | egfr 45", ["iv4/240"]),
        ("Mg 1.1 mg/dL | egfr 25", ["iv2/240"]),
        ("Mg 1.1 mg/dL | egfr 15", []),
        ("Mg 1.1 mg/dL | weight None", ["iv2/240"]),
        ("Mg 1.4 mg/dL | condition: tetany", ["iv2/20", "iv4/240"]),
        ("Mg 1.1 mg/dL | condition: tetany", ["iv2/20", "iv4/240"]),
        # 6 g do not fit 4 g, the first 2 g do.
        ("Mg 1.1 mg/dL | condition: tetany | egfr 45", ["iv2/20"]),
        ("Mg 1.1 mg/dL | condition: tetany | weight None", ["iv2/20"]),
        ("Mg 1.1 mg/dL | condition: tetany | egfr 25", ["iv1/20"]),
        ("Mg 1.1 mg/dL | condition: torsades", ["iv2/15"]),
        ("Mg 1.4 mg/dL", ["po400x2", "po500x1", "alt"]),
        ("Mg 1.6 mg/dL | egfr 25", []),
        ("Mg 1.4 mg/dL | egfr 25", ["po400x1"]),
        ("Mg 1.4 mg/dL | active: MgO400 400 mg PO x2 daily (authored 60 h ago)", []),
        ("Mg 1.4 mg/dL | condition: short_bowel", ["po400x2", "po500x1", "alt", "iv2/120"]),
        (
            "Mg 1.4 mg/dL | condition: tetany"
            " | given: MgSO4 3 g IV, started 21 h ago, ended 20 h ago",
            ["iv2/20"],
        ),
    ],
)
def test_the_slow_profile(inputs: str, expected: list[str]) -> None:
    assert shorthand(shipped("slow-infusion"), inputs) == expected


def test_two_steps_of_one_regimen_are_one_suggestion_and_no_duplicates() -> None:
    protocol = shipped("slow-infusion")
    inputs = "Mg 1.4 mg/dL | condition: tetany"
    (card,) = cards_of(protocol, inputs)["cards"]
    (suggestion,) = card["suggestions"]
    accepted = [
        action["resource"]
        for action in suggestion["actions"]
        if action["resource"]["resourceType"] == "MedicationRequest"
    ]
    assert len(accepted) == 2
    for drafts in (accepted, accepted[::-1], accepted[:1], accepted[1:]):
        for hook in ("order-select", "order-sign"):
            request = build_request(hook, inputs)
            request["context"]["draftOrders"]["entry"] = [{"resource": d} for d in drafts]
            if hook == "order-select":
                request["context"]["selections"] = [f"MedicationRequest/{drafts[0]['id']}"]
            body = json.dumps(request).encode()
            again = json.loads(answer(body, SERVICE_IDS[hook], NOW, protocol).body)
            assert again["cards"] == [], again
    # A third parenteral draft is a duplicate.
    request = build_request("order-sign", f"{inputs} | draft: MgSO4 1 g IV over 60 min")
    request["context"]["draftOrders"]["entry"] += [{"resource": d} for d in accepted]
    body = json.dumps(request).encode()
    found = json.loads(answer(body, SERVICE_IDS["order-sign"], NOW, protocol).body)
    assert "D12" in json.dumps(found)


# -- lists of drugs ------------------------------------------------------------------------------
def test_a_site_may_change_the_causes_and_the_qt_drugs() -> None:
    protocol = build_protocol(
        site(
            drug_list=[
                {"group": "cause", "adds": ["carboplatin"], "sources": ["A"], "why": "x"},
                {"group": "cause-tier2", "removes": ["carboplatin"], "sources": ["A"], "why": "x"},
                {"group": "qt-known", "removes": ["ondansetron"], "sources": ["A"], "why": "x"},
            ]
        ),
        "site.toml",
    )
    standard = shipped("standard")
    for inputs, before, after in (
        ("Mg 1.1 mg/dL | draft: carboplatin", [], ["N6"]),
        ("Mg 1.1 mg/dL | draft: ondansetron", ["N4"], []),
        ("Mg 1.1 mg/dL | draft: sotalol", ["N4"], ["N4"]),
    ):
        for found, wanted in ((standard, before), (protocol, after)):
            given = cards_of(found, inputs, "order-select")["cards"]
            assert [card["source"]["topic"]["code"] for card in given] == wanted
    inputs = "Mg 1.4 mg/dL | active: ondansetron (authored 30 h ago) | k 3.4"
    assert shorthand(standard, inputs)[0] == "iv2/120"
    assert shorthand(protocol, inputs)[0] == "po500x1"
    assert "drug_list qt-known: ondansetron no longer counted" in check(protocol)
    assert "| cause | carboplatin |  | A |  | x |" in show(protocol)


def test_a_combination_keeps_what_another_ingredient_gives_it() -> None:
    furosemide = codes.drug(codes.RXNORM, "313988")
    assert furosemide is not None
    both = replace(
        furosemide, ingredients=("furosemide", "ondansetron"), groups=frozenset({"qt-known"})
    )
    lists = {"ondansetron": (frozenset({"cause"}), frozenset({"qt-known"}))}
    (found,) = relisted(Identity((both,), "both"), lists).drugs
    assert found.groups == {"cause", "qt-known"}
    (found,) = relisted(
        Identity((replace(both, groups=frozenset(), systemic=False),), "x"), lists
    ).drugs
    assert found.groups == set()


# -- drugs as the site calls them ----------------------------------------------------------------
def test_a_site_names_its_drugs_by_code_and_by_name() -> None:
    rows = [
        OURS | {"form": "parenteral", "mg_per_ml": 40},
        GROUP | {"form": "oral", "codes": []},
        {"drug": "magnesium oxide", "codes": [{"system": "ndc", "code": "99999-001-01"}],
         "form": "oral", "mg": 250, "sources": ["A"], "why": "x"},
        {"drug": "magnesium sulfate", "names": ["lytes by nurse"], "protocol": True,
         "sources": ["A"], "why": "x"},
        {"group": "none", "names": ["Magnasoothe gel"], "sources": ["A"], "why": "x"},
    ]  # fmt: skip
    ours = build_protocol(site(drug=rows), "site.toml").formulary
    bag = ours.drug("urn:house", " 4711")
    assert bag is not None
    assert (bag.salt, bag.form, bag.mg_per_ml) == ("sulfate", "parenteral", Decimal(40))
    assert ours.read("House bag no. 4, 50 mL").drugs[0].name == "magnesium sulfate"
    assert ours.read("Rhythmol forte").drugs[0].groups == {"qt-known"}
    tablet = ours.drug(codes.NDC, "99999000101")
    assert tablet is not None
    assert (tablet.salt, tablet.strength, tablet.elemental) == ("oxide", Decimal(250), False)
    assert ours.read("Lytes by nurse").drugs[0].protocol
    assert ours.read("magnasoothe gel") == codes.Reading()
    assert codes.read_text("magnasoothe gel").possible
    # What is shipped stays.
    assert ours.drug(codes.RXNORM, "4603") is not None
    assert ours.read("LASIX 40 mg").drugs[0].name == "furosemide"
    assert ours.is_other(codes.ATC, "N02BE01")


def test_a_code_the_site_rules_out_is_none_of_ours() -> None:
    row = GROUP | {"group": "none", "names": [], "codes": [{"system": "urn:house", "code": "8"}]}
    ours = build_protocol(site(drug=[row]), "site.toml").formulary
    assert ours.drug("urn:house", "8") is None
    assert ours.is_other("urn:house", "8")
    assert not ours.is_other("urn:house", "9")


def test_a_product_of_the_file_is_recognised_by_its_own_code() -> None:
    product = raw()["product"]["sulfate-iv"] | {
        "codings": [
            {"system": "urn:house", "code": "MG2", "display": "magnesium sulfate"},
            {"system": "ndc", "code": "99999-100-50", "display": "magnesium sulfate"},
        ]
    }
    ours = build_protocol(site(product={"sulfate-iv": product}), "site.toml")
    for system, code in (("urn:house", "MG2"), (codes.NDC, "99999010050")):
        found = ours.formulary.drug(system, code)
        assert found is not None
        assert (found.salt, found.form) == ("sulfate", "parenteral")
    request = build_request("patient-view", "Mg 1.1 mg/dL | active: MgSO4 2 g IV over 60 min")
    order = request["prefetch"]["medications"]["entry"][0]["resource"]
    order["medicationCodeableConcept"] = {"coding": [{"system": "urn:house", "code": "MG2"}]}
    body = json.dumps(request).encode()
    found = json.loads(answer(body, SERVICE_IDS["patient-view"], NOW, ours).body)["cards"]
    assert "already being treated" in json.dumps(found)


# -- old results ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "inputs",
    [
        "Mg 1.1 mg/dL, collected 25 h ago",
        "Mg 5.0 mg/dL, collected 25 h ago",
        "Mg 1.1 mg/dL, no time",
        "Mg 1.1 (no unit), collected 25 h ago",
    ],
)
def test_a_site_may_be_silent_about_old_results(inputs: str) -> None:
    silent = build_protocol(changed("result.stale", "silent"), "site.toml")
    assert cards_of(silent, inputs)["cards"] == []
    assert cards_of(shipped("standard"), inputs)["cards"] != []


def test_what_is_newer_and_unreadable_is_said_all_the_same() -> None:
    silent = build_protocol(changed("result.stale", "silent"), "site.toml")
    inputs = 'Mg 1.1 mg/dL, collected 25 h ago; "LESS THAN 0.4", collected 1 h ago'
    (card,) = cards_of(silent, inputs)["cards"]
    assert "could not be read" in card["detail"]
    # Life never waits for a level.
    (card,) = cards_of(silent, "Mg 1.1 mg/dL, collected 25 h ago | condition: torsades")["cards"]
    assert card["indicator"] == "critical"


def test_an_overdue_review_is_said_on_every_card() -> None:
    late = build_protocol(changed("protocol.review_due", date(2026, 1, 1)), "site.toml")
    (card,) = cards_of(late, "Mg 1.1 mg/dL")["cards"]
    assert "protocol review overdue" in card["detail"]
