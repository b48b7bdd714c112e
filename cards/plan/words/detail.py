"""The lines of a card's detail, in the order they stand."""

from __future__ import annotations

from cards.assessment import Assessment, Finding
from cards.plan.proposal import CreateDrug, Proposal, UpdateDraft
from cards.plan.words.case import first_words, refusals, situation
from cards.plan.words.facts import kidney, notes, other_electrolytes, value
from cards.plan.words.giving import arithmetic, giving
from cards.plan.words.line import Line
from cards.protocol import Protocol


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
    lines.append(Line(value(assessment.chart)))
    lines += first_words(assessment, steps, protocol)
    lines += [Line(says) for says in dict.fromkeys(f.says for f in findings) if says]
    lines.append(Line(kidney(assessment.chart, bool(steps), protocol)))
    lines += refusals(assessment, findings, steps, protocol)
    lines += arithmetic(assessment, proposals, protocol)
    lines += situation(assessment, findings, steps, protocol)
    lines += other_electrolytes(assessment, findings, protocol)
    lines += giving(assessment, steps, protocol)
    lines += notes(assessment, protocol)
    return tuple(lines)
