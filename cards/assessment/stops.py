"""Stops: why no drug, or no parenteral drug, may be suggested (protocol sections 0 and 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

from msgspec import Struct

from cards.assessment.finding import Finding, Status
from cards.assessment.flags import Flags
from cards.chart import PROBLEMS, Chart, Treatment
from cards.orders import DraftOrder, Given
from cards.phrase import age, listed, record
from cards.protocol import Protocol

Blocks = Literal["all", "parenteral"]


class StopFinding(Struct, frozen=True, gc=False):
    """A stop, whether it holds, what it blocks and whether only a lack of data makes it hold."""

    finding: Finding
    blocks: Blocks
    relaxed: bool = False

    @property
    def id(self) -> str:
        return self.finding.rule

    @property
    def holds(self) -> bool:
        """Met, or unknown with a blocking effect."""
        return self.finding.status != "not met" and not self.relaxed


class Stops(Struct, frozen=True, dict=True):
    """Every stop asked, in order."""

    asked: tuple[StopFinding, ...]

    @cached_property
    def holding(self) -> tuple[StopFinding, ...]:
        return tuple(stop for stop in self.asked if stop.holds)

    def met(self, *ids: str) -> bool:
        return any(stop.id in ids for stop in self.holding)

    @property
    def blocks_all(self) -> bool:
        return any(stop.blocks == "all" for stop in self.holding)

    @property
    def blocks_parenteral(self) -> bool:
        return bool(self.holding)

    def of(self, id_: str) -> StopFinding | None:
        return next((stop for stop in self.holding if stop.id == id_), None)


def read_stops(
    chart: Chart, flags: Flags, protocol: Protocol, session: tuple[DraftOrder, ...] = ()
) -> Stops:
    """The Stops of a chart, and of drafts in the session of which nothing is known."""
    life = flags.met("life")
    asked = [
        _age(chart, protocol),
        *_renal(chart, life, protocol),
        _high(chart, protocol),
        *_conditions(chart, life, protocol),
        _weight(chart, protocol),
        *_running(chart, flags, protocol),
        *_accepted(chart, flags, session),
        _result(chart, protocol),
        _ambulatory(chart, flags, protocol),
        *_allergic(chart),
        *_unknown(chart, life),
        *_unsure(chart, session, life),
    ]
    return Stops(tuple(asked))


def _stop(
    id_: str, reason: str | None, protocol: Protocol, *evidence: str, exempt: bool = False
) -> StopFinding:
    rule = protocol.stop(id_)
    status: Status = "not met" if reason is None or exempt else "met"
    says = f"{rule.title}: {reason}. {rule.says}" if reason else rule.title
    if reason is not None and exempt:
        says += " (exempt: life-threatening arrhythmia)"
    return StopFinding(
        Finding(id_, status, says, heading=rule.title, evidence=evidence),
        rule.blocks,
        protocol.relaxed("RU" if id_ == "H2-unknown" else id_),
    )


def _age(chart: Chart, protocol: Protocol) -> StopFinding:
    if chart.age is None:
        return _stop("H1", "birth date not known", protocol)
    young = chart.age[0] < protocol.file.limit.adult_age.value
    return _stop("H1", f"{chart.age[0]} years" if young else None, protocol)


def _renal(chart: Chart, life: bool, protocol: Protocol) -> list[StopFinding]:
    kidney = chart.kidney
    failing = kidney.id in ("R3", "R4")
    reason = record(kidney.shown(), 120) if failing else None
    unknown = None
    if kidney.id == "RU":
        gap = chart.gap("creatinine")
        unknown = f"creatinine not read ({record(gap.reason)})" if gap else "none recent on file"
        if kidney.unread is not None:
            unknown = record(kidney.unread, 110)
    return [
        _stop("H2", reason, protocol, *kidney.sources),
        _stop(
            "H2-unknown", unknown, protocol, exempt=life and protocol.stop("H2-unknown").life_exempt
        ),
    ]


def _high(chart: Chart, protocol: Protocol) -> StopFinding:
    result = chart.magnesium.result
    high = result is not None and result.acts_as in ("high", "toxic")
    return _stop("H3", result.shown() if high and result else None, protocol)


def _conditions(chart: Chart, life: bool, protocol: Protocol) -> list[StopFinding]:
    conditions = chart.conditions
    block = conditions.state("av-block-high")
    if block is not None and conditions.sure_state("pacemaker") is not None:
        block = None
    damage = conditions.in_encounter("myocardial-damage", "acute-coronary-syndrome")
    nerve = conditions.state("myasthenia", "lambert-eaton")
    found = [
        _stop(id_, record(fact.label or fact.concept) if fact else None, protocol, *_source(fact))
        for id_, fact in (("H4", block), ("H5", damage), ("H6", nerve))
    ]
    pregnant = record(chart.pregnant) if chart.pregnant else None
    exempt = life and protocol.stop("H7").life_exempt
    return [*found, _stop("H7", pregnant, protocol, exempt=exempt)]


def _source(fact: object) -> tuple[str, ...]:
    source = getattr(fact, "source", None)
    return (source,) if isinstance(source, str) else ()


def _weight(chart: Chart, protocol: Protocol) -> StopFinding:
    weight = chart.weight
    light = weight is not None and weight.value < protocol.file.limit.weight_floor.value
    return _stop("H8", str(weight.quantity) if light and weight else None, protocol)


def needs_parenteral(chart: Chart, flags: Flags) -> bool:
    """Severe, ``symp`` or ``life``: oral magnesium is no treatment of it, whenever started or
    given (ruling 96 (a))."""
    result = chart.magnesium.result
    severe = result is not None and result.acts_as == "severe"
    return severe or flags.met("symp") or flags.met("life")


def _running(chart: Chart, flags: Flags, protocol: Protocol) -> list[StopFinding]:
    """H9, a forbidden magnesium, and PRN orders (which only block a second parenteral one)."""
    medicines = chart.medicines
    result = chart.magnesium.result
    collected = result.collected if result else None
    parenteral, life = needs_parenteral(chart, flags), flags.met("life")
    running = list(medicines.running_parenteral)
    if not parenteral:
        running += medicines.oral_since(collected)
    given = medicines.given_since(collected, parenteral=parenteral)
    reason = None
    evidence: tuple[str, ...] = ()
    if running:
        labels = listed([record(o.label, 40) for o in running], 2)
        reason = f"running: {labels}"
        evidence = tuple(o.reference for o in running)
    elif given:
        reason = f"given since the result: {given_words(given[-1], chart)}"
        evidence = tuple(treatment.reference for treatment in given)
    found = [_stop("H9", reason, protocol, *evidence), *_perhaps(chart, life)]
    forbidden = medicines.forbidden()
    if forbidden:
        says = f"the record says do not give magnesium: {record(forbidden[0].label, 40)}."
        found.append(
            StopFinding(
                Finding("do-not-perform", "met", says, heading="an order not to give magnesium"),
                "all",
            )
        )
    as_needed = medicines.needed_parenteral
    if as_needed and not parenteral:
        says = (
            f"a PRN magnesium order exists: use or replace it ({record(as_needed[0].label, 40)})."
        )
        found.append(
            StopFinding(
                Finding(
                    "PRN",
                    "met",
                    says,
                    heading="a PRN magnesium order exists",
                    evidence=(as_needed[0].reference,),
                ),
                "parenteral",
            )
        )
    return found


def _perhaps(chart: Chart, life: bool) -> Iterator[StopFinding]:
    """What may run, or may have been given since the result: nobody can tell from the record.
    It is no treatment, and leaves only the emergency dose (rulings 140, 155)."""
    medicines = chart.medicines
    if life:
        return
    if medicines.may_run:
        order = medicines.may_run[0]
        says = f"{may_run_words(order)}: is it running? Check the administration record."
        evidence = tuple(o.reference for o in medicines.may_run)
        heading = "a magnesium order may be running"
        yield StopFinding(
            Finding("may-run", "unknown", says, heading=heading, evidence=evidence), "all"
        )
    undated = medicines.undated_parenteral()
    if undated:
        says = (
            f"{record(undated[0].identity.label, 40)} was given at a time that could not be read: "
            "since the result? Check the administration record."
        )
        evidence = tuple(g.reference for g in undated)
        heading = "magnesium given at an unknown time"
        yield StopFinding(
            Finding("given-undated", "unknown", says, heading=heading, evidence=evidence),
            "parenteral",
        )


def may_run_words(order: DraftOrder) -> str:
    """``Magnesium Sulfate: how often could not be read ("per protocol")``"""
    return f"{record(order.label, 40)}: {record(order.doubt or '', 90)}"


def given_words(treatment: Treatment, chart: Chart) -> str:
    """``Magnesium Sulfate, 4 h ago``; ``Magnesium Sulfate, ordered 12 h ago, completed``"""
    label = record(treatment.label, 40)
    when = treatment.when
    if treatment.ordered is not None:
        return f"{label}, ordered {age(treatment.ordered, chart.now)}, {treatment.status}"
    if when is not None and when <= chart.now:
        label = f"{label}, {age(when, chart.now)}"
    return f"{label}, begun: how much is not known" if treatment.begun else label


def _result(chart: Chart, protocol: Protocol) -> StopFinding:
    result = chart.magnesium.result
    if result is None:
        return _stop("H10", "no result", protocol)
    if not result.problems:
        return _stop("H10", None if result.band else "no band", protocol)
    reason = PROBLEMS[result.problems[0]]
    if "unit-conflict" in result.problems:
        # A repeat would come the same way (ruling 106).
        heading = protocol.stop("H10").title
        says = f"{heading}: {reason}. {protocol.file.wording.unit_check.text}"
        conflict = Finding("H10", "met", says, heading=heading, evidence=(result.source,))
        return StopFinding(conflict, protocol.stop("H10").blocks)
    if result.problems[0] == "stale" and result.collected:
        reason += f" ({age(result.collected, chart.now)})"
    return _stop("H10", reason, protocol, result.source)


def _ambulatory(chart: Chart, flags: Flags, protocol: Protocol) -> StopFinding:
    result = chart.magnesium.result
    severe = result is not None and result.usable and result.acts_as == "severe"
    usable = result is not None and result.usable
    event = flags.met("torsades") or (flags.met("life-event") and not usable)
    urgent = severe or flags.met("symp") or flags.met("life") or event
    reason = "an outpatient" if chart.ambulatory and urgent else None
    return _stop("H11", reason, protocol)


def _accepted(chart: Chart, flags: Flags, session: tuple[DraftOrder, ...]) -> Iterator[StopFinding]:
    """A suggestion of ours was accepted, and no resource shows the order yet: it is taken as
    placed, but for ``life`` (ruling 149)."""
    medicines = chart.medicines
    result = chart.magnesium.result
    seen = (
        medicines.running_parenteral
        or medicines.running_oral
        or medicines.given_since(result.collected if result else None)
        or any(draft.magnesium is not None for draft in session)
    )
    if chart.accepted is None or seen or flags.met("life"):
        return
    says = f"accepted {age(chart.accepted, chart.now)} here; not seen in the record yet."
    finding = Finding("accepted", "met", says, heading="accepted here, not seen in the record yet")
    yield StopFinding(finding, "all")


def _allergic(chart: Chart) -> Iterator[StopFinding]:
    """An allergy to magnesium as such, or to the salt of every infusion (ruling 161)."""
    for allergy in chart.allergies:
        if allergy.takes("sulfate", "iv"):
            label = record(allergy.label, 60)
            says = f"an allergy to {label} is on file: look at what it was."
            finding = Finding("allergy", "met", says, heading=f"allergy to {label}",
                              evidence=(allergy.source,))  # fmt: skip
            yield StopFinding(finding, "all" if allergy.salt is None else "parenteral")
            return


def _unknown(chart: Chart, life: bool) -> list[StopFinding]:
    """What was not obtained, or came and could not be used, and therefore blocks (protocol
    section 0, ruling 145)."""
    found: list[StopFinding] = []

    def unknown(id_: str, says: str, heading: str, blocks: Blocks) -> None:
        found.append(StopFinding(Finding(id_, "unknown", says, heading=heading), blocks))

    conditions = chart.gap("conditions")
    if conditions:
        unknown(
            "conditions-unknown",
            "not checked: heart block, neuromuscular disease, pregnancy (conditions: "
            f"{record(conditions.reason, 90)}). Look for them; if there is none, treat by your "
            "protocol.",
            "conditions could not be read",
            "parenteral",
        )
    medications, given = chart.gap("medications"), chart.gap("administrations")
    if medications and given:
        unknown(
            "medications-unknown",
            "check the administration record for running magnesium "
            f"(orders and administrations: {record(medications.reason, 90)}).",
            "orders and administrations could not be read",
            "all",
        )
    elif medications:
        unknown(
            "medications-unknown",
            f"check for running magnesium (orders: {record(medications.reason, 90)}).",
            "orders could not be read",
            "parenteral",
        )
    if chart.unread_medicines and not life:
        first = chart.unread_medicines[0]
        unknown(
            "medicine-unread",
            f"{record(first.resource, 60)} could not be read ({record(first.reason, 90)}): is it "
            "magnesium, running or given? Check the administration record.",
            "a medication that may be magnesium could not be read",
            "all",
        )
    return found


def _unsure(chart: Chart, session: tuple[DraftOrder, ...], life: bool) -> Iterator[StopFinding]:
    """What may be magnesium for all that is known (ruling 137). A name that may mean it stops
    every drug unless it is given by mouth; without any name a parenteral order stops the
    intravenous ones, and a draft every one-click drug; the emergency dose of ``life`` stands."""
    result = chart.magnesium.result
    found = chart.medicines.unsure(result.collected if result else None)
    unsure: list[DraftOrder | Given] = [*found, *(d for d in session if d.unsure)]
    possible = [o for o in unsure if o.identity.possible and o.route not in ("po", "other")]
    nameless = [o for o in found if o.identity.unidentified and o.route in ("iv", "im")]
    drafted = [d for d in session if d.identity.unidentified]
    if possible:
        yield _look(
            "possible-magnesium", possible, "may be magnesium: look before more is ordered", "all"
        )
    if drafted and not life:
        yield _look("unidentified-draft", drafted, "could not be identified", "all")
    if nameless and not life:
        yield _look(
            "unidentified",
            nameless,
            "parenteral and not identified: it may be magnesium, check the administration record",
            "parenteral",
        )


_LOOK = {
    "possible-magnesium": "a possible magnesium source",
    "unidentified-draft": "a drafted order could not be identified",
    "unidentified": "a parenteral order could not be identified",
}


def _look(id_: str, orders: Sequence[DraftOrder | Given], says: str, blocks: Blocks) -> StopFinding:
    names = listed([record(order.label, 40) for order in orders], 2)
    evidence = tuple(order.reference for order in orders)
    finding = Finding(id_, "unknown", f"{names}: {says}.", heading=_LOOK[id_], evidence=evidence)
    return StopFinding(finding, blocks)
