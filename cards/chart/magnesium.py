"""Magnesium: the one result that counts, and whether it may be dosed on (protocol section 1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from cards import codes
from cards.chart.labs import Lab, collected_at, tie_break
from cards.evidence import Evidence
from cards.protocol import LOW, Band, Protocol
from cards.quantity import (
    has_value,
    magnesium_mg_dl,
    magnesium_unit,
    plain,
    quantise,
    read_number,
    stated_units,
)
from cards.resource import (
    CodeableConcept,
    RawQuantity,
    ReferenceRange,
    Resource,
    codings,
    contained,
    many,
    name,
    reference_key,
    status_code,
    version,
)

COUNTED = frozenset({"final", "amended", "corrected", "preliminary"})
IGNORED = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})
_HAEMOLYSED = re.compile(r"\bha?emoly\w*", re.I)
_NEGATED = re.compile(r"\b(?:no|not|non|without|negative)\b(?:\W+\w+){0,2}\W*\Z", re.I)
_JUST_ABOVE = Decimal("0.0001")
_NON_PREFIX = re.compile(r"\bnon-?\Z", re.I)
# Worst first: what a card names as the reason that the value may not be dosed on.
PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "unit-unknown": "its unit is missing or not one this protocol knows",
        "unit-conflict": "its unit contradicts its reference range or its code",
        "newer-unreadable": "a newer result could not be read",
        "indeterminate": "it is only a bound, which does not decide a band",
        "verify": "it is below what is compatible with life: verify",
        "undated": "it has no collection time",
        "stale": "it is too old",
        "preliminary": "it is preliminary",
        "haemolysed": "the specimen is haemolysed, which raises magnesium",
        "edta": "magnesium, calcium and potassium look like an EDTA tube",
        "not-obtained": "the magnesium query was not answered: a newer result may exist",
    }
)
# The same in a few words, for a card's summary.
HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "unit-unknown": "its unit is missing or not known",
        "unit-conflict": "its unit contradicts its range or code",
        "newer-unreadable": "a newer result could not be read",
        "indeterminate": "only a bound: it decides no band",
        "verify": "not compatible with life: verify",
        "undated": "without a collection time: repeat",
        "stale": "too old to dose on: repeat",
        "preliminary": "preliminary: not dosed on",
        "haemolysed": "haemolysed specimen: repeat",
        "edta": "possibly an EDTA tube: repeat",
        "not-obtained": "the magnesium query was not answered",
    }
)


@dataclass(frozen=True, slots=True)
class Magnesium:
    """The deciding magnesium result.

    ``reported`` and ``unit`` as the laboratory sent them; ``value`` in mg/dL, quantised (None
    when the unit is unknown or contradicted); ``problems`` are keys of PROBLEMS, worst first:
    empty means the value may be dosed on.
    """

    reported: str
    unit: str
    value: Decimal | None
    comparator: str | None
    band: Band | None
    collected: datetime | None
    status: str
    source: str
    code: str
    version: str
    problems: tuple[str, ...] = ()
    laboratory_low: Decimal | None = None
    declared: bool = False
    verify_high: bool = False
    assumed_utc: bool = False

    @property
    def acts_as(self) -> str | None:
        return self.band.acts_as if self.band else None

    @property
    def usable(self) -> bool:
        return not self.problems and self.band is not None

    @property
    def low(self) -> bool:
        return self.acts_as in LOW

    @property
    def borderline(self) -> bool:
        """Mild by the protocol, not below the laboratory's own low limit."""
        return (
            self.acts_as == "mild"
            and self.laboratory_low is not None
            and self.value is not None
            and self.value >= self.laboratory_low
        )

    def shown(self) -> str:
        """``1.1 mg/dL``, and mg/dL in brackets when reported otherwise."""
        text = f"{self.comparator or ''}{self.reported} {self.unit}".strip()
        if self.value is not None and magnesium_unit(self.unit) != "mg/dL":
            text += f" ({self.comparator or ''}{self.value} mg/dL)"
        return text


@dataclass(frozen=True, slots=True)
class UnreadResult:
    """A magnesium result that came and could not be read: its text, when it was collected."""

    source: str
    text: str
    collected: datetime | None = None


@dataclass(frozen=True, slots=True)
class MagnesiumReading:
    """The deciding result, and what else was met while looking for it."""

    result: Magnesium | None
    unreadable: tuple[UnreadResult, ...] = ()
    future: tuple[str, ...] = ()
    whole_blood: str | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    resource: Resource
    collected: datetime | None
    number: Decimal | None
    assumed_utc: bool


