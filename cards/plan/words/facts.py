"""The facts of the case: the level, the kidney, other electrolytes, what was not read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from cards.assessment import Assessment, Finding
from cards.chart import Chart
from cards.evidence import title_of
from cards.phrase import age, listed, moment, record
from cards.plan.words.line import Line
from cards.protocol import Protocol
from cards.units.quantity import places


def value(chart: Chart) -> str:
    result = chart.magnesium.result
    if result is None:
        gap = chart.gap("magnesium")
        if gap is not None:
            return f"**Magnesium: could not be read** ({record(gap.reason, 90)})."
        if chart.magnesium.future:
            return "**Magnesium: only a result dated in the future**, not used."
        reading = chart.magnesium
        if reading.unreadable or reading.whole_blood or reading.other_specimens:
            return "**Magnesium: no result that could be read.**"
        return "**Magnesium: none on file.**"
    text = f"**Magnesium {record(result.shown(), 40)}**"
    if result.band is not None:
        text += f" ({record(result.band.name, 30)})"
    if result.collected is None:
        return text + ", no collection time."
    text += f", collected {moment(result.collected, chart.now)}, {age(result.collected, chart.now)}"
    if result.status == "preliminary":
        text += ", preliminary"
    if result.assumed_utc:
        text += ", sent without an offset: read as UTC"
    return text + "."


def shown_kidney(chart: Chart) -> str:
    """The renal class as a card shows it; only the dialysis label is text from the record."""
    kidney = chart.kidney
    return record(kidney.shown(), 140) if kidney.dialysis else kidney.shown()


def kidney(chart: Chart, treating: bool, protocol: Protocol) -> str:
    kidney = chart.kidney
    if chart.age is not None and chart.age[0] < protocol.file.limit.adult_age.value:
        return f"Kidney {kidney.id}: the formulas are for adults."
    text = f"Kidney {shown_kidney(chart)}"
    if kidney.measured is not None and not kidney.dialysis:
        text += f", {moment(kidney.measured, chart.now)}"
    # What a class means for a dose is said where a dose is given; "full dose" is no news.
    says = protocol.renal(kidney.id).says if treating and kidney.id != "R0" else ""
    text += f": {says}." if says else "."
    return " ".join([text, *(f"{record(note, 80)}." for note in kidney.notes)])


def other_electrolytes(
    assessment: Assessment, findings: tuple[Finding, ...], protocol: Protocol
) -> list[Line]:
    chart, words, limit = assessment.chart, protocol.file.wording, protocol.file.limit
    result = chart.magnesium.result
    # Of an EDTA tube neither potassium nor calcium means anything.
    if result is None or not result.low or "edta" in result.problems:
        return []
    lines: list[Line] = []
    k = chart.potassium
    if k is not None:
        at_risk = assessment.flags.met("risk")
        if any(f.rule == "N1" for f in findings):
            pass  # its line says so
        elif k.below(limit.potassium_urgent.value):
            lines.append(Line(f"Potassium {k.quantity}. {words.potassium_urgent.text}", keep=1))
        elif k.below(limit.potassium_low.value) or (
            at_risk and k.below(limit.potassium_at_risk.value)
        ):
            lines.append(Line(f"Potassium {k.quantity}. {words.potassium.text}", keep=1))
    calcium = chart.corrected_calcium
    ionized = chart.ionized_calcium
    low_ionized = ionized is not None and ionized.below(limit.calcium_ionized.value)
    tetany = assessment.chart.conditions.event("tetany") is not None
    if (calcium is not None and calcium < limit.calcium_urgent.value) or low_ionized or tetany:
        what = (
            f"ionised calcium {places(ionized.value, 2)} mmol/L"
            if low_ionized and ionized
            else (_calcium(chart, calcium) if calcium is not None and not tetany else "Tetany")
        )
        lines.append(Line(f"{what[0].upper()}{what[1:]}. {words.calcium_now.text}", keep=1))
    elif calcium is not None and calcium < limit.calcium_recheck.value:
        text = f"{_calcium(chart, calcium)}. {words.calcium_recheck.text}"
        lines.append(Line(text, keep=2))
    return lines


def _calcium(chart: Chart, value: Decimal) -> str:
    """Named "corrected" only where the albumin changed it."""
    total = chart.calcium.value if chart.calcium is not None else None
    name = "Calcium" if total == value else "Corrected calcium"
    return f"{name} {places(value, 1)} mg/dL"


def _came_along(need: str, chart: Chart) -> bool:
    """Whether a value stands on the card although its own query was not answered."""
    values = {
        "potassium": chart.potassium,
        "calcium": chart.calcium,
        "weight": chart.weight,
        "qtc": chart.qtc,
    }
    return values.get(need) is not None


def _unsure(assessment: Assessment) -> list[Line]:
    """What runs and may be magnesium, or holds some (rulings 137 and 150), and is not named as a
    stop already."""
    chart = assessment.chart
    result = chart.magnesium.result
    holding = assessment.stops.holding if assessment.patient_view else ()
    said = {reference for stop in holding for reference in stop.finding.evidence}
    unsure = [
        order
        for order in chart.medicines.unsure(result.collected if result else None)
        if order.reference not in said
    ]
    # A code that nobody knows, by mouth or without a route, is every second drug of some records.
    nameless = [
        order
        for order in unsure
        if order.identity.unidentified
        and (order.route in ("iv", "im") or not order.identity.resolved)
    ]
    lines = []
    for title, found in (
        ("Possible magnesium source", [o for o in unsure if o.identity.possible]),
        ("Medications that could not be identified", nameless),
        ("Contains magnesium", chart.medicines.carriers),
    ):
        if found:
            names = listed([record(order.label, 40) for order in found], 2)
            lines.append(Line(f"{title}: {names}.", "foot", 1))
    return lines


def notes(assessment: Assessment, protocol: Protocol) -> list[Line]:
    chart = assessment.chart
    lines: list[Line] = []
    named = [
        g
        for g in chart.gaps
        if not _came_along(g.need, chart)
        if g.need in ("potassium", "calcium", "albumin", "qtc", "weight", "administrations")
        # Beside a reported eGFR: without creatinine an acute injury cannot be seen.
        or (g.need == "creatinine" and chart.kidney.estimates)
    ]
    if named:
        names = ", ".join(title_of(g.need) for g in named)
        text = f"Not read: {names}."
        if any(g.need == "administrations" for g in named):
            text += " Administrations not readable: check the record."
        unseen = any(g.need in ("administrations", "creatinine") for g in named)
        lines.append(Line(text, "foot", 0 if unseen else 1))
    if chart.weight_note:
        lines.append(Line(f"Weight not used: {record(chart.weight_note, 80)}.", "foot", 2))
    if chart.qtc_uncorrected and chart.qtc is None:
        lines.append(Line("Only an uncorrected QT is on file: not used.", "foot", 6))
    if chart.magnesium.other_specimens and chart.magnesium.result is not None:
        kinds = listed([record(s.kind, 30) for s in chart.magnesium.other_specimens], 2)
        lines.append(Line(f"Not used: a magnesium of another specimen ({kinds}).", "foot", 2))
    lines += _unsure(assessment)
    for note in chart.notes:
        lines.append(Line(f"{record(note, 90)}.", "foot", 3))
    for relaxed in protocol.file.relaxed:
        lines.append(Line(f"site-relaxed: {record(relaxed.stop)}.", "foot", 0))
    if chart.now.date() > protocol.review_due:
        lines.append(Line("protocol review overdue.", "foot", 0))
    end = chart.medicines.last_infusion_end(recorded=True)
    result = chart.magnesium.result
    if (
        end is not None
        and result is not None
        and result.collected is not None
        and timedelta(0) <= result.collected - end < protocol.file.result.not_equilibrated.span
    ):
        within = protocol.file.result.not_equilibrated.said
        text = f"Collected within {within} of an infusion: not yet equilibrated."
        lines.append(Line(text, "foot", 1))
    return lines
