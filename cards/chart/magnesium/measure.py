"""Measure: a result's unit settled, its value in mg/dL and its band (rulings 19 to 21)."""

from __future__ import annotations

import re
from decimal import Decimal

from msgspec.structs import replace

from cards import codes
from cards.chart.magnesium.candidate import Candidate
from cards.chart.magnesium.result import Magnesium
from cards.fhir import read_codes, words_of
from cards.fhir.resource import (
    CodeableConcept,
    RawQuantity,
    ReferenceRange,
    Resource,
    many,
    name,
    version,
)
from cards.protocol import LOW, Band, Protocol
from cards.units.quantity import (
    magnesium_mg_dl,
    magnesium_unit,
    plain,
    quantise,
    read_number,
    stated_units,
)

_JUST_ABOVE = Decimal("0.0001")


def measure(candidate: Candidate, protocol: Protocol) -> Magnesium:
    """The result with its unit settled; the value is None when it is not."""
    resource = candidate.resource
    quantity = resource.valueQuantity or RawQuantity()
    number = candidate.number or Decimal(0)
    units = stated_units(quantity)
    known = [unit for text in units if (unit := magnesium_unit(text))]
    shown = quantity.unit or quantity.code or ""
    base = Magnesium(
        reported=_plain_text(quantity, number),
        unit=shown if magnesium_unit(shown) or not known else known[0],
        value=None,
        comparator=(quantity.comparator or "").strip() or None,
        band=None,
        collected=candidate.collected,
        status=resource.status or "",
        source=name(resource),
        version=version(resource),
        code=_code(resource),
        assumed_utc=candidate.assumed_utc,
    )
    if not known:
        return replace(base, problems=("unit-unknown",))
    values = {magnesium_mg_dl(number, unit) for unit in known}
    if len(values) > 1:
        readings = tuple(quantise(v, protocol.file.result.quantise.value) for v in sorted(values))
        return replace(base, problems=("unit-conflict",), readings=readings)
    range_ = _normal_range(resource)
    middle, low, foreign = _range_mg_dl(range_, known[0])
    result_file = protocol.file.result
    within = (
        middle is not None
        and result_file.range_middle_low.value <= middle <= result_file.range_middle_high.value
    )
    declared = _site_unit(resource, protocol)
    corroborated = within or declared == known[0]
    property_ = _property(resource)
    mass = known[0] in ("mg/dL", "mg/L")
    contradicts = (property_ == "mass" and not mass) or (property_ == "molar" and mass)
    if foreign or (middle is not None and not within) or (contradicts and not corroborated):
        meant = _meant(range_, property_ if contradicts else None, protocol)
        readings = _readings(number, known[0], meant, protocol)
        return replace(base, problems=("unit-conflict",), readings=readings)
    value = quantise(magnesium_mg_dl(number, known[0]), result_file.quantise.value)
    if low is not None:
        low = quantise(low, result_file.quantise.value)  # compared like a value (ruling 127)
    band = _band(value, base.comparator, protocol)
    one_sided = low is not None and middle is None
    if (
        one_sided
        and low is not None
        and not (_mild_low(protocol) <= low <= result_file.borderline_high.value)
    ):
        low = None
    return replace(
        base,
        value=value,
        band=band,
        laboratory_low=low,
        declared=declared is not None,
        verify_high=value > result_file.verify_above.value,
        problems=_bound_problems(value, base.comparator, band, protocol),
    )


_MOLAR, _MASS = ("mmol/L", "meq/L"), ("mg/dL",)


def _meant(
    range_: ReferenceRange | None, property_: str | None, protocol: Protocol
) -> tuple[str, ...]:
    """The units that the range, else the code, would mean."""
    limits = protocol.file.result
    found = []
    for unit in (*_MASS, *_MOLAR) if range_ is not None else ():
        middle, _, foreign = _range_mg_dl(range_, unit)
        inside = (
            middle is not None
            and limits.range_middle_low.value <= middle <= limits.range_middle_high.value
        )
        if inside and not foreign:
            found.append(unit)
    if not found and property_ is not None:
        found += _MASS if property_ == "mass" else _MOLAR
    return tuple(found)


def _readings(
    number: Decimal, stated: str, meant: tuple[str, ...], protocol: Protocol
) -> tuple[Decimal, ...]:
    """mg/dL by the unit that is stated and by those that may be meant; none when nobody can tell
    what is meant."""
    units = dict.fromkeys((stated, *meant)) if meant else ()
    step = protocol.file.result.quantise.value
    return tuple(quantise(magnesium_mg_dl(number, unit), step) for unit in units)