def read_magnesium(
    evidence: Evidence,
    now: datetime,
    protocol: Protocol,
    age: timedelta,
    potassium: Iterable[Lab] = (),
    calcium: Iterable[Lab] = (),
) -> MagnesiumReading:
    """The MagnesiumReading of the evidence; ``age`` is the limit of this setting."""
    future_limit = now + timedelta(minutes=float(protocol.file.result.future.value))
    future: list[str] = []
    candidates: list[_Candidate] = []
    for resource in evidence.lab("magnesium"):
        candidate = _candidate(resource)
        if candidate is None:
            continue
        if candidate.collected is not None and candidate.collected > future_limit:
            future.append(name(resource))
        else:
            candidates.append(candidate)
    candidates.sort(key=_recency, reverse=True)
    numbers = [c for c in candidates if c.number is not None and c.number > 0]
    unread = [_unread(c) for c in candidates if c.number is None or c.number <= 0]
    unread += [UnreadResult(u.resource, u.reason) for u in evidence.unread if u.need == "magnesium"]
    result = None
    if numbers:
        result = _result(numbers[0], evidence, protocol)
        newer = candidates[0] is not numbers[0]
        newer = newer or any(u.need == "magnesium" for u in evidence.unread)
        result = _judge(result, numbers[0], evidence, protocol, newer, now - age)
        result = _guard_edta(result, evidence, protocol, potassium, calcium)
    whole = evidence.lab("magnesium-whole-blood")
    return MagnesiumReading(
        result,
        tuple(unread),
        tuple(future),
        name(whole[0]) if whole and not candidates else None,
    )


def _unread(candidate: _Candidate) -> UnreadResult:
    resource = candidate.resource
    value = resource.valueCodeableConcept
    quantity = resource.valueQuantity
    raw = bytes(quantity.value).decode(errors="replace").strip('"') if quantity else ""
    coded = next((c.display for c in codings(value) if c.display), None)
    text = resource.valueString or raw or (value.text if value else None) or coded
    return UnreadResult(name(resource), text or "no number", candidate.collected)


def _candidate(resource: Resource) -> _Candidate | None:
    """None for a result that is ignored: other status, no value at all, dataAbsentReason."""
    status = status_code(resource.status)
    if status in IGNORED or resource.dataAbsentReason is not None:
        return None
    if status not in COUNTED:
        # No status, or one that FHIR does not know: it came, and nobody can tell what it is.
        collected = collected_at(resource)
        return _Candidate(resource, collected.start if collected else None, None, False)
    quantity = resource.valueQuantity
    number = read_number(quantity.value) if quantity else None
    if number is None and not (
        (quantity is not None and has_value(quantity.value))
        or resource.valueString
        or resource.valueCodeableConcept
        or has_value(resource.valueInteger)
    ):
        return None
    collected = collected_at(resource)
    return _Candidate(
        resource,
        collected.start if collected else None,
        number,
        bool(collected and collected.assumed_utc),
    )


def _recency(candidate: _Candidate) -> tuple[bool, datetime, tuple[datetime, int, str]]:
    oldest = datetime.min.replace(tzinfo=UTC)
    return (
        candidate.collected is not None,
        candidate.collected or oldest,
        tie_break(candidate.resource),
    )


def _code(resource: Resource) -> str:
    for coding in codings(resource.code):
        if coding.code and codes.lab_concept(coding.code.strip()) == "magnesium":
            return coding.code.strip()
    return ""


def _site_unit(resource: Resource, protocol: Protocol) -> str | None:
    for coding in codings(resource.code):
        unit = protocol.site_units.get(((coding.system or "").strip(), (coding.code or "").strip()))
        if unit:
            return unit
    return None


def _result(candidate: _Candidate, evidence: Evidence, protocol: Protocol) -> Magnesium:
    """The result with its unit settled; the value is None when it is not."""
    resource = candidate.resource
    quantity = resource.valueQuantity or RawQuantity()
    number = candidate.number or Decimal(0)
    units = stated_units(quantity) or ((quantity.code.strip(),) if quantity.code else ())
    known = [unit for text in units if (unit := magnesium_unit(text))]
    shown = quantity.unit or quantity.code or ""
    base = Magnesium(
        reported=plain_text(quantity, number),
        unit=shown if magnesium_unit(shown) or not known else known[0],
        value=None,
        comparator=(quantity.comparator or "").strip() or None,
        band=None,
        collected=candidate.collected,
        status=status_code(resource.status) or "",
        source=name(resource),
        version=version(resource),
        code=_code(resource),
        assumed_utc=candidate.assumed_utc,
    )
    if not known:
        return replace(base, problems=("unit-unknown",))
    values = {magnesium_mg_dl(number, unit) for unit in known}
    if len(values) > 1:
        return replace(base, problems=("unit-conflict",))
    range_ = _normal_range(resource)
    middle, low, foreign = _range_mg_dl(range_, known[0])
    result_file = protocol.file.result
    within = (
        middle is not None
        and result_file.range_middle_low.value <= middle <= result_file.range_middle_high.value
    )
    declared = _site_unit(resource, protocol)
    corroborated = within or declared == known[0]
    property_ = codes.lab_property(base.code) if base.code else None
    mass = known[0] in ("mg/dL", "mg/L")
    contradicts = (property_ == "mass" and not mass) or (property_ == "molar" and mass)
    if foreign or (middle is not None and not within) or (contradicts and not corroborated):
        return replace(base, problems=("unit-conflict",))
    value = quantise(magnesium_mg_dl(number, known[0]), result_file.quantise.value)
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


