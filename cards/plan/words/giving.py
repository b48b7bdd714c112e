"""How the suggested orders are given: amounts, the 24 h limit, monitoring, how to take it."""

from __future__ import annotations

from cards.assessment import Assessment, Offer
from cards.plan.proposal import CreateDrug, Proposal, Step, UpdateDraft
from cards.plan.words.line import Line
from cards.protocol import Protocol
from cards.protocol.flags import LIFE, NO_ENTERAL, SYMPTOMS
from cards.units.quantity import places


def arithmetic(
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
                text = f"{mark}{product} {step.given.full}"
                if step.given.daily_mmol is not None:
                    text += f", {places(step.given.daily_mmol, 1)} mmol a day"
                lines.append(Line(text + "."))
    if any(offer.parenteral for offer in offers):
        cap = assessment.cap
        by = "by weight" if cap.by_weight else f"class {assessment.chart.kidney.id}"
        if cap.weight_unknown and not protocol.relaxed("weight-unknown"):
            by = "weight unknown"
        text = f"24 h limit {cap.shown} ({by}), left {places(cap.left, 1)} g."
        exempt = any(
            "life" in offer.regimen.when.flags and offer.grams_in_24h > cap.left for offer in offers
        )
        if exempt:
            text = "Emergency dose: exempt from the 24 h limit, once."
        lines.append(Line(text, keep=1))
        if protocol.renal(assessment.chart.kidney.id).intravenous == "half":
            lines.append(Line(protocol.file.wording.review.text))
    return lines


def giving(assessment: Assessment, steps: list[Step], protocol: Protocol) -> list[Line]:
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
        if acts_as == "severe" and not flags.met(NO_ENTERAL):
            say(words.oral_after_iv.text, 3)
    if any(step.offer.route == "po" for step in steps):
        say(f"{words.oral_taking.text} {words.oral_recheck.text} {words.oral_stopping.text}", 2)
        say(words.alternatives.text, 6)
    if acts_as in ("moderate", "mild") and not flags.met(SYMPTOMS):
        say(words.symptoms.text, 3)
    if result is not None and result.low:
        say(words.target.text, 5)
    if acts_as == "mild" and not (flags.met(SYMPTOMS) or flags.met(LIFE)):
        say(words.diet.text, 7)
    return lines


def _ecg(assessment: Assessment, steps: list[Step], protocol: Protocol) -> bool:
    limit = protocol.file.limit
    result = assessment.chart.magnesium.result
    flags = assessment.flags
    return (
        any(
            step.given.minutes is not None and step.given.minutes <= limit.short_infusion.value
            for step in steps
        )
        or flags.met(SYMPTOMS)
        or flags.met(LIFE)
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
