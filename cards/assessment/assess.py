"""Assessment: flags, stops, open regimens and findings of one call."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from cards.assessment.drafts import DraftContext, check_carrier, check_draft
from cards.assessment.finding import Finding, met, worst_first
from cards.assessment.flags import Flags, read_flags
from cards.assessment.offers import Cap, Offer, read_cap, read_infusion_offers, read_offers
from cards.assessment.state import maintenance_due, read_state
from cards.assessment.stops import Stops, read_stops
from cards.assessment.treated import failing, too_much
from cards.assessment.triggers import (
    TriggerContext,
    check_signing,
    check_triggers,
    waits_for_a_nurse,
)
from cards.chart import Chart
from cards.orders import DraftOrder, Orders, selected
from cards.protocol import Protocol


class Assessment(Struct, frozen=True, gc=False):
    """Everything asked of one chart and its drafts, and the answers.

    ``findings`` are those that can be shown, worst first; ``offers`` the regimens open now;
    ``infusion_offers`` those for a draft that must be slowed; ``cap`` the 24 h limit for what
    the service suggests.
    """

    chart: Chart
    orders: Orders
    drafts: tuple[DraftOrder, ...]
    flags: Flags
    stops: Stops
    cap: Cap
    offers: tuple[Offer, ...]
    infusion_offers: tuple[Offer, ...]
    findings: tuple[Finding, ...]
    refractory: bool

    def draft_context(self, protocol: Protocol) -> DraftContext:
        """What the checks of its drafts were given."""
        at_sign = self.orders.hook == "order-sign"
        return DraftContext(
            self.chart,
            self.flags,
            self.stops,
            protocol,
            self.drafts,
            self.offers,
            self.infusion_offers,
            at_sign,
        )

    @property
    def patient_view(self) -> bool:
        return self.orders.hook == "patient-view"


def assess(
    chart: Chart, orders: Orders, drafts: tuple[DraftOrder, ...], protocol: Protocol
) -> Assessment:
    """The Assessment of a chart and the drafts of a call."""
    flags = read_flags(chart, drafts, protocol)
    stops = read_stops(chart, flags, protocol, drafts)
    judged = selected(orders, drafts)
    session = _session_grams(drafts, judged)
    plan_flags = flags.plan_flags()
    result = chart.magnesium.result
    treatable = result is not None and (result.low or result.acts_as == "normal")
    # A normal level is treated only when maintenance is due; a borderline one never, unless
    # symptoms or a life-threatening rhythm ask for it (ruling 42); life may be at any level.
    wanted = (
        treatable
        and result is not None
        and (
            flags.met("life")
            or (result.low and (not result.borderline or flags.met("symp")))
            or maintenance_due(chart, protocol)
        )
    )
    # Where the arrest is the matter nothing is offered by one click (ruling 113).
    if flags.met("arrest") and orders.hook == "patient-view":
        wanted = False
    offers = read_offers(chart, plan_flags, stops, protocol, session) if wanted else ()
    infusion = (
        read_infusion_offers(chart, flags, stops, protocol, session)
        if wanted and result is not None and result.low
        else ()
    )
    offers, infusion = (
        _unstarred(offers, chart, flags, drafts),
        _unstarred(infusion, chart, flags, drafts),
    )
    refractory = _refractory(chart, protocol)
    findings = _findings(
        chart, orders, drafts, judged, flags, stops, offers, infusion, refractory, protocol
    )
    return Assessment(
        chart=chart,
        orders=orders,
        drafts=drafts,
        flags=flags,
        stops=stops,
        cap=read_cap(chart, protocol, session, suggesting=True),
        offers=offers,
        infusion_offers=infusion,
        findings=tuple(worst_first(findings)),
        refractory=refractory,
    )


def _unstarred(
    offers: tuple[Offer, ...], chart: Chart, flags: Flags, drafts: tuple[DraftOrder, ...]
) -> tuple[Offer, ...]:
    """No infusion is recommended where words on file name a stop without a code, where a dose was
    due since the result that nobody recorded (ruling 118), and beside a PRN or protocol order that
    may have been given (ruling 111); the emergency dose of ``life`` is, all the same. Nothing by
    mouth while parenteral nutrition runs, which may hold magnesium (ruling 110)."""
    result = chart.magnesium.result
    collected = result.collected if result is not None else None
    doubted = not flags.met("life") and bool(
        chart.medicines.needed_parenteral
        or waits_for_a_nurse(drafts) is not None
        or (collected is not None and chart.medicines.due_since(collected))
    )
    plain = {
        True: doubted or bool(chart.suspected),
        False: chart.medicines.nutrition is not None,
    }
    return tuple(replace(o, star=False) if plain[o.parenteral] else o for o in offers)


def _session_grams(drafts: tuple[DraftOrder, ...], judged: tuple[DraftOrder, ...]) -> Decimal:
    """Grams of parenteral magnesium in drafts that are not judged now."""
    total = Decimal(0)
    for draft in drafts:
        if draft.magnesium is None or not draft.parenteral or draft in judged:
            continue
        total += draft.at_least_mg()
    return total / 1000


def _findings(
    chart: Chart,
    orders: Orders,
    drafts: tuple[DraftOrder, ...],
    judged: tuple[DraftOrder, ...],
    flags: Flags,
    stops: Stops,
    offers: tuple[Offer, ...],
    infusion: tuple[Offer, ...],
    refractory: bool,
    protocol: Protocol,
) -> list[Finding]:
    if chart.deceased:  # ruling 112
        return []
    if orders.hook == "patient-view":
        state = read_state(chart, flags, stops, protocol, maintenance=bool(offers))
        if flags.met("arrest"):
            return _in_arrest(state, chart, protocol)
        fails = state is not None and state.rule == "failing"
        excess = too_much(chart, flags, stops, protocol, fails=fails)
        found = [state] if state is not None and not (fails and excess) else []
        if excess is not None:
            found.append(excess)
        if refractory and state is not None:
            found.append(_refractory_finding(protocol))
        return _switched_on(found, chart, protocol)
    if not orders.drafts:  # ruling 54
        return []
    at_sign = orders.hook == "order-sign"
    draft_context = DraftContext(chart, flags, stops, protocol, drafts, offers, infusion, at_sign)
    trigger_context = TriggerContext(
        chart,
        flags,
        stops,
        protocol,
        drafts,
        orders.labs | chart.labs_ordered,
        at_sign,
    )
    found = []
    for draft in judged:
        if draft.magnesium is not None or draft.laxative is not None:
            found += check_draft(draft, draft_context)
        elif draft.identity.carrier is not None:
            found += check_carrier(draft, draft_context)
        # Shortly after an arrest only the magnesium itself is looked at (ruling 113).
        if not flags.met("arrest"):
            found += check_triggers(draft, trigger_context)
    found = _switched_on(found, chart, protocol)
    signing = check_signing(trigger_context) if not flags.met("arrest") else None
    if stops.met("accepted") and not drafts and "magnesium" in orders.labs:
        signing = None  # the level that follows it (ruling 149)
    if signing is not None and not any(f.indicator == "critical" for f in found):
        found.append(signing)
    if at_sign and not flags.met("arrest") and not any(d.magnesium for d in drafts):
        found += _unanswered(chart, flags, stops, protocol)
    return found


def _unanswered(chart: Chart, flags: Flags, stops: Stops, protocol: Protocol) -> list[Finding]:
    """A severe level that does not rise on what runs, told at signing too (ruling 96 (c))."""
    fails = failing(chart, flags, stops, protocol)
    if fails is None:
        return []
    return [too_much(chart, flags, stops, protocol, fails=True) or fails]


def _switched_on(found: list[Finding], chart: Chart, protocol: Protocol) -> list[Finding]:
    """Without the rules that the site has switched off (ruling 134)."""
    result = chart.magnesium.result
    acts_as = result.acts_as if result is not None else None
    return [f for f in found if not protocol.rule(f.rule).off_for(acts_as)]


def _in_arrest(state: Finding | None, chart: Chart, protocol: Protocol) -> list[Finding]:
    """ "Follow ACLS"; beside it only a toxic and a severe level keep their card (ruling 113)."""
    words = met(protocol, "arrest", "Cardiac arrest on file: follow ACLS.")
    result = chart.magnesium.result
    told = result is not None and result.acts_as in ("toxic", "severe")
    return [state, words] if state is not None and told else [words]


def _refractory_finding(protocol: Protocol) -> Finding:
    entry = protocol.rule("refractory")
    words = protocol.file.wording
    return Finding(
        "refractory",
        "met",
        f"Magnesium stays low on treatment. {words.refractory.text} {words.specialist.text}",
        entry.indicator_for(None),
        entry.title,
    )


def _refractory(chart: Chart, protocol: Protocol) -> bool:
    """Low after 8 g IV in 48 h, or after 14 days of full-dose oral magnesium."""
    result = chart.magnesium.result
    if result is None or not result.usable or not result.low or result.borderline:
        return False
    if chart.kidney.id in ("R3", "R4"):  # less is the answer there, not more (ruling 108)
        return False
    limit = protocol.file.limit
    medicines = chart.medicines
    given = medicines.grams_given(limit.refractory_iv_window.span, repeated=False)
    if given is not None and given >= limit.refractory_iv.value:
        return True
    days = limit.refractory_oral_days.span
    long_running = [
        o for o in medicines.running_oral if o.start is not None and chart.now - o.start >= days
    ]
    amount = medicines.oral_mmol(long_running) if long_running else None
    return amount is not None and amount >= limit.oral_full_dose.value
