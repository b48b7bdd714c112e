"""Protocol from bytes: parsed into the strict types, cross-checked, hashed, indexed.

Whatever would make a wrong card is refused here with its place (file: table.key: what is
wrong): band gaps and overlaps, unknown units, an uncited entry, a regimen faster than the rate
limit or over its cap. The core never sees an unchecked file.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import resources
from types import MappingProxyType

from pydantic import ValidationError

from cards import codes
from cards.protocol.model import (
    CLASSES,
    LOW,
    Band,
    Cited,
    Limit,
    Limits,
    Option,
    ProtocolFile,
    Regimen,
    Renal,
    Rule,
    Stop,
)
from cards.quantity import SaltMass, magnesium_unit

PROFILES: tuple[str, ...] = tuple(
    sorted(
        f.name.removesuffix(".toml")
        for f in resources.files("cards").joinpath("protocols").iterdir()
        if f.name.endswith(".toml")
    )
)
RULES = frozenset(
    """life life-no-level life-level-first arrest symp severe moderate mild mild-risk borderline
    high high-source toxic toxic-stale unit-unknown unit-conflict indeterminate unreadable
    whole-blood not-obtained stop-warning stop-info refractory maintenance
    D0 D1 D1-select D1-sign D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D14-high D15 D16 D16-r2
    D17 D18 D19 D19-age D20 D20-emergency
    N1 N1-lab N2 N3 N3-lab N4 N5 N6 N7 N8 N9 sign""".split()
)
STOPS = frozenset("H1 H2 H2-unknown H3 H4 H5 H6 H7 H8 H9 H10 H11".split())
# Units a limit may be stated in: the code that reads the limit expects exactly this one.
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "mg/min": "rate",
        "g/h": "rate",
        "g": "dose",
        "mg": "dose",
        "mmol": "dose",
        "mg/dL": "level",
        "mmol/L": "level",
        "g/dL": "level",
        "mg/g": "factor",
        "10*9/L": "count",
        "ms": "time",
        "min": "time",
        "h": "time",
        "d": "time",
        "a": "time",
        "kg": "weight",
        "%": "part",
        "1": "ratio",
    }
)


class ProtocolError(Exception):
    """A protocol file that cannot be used; ``lines`` say where and what is wrong."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Protocol:
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
        """(system, code) -> lab concept, for the codes a site maps."""
        return MappingProxyType({(c.system, c.code): c.lab for c in self.file.result.site_codes})

    @cached_property
    def site_units(self) -> Mapping[tuple[str, str], str]:
        """(system, code) -> the unit a site declares for it (ruling 20)."""
        return MappingProxyType(
            {
                (c.system, c.code): unit
                for c in self.file.result.site_codes
                if c.unit and (unit := magnesium_unit(c.unit))
            }
        )

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
    try:
        raw = tomllib.loads(data.decode("utf-8"), parse_float=Decimal)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProtocolError([f"{origin}: {error}"]) from None
    try:
        file = ProtocolFile.model_validate(raw)
    except ValidationError as error:
        raise ProtocolError(
            [
                f"{origin}: {'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
                for e in error.errors()
            ]
        ) from None
    lines = [f"{origin}: {line}" for line in _faults(file)]
    if lines:
        raise ProtocolError(lines)
    return Protocol(file, origin, hashlib.sha256(data).hexdigest())


@lru_cache(maxsize=8)
def shipped(name: str) -> Protocol:
    """A shipped profile by name; ProtocolError when there is none of that name."""
    if name not in PROFILES:
        raise ProtocolError([f"no profile {name!r}; shipped: {', '.join(PROFILES)}"])
    path = resources.files("cards").joinpath("protocols").joinpath(f"{name}.toml")
    return parse_protocol(path.read_bytes(), f"{name}.toml")


def limits(file: ProtocolFile) -> Iterator[tuple[str, Limit]]:
    """Every Limit with its place in the file."""
    for name in type(file.limit).model_fields:
        yield f"limit.{name}", getattr(file.limit, name)
    for name in type(file.result).model_fields:
        value = getattr(file.result, name)
        if isinstance(value, Limit):
            yield f"result.{name}", value


def cited(file: ProtocolFile) -> Iterator[tuple[str, Cited]]:
    """Every entry that rests on sources, with its place in the file."""
    yield from limits(file)
    for name in type(file.wording).model_fields:
        yield f"wording.{name}", getattr(file.wording, name)
    for table, entries in (("rule", file.rule), ("stop", file.stop)):
        for name, entry in entries.items():
            yield f"{table}.{name}", entry
    for table, rows in (
        ("band", file.band),
        ("renal", file.renal),
        ("regimen", file.regimen),
        ("followup", file.followup),
        ("interaction", file.interaction),
    ):
        for index, row in enumerate(rows):
            label = getattr(row, "name", None) or getattr(row, "id", None)
            label = label or getattr(row, "drug", None) or str(index)
            yield f"{table}[{index}] ({label})", row