def _code(resource: Resource) -> str:
    return next(iter(_eligible(resource)), "")


def _eligible(resource: Resource) -> list[str]:
    return [
        code.code
        for code in read_codes(resource.code)
        if code.system in ("", codes.LOINC) and codes.lab_concept(code.code) == "magnesium"
    ]


def _property(resource: Resource) -> str | None:
    """The LOINC property of the codes, when they name one and the same."""
    named = {codes.lab_property(code) for code in _eligible(resource)} - {None}
    return named.pop() if len(named) == 1 else None


def _site_unit(resource: Resource, protocol: Protocol) -> str | None:
    if not protocol.site_units:
        return None
    for code in read_codes(resource.code):
        unit = protocol.site_units.get((code.system, code.code))
        if unit:
            return unit
    return None


def _plain_text(quantity: RawQuantity, number: Decimal) -> str:
    """The number's own text as sent (1.20 stays 1.20), unless it is written with an exponent."""
    text = bytes(quantity.value).decode()
    return plain(number) if "e" in text.lower() else text


def _mild_low(protocol: Protocol) -> Decimal:
    return min(
        (b.low for b in protocol.file.band if b.acts_as == "mild" and b.low is not None),
        default=Decimal(0),
    )


def _band(value: Decimal, comparator: str | None, protocol: Protocol) -> Band | None:
    """The band of a value; of ``<x`` severe, of ``>x`` the band just above x (ruling 21)."""
    if comparator in ("<", "<="):
        if value > protocol.severe_high:
            return None
        return protocol.band_of(min(value, protocol.severe_high)) or _lowest(protocol)
    if comparator in (">", ">="):
        above = value + _JUST_ABOVE if comparator == ">" else value
        if value >= protocol.normal_high:
            above = max(above, protocol.normal_high + _JUST_ABOVE)
        band = protocol.band_of(above)
        # A bound below says nothing of how high it is (ruling 126).
        return None if band is not None and band.acts_as in LOW else band
    return protocol.band_of(value) if comparator is None else None


def _lowest(protocol: Protocol) -> Band:
    return protocol.file.band[0]


def _bound_problems(
    value: Decimal, comparator: str | None, band: Band | None, protocol: Protocol
) -> tuple[str, ...]:
    low = protocol.file.band[0].low
    verify = protocol.file.result.verify_below.value
    if comparator is None:
        return ("verify",) if value < verify and low is not None else ()
    if comparator in ("<", "<="):
        if value > protocol.severe_high:
            return ("indeterminate",)
        return ("verify",) if value < verify else ()
    # Usable only from the upper end of normal on: below that a lower bound decides nothing.
    return () if band is not None and band.acts_as in ("high", "toxic") else ("indeterminate",)


def _normal_range(resource: Resource) -> ReferenceRange | None:
    """The first range with a limit that is without type or of type normal (ruling 20). One that
    is given as text alone says nothing here; a critical one is none of ours (ruling 163)."""
    for range_ in many(resource.referenceRange):
        if range_.low is None and range_.high is None:
            continue
        if _is_normal(range_.type) and _CRITICAL.search((range_.text or "")[:_LONGEST]) is None:
            return range_
    return None


# How a range that is no reference range is called, in the shipped languages.
_CRITICAL = re.compile(
    r"[ck]riti|panic|alarm|alert|treat|therap|target|goal|ziel|toxic|toxisch|urgen|lebensbed", re.I
)
_NORMAL = re.compile(r"norm|referen|referê|riferim|riktv|viite|expected|usual|healthy", re.I)
_LONGEST = 200


def _is_normal(type_: CodeableConcept | None) -> bool:
    """No type, code "normal", or a text that means it."""
    if any(code.code == "normal" for code in read_codes(type_)):
        return True
    words = [word[:_LONGEST] for word in words_of(type_)]
    if not words:
        return not read_codes(type_)
    return all(_NORMAL.search(word) and not _CRITICAL.search(word) for word in words)


def _range_mg_dl(
    range_: ReferenceRange | None, unit: str
) -> tuple[Decimal | None, Decimal | None, bool]:
    """(middle, low, in another unit than the result), in mg/dL."""
    if range_ is None:
        return None, None, False
    bounds: list[Decimal | None] = []
    for limit in (range_.low, range_.high):
        number = read_number(limit.value) if limit else None
        if limit is None or number is None:
            bounds.append(None)
            continue
        stated = stated_units(limit)
        if stated and magnesium_unit(stated[0]) != unit:
            return None, None, True
        bounds.append(magnesium_mg_dl(number, unit))
    low, high = bounds
    middle = (low + high) / 2 if low is not None and high is not None else None
    return middle, low, False
