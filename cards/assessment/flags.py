"""Flags: what makes a low magnesium urgent or a route impossible (protocol section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from cards.assessment.finding import Finding
from cards.chart import Chart, ConditionFact
from cards.orders import DraftOrder
from cards.phrase import record
from cards.protocol import FLAGS, Protocol
from cards.units.quantity import places


class Flags(Struct, frozen=True, gc=False):
    """Findings by flag; ``drafted_risk`` is met when only a drafted drug makes ``risk`` true
    (it changes the plan of the call, not the indicator: rulings 26 and 91)."""

    by_name: Mapping[str, Finding]

    def met(self, name: str) -> bool:
        return self.by_name[name].met

    def reason(self, name: str) -> str:
        return self.by_name[name].says

    def plan_flags(self) -> frozenset[str]:
        """The flags regimen rows may speak of, drafted drugs counted."""
        names = {name for name, finding in self.by_name.items() if finding.met}
        if "drafted-risk" in names:
            names.add("risk")
        return frozenset(names)


def read_flags(chart: Chart, session: tuple[DraftOrder, ...], protocol: Protocol) -> Flags:
    """The Flags of a chart; ``session`` are the drafts of this call."""
    found = [
        *_events(chart),
        _symptoms(chart, protocol),
        *_risk(chart, session, protocol),
        *_routes(chart, protocol),
        *_oral_steps(chart, protocol),
    ]
    return Flags({finding.rule: finding for finding in found})


def _flag(name: str, says: str | None, *evidence: str) -> Finding:
    if says is None:
        return Finding(name, "not met", FLAGS[name].words)
    return Finding(name, "met", says, evidence=evidence)


def _of(name: str, fact: ConditionFact | None) -> Finding:
    if fact is None:
        return _flag(name, None)
    return _flag(name, record(fact.label or fact.concept), fact.source)


def _usable_low(chart: Chart) -> bool:
    result = chart.magnesium.result
    return result is not None and result.usable and result.low


def _events(chart: Chart) -> list[Finding]:
    """``life``: torsades at any magnesium not above normal; other VT and seizure only when low
    (ruling 24). ``life-event`` is the event without regard to the level."""
    conditions = chart.conditions
    torsades = conditions.event("torsades")
    other = conditions.event("vt") or conditions.event("seizure")
    result = chart.magnesium.result
    not_high = result is not None and result.usable and result.acts_as not in ("high", "toxic")
    life = (torsades if not_high else None) or (other if _usable_low(chart) else None)
    return [
        _of("arrest", conditions.sudden("arrest", "vf")),
        # Whatever is left of it: no level is "not indicated" in this encounter (ruling 113).
        _of("arrhythmia", conditions.of_encounter("torsades", "vt", "vf", "arrest")),
        _of("torsades", torsades),
        _of("life-event", torsades or other),
        _of("life", life),
    ]


def _symptoms(chart: Chart, protocol: Protocol) -> Finding:
    if not _usable_low(chart):
        return _flag("symp", None)
    fact = chart.conditions.event("tetany", "carpopedal-spasm", "laryngeal-spasm")
    if fact is not None:
        return _of("symp", fact)
    qtc = chart.qtc
    if qtc is not None and qtc.at_least(_long_qtc(chart, protocol)):
        return _flag("symp", f"QTc {places(qtc.value, 0)} ms", qtc.source)
    return _flag("symp", None)


def _long_qtc(chart: Chart, protocol: Protocol) -> Decimal:
    limit = protocol.file.limit
    allowance = limit.qtc_wide_allowance.value if chart.wide_qrs else Decimal(0)
    return limit.qtc_long.value + allowance


def _risk(chart: Chart, session: tuple[DraftOrder, ...], protocol: Protocol) -> list[Finding]:
    limit = protocol.file.limit
    drafted = _drug_risk(chart, session, protocol)
    reason = _drug_risk(chart, (), protocol)
    qtc = chart.qtc
    evidence: tuple[str, ...] = ()
    if reason is None and qtc is not None and qtc.at_least(limit.qtc_borderline.value):
        reason, evidence = f"QTc {places(qtc.value, 0)} ms", (qtc.source,)
    prior = chart.conditions.history("torsades", "vt") or chart.conditions.of_encounter(
        "vf", "arrest"
    )
    if reason is None and prior is not None:
        reason, evidence = f"prior {record(prior.label or prior.concept)}", (prior.source,)
    # A current one is ``life``, but at a level that is not low it is no less a risk (ruling 119).
    now = chart.conditions.event("torsades", "vt")
    if reason is None and now is not None:
        reason, evidence = record(now.label or now.concept), (now.source,)
    acute = chart.conditions.in_encounter("acute-coronary-syndrome", "myocardial-damage")
    if reason is None and acute is not None:
        reason, evidence = record(acute.label or acute.concept), (acute.source,)
    k = chart.potassium
    if reason is None and k is not None and k.below(limit.potassium_urgent.value):
        reason, evidence = f"potassium {k.quantity}", (k.source,)
    urgent = k is not None and k.below(limit.potassium_urgent.value)
    return [
        _flag("potassium-urgent", f"potassium {k.quantity}" if urgent and k else None),
        _flag("risk", reason, *evidence),
        _flag("drafted-risk", drafted if reason is None else None),
    ]


def _drug_risk(chart: Chart, session: tuple[DraftOrder, ...], protocol: Protocol) -> str | None:
    """QT drugs and digoxin (ruling 25)."""
    orders = (
        *chart.medicines.active("qt-known", "qt-strong", "qt-haloperidol", "digoxin"),
        *session,
    )
    known: dict[str, str] = {}
    for order in orders:
        for drug in order.identity.drugs:
            if "digoxin" in drug.groups or "qt-strong" in drug.groups:
                return record(drug.name)
            if "qt-haloperidol" in drug.groups and order.route == "iv":
                return "haloperidol IV"
            if "qt-known" in drug.groups:
                known[drug.name] = record(drug.name)
    k = chart.potassium
    low_k = k is not None and k.below(protocol.file.limit.potassium_low.value)
    if len(known) >= 2 or (known and low_k):
        names = " and ".join(sorted(known.values())[:2])
        return f"{names} with potassium {k.quantity}" if len(known) < 2 and k else names
    return None


def _routes(chart: Chart, protocol: Protocol) -> list[Finding]:
    conditions = chart.conditions
    noent = _of("noent", conditions.state("ileus", "vomiting"))
    if not noent.met and chart.intolerance:
        noent = _flag("noent", f"intolerance of {record(chart.intolerance)}")
    anticoagulant = next(iter(chart.medicines.active("anticoagulant")), None)
    platelets = chart.platelets
    few = platelets is not None and platelets.below(protocol.file.limit.platelets.value)
    return [
        noent,
        _of(
            "giloss",
            conditions.state("short-bowel", "ileostomy", "high-output-stoma", "chronic-diarrhea"),
        ),
        _flag(
            "anticoagulant",
            record(anticoagulant.label) if anticoagulant else None,
            *((anticoagulant.reference,) if anticoagulant else ()),
        ),
        _flag(
            "platelets-low",
            f"platelets {platelets.quantity}" if few and platelets else None,
            *((platelets.source,) if few and platelets else ()),
        ),
    ]


def _oral_steps(chart: Chart, protocol: Protocol) -> list[Finding]:
    """Oral magnesium that was running before the result: the first step, or already the full
    daily amount (ruling 10)."""
    result = chart.magnesium.result
    orders = chart.medicines.oral_before(result.collected if result else None)
    if not orders:
        return [_flag("oral-first-step", None), _flag("oral-full-dose", None)]
    amount = chart.medicines.oral_mmol(orders)
    label = record(orders[0].label)
    # So often as nobody can tell may be the full amount: no more is advised on top.
    full = any(order.unread_timing for order in orders) or (
        amount is not None and amount >= protocol.file.limit.oral_full_dose.value
    )
    return [
        _flag("oral-first-step", None if full else label, orders[0].reference),
        _flag("oral-full-dose", label if full else None, orders[0].reference),
    ]