def plain_text(quantity: RawQuantity, number: Decimal) -> str:
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
        return protocol.band_of(above)
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
    """The first range without type or of type normal (ruling 20)."""
    for range_ in many(resource.referenceRange):
        if range_.type is None or _is_normal(range_.type):
            return range_
    return None


def _is_normal(type_: CodeableConcept) -> bool:
    return any(coding.code == "normal" for coding in codings(type_)) or not (
        codings(type_) or type_.text
    )


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
        stated = stated_units(limit) or ((limit.code,) if limit.code else ())
        if stated and magnesium_unit(stated[0]) != unit:
            return None, None, True
        bounds.append(magnesium_mg_dl(number, unit))
    low, high = bounds
    middle = (low + high) / 2 if low is not None and high is not None else None
    return middle, low, False


def _judge(
    result: Magnesium,
    candidate: _Candidate,
    evidence: Evidence,
    protocol: Protocol,
    newer_unreadable: bool,
    oldest: datetime,
) -> Magnesium:
    problems = list(result.problems)
    if newer_unreadable:
        problems.append("newer-unreadable")
    if result.collected is None:
        problems.append("undated")
    elif result.collected < oldest:
        problems.append("stale")
    if result.status == "preliminary":
        problems.append("preliminary")
    if _haemolysed(candidate.resource, evidence):
        problems.append("haemolysed")
    if not evidence.obtained("magnesium"):
        problems.append("not-obtained")
    order = list(PROBLEMS)
    return replace(result, problems=tuple(sorted(dict.fromkeys(problems), key=order.index)))


def _guard_edta(
    result: Magnesium,
    evidence: Evidence,
    protocol: Protocol,
    potassium: Iterable[Lab],
    calcium: Iterable[Lab],
) -> Magnesium:
    """Very low magnesium with high potassium and low calcium of the same collection: the wrong
    tube, not a deficiency. A haemolysed potassium is no high one (ruling 14)."""
    limits = protocol.file.result
    collected = result.collected
    if collected is None or result.value is None or result.value >= limits.edta_magnesium.value:
        return result
    window = timedelta(minutes=float(limits.edta_window.value))

    def beside(labs: Iterable[Lab]) -> Iterator[Lab]:
        return (lab for lab in labs if abs(lab.collected - collected) <= window)

    haemolysed = haemolysed_sources(evidence, "potassium")
    wrong_tube = any(
        lab.at_least(limits.edta_potassium.value) and lab.source not in haemolysed
        for lab in beside(potassium)
    ) and any(lab.below(limits.edta_calcium.value) for lab in beside(calcium))
    return replace(result, problems=(*result.problems, "edta")) if wrong_tube else result


def _haemolysed(resource: Resource, evidence: Evidence) -> bool:
    for note in many(resource.note):
        for match in _HAEMOLYSED.finditer(note.text or ""):
            before = (note.text or "")[: match.start()]
            if not _NEGATED.search(before) and not _NON_PREFIX.search(before):
                return True
    for reference in many(resource.specimen):
        specimen = contained(resource, reference.reference)
        key = reference_key(reference.reference)
        if specimen is None and key is not None and key[0] == "Specimen":
            specimen = next((s for s in evidence.of_type("Specimen") if s.id == key[1]), None)
        for condition in many(specimen.condition) if specimen else ():
            if any(coding.code == "HEM" for coding in codings(condition)):
                return True
    return False


def haemolysed_sources(evidence: Evidence, concept: str) -> frozenset[str]:
    """Names of the results of a concept whose specimen is haemolysed."""
    return frozenset(
        name(resource) for resource in evidence.lab(concept) if _haemolysed(resource, evidence)
    )
