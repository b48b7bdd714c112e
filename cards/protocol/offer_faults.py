"""What makes what a file offers unusable: its products, its regimens and when to measure again."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cards import codes
from cards.protocol.doses import doses
from cards.protocol.drugs import Fault, Path, is_ndc
from cards.protocol.model import (
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
from cards.units.quantity import least_minutes, plain


def offer_faults(file: ProtocolFile) -> Iterator[Fault]:
    """Every fault of the products, regimens and rechecks of a file."""
    yield from _product_faults(file)
    for index, regimen in enumerate(file.regimen):
        yield from _regimen_faults(file, index, regimen)
    yield from _followup_faults(file)


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
