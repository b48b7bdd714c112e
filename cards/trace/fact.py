"""Fact: one thing the chart says, with its unit, time and source; Missing: one it does not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct, structs

from cards.chart import Chart, Lab
from cards.evidence import Evidence, title_of
from cards.phrase import age, bare, moment
from cards.units.quantity import places, plain

_LONGEST = 90  # FHIR allows 64 characters of id, beside the type


class Fact(Struct, frozen=True, gc=False):
    """``value`` in ``unit`` as the rules read it; ``when`` it was collected and ``age`` in words;
    ``note`` what the rules make of it; ``sources`` the resources it comes from."""

    label: str
    value: str
    unit: str = ""
    when: datetime | None = None
    age: str = ""
    note: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Ids are the record's: a line of a page or terminal holds no 10 kB, and nothing that
        # turns the direction of writing.
        structs.force_setattr(self, "sources", named(self.sources))

    @property
    def line(self) -> str:
        """``potassium: 2.8 mmol/L, 2 h ago [Observation/k-1]``"""
        value = f"{self.value} {self.unit}".rstrip()
        said = ", ".join(filter(None, (value, self.age, self.note)))
        cited = f" [{', '.join(self.sources)}]" if self.sources else ""
        return f"{self.label}: {said}{cited}"


def named(references: Iterable[str]) -> tuple[str, ...]:
    """References to resources, each in one line, shortened when it is absurdly long."""
    return tuple(bare(reference, _LONGEST) for reference in references)


class Missing(Struct, frozen=True, gc=False):
    """What was not read: a need in people's words, or a resource; and the reason."""

    what: str
    reason: str

    @property
    def line(self) -> str:
        return f"{self.what}: {self.reason}"


def read_missing(evidence: Evidence, chart: Chart) -> tuple[Missing, ...]:
    """Needs not obtained, resources that could not be read, and those that are not used."""
    found = [Missing(title_of(gap.need), gap.reason) for gap in evidence.gaps.values()]
    found += [Missing(f"{u.resource} ({title_of(u.need)})", u.reason) for u in evidence.unread]
    found += [Missing(s.resource, f"not used, {s.reason}") for s in evidence.set_aside]
    found += [Missing(name, "collected in the future") for name in chart.magnesium.future]
    return tuple(found)


def read_facts(chart: Chart) -> tuple[Fact, ...]:
    """Every fact of the chart that a rule may look at."""
    return (*_patient(chart), *_values(chart), *_conditions(chart), *_medicines(chart))


def _patient(chart: Chart) -> Iterator[Fact]:
    yield Fact("now", moment(chart.now, chart.now))
    known = chart.setting if chart.setting_known else f"unknown, treated as {chart.setting}"
    yield Fact("setting", known)
    if chart.age is None:
        yield Fact("age", "not known")
    else:
        years = " to ".join(str(n) for n in dict.fromkeys(chart.age))
        yield Fact("age", years, "years")
    yield Fact("sex", chart.sex or "not known")
    if chart.pregnant:
        yield Fact("pregnancy", chart.pregnant)
    if chart.intolerance:
        yield Fact("intolerance", chart.intolerance)


def _values(chart: Chart) -> Iterator[Fact]:
    yield _magnesium(chart)
    kidney = chart.kidney
    measured = kidney.measured
    yield Fact(
        "kidney",
        kidney.shown(),
        when=measured,
        age=age(measured, chart.now) if measured else "",
        note="; ".join(kidney.notes),
        sources=kidney.sources,
    )
    for label, lab in (
        ("potassium", chart.potassium),
        ("calcium", chart.calcium),
        ("ionised calcium", chart.ionized_calcium),
        ("weight", chart.weight),
        ("QTc", chart.qtc),
        ("platelets", chart.platelets),
    ):
        if lab is not None:
            yield _lab(label, lab, chart.now)
    if chart.corrected_calcium is not None:
        yield Fact("corrected calcium", places(chart.corrected_calcium, 2), "mg/dL")
    if chart.fe_mg is not None:
        yield Fact("fractional excretion of magnesium", places(chart.fe_mg, 1), "%")
    if chart.weight_note:
        yield Fact("weight", "not used", note=chart.weight_note)


def _magnesium(chart: Chart) -> Fact:
    result = chart.magnesium.result
    if result is None:
        return Fact("magnesium", "no result")
    band = result.band.name if result.band else "no band"
    usable = "usable" if result.usable else "not usable: " + ", ".join(result.problems)
    return Fact(
        "magnesium",
        result.shown(),
        when=result.collected,
        age=age(result.collected, chart.now) if result.collected else "no collection time",
        note=f"{band}, {usable}",
        sources=(result.source,),
    )


def _lab(label: str, lab: Lab, now: datetime) -> Fact:
    quantity = lab.quantity
    return Fact(
        label,
        f"{quantity.comparator or ''}{plain(quantity.value)}",
        quantity.unit,
        lab.collected,
        age(lab.collected, now),
        sources=(lab.source,),
    )


def _conditions(chart: Chart) -> Iterator[Fact]:
    for facts in chart.conditions.facts.values():
        for fact in facts:
            state = "current" if fact.current else "active" if fact.active else "history"
            yield Fact(fact.concept, fact.label, note=state, sources=(fact.source,))


def _medicines(chart: Chart) -> Iterator[Fact]:
    for order in chart.medicines.orders:
        if order.groups:
            groups = ", ".join(sorted(order.groups))
            yield Fact("order", order.label, note=groups, sources=(order.reference,))
    for given in chart.medicines.given:
        when = given.moment
        yield Fact(
            "given",
            given.identity.label,
            when=when,
            age=age(when, chart.now) if when else "",
            sources=(given.reference,),
        )
