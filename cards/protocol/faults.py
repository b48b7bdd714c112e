"""What makes a protocol file unusable although its shape is right, each with its place.

A fault is ``(path, what is wrong)``; the path is the tables, keys and row numbers of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from cards import codes
from cards.protocol.doses import doses
from cards.protocol.drugs import drug_faults, is_ndc
from cards.protocol.model import (
    CLASSES,
    LOW,
    Cited,
    Option,
    Product,
    ProductCode,
    ProtocolFile,
    Regimen,
    When,
)
from cards.protocol.regimens import (
    Patient,
    acting,
    cap,
    classes_of,
    first_grams,
    for_life,
    grams,
    lasts,
    rechecks,
)
from cards.protocol.rules import RULES, switchable
from cards.protocol.words import limit_kinds, limits
from cards.units.quantity import least_minutes, magnesium_unit, plain

Path = tuple[str | int, ...]
Fault = tuple[Path, str]

STOPS = frozenset("H1 H2 H2-unknown H3 H4 H5 H6 H7 H8 H9 H10 H11".split())
PARENTERAL_STOPS = frozenset("H4 H5 H8".split())
LIFE_EXEMPT = frozenset("H2-unknown H7".split())
LABEL_RATE = 150  # mg/min, never relaxable
REFUSE_BELOW = 20  # mL/min, never relaxable
# mg/dL: H3 (no magnesium above normal) is never relaxable, so normal may not be stretched; up to
# here a high level without a source leaves nothing to do (ruling 66).
NORMAL_CEILING = 3
# Pairs of limits of which the first may not be above the second.
_ORDERED = (
    ("limit.recent_arrest", "limit.new_event"),
    ("limit.potassium_urgent", "limit.potassium_low"),
    ("limit.potassium_low", "limit.potassium_at_risk"),
    ("limit.calcium_urgent", "limit.calcium_recheck"),
    ("limit.qtc_borderline", "limit.qtc_long"),
    ("limit.femg_low", "limit.femg_high"),
    ("limit.weight_low", "limit.weight_floor"),
    ("limit.weight_floor", "limit.weight_high"),
    ("limit.single_iv", "limit.daily_parenteral"),
    ("limit.oral_full_dose", "limit.oral_daily"),
    ("result.range_middle_low", "result.range_middle_high"),
    ("result.verify_below", "result.verify_above"),
)


def faults(file: ProtocolFile) -> Iterator[Fault]:
    """Every fault of a file."""
    yield from _citation_faults(file)
    yield from _limit_faults(file)
    yield from _site_code_faults(file)
    yield from _band_faults(file)
    yield from _renal_faults(file)
    yield from _rule_faults(file)
    yield from _stop_faults(file)
    yield from _relaxed_faults(file)
    yield from _product_faults(file)
    for index, regimen in enumerate(file.regimen):
        yield from _regimen_faults(file, index, regimen)
    yield from _followup_faults(file)
    yield from _interaction_faults(file)
    yield from _drug_list_faults(file)
    yield from drug_faults(file)


def cited(file: ProtocolFile) -> Iterator[tuple[Path, Cited]]:
    """Every entry that rests on sources, with its path in the file."""
    for place, limit in limits(file):
        yield tuple(place.split(".")), limit
    for name in type(file.wording).model_fields:
        yield ("wording", name), getattr(file.wording, name)
    for table, entries in (("rule", file.rule), ("stop", file.stop)):
        for name, entry in entries.items():
            yield (table, name), entry
    for table, rows in (
        ("band", file.band),
        ("renal", file.renal),
        ("regimen", file.regimen),
        ("followup", file.followup),
        ("interaction", file.interaction),
        ("drug_list", file.drug_list),
        ("drug", file.drug),
    ):
        for index, row in enumerate(rows):
            yield (table, index), row


def _citation_faults(file: ProtocolFile) -> Iterator[Fault]:
    used = set()
    for path, entry in cited(file):
        for key in entry.sources:
            used.add(key)
            if key not in file.sources:
                yield (*path, "sources"), f"{key!r} is not in [sources]"
        if entry.sources == ("A",) and not entry.why:
            yield (*path, "why"), "a design choice (source A alone) must say why"
    yield from ((("sources", key), "cited nowhere") for key in file.sources if key not in used)


def _limit_faults(file: ProtocolFile) -> Iterator[Fault]:
    found = dict(limits(file))
    for place, kind in limit_kinds():
        limit = found[place]
        path = tuple(place.split("."))
        expected = kind.unit.split()
        if limit.unit not in expected:
            yield (*path, "unit"), f"must be {' or '.join(expected)}, is {limit.unit!r}"
        if limit.value < 0 or (limit.value == 0 and place != "result.quantise"):
            yield (*path, "value"), "must be above 0"
    for low, high in _ORDERED:
        if found[low].value > found[high].value:
            yield (*low.split("."), "value"), f"must not be above {high}"
    step = found["result.quantise"].value
    if step != 0 and step.as_tuple().digits != (1,):
        yield ("result", "quantise", "value"), "must be 0, or 1, 0.1, 0.01, …"
    if file.limit.infusion_rate.value > LABEL_RATE:
        says = f"the label's {LABEL_RATE} mg/min is never relaxable"
        yield ("limit", "infusion_rate", "value"), says
    if file.limit.fast_rate.value * 1000 > file.limit.infusion_rate.value * 60:
        says = f"{file.limit.fast_rate.said} is faster than limit.infusion_rate"
        yield ("limit", "fast_rate", "value"), f"{says}, {file.limit.infusion_rate.said}"


def _site_code_faults(file: ProtocolFile) -> Iterator[Fault]:
    seen = set()
    for index, code in enumerate(file.result.site_codes):
        path: Path = ("result", "site_codes", index)
        if code.unit and magnesium_unit(code.unit) is None:
            yield (*path, "unit"), f"unknown magnesium unit {code.unit!r}"
        if ":" not in code.system:
            yield (*path, "system"), f"{code.system!r} is no URI"
        if (code.system, code.code) in seen:
            yield path, f"{code.code} stands twice"
        seen.add((code.system, code.code))


def _band_faults(file: ProtocolFile) -> Iterator[Fault]:
    bands = file.band
    names = [band.name for band in bands]
    for index, band in enumerate(bands):
        path: Path = ("band", index)
        if band.low is not None and band.high is not None:
            both = band.low_inclusive and band.high_inclusive
            if band.low > band.high or (band.low == band.high and not both):
                yield path, f"{band.interval} holds no value"
        if band.name in names[:index]:
            yield (*path, "name"), "stands twice"
        if band.acts_as in LOW and band.indicator == "none":
            yield (*path, "indicator"), "a low band needs an indicator"
        if band.acts_as == "normal" and band.indicator != "none":
            yield (*path, "indicator"), "a normal value is never treated: none"
        if band.acts_as in (*LOW, "normal") and (band.high or 0) > NORMAL_CEILING:
            says = f"H3 is never relaxable: above {NORMAL_CEILING} mg/dL magnesium is high"
            yield (*path, "high"), says
    for index, (below, above) in enumerate(pairwise(bands)):
        path = ("band", index + 1)
        if CLASSES.index(below.acts_as) > CLASSES.index(above.acts_as):
            yield path, f"acts as {above.acts_as} above {below.acts_as}: bands must rise to toxic"
        if below.high is None or above.low is None:
            yield path, f"the bound between {below.name} and {above.name} is missing"
        elif below.high < above.low or (
            below.high == above.low and not below.high_inclusive and not above.low_inclusive
        ):
            yield path, f"a gap between {below.interval} and {above.interval}"
        elif below.high > above.low or (below.high_inclusive and above.low_inclusive):
            yield path, f"{below.interval} and {above.interval} overlap"
    if bands[-1].high is not None:
        yield ("band", len(bands) - 1, "high"), "the last band must be open above"
    present = {band.acts_as for band in bands}
    for needed in ("severe", "normal", "high", "toxic"):
        if needed not in present:
            yield ("band",), f"none acts as {needed}"


def _renal_faults(file: ProtocolFile) -> Iterator[Fault]:
    ids = [row.id for row in file.renal]
    for needed in ("R0", "R1", "R2", "R3", "R4", "RU"):
        if ids.count(needed) != 1:
            yield ("renal",), f"exactly one row {needed} is needed, found {ids.count(needed)}"
    starts = [
        row.start or Decimal(0) for id_ in ("R0", "R1", "R2") for row in file.renal if row.id == id_
    ]
    if starts != sorted(set(starts), reverse=True) or len(starts) != 3:
        yield ("renal",), "R0, R1 and R2 need falling starts"
    relaxed = {r.stop for r in file.relaxed}
    for index, row in enumerate(file.renal):
        path: Path = ("renal", index)
        refuses = row.intravenous == "refuse" and row.oral == "refuse"
        if row.id in ("R3", "R4") and not refuses:
            yield path, "refusing is never relaxable"
        if row.id == "R2" and (row.start or 0) < REFUSE_BELOW:
            yield (*path, "start"), f"below {REFUSE_BELOW} mL/min refusing is never relaxable"
        if row.id in ("R3", "R4", "RU") and row.start is not None:
            yield (*path, "start"), "only R0, R1 and R2 have one"
        if (row.intravenous == "refuse") != (row.cap_g == 0):
            yield (*path, "cap_g"), f"{plain(row.cap_g)} g beside intravenous {row.intravenous!r}"
        if row.cap_g < 0 or (row.cap_g_per_kg is not None and row.cap_g_per_kg <= 0):
            yield (*path, "cap_g"), "a cap must not be negative"
        if row.id == "RU" and not refuses and "RU" not in relaxed:
            yield path, "allowed only with a [[relaxed]] entry RU"
        if row.id == "RU" and refuses and "RU" in relaxed:
            yield path, "relaxed, but it still refuses: say its cap and dose"


def _rule_faults(file: ProtocolFile) -> Iterator[Fault]:
    yield from ((("rule", n), "no such rule") for n in sorted(set(file.rule) - set(RULES)))
    yield from ((("rule", n), "missing") for n in sorted(set(RULES) - set(file.rule)))
    for name, rule in file.rule.items():
        path: Path = ("rule", name, "indicator")
        kind = RULES.get(name)
        if kind is None:
            continue
        if rule.off and not switchable(name):
            yield path, "this rule cannot be switched off"
        elif kind.critical and rule.indicator != "critical":
            yield path, "must be critical"
        if isinstance(rule.indicator, str):
            continue
        if not kind.by_class:
            yield path, "this rule has one indicator, not one for each class"
        elif set(rule.indicator) != LOW:
            yield path, "say severe, moderate and mild"


def _stop_faults(file: ProtocolFile) -> Iterator[Fault]:
    yield from ((("stop", n), "no such stop") for n in sorted(set(file.stop) - STOPS))
    yield from ((("stop", n), "missing") for n in sorted(STOPS - set(file.stop)))
    for name, stop in file.stop.items():
        if stop.blocks == "parenteral" and name not in PARENTERAL_STOPS:
            yield ("stop", name, "blocks"), "must be 'all': a stop is relaxed only by [[relaxed]]"
        if stop.life_exempt and name not in LIFE_EXEMPT:
            yield ("stop", name, "life_exempt"), "only H2-unknown and H7 may be exempt"


def _relaxed_faults(file: ProtocolFile) -> Iterator[Fault]:
    names = [relaxed.stop for relaxed in file.relaxed]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("relaxed", index), "stands twice"


def _product_faults(file: ProtocolFile) -> Iterator[Fault]:
    used = {option.product for row in file.regimen for option in row.offer}
    for name, product in file.product.items():
        path: Path = ("product", name)
        parenteral = product.route != "po"
        if name not in used:
            yield path, "offered by no regimen"
        if parenteral != (product.salt == "sulfate"):
            says = "parenteral magnesium is the sulfate, and the sulfate by mouth a laxative"
            yield (*path, "salt"), says
        if product.dose_unit != ("g" if parenteral else "mg"):
            yield (*path, "dose_unit"), f"must be {'g' if parenteral else 'mg'} here"
        stated = product.unit_mg is not None and product.elemental_mg is not None
        if product.salt not in ("sulfate", "oxide") and not stated:
            yield path, "unit_mg and elemental_mg must state the magnesium content"
        for number in ("unit_mg", "elemental_mg", "round_to_mg"):
            value = getattr(product, number)
            if value is not None and value <= 0:
                yield (*path, number), "must be above 0"
        for index, coding in enumerate(product.codings):
            yield from _coding_faults((*path, "codings", index), product, coding)


def _coding_faults(path: Path, product: Product, coding: ProductCode) -> Iterator[Fault]:
    if coding.system == "rxnorm":
        drug = codes.drug(codes.RXNORM, coding.code)
        if drug is None or "magnesium" not in drug.groups:
            yield (*path, "code"), f"RxNorm {coding.code} is not a known magnesium product"
            return
        if drug.salt != product.salt:
            yield (*path, "code"), f"RxNorm {coding.code} is magnesium {drug.salt}"
        if drug.strength is not None and product.unit_mg not in (None, drug.strength):
            says = f"RxNorm {coding.code} is {plain(drug.strength)} mg, unit_mg another"
            yield (*path, "code"), says
    elif coding.system == "ndc":
        if not is_ndc(coding.code):
            yield (*path, "code"), f"{coding.code!r} is no NDC"
    elif ":" not in coding.system:
        yield (*path, "system"), f"rxnorm, ndc or the URI of a local system, not {coding.system!r}"


def _regimen_faults(file: ProtocolFile, index: int, regimen: Regimen) -> Iterator[Fault]:
    path: Path = ("regimen", index)
    yield from _when_faults(file, (*path, "when"), regimen.when)
    if sum(option.star for option in regimen.offer) > 1:
        yield path, "at most one option is starred"
    for number, option in enumerate(regimen.offer):
        where: Path = (*path, "offer", number)
        yield from _when_faults(file, (*where, "when"), option.when)
        product = file.product.get(option.product)
        if product is None:
            yield (*where, "product"), f"no product {option.product!r}"
            continue
        yield from _shape_faults(where, option, product)
        yield from _stock_faults(where, option, product)
        if product.route == "po":
            yield from _oral_faults(file, where, regimen, option)
        else:
            yield from _rate_faults(file, where, option, product)
            yield from _cap_faults(file, where, regimen, option)


def _when_faults(file: ProtocolFile, path: Path, when: When) -> Iterator[Fault]:
    bands = {band.name: band.acts_as for band in file.band}
    for name in when.bands:
        if name not in bands:
            yield (*path, "bands"), f"no band {name!r}"
        elif when.classes and bands[name] not in when.classes:
            yield (*path, "bands"), f"{name!r} acts as {bands[name]}, not as the classes stated"
    for acts_as in when.classes:
        if acts_as not in bands.values():
            yield (*path, "classes"), f"no band acts as {acts_as}"
    if both := sorted(set(when.flags) & set(when.without)):
        yield path, f"{', '.join(both)} both asked and excluded"
    if (
        when.weight_from is not None
        and when.weight_to is not None
        and when.weight_from > when.weight_to
    ):
        yield (*path, "weight_from"), "above weight_to"


# Which keys of an option belong to which route, beside product, dose, star and when.
_KEYS = {
    "iv": ("minutes", "then_dose", "then_minutes"),
    "im": ("count", "every_hours"),
    "po": ("per_day", "at_night"),
}
_NEEDED = {"iv": ("minutes",), "im": ("count", "every_hours"), "po": ("per_day",)}


def _shape_faults(path: Path, option: Option, product: Product) -> Iterator[Fault]:
    for route, keys in _KEYS.items():
        for key in keys:
            if route != product.route and getattr(option, key):
                yield (*path, key), f"means nothing for a dose given {product.route}"
    for key in _NEEDED[product.route]:
        if getattr(option, key) is None:
            yield (*path, key), f"a dose given {product.route} needs it"
    if (option.then_dose is None) != (option.then_minutes is None):
        yield path, "then_dose and then_minutes need each other"


def _stock_faults(path: Path, option: Option, product: Product) -> Iterator[Fault]:
    step = product.round_to_mg
    for key in ("dose", "then_dose"):
        dose = getattr(option, key)
        if not step or step < 0 or dose is None:
            continue
        factor = 1000 if product.dose_unit == "g" else 1
        if rest := dose * factor % step:
            below = plain((dose * factor - rest) / factor)
            yield (
                (*path, key),
                f"{plain(dose)} {product.dose_unit} is no multiple of the {plain(step)} mg that"
                f" are stocked; the next lower is {below} {product.dose_unit}",
            )


def _rate_faults(
    file: ProtocolFile, path: Path, option: Option, product: Product
) -> Iterator[Fault]:
    rate = file.limit.infusion_rate.value
    for dose_key, minutes_key in (("dose", "minutes"), ("then_dose", "then_minutes")):
        dose, minutes = getattr(option, dose_key), getattr(option, minutes_key)
        if product.route != "iv" or dose is None or minutes is None or rate <= 0:
            continue
        if dose * 1000 > rate * minutes:
            least = least_minutes(dose * 1000, rate)
            yield (
                (*path, minutes_key),
                f"{plain(dose)} g over {minutes} min is faster than {plain(rate)} mg/min:"
                f" at least {least} min",
            )


def _cap_faults(
    file: ProtocolFile, path: Path, regimen: Regimen, option: Option
) -> Iterator[Fault]:
    if for_life(regimen):  # exempt from the cap, once in 24 h
        most = file.limit.single_iv.value
        if grams(option) > most:
            yield (*path, "dose"), f"exempt from the cap, so at most limit.single_iv ({most} g)"
        return
    total = first_grams(option)
    ids = classes_of(file, regimen.when, option.when)
    caps = {id_: cap(file, id_, None, suggesting=False) for id_ in ids}
    over = [id_ for id_ in ids if total > caps[id_]]
    stated = bool(regimen.when.renal or option.when.renal)
    if not ids:
        yield (*path, "when"), "its renal classes are none of the row's"
    elif over and (stated or len(over) == len(ids)):
        shown = ", ".join(f"{id_} {plain(caps[id_])} g" for id_ in over)
        yield (*path, "dose"), f"{plain(total)} g in 24 h is over the cap ({shown})"


def _oral_faults(
    file: ProtocolFile, path: Path, regimen: Regimen, option: Option
) -> Iterator[Fault]:
    daily = doses(file.product[option.product], option)[0].daily_mmol or Decimal(0)
    if daily > file.limit.oral_daily.value:
        yield (*path, "dose"), f"{daily:.1f} mmol a day is over the oral ceiling"
    refusing = {row.id for row in file.renal if row.oral == "refuse"}
    if refused := [i for i in classes_of(file, regimen.when, option.when) if i in refusing]:
        yield path, f"by mouth, where {', '.join(refused)} refuses it"
    for acts_as in acting(file, regimen.when, option.when):
        for setting in regimen.when.settings or ("inpatient", "ambulatory"):
            for id_ in classes_of(file, regimen.when, option.when):
                patient = Patient(None, acts_as, setting, id_, frozenset(), None)
                if not lasts(rechecks(file, "po", regimen.id, patient)):
                    says = f"no [[followup]] row bounds it ({acts_as}, {setting}, {id_})"
                    yield path, f"{says}: an oral order lasts until its start+ recheck"
                    return


def _followup_faults(file: ProtocolFile) -> Iterator[Fault]:
    names = {row.id for row in file.regimen}
    for index, row in enumerate(file.followup):
        path: Path = ("followup", index)
        for name in row.regimens:
            if name not in names:
                yield (*path, "regimens"), f"no regimen {name!r}"
        for key in ("bands", "flags", "without", "weight_from", "weight_to"):
            if getattr(row.when, key):
                says = "a follow-up row speaks of classes, settings and renal classes only"
                yield (*path, "when", key), says
        if not row.recheck:
            yield (*path, "recheck"), "says no time"


def _interaction_faults(file: ProtocolFile) -> Iterator[Fault]:
    seen = set()
    for index, row in enumerate(file.interaction):
        path: Path = ("interaction", index, "drug")
        if row.drug in seen:
            yield path, "stands twice"
        seen.add(row.drug)
        if not any(speaks_of(row.drug, drug) for drug in codes.known_drugs()):
            yield path, "no chelated drug of that name is known to cards/codes/codes.toml"


def _drug_list_faults(file: ProtocolFile) -> Iterator[Fault]:
    groups = {drug.name: drug.groups for drug in codes.known_drugs()}
    for index, row in enumerate(file.drug_list):
        for key, names in (("adds", row.adds), ("removes", row.removes)):
            for name in names:
                path: Path = ("drug_list", index, key)
                if name not in groups:
                    yield path, f"{name!r} is no ingredient that cards/codes/codes.toml knows"
                elif (row.group in groups[name]) == (key == "adds"):
                    already = "already" if key == "adds" else "not"
                    yield path, f"{name} is {already} in {row.group}"


def speaks_of(name: str, drug: codes.Drug) -> bool:
    """Whether an interaction row of that name is found for a drug, as the core looks for it."""
    known = drug.name == name or drug.name.startswith(f"{name} ") or name in drug.ingredients
    return known and "chelated" in drug.groups
