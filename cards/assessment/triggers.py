"""Triggers N1 to N9 on other drafted orders, and the last look at signing (section 8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from cards.assessment.finding import Finding, met
from cards.assessment.flags import Flags
from cards.assessment.state import refusal_indicator
from cards.assessment.stops import Stops
from cards.chart import PROBLEMS, Chart
from cards.codes import Drug
from cards.orders import DraftOrder
from cards.phrase import bare, record
from cards.protocol import Indicator, Protocol, fill
from cards.protocol.rules import LISTENERS, RULES

# Problems that mean a result was lost, not merely old: worth a word on a relevant order.
LOST = ("unit-unknown", "unit-conflict", "newer-unreadable", "undated")


class TriggerContext(Struct, frozen=True, gc=False):
    """What the triggers need: the patient, and the drafts of the call."""

    chart: Chart
    flags: Flags
    stops: Stops
    protocol: Protocol
    session: tuple[DraftOrder, ...]
    lab_drafts: frozenset[str]
    at_sign: bool

    @property
    def magnesium_drafts(self) -> tuple[DraftOrder, ...]:
        return tuple(d for d in self.session if d.magnesium is not None)

    @property
    def severe(self) -> bool:
        result = self.chart.magnesium.result
        return result is not None and result.usable and result.acts_as == "severe"

    @property
    def urgent_potassium(self) -> bool:
        """So low that even a mild level gets an infusion."""
        infused = not self.chart.ambulatory and not self.stops.blocks_parenteral
        return infused and self.flags.met("potassium-urgent")

    def replaced(self) -> bool:
        """Magnesium is being replaced: running or given, oral active, or in the session; for a
        severe level oral alone does not count (rulings 55, 84)."""
        if self.stops.met("H9") or (self.stops.met("accepted") and not self.severe):
            return True
        if self.severe:
            return any(d.route != "po" for d in self.magnesium_drafts)
        return bool(self.magnesium_drafts or self.chart.medicines.running_oral)


def check_triggers(draft: DraftOrder, context: TriggerContext) -> list[Finding]:
    """Every finding met by a drafted order that is not a magnesium replacement."""
    return [
        *_unidentified(draft, context),
        *_low(draft, context),
        *_lost(draft, context),
        *_baseline(draft, context),
        *_blocker(draft, context),
        *_chelated(draft, context),
    ]


def _label(draft: DraftOrder, drug: Drug) -> str:
    return record(draft.label or drug.name, 50)


def _low(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    result = context.chart.magnesium.result
    if result is None or not result.usable or not result.low or context.replaced():
        return
    k = context.chart.potassium
    low_k = k is not None and k.below(context.protocol.file.limit.potassium_low.value)
    borderline = (
        result.borderline and not context.flags.met("symp") and not context.flags.met("life")
    )
    if borderline and not (context.flags.met("risk") or low_k):
        return
    seen: set[str] = set()
    for rule, group in LISTENERS:
        drug = draft.identity.find(group)
        if drug is None or rule in seen:
            continue
        if rule == "N6" and seen & {"N2", "N3"}:
            continue  # the same drug, already named as a diuretic or PPI
        seen.add(rule)
        indicator = context.protocol.rule(rule).indicator_for(result.acts_as)
        if rule == "N1" and result.acts_as == "mild" and context.urgent_potassium:
            indicator = "warning"  # ruling 109
        if borderline:
            indicator = "info"
        else:
            indicator = _scoped(indicator, context)
        potassium = f"potassium {k.quantity}; " if rule == "N1" and k is not None else ""
        advice = fill(RULES[rule].advice, context.protocol.file)
        says = f"{_label(draft, drug)}: {potassium}{advice}"
        yield met(
            context.protocol,
            rule,
            says,
            draft=draft,
            indicator=indicator,
            act="offer" if not borderline else "none",
        )


def _unidentified(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """A draft whose medication cannot be told is a named gap, never "not magnesium"; with a
    normal magnesium there is nothing it could change."""
    result = context.chart.magnesium.result
    normal = result is not None and result.usable and result.acts_as == "normal"
    if draft.groups or normal or not (draft.unsure or draft.unreadable):
        return
    why = "it may be magnesium" if draft.identity.possible else "what it is could not be told"
    why = record(draft.unreadable or why, 90)
    says = f"{record(draft.label or draft.reference, 50)}: {why}: the order was not checked."
    yield met(
        context.protocol,
        "D0",
        says,
        draft=draft,
        heading="a drafted order could not be read",
    )


def _scoped(indicator: Indicator, context: TriggerContext) -> Indicator:
    """Out of scope by age: no more than H1 allows."""
    result = context.chart.magnesium.result
    assert result is not None  # noqa: S101 - the caller has one
    if not context.stops.met("H1"):
        return indicator
    allowed = refusal_indicator(indicator, result, context.flags, context.stops, context.protocol)
    return min(indicator, allowed, key=("info", "warning", "critical").index)


def _lost(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """A magnesium result that was lost matters to an order that magnesium matters to; and
    "no magnesium in 24 h" with a low potassium (N1-lab; rulings 57, 68)."""
    chart = context.chart
    result = chart.magnesium.result
    if result is not None and result.usable:
        return
    drug = next((d for _, group in LISTENERS if (d := draft.identity.find(group))), None)
    if drug is None or "magnesium" in context.lab_drafts or context.replaced():
        return
    gap = chart.gap("magnesium")
    label = _label(draft, drug)
    if gap is not None:
        says = f"{label}: magnesium results could not be read ({record(gap.reason, 90)})."
        heading = ""
        if result is not None:
            heading = f"only magnesium {bare(result.shown(), 30)} came along"
        severe = (
            result is not None
            and result.value is not None
            and result.value <= context.protocol.severe_high
            and result.band is not None
        )
        # A severe value that came along under another key is shown, and is no reason to dose.
        indicator: Indicator | None = "warning" if severe else None
        yield met(
            context.protocol,
            "not-obtained",
            says,
            draft=draft,
            indicator=indicator,
            labs=("magnesium",),
            heading=heading,
        )
        return
    lost = next((p for p in LOST if result is not None and p in result.problems), None)
    reading = chart.magnesium
    if lost is not None or (result is None and (reading.unreadable or reading.future)):
        why = PROBLEMS[lost] if lost else "a magnesium result could not be read"
        if not lost and reading.future:
            why = "the only result is dated in the future"
        says = f"{label}: no usable magnesium: {why}."
        rule = {"unit-unknown": "unit-unknown", "unit-conflict": "unit-conflict"}.get(
            lost or "", "unreadable"
        )
        yield met(
            context.protocol,
            rule,
            says,
            draft=draft,
            indicator="info",
            labs=("magnesium",),
        )
        return
    k = chart.potassium
    if (
        draft.identity.find("potassium")
        and k is not None
        and k.below(context.protocol.file.limit.potassium_low.value)
    ):
        interval = context.protocol.file.limit.magnesium_lab_interval.said
        says = (
            f"{label}: potassium {k.quantity} and no usable magnesium in {interval}: "
            "order magnesium."
        )
        yield met(
            context.protocol,
            "N1-lab",
            says,
            draft=draft,
            labs=("magnesium",),
        )


def _baseline(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """A PPI with digoxin or a diuretic and no magnesium ever on file (ruling 58)."""
    drug = draft.identity.find("ppi")
    chart = context.chart
    reading = chart.magnesium
    if drug is None or reading.result is not None or reading.unreadable or chart.gap("magnesium"):
        return
    if "magnesium" in context.lab_drafts:
        return
    partners = ("digoxin", "loop", "thiazide")
    beside = [*chart.medicines.active(*partners)]
    beside += [d for d in context.session if d is not draft and d.groups & set(partners)]
    if beside:
        says = (
            f"{_label(draft, drug)} with {record(beside[0].label, 40)}: no magnesium on file, "
            "order a baseline."
        )
        yield met(
            context.protocol,
            "N3-lab",
            says,
            draft=draft,
            labs=("magnesium",),
        )


def _blocker(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    drug = draft.identity.find("neuromuscular-blocker")
    if drug is None:
        return
    medicines = context.chart.medicines
    grams = medicines.grams_given(timedelta(hours=24))
    if medicines.running_parenteral or grams is None or grams > Decimal(0):
        says = (
            f"{_label(draft, drug)}: intravenous magnesium in the last 24 h potentiates it: "
            "monitor the block."
        )
        yield met(
            context.protocol,
            "N7",
            says,
            draft=draft,
        )


def _chelated(draft: DraftOrder, context: TriggerContext) -> Iterator[Finding]:
    """Chelated oral drugs with oral magnesium, or the reverse, at any level."""
    if draft.parenteral:
        return
    medicines = context.chart.medicines
    active = [o for o in medicines.sources() if not o.parenteral]
    if draft.magnesium or draft.laxative:
        beside = [
            *medicines.active("chelated"),
            *(d for d in context.session if d is not draft),
        ]
        pairs = [
            (o, drug) for o in beside if not o.parenteral and (drug := o.identity.find("chelated"))
        ]
    else:
        own = draft.identity.find("chelated")
        drafted = [d for d in context.session if d is not draft and (d.magnesium or d.laxative)]
        oral = [*active, *(d for d in drafted if not d.parenteral)]
        pairs = [(draft, own)] if own is not None and oral else []
    seen: set[str] = set()
    for _, drug in pairs:
        says = _apart(drug, context.protocol)
        if says and drug.name not in seen:
            seen.add(drug.name)
            yield met(
                context.protocol,
                "N8",
                f"{record(drug.name)} and oral magnesium: {says}.",
                draft=draft,
                heading=f"{drug.name} is bound by oral magnesium",
            )


def _apart(drug: Drug, protocol: Protocol) -> str | None:
    for row in protocol.file.interaction:
        if (
            row.drug == drug.name
            or drug.name.startswith(row.drug + " ")
            or row.drug in drug.ingredients
        ):
            return row.says
    return None


def check_signing(context: TriggerContext) -> Finding | None:
    """At order-sign, and where a draft ends the treatment, once: severe, and magnesium neither
    active nor in the session (ruling 143)."""
    ended = context.chart.medicines.ended_parenteral
    if not (context.at_sign or ended) or not context.severe or context.replaced():
        return None
    if any(d.magnesium for d in context.session):
        return None  # an oral draft is judged by D13
    result = context.chart.magnesium.result
    assert result is not None  # noqa: S101 - severe
    entry = context.protocol.rule("sign")
    indicator = _scoped(entry.indicator_for("severe"), context)
    says = f"{record(ended[0].label, 50)} is being stopped." if ended else ""
    return Finding(
        "sign", "met", says, indicator, entry.title, None, "offer", evidence=(result.source,)
    )