_EXPECTED_UNITS = {
    name: shipped_unit
    for group in (Limits,)
    for name, shipped_unit in {
        "infusion_rate": "mg/min",
        "fast_rate": "g/h",
        "single_iv": "g",
        "daily_parenteral": "g",
        "single_im": "g",
        "iv_concentration": "%",
        "unknown_weight_iv": "g",
        "weight_floor": "kg",
        "oral_daily": "mmol",
        "oral_full_dose": "mmol",
        "oxide_daily": "mg",
        "half_dose_iv": "g",
        "half_dose_oral": "mg",
        "high_card": "mg/dL",
        "obstetric_high": "mg/dL",
        "supplement_high": "mg/dL",
        "monitoring_magnesium": "mg/dL",
    }.items()
    if name in group.model_fields
}


def _faults(file: ProtocolFile) -> Iterator[str]:
    yield from _citation_faults(file)
    yield from _unit_faults(file)
    yield from _band_faults(file)
    yield from _renal_faults(file)
    yield from _name_faults(file)
    for index, regimen in enumerate(file.regimen):
        yield from _regimen_faults(file, index, regimen)


def _citation_faults(file: ProtocolFile) -> Iterator[str]:
    used = set()
    for place, entry in cited(file):
        for key in entry.sources:
            used.add(key)
            if key not in file.sources:
                yield f"{place}.sources: {key!r} is not in [sources]"
    yield from (f"sources.{key}: cited nowhere" for key in file.sources if key not in used)


def _unit_faults(file: ProtocolFile) -> Iterator[str]:
    for place, limit in limits(file):
        name = place.split(".")[1]
        expected = _EXPECTED_UNITS.get(name)
        if limit.unit not in UNITS:
            yield f"{place}.unit: unknown unit {limit.unit!r}"
        elif expected and limit.unit != expected:
            yield f"{place}.unit: must be {expected!r}, is {limit.unit!r}"
        if limit.value < 0:
            yield f"{place}.value: must not be negative"
    if file.limit.infusion_rate.value > 150:
        yield "limit.infusion_rate.value: the label's 150 mg/min is never relaxable"
    for code in file.result.site_codes:
        if code.unit and magnesium_unit(code.unit) is None:
            yield f"result.site_codes ({code.code}): unknown magnesium unit {code.unit!r}"


def _band_faults(file: ProtocolFile) -> Iterator[str]:
    bands = file.band
    for index, band in enumerate(bands):
        place = f"band[{index}] ({band.name})"
        if band.low is not None and band.high is not None and band.low > band.high:
            yield f"{place}: its low {band.low} is above its high {band.high}"
    names = [band.name for band in bands]
    yield from (
        f"band: the name {n!r} stands twice"
        for n in sorted({n for n in names if names.count(n) > 1})
    )
    for index, (below, above) in enumerate(zip(bands, bands[1:], strict=False)):
        place = f"band[{index}] ({below.name}) and band[{index + 1}] ({above.name})"
        if CLASSES.index(below.acts_as) > CLASSES.index(above.acts_as):
            yield f"{place}: bands must rise from severe to toxic"
        if below.high is None or above.low is None:
            yield f"{place}: the bound between them is missing"
        elif below.high < above.low or (
            below.high == above.low and not below.high_inclusive and not above.low_inclusive
        ):
            yield f"{place}: a gap between {below.interval} and {above.interval}"
        elif below.high > above.low or (below.high_inclusive and above.low_inclusive):
            yield f"{place}: {below.interval} and {above.interval} overlap"
    if bands[-1].high is not None:
        yield f"band[{len(bands) - 1}] ({bands[-1].name}): the last band must be open above"
    present = {band.acts_as for band in bands}
    for needed in ("severe", "normal", "high", "toxic"):
        if needed not in present:
            yield f"band: none acts as {needed}"


