"""Line: the words of a card's detail, each with how readily it is dropped when space is short."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cards.assessment import Assessment, Finding, Offer
from cards.chart import Chart
from cards.phrase import age, listed, moment, record
from cards.plan.proposal import CreateDrug, Proposal, Step, UpdateDraft
from cards.protocol import Protocol
from cards.quantity import places, plain

Part = Literal["top", "giving", "foot"]


class Line(Struct, frozen=True, gc=False):
    """``keep`` 0 is never dropped; the highest number is dropped first."""

    text: str
    part: Part = "top"
    keep: int = 0


def detail_lines(
    assessment: Assessment,
    findings: tuple[Finding, ...],
    proposals: tuple[Proposal, ...],
    protocol: Protocol,
    banner: str | None,
) -> tuple[Line, ...]:
    """The Lines of a card, in the order they stand."""
    steps = [
        action.step
        for proposal in proposals
        for action in proposal.actions
        if isinstance(action, CreateDrug | UpdateDraft)
    ]
    lines: list[Line] = []
    if banner:
        lines.append(Line(f"**{banner}**"))
    lines.append(Line(_value(assessment.chart)))
    lines += _first_words(assessment, steps, protocol)
    lines += [Line(says) for says in dict.fromkeys(f.says for f in findings) if says]
    lines.append(Line(_kidney(assessment.chart, bool(steps), protocol)))
    lines += _refusals(assessment, findings, steps)
    lines += _arithmetic(assessment, proposals, protocol)
    lines += _situation(assessment, findings, steps, protocol)
    lines += _other_electrolytes(assessment, findings, protocol)
    lines += _giving(assessment, steps, protocol)
    lines += _notes(assessment, protocol)
    return tuple(lines)


def _value(chart: Chart) -> str:
    result = chart.magnesium.result
    if result is None:
        gap = chart.gap("magnesium")
        if gap is not None:
            return f"**Magnesium: could not be read** ({record(gap.reason, 90)})."
        if chart.magnesium.future:
            return "**Magnesium: only a result dated in the future**, not used."
        if chart.magnesium.unreadable or chart.magnesium.whole_blood:
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


def _kidney(chart: Chart, treating: bool, protocol: Protocol) -> str:
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


def _first_words(assessment: Assessment, steps: list[Step], protocol: Protocol) -> list[Line]:
    """What must be done or known before the order is read."""
    flags, lines = assessment.flags, []
    if flags.met("giloss") and (steps or assessment.offers):
        text = f"{flags.reason('giloss')}: {protocol.file.wording.giloss.text}"
        lines.append(Line(text))
    if flags.met("noent") and steps:
        lines.append(Line(f"Enteral route out: {flags.reason('noent')}."))
    return lines


def _refusals(
    assessment: Assessment, findings: tuple[Finding, ...], steps: list[Step]
) -> list[Line]:
    """Why no drug, or no infusion, is suggested; and what a suggestion was not checked for."""
    asks = assessment.patient_view or any(f.act in ("offer", "update", "replace") for f in findings)
    if not asks:
        return []
    result = assessment.chart.magnesium.result
    said = " ".join(f.says for f in findings)
    found = []
    for stop in assessment.stops.holding:
        if stop.id == "H10" and (findings[0].act == "lab" or result is None):
            continue
        if stop.finding.says in said:
            continue
        if stop.id == "H3" and not steps and findings[0].rule in _HIGH:
            continue  # the card is about nothing else
        head = "No drug" if stop.blocks == "all" else "No infusion"
        found.append(Line(f"{head}: {stop.finding.says}"))
    if not found and not steps and result is not None and result.low and result.usable:
        found.append(Line(_nothing_open(assessment)))
    return found


_HIGH = frozenset({"high", "high-source", "toxic", "toxic-stale"})


def _nothing_open(assessment: Assessment) -> str:
    """Why no regimen is open although nothing stops it."""
    chart = assessment.chart
    if assessment.flags.met("oral-full-dose"):
        return "No further oral magnesium: the full oral dose is already active."
    if chart.kidney.id == "R2":
        return "No drug: at renal class R2 nothing is suggested for this level."
    if assessment.flags.met("noent") and chart.ambulatory:
        return "No drug: parenteral magnesium is not ordered for an outpatient here."
    if assessment.cap.given is None:
        return "No drug: an earlier dose could not be read, so the 24 h limit may be reached."
    return f"No drug: the 24 h limit leaves {places(assessment.cap.left, 1)} g."


def _arithmetic(
    assessment: Assessment, proposals: tuple[Proposal, ...], protocol: Protocol
) -> list[Line]:
    lines = []
    offers: list[Offer] = []
    for proposal in proposals:
        for action in proposal.actions:
            if isinstance(action, CreateDrug | UpdateDraft):
                step = action.step
                offers.append(step.offer)
                mark = "**Recommended:** " if proposal.recommended else "Or: "
                product = step.offer.product.substance
                text = f"{mark}{product} {step.amount()} {step.how()}"
                if step.offer.route == "po":
                    text += f", {places(step.offer.daily_mmol, 1)} mmol a day"
                lines.append(Line(text + "."))
    if any(offer.parenteral for offer in offers):
        cap = assessment.cap
        by = "by weight" if cap.by_weight else f"class {assessment.chart.kidney.id}"
        if cap.weight_unknown and not protocol.relaxed("weight-unknown"):
            by = "weight unknown"
        text = f"24 h limit {places(cap.limit, 1)} g ({by}), left {places(cap.left, 1)} g."
        exempt = any(
            "life" in offer.regimen.when.flags and offer.grams_in_24h > cap.left for offer in offers
        )
        if exempt:
            text = "Emergency dose: exempt from the 24 h limit, once."
        lines.append(Line(text, keep=1))
        if protocol.renal(assessment.chart.kidney.id).intravenous == "half":
            lines.append(Line(protocol.file.wording.review.text))
    return lines


def _situation(
    assessment: Assessment,
    findings: tuple[Finding, ...],
    steps: list[Step],
    protocol: Protocol,
) -> list[Line]:
    chart, words = assessment.chart, protocol.file.wording
    lines: list[Line] = []
    flags = assessment.flags
    treating = bool(steps)
    if flags.met("noent") and chart.ambulatory and assessment.patient_view:
        lines.append(
            Line(f"Enteral route out ({flags.reason('noent')}): refer for parenteral replacement.")
        )
    if (
        flags.met("noent")
        and not chart.ambulatory
        and assessment.stops.blocks_parenteral
        and assessment.patient_view
    ):
        lines.append(Line("Enteral and parenteral routes are both out: refer."))
    result = chart.magnesium.result
    running = chart.medicines.oral_before(result.collected if result else None)
    if running and result is not None and result.low and (treating or assessment.patient_view):
        text = f"Running: {record(running[0].label, 40)}; the level stayed low on it."
        if any(step.offer.route == "po" for step in steps):
            text += " The new oral order replaces it: stop it."
        elif flags.met("oral-full-dose"):
            text += " Full oral dose: ask about adherence, diarrhoea, PPI; parenteral review."
        lines.append(Line(text))
    if flags.met("drafted-risk") and treating:
        lines.append(
            Line(f"With the drafted {flags.reason('drafted-risk')}: cardiac risk.", keep=2)
        )
    if not chart.setting_known and treating:
        lines.append(
            Line(
                "Setting unknown: if this is an outpatient, same-day emergency evaluation instead "
                "of this order.",
                keep=1,
            )
        )
    causes = [
        record(o.label, 30) for o in chart.medicines.active("cause", "loop", "thiazide", "ppi")
    ]
    if causes and result is not None and result.low:
        lines.append(Line(f"Active causes: {listed(list(dict.fromkeys(causes)), 3)}.", keep=3))
    lesser = [record(o.label, 30) for o in chart.medicines.active("cause-tier2")]
    alcohol = chart.conditions.state("alcohol")
    if alcohol is not None:
        lesser.append(record(alcohol.label or alcohol.concept, 30))
    if lesser and result is not None and result.low:
        lines.append(Line(f"Possible causes: {listed(list(dict.fromkeys(lesser)), 3)}.", keep=4))
    if chart.medicines.active("platinum-egfr") and result is not None and result.low:
        lines.append(Line(words.platinum.text, keep=4))
    if chart.fe_mg is not None and result is not None and result.low:
        lines.append(Line(_fe_mg(chart, protocol), keep=3))
    return lines


def _fe_mg(chart: Chart, protocol: Protocol) -> str:
    value, limit = chart.fe_mg, protocol.file.limit
    assert value is not None  # noqa: S101 - the caller looked
    if value < limit.femg_low.value:
        meaning = "extrarenal loss"
    elif value <= limit.femg_high.value:
        meaning = "indeterminate"
    else:
        meaning = "renal loss"
    return f"FE-Mg {places(value, 1)} %: {meaning}."


def _other_electrolytes(
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


def _giving(assessment: Assessment, steps: list[Step], protocol: Protocol) -> list[Line]:
    """The words every drug card carries (protocol section 10a), under a heading."""
    if not steps:
        return []
    chart, words, flags = assessment.chart, protocol.file.wording, assessment.flags
    result = chart.magnesium.result
    acts_as = result.acts_as if result else None
    lines: list[Line] = []

    def say(text: str, keep: int) -> None:
        lines.append(Line(text, "giving", keep))

    if any(step.offer.parenteral for step in steps):
        say(
            words.monitoring.text
            + (f" {words.ecg.text}" if _ecg(assessment, steps, protocol) else "")
            + f" {words.antidote.text}",
            0,
        )
        if assessment.flags.met("risk") or chart.medicines.active(
            "neuromuscular-blocker", "opioid", "dihydropyridine"
        ):
            say(words.cautions.text, 1)
        say(words.reassess.text, 2)
        if acts_as == "severe" and not flags.met("noent"):
            say(words.oral_after_iv.text, 3)
    if any(step.offer.route == "po" for step in steps):
        say(f"{words.oral_taking.text} {words.oral_recheck.text} {words.oral_stopping.text}", 2)
        say(words.alternatives.text, 6)
    if acts_as in ("moderate", "mild") and not flags.met("symp"):
        say(words.symptoms.text, 3)
    if result is not None and result.low:
        say(words.target.text, 5)
    if acts_as == "mild" and not (flags.met("symp") or flags.met("life")):
        say(words.diet.text, 7)
    return lines


def _ecg(assessment: Assessment, steps: list[Step], protocol: Protocol) -> bool:
    limit = protocol.file.limit
    result = assessment.chart.magnesium.result
    flags = assessment.flags
    return (
        any(
            step.minutes is not None and step.minutes <= limit.short_infusion.value
            for step in steps
        )
        or flags.met("symp")
        or flags.met("life")
        or flags.met("risk")
        or flags.met("drafted-risk")
        or (
            result is not None
            and result.value is not None
            and result.value < limit.monitoring_magnesium.value
        )
        or bool(assessment.chart.medicines.active("qt-known", "digoxin"))
        or protocol.renal(assessment.chart.kidney.id).intravenous == "half"
    )


def _came_along(need: str, chart: Chart) -> bool:
    """Whether a value stands on the card although its own query was not answered."""
    values = {
        "potassium": chart.potassium,
        "calcium": chart.calcium,
        "weight": chart.weight,
        "qtc": chart.qtc,
    }
    return values.get(need) is not None


def _notes(assessment: Assessment, protocol: Protocol) -> list[Line]:
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
        names = ", ".join("QTc" if g.need == "qtc" else g.need for g in named)
        text = f"Not read: {names}."
        if any(g.need == "administrations" for g in named):
            text += " Administrations not readable: check the record."
        unseen = any(g.need in ("administrations", "creatinine") for g in named)
        lines.append(Line(text, "foot", 0 if unseen else 1))
    if chart.weight_note:
        lines.append(Line(f"Weight not used: {record(chart.weight_note, 80)}.", "foot", 2))
    if chart.qtc_uncorrected and chart.qtc is None:
        lines.append(Line("Only an uncorrected QT is on file: not used.", "foot", 6))
    if chart.medicines.unresolved:
        names = listed([record(label, 40) for label in chart.medicines.unresolved], 2)
        lines.append(Line(f"Medications that could not be resolved: {names}.", "foot", 1))
    for note in chart.notes:
        lines.append(Line(f"{record(note, 90)}.", "foot", 3))
    for relaxed in protocol.file.relaxed:
        lines.append(Line(f"site-relaxed: {record(relaxed.stop)}.", "foot", 0))
    if chart.now.date() > protocol.review_due:
        lines.append(Line("protocol review overdue.", "foot", 0))
    end = chart.medicines.last_infusion_end()
    result = chart.magnesium.result
    if (
        end is not None
        and result is not None
        and result.collected is not None
        and timedelta(0) <= result.collected - end < protocol.file.result.not_equilibrated.span
    ):
        hours = plain(protocol.file.result.not_equilibrated.value)
        lines.append(
            Line(f"Collected within {hours} h of an infusion: not yet equilibrated.", "foot", 1)
        )
    return lines
