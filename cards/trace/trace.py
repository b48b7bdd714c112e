"""Trace: evidence, facts, findings and plan of one decision, each with its source and reason."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct, structs

from cards.assessment import Assessment, Finding, Offer
from cards.evidence import Evidence
from cards.plan import CreateDrug, Plan, Proposal, UpdateDraft
from cards.protocol import FLAGS, Indicator, Protocol
from cards.protocol.doses import Dose
from cards.trace.course import Course, read_course
from cards.trace.fact import Fact, Missing, named, read_facts, read_missing
from cards.units.quantity import places


class Judged(Struct, frozen=True, gc=False):
    """One question the protocol asked, and its answer.

    ``status`` is "met", "not met" or "unknown"; ``says`` the reason (Markdown, record text
    inert); ``evidence`` the resources it rests on and ``sources`` the protocol's; ``effect`` what
    follows from it in a few words.
    """

    rule: str
    title: str
    status: str
    says: str
    evidence: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    effect: str = ""
    indicator: Indicator | None = None
    hushed: bool = False

    def __post_init__(self) -> None:
        structs.force_setattr(self, "evidence", named(self.evidence))

    @property
    def line(self) -> str:
        cited = f" [{', '.join(self.evidence)}]" if self.evidence else ""
        effect = f" ({self.effect})" if self.effect else ""
        return f"{self.status}: {self.rule}: {self.says}{cited}{effect}"


class Limit24h(Struct, frozen=True, gc=False):
    """The 24 h limit of parenteral magnesium, in grams; ``given`` None when an amount that was
    given cannot be read: then nothing is left. ``why`` says where the limit comes from."""

    limit: Decimal
    given: Decimal | None
    session: Decimal
    left: Decimal
    why: str

    @property
    def line(self) -> str:
        return f"24 h limit {places(self.limit, 2)} g, left {places(self.left, 2)} g"


class Open(Struct, frozen=True, gc=False):
    """A regimen that is open to the patient now, with its arithmetic."""

    regimen: str
    recommended: bool
    doses: tuple[Dose, ...]
    why: str
    sources: tuple[str, ...]

    @property
    def line(self) -> str:
        star = "★ " if self.recommended else ""
        doses = ", then ".join(dose.line for dose in self.doses)
        return f"{star}{self.regimen}: {doses}; {self.why} [{', '.join(self.sources)}]"


class Proposed(Struct, frozen=True, gc=False):
    """One suggestion of the card: what it says, its drugs with their arithmetic, how many grams
    of the 24 h limit remain after it (None when nothing parenteral is in it)."""

    label: str
    recommended: bool
    doses: tuple[Dose, ...]
    left: Decimal | None

    @property
    def line(self) -> str:
        star = "★ " if self.recommended else ""
        return f"{star}{self.label}"


class Stage(Struct, frozen=True, gc=False):
    """One stage of a decision in words: a title and its lines."""

    title: str
    lines: tuple[str, ...]


class Trace(Struct, frozen=True, gc=False):
    """Every stage of one decision, in the order they are taken.

    ``findings`` are those shown, worst first, then those hushed; ``summary`` is the card's, None
    when there is no card.
    """

    missing: tuple[Missing, ...]
    facts: tuple[Fact, ...]
    flags: tuple[Judged, ...]
    stops: tuple[Judged, ...]
    limit: Limit24h
    offers: tuple[Open, ...]
    findings: tuple[Judged, ...]
    indicator: Indicator | None
    summary: str | None
    proposals: tuple[Proposed, ...]
    course: Course

    def stages(self) -> tuple[Stage, ...]:
        """The same in words."""
        plan = () if self.summary is None else (f"{self.indicator}: {self.summary}",)
        return (
            Stage("What was not read", _lines(self.missing) or ("everything asked for was read",)),
            Stage("Facts", _lines(self.facts)),
            Stage("Flags", _lines(self.flags)),
            Stage("Stops", _lines(self.stops)),
            Stage("Regimens open now", (self.limit.line, *_lines(self.offers))),
            Stage("Findings", tuple(_found(self.findings)) or ("nothing to say",)),
            Stage("Plan", (*plan, *_lines(self.proposals)) or ("no card",)),
        )


def _lines(
    items: tuple[Missing | Fact | Judged | Open | Proposed, ...],
) -> tuple[str, ...]:
    return tuple(item.line for item in items)


def _found(findings: tuple[Judged, ...]) -> Iterator[str]:
    for finding in findings:
        head = "hushed" if finding.hushed else finding.indicator
        yield f"{head}: {finding.rule}: {finding.says} [{', '.join(finding.sources)}]"


def trace(
    evidence: Evidence,
    assessment: Assessment,
    shown: tuple[Finding, ...],
    hushed: tuple[Finding, ...],
    plan: Plan | None,
    protocol: Protocol,
) -> Trace:
    """The Trace of a decision's parts."""
    chart = assessment.chart
    limit = _limit(assessment, protocol)
    return Trace(
        missing=read_missing(evidence, chart),
        facts=read_facts(chart),
        flags=tuple(_flag(f) for f in assessment.flags.by_name.values()),
        stops=tuple(_stops(assessment, protocol)),
        limit=limit,
        offers=tuple(_open(offer) for offer in assessment.offers),
        findings=(
            *(_finding(f, protocol, hushed=False) for f in shown),
            *(_finding(f, protocol, hushed=True) for f in hushed),
        ),
        indicator=plan.indicator if plan else None,
        summary=plan.summary if plan else None,
        proposals=tuple(_proposed(p, limit) for p in (plan.proposals if plan else ())),
        course=read_course(evidence, chart),
    )


def _flag(finding: Finding) -> Judged:
    title = FLAGS[finding.rule].words
    return Judged(finding.rule, title, finding.status, finding.says, finding.evidence)


def _stops(assessment: Assessment, protocol: Protocol) -> Iterator[Judged]:
    for stop in assessment.stops.asked:
        finding = stop.finding
        cited = protocol.file.stop.get(stop.id)
        relaxed = ", site-relaxed" if stop.relaxed else ""
        yield Judged(
            finding.rule,
            finding.heading,
            finding.status,
            finding.says,
            finding.evidence,
            cited.sources if cited else (),
            f"blocks {stop.blocks}{relaxed}",
        )


def _limit(assessment: Assessment, protocol: Protocol) -> Limit24h:
    cap = assessment.cap
    why = f"renal class {assessment.chart.kidney.id}"
    if cap.by_weight:
        why += ", by weight"
    elif cap.weight_unknown and not protocol.relaxed("weight-unknown"):
        why += ", weight unknown"
    return Limit24h(cap.limit, cap.given, cap.session, cap.left, why)


def _open(offer: Offer) -> Open:
    regimen = offer.regimen
    return Open(regimen.id, offer.star, offer.doses(), regimen.why, tuple(regimen.sources))


def _finding(finding: Finding, protocol: Protocol, *, hushed: bool) -> Judged:
    rule = protocol.rule(finding.rule)
    return Judged(
        finding.rule,
        rule.title,
        finding.status,
        finding.says or finding.heading,
        finding.evidence,
        tuple(rule.sources),
        indicator=finding.indicator,
        hushed=hushed,
    )


def _proposed(proposal: Proposal, limit: Limit24h) -> Proposed:
    steps = [a.step for a in proposal.actions if isinstance(a, CreateDrug | UpdateDraft)]
    doses = tuple(step.given for step in steps)
    grams = [d.amount * (d.count or 1) for d in doses if d.product.route != "po"]
    left = max(limit.left - sum(grams), Decimal(0)) if grams else None
    return Proposed(proposal.label, proposal.recommended, doses, left)
