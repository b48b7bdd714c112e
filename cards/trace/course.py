"""Course: the patient's magnesium over time, and what was given."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from cards.chart import Chart
from cards.chart.labs import collected_at
from cards.evidence import Evidence
from cards.fhir.resource import Resource, name
from cards.phrase import bare
from cards.units.quantity import magnesium_mg_dl, magnesium_unit, plain, read_number, stated_units

_COUNTED = frozenset({"final", "amended", "corrected", "preliminary"})


class Point(Struct, frozen=True, gc=False):
    """A result: ``value`` in mg/dL, ``shown`` as reported; ``decides`` when it is the one that
    the rules speak of."""

    when: datetime
    value: Decimal
    shown: str
    source: str
    decides: bool


class Treated(Struct, frozen=True, gc=False):
    """Magnesium that was given (``ordered`` False), or an order of it that is on file.

    ``end`` None where it is open or was a moment.
    """

    start: datetime
    end: datetime | None
    label: str
    amount: str
    route: str
    source: str
    ordered: bool


class Course(Struct, frozen=True, gc=False):
    """Points and treatments, oldest first; ``left_out`` counts results without a number, a known
    unit or a time."""

    points: tuple[Point, ...]
    treatments: tuple[Treated, ...]
    left_out: int


def read_course(evidence: Evidence, chart: Chart) -> Course:
    """The Course of the evidence, for a picture: no rule reads it."""
    deciding = chart.magnesium.result
    results = [r for r in evidence.lab("magnesium") if r.status in _COUNTED]
    source = deciding.source if deciding is not None else ""
    points = [point for r in results if (point := _point(r, source)) is not None]
    return Course(
        tuple(sorted(points, key=lambda p: (p.when, p.source))),
        tuple(sorted(_treatments(chart), key=lambda t: (t.start, t.source))),
        len(results) - len(points),
    )


def _point(resource: Resource, deciding: str) -> Point | None:
    collected, quantity = collected_at(resource), resource.valueQuantity
    if collected is None or quantity is None:
        return None
    number = read_number(quantity.value)
    units = (*stated_units(quantity), quantity.code or "")
    unit = next((known for text in units if (known := magnesium_unit(text))), None)
    if number is None or unit is None:
        return None
    return Point(
        collected.start,
        magnesium_mg_dl(number, unit),
        f"{quantity.comparator or ''}{plain(number)} {unit}",
        bare(name(resource), 90),
        name(resource) == deciding,
    )


def _treatments(chart: Chart) -> list[Treated]:
    medicines = chart.medicines
    found = [
        Treated(
            g.start,
            g.end,
            g.identity.label,
            _amount(g.mg, g.line.route),
            g.line.route or "",
            bare(g.reference, 90),
            ordered=False,
        )
        for g in medicines.magnesium_given
        if g.start is not None
    ]
    for order in medicines.magnesium:
        start = order.start
        if start is not None and order.resource.status in ("active", "completed"):
            dose = order.lines[0].dose if order.lines else None
            found.append(
                Treated(
                    start,
                    order.end(medicines.one_off),
                    order.label,
                    _amount(dose, order.route),
                    order.route or "",
                    bare(order.reference, 90),
                    ordered=True,
                )
            )
    return found


def _amount(mg: Decimal | None, route: str | None) -> str:
    if mg is None:
        return "amount not readable"
    return f"{plain(mg / 1000)} g" if route in ("iv", "im") else f"{plain(mg)} mg"
