"""Answers: which cards count as answered in a replay, where nobody answers.

| `--answers` | a card counts as |
|---|---|
| `record` (default) | accepted, when it suggested a drug and a magnesium order was written within AFTER_H after it: at the time of that order. Else as never answered |
| `none` | never answered: each decision speaks, the most a protocol can say |
| `overridden` | overridden at once: each is then quiet as the protocol has it, the least it can say |

An answer counts for the decisions after it, so that none knows what came later.
"""  # noqa: E501

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import cards
from cards.evidence import Answered
from cards.protocol import Protocol
from cards.quiet import alarms, draft_key, result_key
from service.replay.ask import Answers
from service.replay.row import AFTER_H

_AFTER = timedelta(hours=AFTER_H)


@dataclass(slots=True)
class Answering:
    """The answers of one patient under one protocol, as time goes on."""

    mode: Answers
    protocol: Protocol
    _given: list[Answered] = field(default_factory=list)
    _open: list[cards.Decision] = field(default_factory=list)

    def known(self, moment: datetime) -> tuple[Answered, ...]:
        """The answers that can still keep something quiet."""
        if not self._given:
            return ()
        limit = self.protocol.file.limit
        span = max(
            timedelta(hours=float(limit.quiet.value)),
            timedelta(days=float(limit.maintenance_window.value)),
        )
        self._given = [answer for answer in self._given if moment - answer.at < span]
        return tuple(self._given)

    def shown(self, decision: cards.Decision) -> None:
        """A decision was shown, if it has a card."""
        plan = decision.plan
        if plan is None or self.mode == "none":
            return
        if self.mode == "overridden":
            self._answer(decision, "overridden", decision.chart.now)
        elif any(proposal.drug for proposal in plan.proposals):
            self._open.append(decision)

    def ordered(self, moment: datetime) -> None:
        """A magnesium order was written; called when all decisions of its moment are made."""
        for decision in self._open:
            if moment - decision.chart.now <= _AFTER:
                self._answer(decision, "accepted", moment)
        self._open.clear()

    def _answer(self, decision: cards.Decision, outcome: str, moment: datetime) -> None:
        assessment = decision.assessment
        result = assessment.chart.magnesium.result
        self._given += [
            Answered(
                rule=finding.rule,
                result=result_key(assessment),
                outcome=outcome,
                at=moment,
                acts_as=result.acts_as if result is not None else None,
                draft=draft_key(finding.draft),
                alarms=alarms(assessment),
            )
            for finding in decision.shown
        ]
