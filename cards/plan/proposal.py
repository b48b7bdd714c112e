"""Proposal: one suggestion a clinician can accept: orders to create, change or remove."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from cards import codes
from cards.assessment import Assessment, Finding, Offer, read_patient
from cards.assessment.drafts import not_above, partners, scheduled
from cards.chart import Chart
from cards.orders import DraftOrder
from cards.phrase import bare
from cards.protocol import Protocol
from cards.protocol.doses import Dose
from cards.protocol.regimens import lasts, recheck_after, rechecks
from cards.units.quantity import places
from cards.units.quantity import span as span_words

_MORNING = 6
_APART = timedelta(hours=4)
LAB_NAMES = {
    "magnesium": "magnesium level",
    "creatinine": "creatinine",
    "potassium": "potassium level",
}


class Step(Struct, frozen=True, gc=False):
    """One order of a regimen: the dose that is given, and when it starts."""

    offer: Offer
    given: Dose
    start: datetime

    @property
    def end(self) -> datetime:
        given = self.given
        if given.minutes:
            return self.start + timedelta(minutes=given.minutes)
        if given.count and given.every_hours:
            return self.start + timedelta(hours=given.every_hours * (given.count - 1))
        return self.start

    def text(self) -> str:
        """The dosage text of the order: g first, then mmol and mEq, rate, diluent and time."""
        daily = self.given.daily_mmol
        return "; ".join(
            part
            for part in (
                self.given.full,
                self.offer.product.diluent,
                f"{places(daily, 1)} mmol a day" if daily is not None else "",
            )
            if part
        )


class CreateDrug(Struct, frozen=True, gc=False):
    step: Step
    position: int


class UpdateDraft(Struct, frozen=True, gc=False):
    draft: DraftOrder
    step: Step


class DeleteOrder(Struct, frozen=True, gc=False):
    reference: str
    label: str


class CreateLab(Struct, frozen=True, gc=False):
    """``lab`` is a LAB_NAMES key; ``code`` its LOINC code; ``at`` when it is to be drawn."""

    lab: str
    code: str
    display: str
    at: datetime
    position: int


Action = CreateDrug | UpdateDraft | DeleteOrder | CreateLab


class Proposal(Struct, frozen=True, gc=False):
    label: str
    key: str
    recommended: bool
    actions: tuple[Action, ...]

    @property
    def drug(self) -> bool:
        return any(isinstance(action, CreateDrug | UpdateDraft) for action in self.actions)


def propose(
    assessment: Assessment, findings: tuple[Finding, ...], protocol: Protocol
) -> tuple[Proposal, ...]:
    """The Proposals of a card that shows these findings, the recommended one first."""
    actor = next((f for f in findings if f.act in ("remove", "update", "replace", "offer")), None)
    offers: tuple[Offer, ...] = ()
    draft = None
    if assessment.patient_view:
        silent = findings[0].act == "lab"
        offers = () if silent else assessment.offers
    elif actor is not None and actor.act == "remove":
        drafts = [f.draft for f in findings if f.act == "remove" and f.draft]
        return (_removal(drafts, _asked(assessment, findings)),)
    elif actor is not None:
        draft = actor.draft if actor.act in ("update", "replace") else None
        offers = assessment.offers
        if draft is not None:
            offers, beside = _beside(assessment, draft, actor, protocol)
            if beside:
                return (_removal(beside),)
            taken = _taken(draft, offers, assessment)
            if taken and all(offer.parenteral in taken for offer in offers):
                return (_removal([draft]),)
            offers = tuple(offer for offer in offers if offer.parenteral not in taken)
    if draft is not None and holds_others(draft):
        offers = ()  # no click may turn a potassium bag into magnesium, or lose the potassium
    updating = actor is not None and actor.act == "update"
    if draft is None and actor is not None and not assessment.patient_view:
        # No infusion beside a parenteral draft that stays (ruling 115).
        context = assessment.draft_context(protocol)
        if scheduled(assessment.drafts, context):
            offers = tuple(offer for offer in offers if not offer.parenteral)
    found = [_proposal(o, draft, assessment, protocol, updating=updating) for o in offers]
    if not found:
        labs = _labs(assessment, findings, protocol)
        return (labs,) if labs is not None else ()
    found.sort(key=lambda proposal: not proposal.recommended)
    return tuple(found)


def holds_others(draft: DraftOrder) -> bool:
    """Whether a magnesium order names another drug of ours as well: a bag of both."""
    return any(drug.groups.isdisjoint(_MAGNESIUM) and drug.groups for drug in draft.identity.drugs)


_MAGNESIUM = frozenset({"magnesium", "magnesium-laxative", "magnesium-fluid"})
_TOGETHER = frozenset({"D12"})


def _beside(
    assessment: Assessment, draft: DraftOrder, actor: Finding, protocol: Protocol
) -> tuple[tuple[Offer, ...], list[DraftOrder]]:
    """What may take the place of a draft, and the drafts that go instead because another one
    stays: of several scheduled parenteral drafts the one with the fewest findings (ruling 115)."""
    context = assessment.draft_context(protocol)
    if actor.act == "update":
        offers = context.corrections(draft)
    else:
        offers = not_above(draft, assessment.offers)
    infused = scheduled(assessment.drafts, context)
    if draft not in infused:
        if not draft.parenteral and infused:
            offers = tuple(offer for offer in offers if not offer.parenteral)
        return offers, []
    rivals = [o for o in infused if o is not draft and not partners(o, draft, context)]
    if not rivals:
        return offers, []

    def wrong(order: DraftOrder) -> int:
        """How many findings are its own, and not of their being two."""
        return sum(
            f.draft is order and f.rule not in _TOGETHER and f.indicator is not None
            and not (f.rule == "D4" and f.act == "none")
            for f in assessment.findings
        )  # fmt: skip

    best = min((draft, *rivals), key=lambda order: (wrong(order), order.at_least_mg()))
    if best is not draft:
        return offers, [order for order in (draft, *rivals) if order is not best]
    return offers, []


def _taken(draft: DraftOrder, offers: tuple[Offer, ...], assessment: Assessment) -> frozenset[bool]:
    """Parenteral, oral: where another draft of the session is already a regimen that would
    replace this one. Accepting it a second time would order it twice (D12: keep one)."""
    return frozenset(
        offer.parenteral
        for offer in offers
        for other in assessment.drafts
        if other is not draft and offer.same_as(other)
    )


def _asked(assessment: Assessment, findings: tuple[Finding, ...]) -> tuple[CreateLab, ...]:
    """The laboratory orders that go along with a removal (ruling 129)."""
    chart = assessment.chart
    ordered = assessment.orders.labs | chart.labs_ordered
    wanted = dict.fromkeys(lab for f in findings if f.act == "remove" for lab in f.labs)
    labs = [lab for lab in wanted if lab not in ordered]
    return tuple(_lab(lab, chart, chart.now, n) for n, lab in enumerate(labs))


def _removal(drafts: list[DraftOrder], labs: tuple[CreateLab, ...] = ()) -> Proposal:
    """One suggestion that removes every draft that must go, and asks for what is missing."""
    several = len({draft.reference for draft in drafts}) > 1
    deletes = {
        draft.reference: DeleteOrder(
            draft.reference, bare(draft.told if several else draft.label, 60)
        )
        for draft in drafts
        if draft.resource.id
    }
    names = dict.fromkeys(delete.label for delete in deletes.values())
    label = f"Remove {' and '.join(names)}"
    if labs:
        label += f", and order {' and '.join(LAB_NAMES[lab.lab] for lab in labs)}"
    return Proposal(label, "remove", False, (*labs, *deletes.values()))


def _proposal(
    offer: Offer,
    draft: DraftOrder | None,
    assessment: Assessment,
    protocol: Protocol,
    *,
    updating: bool,
) -> Proposal:
    chart = assessment.chart
    found = _rechecks(offer, chart, protocol)
    steps = _steps(offer, chart.now, found)
    actions: list[Action] = []
    rivals = _rivals(draft, assessment, protocol)
    if draft is not None and updating and offer.route == "iv" and draft.resource.id:
        actions.append(UpdateDraft(draft, steps[0]))
        actions += [CreateDrug(step, n + 1) for n, step in enumerate(steps[1:])]
        draft = None
    else:
        actions += [CreateDrug(step, n) for n, step in enumerate(steps)]
    drawn = _draw_times(found, steps[-1], chart.now, protocol)
    actions += [_lab("magnesium", chart, at, len(actions) + n) for n, at in enumerate(drawn)]
    if draft is not None and draft.resource.id:
        actions.append(DeleteOrder(f"MedicationRequest/{draft.resource.id}", bare(draft.label, 60)))
    actions += [DeleteOrder(other.reference, bare(other.told, 60)) for other in rivals]
    if offer.route == "po":
        result = chart.magnesium.result
        for order in chart.medicines.oral_before(result.collected if result else None):
            if order.resource.id:
                actions.append(DeleteOrder(order.reference, bare(order.label, 60)))
    label = " then ".join(step.given.short for step in steps)
    if drawn:
        label += ", with follow-up level"
    option = offer.option
    key = f"{offer.regimen.id}/{option.product}/{option.dose}/{option.minutes}/{option.per_day}"
    return Proposal(label[0].upper() + label[1:], key, offer.star, tuple(actions))


def _rivals(
    draft: DraftOrder | None, assessment: Assessment, protocol: Protocol
) -> tuple[DraftOrder, ...]:
    """The other scheduled parenteral drafts, which go with the one that is replaced."""
    if draft is None or not draft.parenteral:
        return ()
    context = assessment.draft_context(protocol)
    infused = scheduled(assessment.drafts, context)
    if draft not in infused:
        return ()
    return tuple(
        other
        for other in infused
        if other is not draft and other.resource.id and not partners(other, draft, context)
    )


def _steps(offer: Offer, now: datetime, found: tuple[str, ...]) -> tuple[Step, ...]:
    # That an oral order ends at a recheck is checked when the file is read.
    first, *then = offer.doses(lasts(found) if offer.route == "po" else None)
    step = Step(offer, first, now)
    return (step, *(Step(offer, dose, step.end) for dose in then))


def _rechecks(offer: Offer, chart: Chart, protocol: Protocol) -> tuple[str, ...]:
    patient = read_patient(chart, frozenset())
    return rechecks(protocol.file, offer.route, offer.regimen.id, patient)


def _draw_times(
    found: tuple[str, ...], step: Step, now: datetime, protocol: Protocol
) -> list[datetime]:
    times: list[datetime] = []
    for recheck in found:
        after = recheck_after(recheck)
        if after is None:
            at = _next_morning(step.end + protocol.file.result.not_equilibrated.span)
        else:
            anchor, later = after
            at = (step.end if anchor == "end" else now) + later
        # Two draws within a few hours are one draw.
        if all(abs(at - other) >= _APART for other in times):
            times.append(at)
    return times


def _next_morning(earliest: datetime) -> datetime:
    """The next 06:00 of the site's timezone that is not before ``earliest`` (ruling 60)."""
    morning = earliest.replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    return morning if morning >= earliest else morning + timedelta(days=1)


