"""Kidney: the renal class, from the lowest of three estimates (protocol section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from cards.chart.labs import FINAL, Lab, Labs, UnreadLab, collected_at, newest_first, unread_lab
from cards.evidence import Evidence
from cards.fhir.resource import Resource
from cards.protocol import ESTIMATES, Protocol
from cards.units.quantity import Quantity, is_lab_unit, lab_value, places

_TEXT_EGFR = re.compile(r"([<>]=?)? ?(\d{1,3}(?:\.\d{1,3})?) ?(.*)\Z")
_CREATININE = (Decimal("0.1"), Decimal(30))
_JUST_BELOW = Decimal("0.01")
_REPORTED, _COMPUTED, _GAULT = ESTIMATES
# KDIGO: a rise within 48 h, or a ratio to the lowest of 7 days; a creatinine climbs by the day.
_CLIMB, _RISE, _INJURY = timedelta(days=1), timedelta(days=2), timedelta(days=7)


class Kidney(Struct, frozen=True, gc=False):
    """The renal class R0 to R4 or RU and how it was found.

    ``gfr`` is the lowest estimate in mL/min, unrounded; ``estimates`` are (name, mL/min) of all
    that were available; ``aki`` the reason for acute kidney injury; ``notes`` what was left out;
    ``unread`` a newer creatinine that could not be read, in words.
    """

    id: str
    gfr: Decimal | None = None
    estimates: tuple[tuple[str, Decimal], ...] = ()
    measured: datetime | None = None
    sources: tuple[str, ...] = ()
    aki: str | None = None
    dialysis: str | None = None
    notes: tuple[str, ...] = ()
    unread: str | None = None

    def shown(self) -> str:
        """``R1 by eGFR 45 mL/min (Cockcroft-Gault 111)``: the estimate that decided first."""
        if self.dialysis:
            return f"{self.id} by {self.dialysis}"
        if not self.estimates:
            return f"{self.id}, not known"
        ranked = sorted(self.estimates, key=lambda estimate: estimate[1])
        first, *rest = (f"{label} {places(value, 1)}" for label, value in ranked)
        text = f"{self.id} by {first} mL/min"
        if rest:
            text += f" ({', '.join(rest)})"
        return f"{text}; {self.aki}" if self.aki else text


class Person(Struct, frozen=True, gc=False):
    """What the estimates need of the patient: oldest possible age, sex, weight in kg."""

    oldest: int | None
    sex: str | None
    weight: Decimal | None


def read_kidney(
    evidence: Evidence,
    creatinines: Labs,
    person: Person,
    now: datetime,
    age: timedelta,
    protocol: Protocol,
    *,
    dialysis: str | None,
    esrd: bool,
    aki_coded: bool,
) -> Kidney:
    """The Kidney; ``creatinines`` newest first in mg/dL, ``age`` their limit in this setting."""
    believed = _believed(creatinines)
    newest = believed[0] if believed and now - believed[0].collected <= age else None
    notes: list[str] = []
    estimates: list[tuple[str, Decimal]] = []
    sources: list[str] = []
    measured: list[datetime] = []
    if newest is not None:
        computed = ckd_epi_2021(newest.value, person.oldest, person.sex)
        if computed is not None:
            estimates.append((_COMPUTED, computed))
        gault = cockcroft_gault(newest.value, person)
        if gault is not None:
            estimates.append((_GAULT, gault))
        elif person.weight is None:
            notes.append(f"{_GAULT} left out: weight not known")
        if estimates:
            sources.append(newest.source)
            measured.append(newest.collected)
    reported = _reported(evidence, now, age, protocol)
    if reported is not None:
        lag = protocol.file.result.egfr_lag.span
        old = newest is not None and newest.collected - reported.collected > lag
        if old and not estimates:
            notes.append("the reported eGFR is older than the newest creatinine")
        else:
            estimates.insert(0, (_REPORTED, reported.value))
            sources.append(reported.source)
            measured.append(reported.collected)
    gfr = min((value for _, value in estimates), default=None)
    kidney = Kidney(
        _class(gfr, protocol),
        gfr,
        tuple(estimates),
        max(measured, default=None),
        tuple(sources),
        notes=tuple(notes),
    )
    kidney = _with_injury(kidney, believed, newest, aki_coded, protocol)
    lost = _lost(creatinines, newest) or _unreadable(evidence, newest, now)
    if lost is not None and now - lost.collected <= age:
        kidney = _with_lost(kidney, lost, reported, protocol)
    elif kidney.id == "RU" and (text := _lost_egfr(evidence, now, age, protocol)):
        kidney = replace(kidney, unread=text)
    if dialysis:
        return replace(kidney, id="R4", dialysis=dialysis)
    if esrd and kidney.id in ("R0", "R1", "R2", "RU"):
        return replace(kidney, id="R3", notes=(*kidney.notes, "end-stage renal disease on file"))
    return kidney


def _with_lost(kidney: Kidney, lost: UnreadLab, reported: Lab | None, protocol: Protocol) -> Kidney:
    """A creatinine newer than the value in use that cannot be read is named; it makes R0 and R1
    to RU, unless an eGFR as new can be read (ruling 163)."""
    unread = f'a creatinine {lost.why}: "{lost.text}"'
    lag = protocol.file.result.egfr_lag.span
    known = reported is not None and lost.collected - reported.collected <= lag
    if known or kidney.id not in ("R0", "R1", "RU"):
        return replace(kidney, notes=(*kidney.notes, unread))
    return replace(kidney, id="RU", gfr=None, estimates=(), unread=unread)


def _lost(creatinines: Labs, newest: Lab | None) -> UnreadLab | None:
    """The newest creatinine after the one in use that holds a number and cannot be one: a string,
    an unknown unit, or more than any patient has."""
    since = newest.collected if newest is not None else None
    for lab in creatinines:
        if since is not None and lab.collected <= since:
            break
        if lab.value > _CREATININE[1]:
            return UnreadLab(str(lab.quantity), lab.collected, lab.source, "is not believed")
    return creatinines.unread_since(since)


def _unreadable(evidence: Evidence, newest: Lab | None, now: datetime) -> UnreadLab | None:
    """A creatinine that came and could not be read at all, when it may be newer than the one in
    use (ruling 145)."""
    for unread in evidence.unread:
        if unread.need != "creatinine":
            continue
        instant = collected_at(unread.source) if unread.source is not None else None
        when = instant.start if instant is not None and instant.exact else now
        if newest is None or when > newest.collected:
            return UnreadLab(unread.reason[:_LONGEST], when, unread.resource)
    return None


def _lost_egfr(evidence: Evidence, now: datetime, age: timedelta, protocol: Protocol) -> str | None:
    """A reported eGFR that holds a number and cannot be read, in words."""
    latest = now + protocol.file.result.future.span
    for resource in newest_first([r for r in evidence.lab("egfr") if r.status in FINAL]):
        collected = collected_at(resource)
        if collected is None or not now - age <= collected.start <= latest:
            continue
        lost = unread_lab(resource)
        if lost is not None and _egfr(resource) is None:
            return f'an eGFR {lost[1]}: "{lost[0]}"'
    return None


def _believed(creatinines: Iterable[Lab]) -> list[Lab]:
    """The newest creatinine that can be true, and those of the days before that an acute injury
    is judged by."""
    found: list[Lab] = []
    for lab in creatinines:
        if found and found[0].collected - lab.collected > _INJURY:
            break
        if _CREATININE[0] <= lab.value <= _CREATININE[1] and lab.comparator not in ("<", "<="):
            found.append(lab)
    return found


def _class(gfr: Decimal | None, protocol: Protocol) -> str:
    if gfr is None:
        return "RU"
    for id_ in ("R0", "R1", "R2"):
        start = protocol.renal(id_).start
        if start is not None and gfr >= start:
            return id_
    return "R3"


def _with_injury(
    kidney: Kidney,
    believed: Sequence[Lab],
    newest: Lab | None,
    coded: bool,
    protocol: Protocol,
) -> Kidney:
    """Acute kidney injury: stage 1, or one that is only coded, is at least R1; stages 2 and 3, and
    a creatinine that still climbs fast, at least R2 (ruling 107)."""
    found = _injury(believed, newest, protocol) if newest else None
    if found is None and coded:
        found = "R1", "acute kidney injury on file"
    if found is None:
        return kidney
    least, reason = found
    id_ = least if kidney.id in ("R0", "R1") and kidney.id < least else kidney.id
    return replace(kidney, id=id_, aki=reason)


def _injury(believed: Sequence[Lab], newest: Lab, protocol: Protocol) -> tuple[str, str] | None:
    """(the class it is at least, why), the worst that the creatinines say."""
    limits = protocol.file.limit

    def lowest(span: timedelta) -> Decimal | None:
        before = (b.value for b in believed[1:] if newest.collected - b.collected <= span)
        return min(before, default=None)

    day, two_days, week = (lowest(span) for span in (_CLIMB, _RISE, _INJURY))
    risen = newest.value - two_days if two_days is not None else Decimal(0)
    in_a_day = newest.value - day if day is not None else Decimal(0)
    ratio = newest.value / week if week is not None else Decimal(1)
    since_week = newest.value - week if week is not None else Decimal(0)
    climb = limits.creatinine_climb.value
    doubled = ratio >= limits.creatinine_doubled.value
    by_ratio = f"creatinine {places(ratio, 1)} x the lowest of 7 days"
    if in_a_day >= climb:
        return "R2", f"creatinine up {places(in_a_day, 2)} mg/dL in 24 h"
    if doubled and (newest.value >= limits.creatinine_low.value or since_week >= climb):
        return "R2", by_ratio
    rise = limits.creatinine_rise.value
    if risen >= rise and newest.value >= limits.creatinine_failure.value:
        return "R2", f"creatinine up {places(risen, 2)} mg/dL in 48 h"
    if risen >= rise:
        return "R1", f"creatinine up {places(risen, 2)} mg/dL in 48 h"
    return ("R1", by_ratio) if ratio >= limits.creatinine_ratio.value else None


def _reported(evidence: Evidence, now: datetime, age: timedelta, protocol: Protocol) -> Lab | None:
    """The newest reported eGFR; several at one time: the lowest. ``>x`` counts as x, ``<x`` as
    just under x when that is R3, else not reported (ruling 29)."""
    future = now + protocol.file.result.future.span
    limit = protocol.renal("R2").start
    found: list[Lab] = []
    for resource in newest_first([r for r in evidence.lab("egfr") if r.status in FINAL]):
        collected = collected_at(resource)
        if collected is None or collected.start > future or now - collected.start > age:
            continue
        if found and collected.start < found[0].collected:
            break
        quantity = _egfr(resource)
        if quantity is None or quantity.value < 0:
            continue
        value: Decimal | None = quantity.value
        if quantity.comparator in ("<", "<="):
            below = quantity.value - _JUST_BELOW
            value = max(below, Decimal(0)) if limit and quantity.value <= limit else None
        if value is not None:
            found.append(Lab(Quantity(value, "mL/min"), collected.start, resource))
    return min(found, key=lambda lab: (lab.value, lab.source), default=None)


def _egfr(resource: Resource) -> Quantity | None:
    if resource.valueQuantity is not None:
        quantity = lab_value("egfr", resource.valueQuantity)
        if quantity is not None:
            return quantity
        sent = bytes(resource.valueQuantity.value).decode()
        if not sent.startswith('"'):
            return None  # a number in a unit that is none of an eGFR
        text = sent.strip('"')
        unit = resource.valueQuantity.unit or resource.valueQuantity.code
        # A bare number is one of its unit; a bound is read whatever the unit says (ruling 29).
        if text[:1] not in ("<", ">") and unit:
            text = f"{text} {unit}"
    else:
        text = resource.valueString or ""
    match = _TEXT_EGFR.match(" ".join(text[:_LONGEST].split()))
    if match is None or not (match[3] == "" or is_lab_unit("egfr", match[3])):
        return None
    return Quantity(Decimal(match[2]), "mL/min", match[1] or None)


_LONGEST = 80


def ckd_epi_2021(creatinine: Decimal, age: int | None, sex: str | None) -> Decimal | None:
    """CKD-EPI 2021 eGFR in mL/min/1.73 m2 from mg/dL; sex other or unknown: the lower of both.

    Inker et al. 2021: 142 x min(Scr/k, 1)^a x max(Scr/k, 1)^-1.200 x 0.9938^age (x 1.012 female).
    """
    if age is None:
        return None

    def formula(*, female: bool) -> float:
        kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
        ratio = float(creatinine) / kappa
        value: float = 142 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.2 * 0.9938**age
        return value * 1.012 if female else value

    sexes = {"female": (True,), "male": (False,)}.get(sex or "", (True, False))
    return Decimal(repr(min(formula(female=female) for female in sexes)))


def cockcroft_gault(creatinine: Decimal, person: Person) -> Decimal | None:
    """Cockcroft-Gault creatinine clearance in mL/min with the actual weight."""
    if person.oldest is None or person.weight is None:
        return None
    value = (140 - person.oldest) * person.weight / (72 * creatinine)
    value = max(value, Decimal(0))
    return value if person.sex == "male" else value * Decimal("0.85")