def _renal_faults(file: ProtocolFile) -> Iterator[str]:
    ids = [row.id for row in file.renal]
    for needed in ("R0", "R1", "R2", "R3", "R4", "RU"):
        if ids.count(needed) != 1:
            yield f"renal: exactly one row {needed} is needed, found {ids.count(needed)}"
    starts = [row.start for row in file.renal if row.id in ("R0", "R1", "R2") and row.start]
    if len(starts) != 3 or starts != sorted(starts, reverse=True) or len(set(starts)) != 3:
        yield "renal: R0, R1 and R2 need falling starts"
    for row in file.renal:
        if row.id in ("R3", "R4") and (row.intravenous != "refuse" or row.oral != "refuse"):
            yield f"renal ({row.id}): refusing is never relaxable"
        if row.intravenous == "refuse" and row.cap_g != 0:
            yield f"renal ({row.id}): refuses but has a cap of {row.cap_g} g"
        if (
            row.id == "RU"
            and row.intravenous != "refuse"
            and not any(r.stop == "RU" for r in file.relaxed)
        ):
            yield "renal (RU): allowed only with a [[relaxed]] entry RU"


def _name_faults(file: ProtocolFile) -> Iterator[str]:
    for table, found, known in (("rule", file.rule, RULES), ("stop", file.stop, STOPS)):
        yield from (f"{table}.{n}: no such {table}" for n in sorted(set(found) - known))
        yield from (f"{table}.{n}: missing" for n in sorted(known - set(found)))
    used = {option.product for row in file.regimen for option in row.offer}
    yield from (f"product.{n}: offered by no regimen" for n in file.product if n not in used)
    names = {row.id for row in file.regimen}
    for index, row in enumerate(file.followup):
        for name in row.regimens:
            if name not in names:
                yield f"followup[{index}].regimens: no regimen {name!r}"
    for name, product in file.product.items():
        if product.salt not in ("sulfate", "oxide") and (
            product.unit_mg is None or product.elemental_mg is None
        ):
            yield f"product.{name}: unit_mg and elemental_mg must state the magnesium content"
        if product.route in ("iv", "im") and product.salt != "sulfate":
            yield f"product.{name}: a parenteral product must be the sulfate"
        for coding in product.codings:
            if coding.system == "rxnorm" and codes.drug(codes.RXNORM, coding.code) is None:
                yield f"product.{name}.codings: RxNorm {coding.code} is not a known magnesium product"


def _regimen_faults(file: ProtocolFile, index: int, regimen: Regimen) -> Iterator[str]:
    place = f"regimen[{index}] ({regimen.id})"
    bands = {band.name for band in file.band}
    for name in regimen.when.bands:
        if name not in bands:
            yield f"{place}.when.bands: no band {name!r}"
    if sum(option.star for option in regimen.offer) > 1:
        yield f"{place}: at most one option is starred"
    for number, option in enumerate(regimen.offer):
        yield from _option_faults(file, f"{place}.offer[{number}]", regimen, option)


def _option_faults(
    file: ProtocolFile, place: str, regimen: Regimen, option: Option
) -> Iterator[str]:
    product = file.product.get(option.product)
    if product is None:
        yield f"{place}.product: no product {option.product!r}"
        return
    mg = option.dose * 1000 if product.dose_unit == "g" else option.dose
    if product.round_to_mg and mg % product.round_to_mg:
        yield f"{place}.dose: {option.dose} {product.dose_unit} is no multiple of what is stocked"
    rate = file.limit.infusion_rate.value
    if product.route == "iv":
        if option.minutes is None:
            yield f"{place}.minutes: an intravenous dose needs its infusion time"
        elif mg > rate * option.minutes:
            yield f"{place}.minutes: {option.dose} g over {option.minutes} min is faster than {rate} mg/min"
        if option.then_dose is not None and (
            option.then_minutes is None or option.then_dose * 1000 > rate * option.then_minutes
        ):
            yield f"{place}.then_minutes: the second step is faster than {rate} mg/min"
    if product.route == "po":
        if option.per_day is None:
            yield f"{place}.per_day: an oral dose needs how often a day"
            return
        daily = daily_mmol(file, option)
        if daily > file.limit.oral_daily.value:
            yield f"{place}: {daily:.1f} mmol a day is over the oral ceiling"
    else:
        total = option.dose * (option.count or 1) + (option.then_dose or 0)
        for id_ in option.when.renal or regimen.when.renal:
            cap = next((r.cap_g for r in file.renal if r.id == id_), Decimal(0))
            if total > cap and not regimen.when.flags == ("life",):
                yield f"{place}.dose: {total} g is over the 24 h cap of {id_}, {cap} g"


def daily_mmol(file: ProtocolFile, option: Option) -> Decimal:
    """Millimoles of magnesium a day of an oral option."""
    product = file.product[option.product]
    daily = option.dose * (option.per_day or 1)
    if product.salt in ("sulfate", "oxide"):
        return SaltMass(daily, product.salt).mmol
    assert product.unit_mg is not None and product.elemental_mg is not None  # noqa: S101 - checked at load
    return daily / product.unit_mg * product.elemental_mg / Decimal("24.305")