def _lab(lab: str, chart: Chart, at: datetime, position: int) -> CreateLab:
    code = codes.lab_codes(lab)[0]
    if lab == "magnesium":
        result = chart.magnesium.result
        # The lab asks for what the laboratory sends (ruling 60).
        code = "2601-3" if result is not None and result.code == "2601-3" else "19123-9"
    display = codes.display(codes.LOINC, code) or LAB_NAMES[lab]
    return CreateLab(lab, code, display, at, position)


def _labs(
    assessment: Assessment, findings: tuple[Finding, ...], protocol: Protocol
) -> Proposal | None:
    """A suggestion of laboratory orders alone: what the findings and the stops ask for."""
    wanted: list[str] = []
    for finding in findings:
        wanted += finding.labs
    asks = any(f.act in ("offer", "update", "replace") for f in findings) or (
        assessment.patient_view and not assessment.flags.met("arrest")
    )
    if asks and not protocol.file.followup and not wanted:
        return None
    result = assessment.chart.magnesium.result
    low = result is not None and (result.low or result.problems)
    if asks and low and assessment.stops.met("H2-unknown"):
        wanted.append("creatinine")
    conflict = result is not None and "unit-conflict" in result.problems
    if asks and low and not conflict and assessment.stops.met("H9", "H10"):
        wanted.append("magnesium")
    ordered = assessment.orders.labs | assessment.chart.labs_ordered
    labs = [lab for lab in dict.fromkeys(wanted) if lab not in ordered]
    if not labs:
        return None
    chart = assessment.chart
    at = chart.now if _at_once(assessment, findings) else _settled(assessment, protocol)
    actions = tuple(
        _lab(lab, chart, at if lab == "magnesium" else chart.now, n) for n, lab in enumerate(labs)
    )
    names = " and ".join(LAB_NAMES[lab] for lab in labs)
    when = "now"
    if at > chart.now:
        when = f"in {span_words(-(-int((at - chart.now).total_seconds()) // 60))}"
        if chart.medicines.running_parenteral:
            when = f"{protocol.file.result.not_equilibrated.said} after the infusion"
    return Proposal(f"Order {names} {when}", "labs/" + "+".join(labs), False, actions)


def _at_once(assessment: Assessment, findings: tuple[Finding, ...]) -> bool:
    """No level, an emergency without one, toxic, or too much running: nothing to wait for (ruling
    128)."""
    result = assessment.chart.magnesium.result
    rules = {finding.rule for finding in findings}
    return (
        result is None
        or result.acts_as == "toxic"
        or bool(rules & {"life-no-level", "life-level-first", "too-much"})
    )


def _settled(assessment: Assessment, protocol: Protocol) -> datetime:
    """Now; or, while magnesium is being given, when the level means something again. Of what was
    given only the times that somebody recorded count."""
    chart = assessment.chart
    medicines = chart.medicines
    ends = [order.end(medicines.one_off) for order in medicines.running_parenteral]
    if assessment.stops.met("H9"):
        ends.append(medicines.last_infusion_end(recorded=True))
    latest = max((end for end in ends if end is not None), default=None)
    settled = protocol.file.result.not_equilibrated.span
    return chart.now if latest is None else max(chart.now, latest + settled)
