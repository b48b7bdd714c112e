"""What the case asks of whoever reads the card: why no drug, which route, which causes."""

from __future__ import annotations

from decimal import Decimal

from cards.assessment import Assessment, Finding, needs_parenteral, read_patient
from cards.phrase import listed, moment, record
from cards.plan.proposal import Step, holds_others
from cards.plan.words.line import Line
from cards.protocol import Protocol
from cards.protocol.flags import GUT_LOSS, NO_ENTERAL
from cards.protocol.regimens import Room, cap, decided, open_options
from cards.protocol.rules import RULES
from cards.units.quantity import places


def first_words(assessment: Assessment, steps: list[Step], protocol: Protocol) -> list[Line]:
    """What must be done or known before the order is read."""
    flags, lines = assessment.flags, []
    if flags.met(GUT_LOSS) and (steps or assessment.offers):
        text = f"{flags.reason(GUT_LOSS)}: {protocol.file.wording.giloss.text}"
        lines.append(Line(text))
    if flags.met(NO_ENTERAL) and steps:
        lines.append(Line(f"Enteral route out: {flags.reason(NO_ENTERAL)}."))
    return lines


def refusals(
    assessment: Assessment,
    findings: tuple[Finding, ...],
    steps: list[Step],
    protocol: Protocol,
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
        if stop.id == "H3" and not steps and RULES[findings[0].rule].high:
            continue  # the card is about nothing else
        head = "No drug" if stop.blocks == "all" else "No infusion"
        found.append(Line(f"{head}: {stop.finding.says}"))
    if not found and not steps and result is not None and result.low and result.usable:
        found.append(Line(_nothing_open(assessment, protocol)))
    return found


def _kidney_alone(assessment: Assessment, protocol: Protocol) -> bool:
    """Whether a halved class gets nothing where a sound kidney would get something."""
    file, given = protocol.file, assessment.cap
    if protocol.renal(assessment.chart.kidney.id).intravenous != "half":
        return False
    sound = read_patient(assessment.chart, assessment.flags.plan_flags(), "R0")
    room = Room(cap(file, "R0", sound.weight) - (given.given or 0) - given.session)
    return bool(decided(file, sound, lambda row, who: open_options(file, row, who, room)).options)


def _nothing_open(assessment: Assessment, protocol: Protocol) -> str:
    """Why no regimen is open although nothing stops it."""
    chart = assessment.chart
    if assessment.flags.met("oral-full-dose"):
        return "No further oral magnesium: the full oral dose is already active."
    if _kidney_alone(assessment, protocol):
        return f"No drug: at renal class {chart.kidney.id} nothing is suggested for this level."
    if assessment.flags.met(NO_ENTERAL) and chart.ambulatory:
        return "No drug: parenteral magnesium is not ordered for an outpatient here."
    if assessment.cap.given is None:
        return "No drug: an earlier dose could not be read, so the 24 h limit may be reached."
    return f"No drug: the 24 h limit leaves {places(assessment.cap.left, 1)} g."


def situation(
    assessment: Assessment,
    findings: tuple[Finding, ...],
    steps: list[Step],
    protocol: Protocol,
) -> list[Line]:
    chart, words = assessment.chart, protocol.file.wording
    lines: list[Line] = []
    flags = assessment.flags
    treating = bool(steps)
    drafted = any(draft.magnesium is not None for draft in assessment.drafts)
    low = chart.magnesium.result is not None and chart.magnesium.result.low
    if chart.suspected and (drafted or low):
        said = listed([f'"{record(s.words, 40)}"' for s in chart.suspected], 2)
        groups = listed(list(dict.fromkeys(s.group for s in chart.suspected)), 3)
        text = f"May be there, known by its words alone: {groups} ({said}). Look before magnesium "
        lines.append(Line(f"{text}is infused."))
    if flags.met(NO_ENTERAL) and chart.ambulatory and assessment.patient_view:
        lines.append(
            Line(
                f"Enteral route out ({flags.reason(NO_ENTERAL)}): refer for parenteral replacement."
            )
        )
    if (
        flags.met(NO_ENTERAL)
        and not chart.ambulatory
        and assessment.stops.blocks_parenteral
        and assessment.patient_view
    ):
        lines.append(Line("Enteral and parenteral routes are both out: refer."))
    judged = (f.draft for f in findings if f.act in ("update", "replace") and f.draft is not None)
    mixed = next((draft for draft in judged if holds_others(draft)), None)
    if mixed is not None:
        name = record(mixed.label, 40)
        lines.append(
            Line(f"{name} holds other drugs as well: no change by one click, order each anew.")
        )
    needed = chart.medicines.needed_parenteral
    if needed and low and not assessment.stops.met("PRN"):
        # It is no treatment until somebody gives it (ruling 111).
        name = record(needed[0].label, 40)
        lines.append(Line(f"{name}: a PRN or protocol order is active: was it given?"))
    collected = chart.magnesium.result.collected if chart.magnesium.result else None
    due = chart.medicines.due_since(collected) if collected is not None and low else ()
    if due:
        text = f"{record(due[0].label, 40)}, ordered and over: a dose was due since the result and "
        lines.append(Line(f"{text}none is recorded: check the administration record first."))
    taken = [a for a in chart.allergies if not assessment.stops.met("allergy")]
    if taken and low:
        kind = "intolerance of" if taken[0].intolerance else "allergy to"
        lines.append(Line(f"On file: {kind} {record(taken[0].label, 60)}."))
    nutrition = chart.medicines.nutrition
    if nutrition is not None and low and not assessment.stops.blocks_all:
        text = f"{record(nutrition.label, 40)} runs and may hold magnesium: ask for it there."
        lines.append(Line(text))
    for coming in chart.medicines.coming:
        text = f"{record(coming.order.label, 40)} is ordered and does not run now"
        lines.append(Line(f"{text}: it starts {moment(coming.due, chart.now)}."))
    for given in chart.medicines.undated:
        if given not in chart.medicines.undated_parenteral():
            name = record(given.identity.label, 40)
            lines.append(Line(f"{name} was given at a time that could not be read.", keep=1))
    result = chart.magnesium.result
    running = chart.medicines.oral_before(result.collected if result else None)
    if running and result is not None and result.low and (treating or assessment.patient_view):
        text = f"Running: {record(running[0].label, 40)}; the level stayed low on it."
        if chart.kidney.id in ("R3", "R4"):
            # Neither more nor less is safe to say here (ruling 108).
            text = f"Running: {record(running[0].label, 40)}: low on it: "
            text += "agree dose and next level with nephrology."
        elif any(step.offer.route == "po" for step in steps):
            text += " The new oral order replaces it: stop it."
        elif flags.met("oral-full-dose"):
            text += " Full oral dose: ask about adherence, diarrhoea, PPI; parenteral review."
        lines.append(Line(text))
    since = chart.medicines.oral_since(result.collected if result else None)
    if since and not assessment.stops.met("H9") and result is not None and result.low:
        # Of a severe level oral magnesium is no treatment, and is named (ruling 96 (a)).
        lines.append(Line(f"Running by mouth: {record(since[0].label, 40)}.", keep=1))
    if flags.met("drafted-risk") and treating:
        lines.append(
            Line(f"With the drafted {flags.reason('drafted-risk')}: cardiac risk.", keep=2)
        )
    if not chart.setting_known and treating and needs_parenteral(chart, flags):
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
        lines.append(Line(_fe_mg(chart.fe_mg, protocol), keep=3))
    return lines


def _fe_mg(value: Decimal, protocol: Protocol) -> str:
    limit = protocol.file.limit
    if value < limit.femg_low.value:
        meaning = "extrarenal loss"
    elif value <= limit.femg_high.value:
        meaning = "indeterminate"
    else:
        meaning = "renal loss"
    return f"FE-Mg {places(value, 1)} %: {meaning}."
