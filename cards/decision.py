"""Decision: every stage of one call, from the chart to the card, kept together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from cards.assessment import Assessment, Finding, assess
from cards.card import Response, respond
from cards.chart import Chart, read_chart
from cards.chart.chart import medication_index
from cards.chart.unrecognised import read_unrecognised
from cards.evidence import Answered, Evidence, Unrecognised
from cards.orders import Orders, read_drafts, relevant
from cards.plan import Plan, make_plan
from cards.protocol import Indicator, Protocol
from cards.quiet import hush
from cards.trace import Stage, Trace, trace


class Decision(Struct, frozen=True, gc=False):
    """Chart, assessment and plan of one call; the findings shown and those hushed."""

    evidence: Evidence
    orders: Orders
    protocol: Protocol
    chart: Chart
    assessment: Assessment
    shown: tuple[Finding, ...]
    hushed: tuple[Finding, ...]
    plan: Plan | None

    @property
    def cards(self) -> tuple[Plan, ...]:
        return (self.plan,) if self.plan is not None else ()

    @property
    def rules(self) -> tuple[str, ...]:
        return self.plan.rules if self.plan is not None else ()

    @property
    def worst(self) -> Indicator | None:
        return self.plan.indicator if self.plan is not None else None

    @property
    def unrecognised(self) -> tuple[Unrecognised, ...]:
        """What came under codes, names and units that are not known here, for those who map
        them; bounded."""
        found = self.assessment
        return read_unrecognised(self.evidence, self.chart, found.drafts, self.protocol.formulary)

    def response(self, page: str | None = None) -> Response:
        """The CDS Hooks response; its cards link to the protocol's ``page`` if given."""
        return respond(self.plan, self.assessment, self.protocol, page)

    def trace(self) -> Trace:
        """Every stage, each fact and finding with its source."""
        return trace(
            self.evidence, self.assessment, self.shown, self.hushed, self.plan, self.protocol
        )

    def stages(self) -> tuple[Stage, ...]:
        """Every stage in words."""
        return self.trace().stages()


def needs_patient(orders: Orders, protocol: Protocol) -> bool:
    """False for an order hook with nothing magnesium-relevant drafted: no data is needed."""
    return relevant(orders, protocol.formulary)


def decide(
    evidence: Evidence,
    orders: Orders,
    protocol: Protocol,
    now: datetime,
    *,
    answered: Iterable[Answered] = (),
    banner: str | None = None,
) -> Decision:
    """The Decision for one call. ``now`` is aware; ``answered`` is what was answered to earlier
    cards about the patient; ``banner`` starts every card (test clock)."""
    answers = tuple(answered)
    medications = medication_index(evidence, orders)
    drafts = read_drafts(orders, medications, protocol.formulary)
    chart = read_chart(evidence, orders, drafts, medications, protocol, now, answers)
    assessment = assess(chart, orders, drafts, protocol)
    shown, hushed = hush(assessment, answers, protocol)
    plan = make_plan(assessment, shown, protocol, banner)
    return Decision(evidence, orders, protocol, chart, assessment, shown, hushed, plan)
