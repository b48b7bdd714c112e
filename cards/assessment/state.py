"""State: what the patient's magnesium itself says, before any order (sections 1 to 6)."""

from __future__ import annotations

from decimal import Decimal

from cards.assessment.finding import Finding, met
from cards.assessment.flags import Flags
from cards.assessment.obstetric import in_obstetrics
from cards.assessment.stops import Stops
from cards.assessment.treated import failing, level_awaited
from cards.chart import HEADINGS, PROBLEMS, Chart, Magnesium
from cards.phrase import age, listed, record
from cards.protocol import Indicator, Protocol

_NOT_NOW = frozenset({"stale", "undated", "preliminary"})
_SPECIMEN = frozenset({"unit-conflict", "contaminated", "haemolysed", "edta"})


def read_state(
    chart: Chart, flags: Flags, stops: Stops, protocol: Protocol, *, maintenance: bool
) -> Finding | None:
    """The Finding a patient-view is about; None when there is nothing to say.

    ``maintenance``: a normal level for which oral maintenance is due and open.
    """
    urgent = _urgent(chart, flags, stops, protocol)
    if urgent is not None:
        return urgent
    result = chart.magnesium.result
    if result is None:
        return _absent(chart, protocol)
    if _hushed_as_old(result, protocol):
        return None
    if "unit-unknown" in result.problems:
        return met(
            protocol,
            "unit-unknown",
            f"{_value(result)}: {PROBLEMS['unit-unknown']}.",
            labs=("magnesium",),
        )
    if "unit-conflict" in result.problems:
        if result.readings and all(_acts_as(v, protocol) == "normal" for v in result.readings):
            return None  # whatever the unit is
        check = protocol.file.wording.unit_check.text
        says = f"{_value(result)}: {PROBLEMS['unit-conflict']}. {check}"
        return met(protocol, "unit-conflict", says)
    if result.acts_as in ("high", "toxic"):
        high = _high(chart, result, protocol)
        if high is not None or "newer-unreadable" not in result.problems:
            return high
    if result.problems:
        return _unusable(chart, result, flags, stops, protocol)
    if result.low:
        return _low(chart, result, flags, stops, protocol)
    return _maintenance(protocol) if maintenance else None


def _acts_as(value: Decimal, protocol: Protocol) -> str | None:
    band = protocol.band_of(value)
    return band.acts_as if band is not None else None


def _hushed_as_old(result: Magnesium, protocol: Protocol) -> bool:
    """A site may say nothing at all about an old result, whatever its value; a newer result
    that could not be read is said all the same."""
    old = bool({"stale", "undated"} & set(result.problems))
    silent = protocol.file.result.stale == "silent"
    return silent and old and "newer-unreadable" not in result.problems


def _value(result: Magnesium) -> str:
    return record(result.shown(), 40)


def _urgent(chart: Chart, flags: Flags, stops: Stops, protocol: Protocol) -> Finding | None:
    """Life never waits for a level (section 3; rulings 7, 24, 72)."""
    words = protocol.file.wording
    result = chart.magnesium.result
    usable = result is not None and result.usable
    if flags.met("torsades"):
        reason = flags.reason("torsades")
        if not usable:
            return met(
                protocol,
                "life-no-level",
                f"{reason}: {words.emergency.text} {words.torsades.text}",
                labs=("magnesium", "potassium"),
            )
        blocked = stops.blocks_parenteral
        says = f"{reason}: {words.torsades.text}" if blocked else f"{reason}."
        return met(
            protocol,
            "life",
            says,
            heading=f"{protocol.rule('life').title}",
        )
    if flags.met("life") and result is not None:
        indicator = refusal_indicator("critical", result, flags, stops, protocol)
        return met(
            protocol,
            "life",
            f"{flags.reason('life')}.",
            indicator=indicator,
        )
    if flags.met("life-event") and not usable:
        return met(
            protocol,
            "life-level-first",
            f"{flags.reason('life-event')}: magnesium is not known.",
            labs=("magnesium", "potassium"),
        )
    return None


def unread_words(chart: Chart) -> str:
    """``"LESS THAN 0.4", 1 h ago``"""
    found = []
    for unread in chart.magnesium.unreadable:
        text = f'"{record(unread.text, 40)}"'
        if unread.collected is not None and unread.collected <= chart.now:
            text += f", {age(unread.collected, chart.now)}"
        found.append(text)
    return listed(found, 2)


def _absent(chart: Chart, protocol: Protocol) -> Finding | None:
    reading = chart.magnesium
    gap = chart.gap("magnesium")
    if reading.unreadable:
        names = unread_words(chart)
        says = f"A magnesium result could not be read: {names}."
        return met(
            protocol,
            "unreadable",
            says,
            labs=("magnesium",),
            evidence=tuple(u.source for u in reading.unreadable),
        )
    if gap is not None:
        says = f"Magnesium results could not be read: {record(gap.reason, 120)}."
        return met(
            protocol,
            "not-obtained",
            says,
            labs=("magnesium",),
        )
    if reading.other_specimens:
        kinds = listed([record(s.kind, 30) for s in reading.other_specimens], 2)
        return met(
            protocol,
            "other-specimen",
            f"A magnesium under a code of serum or plasma is of another specimen ({kinds}): not "
            "used.",
            labs=("magnesium",),
            evidence=tuple(s.source for s in reading.other_specimens),
        )
    if reading.whole_blood:
        says = "A whole-blood magnesium exists; this protocol reads serum or plasma."
        return met(
            protocol,
            "whole-blood",
            says,
            labs=("magnesium",),
        )
    return None


# What makes a toxic level a warning, and how its summary says so (rulings 15, 116).
_TOXIC_DOUBT = {
    "newer-unreadable": "in the toxic range; a newer result could not be read",
    "undated": "",
    "stale": "",
    "contaminated": "in the toxic range, contaminated specimen: repeat now",
    "haemolysed": "in the toxic range, haemolysed: repeat now",
}


def _high(chart: Chart, result: Magnesium, protocol: Protocol) -> Finding | None:
    value = result.value
    assert value is not None  # noqa: S101 - a band was found, so there is a value
    limit = protocol.file.limit
    obstetric = chart.medicines.running_parenteral and in_obstetrics(chart, protocol)
    if obstetric and value <= limit.obstetric_high.value:
        return None
    sources = chart.medicines.sources()
    above = value > limit.high_card.value or (
        result.comparator == ">" and value == limit.high_card.value
    )
    if above:
        sources += chart.medicines.carriers
    stale = bool({"stale", "undated"} & set(result.problems))
    words = protocol.file.wording
    labels = listed([record(o.label, 40) for o in sources], 2)
    active = f" Active: {labels}." if sources else ""
    unread = chart.unread_medicines
    if unread:
        active += f" Not read, and may be magnesium: {record(unread[0].resource, 60)}."
    unsure = [
        o.label
        for o in chart.medicines.unsure(result.collected)
        if o.identity.possible or o.route in ("iv", "im")
    ]
    if unsure:  # nobody can say that it is none (ruling 137)
        active += f" Not identified, and may be magnesium: {record(unsure[0], 60)}."
    verify = " Verify the unit." if result.verify_high else ""
    newer = "newer-unreadable" in result.problems
    unreadable = f" A newer result could not be read: {unread_words(chart)}." if newer else ""
    if result.acts_as == "toxic":
        says = f"{words.high.text} {words.toxic.text}{verify}{active}{unreadable}"
        doubt = next((p for p in result.problems if p in _TOXIC_DOUBT), None)
        rule = "toxic" if doubt is None else "toxic-stale"
        heading = "" if doubt is None else _TOXIC_DOUBT[doubt]
        if "preliminary" in result.problems and doubt is None:
            heading = f"preliminary; {protocol.rule('toxic').title}"
        return met(
            protocol,
            rule,
            says,
            heading=heading,
            labs=("magnesium", "creatinine"),
            evidence=(result.source,),
        )
    if not (sources or unread or unsure or above):
        return None
    rule = "high-source" if sources and not stale else "high"
    title = protocol.rule(rule).title
    return met(
        protocol,
        rule,
        f"{words.high.text}{active}{unreadable}",
        heading=f"{title}; a newer result could not be read" if newer else "",
        evidence=(result.source,),
    )


def _unusable(
    chart: Chart, result: Magnesium, flags: Flags, stops: Stops, protocol: Protocol
) -> Finding | None:
    """A result that may not be dosed on: warning when severe or the specimen is in doubt."""
    problems = set(result.problems)
    if not result.low and result.band is not None and "newer-unreadable" not in problems:
        return None
    long = protocol.file.limit.long_stale.span
    old = result.collected is not None and chart.now - result.collected > long
    if old and "newer-unreadable" not in problems:
        return None
    if problems <= _NOT_NOW and _no_news(chart, result, flags, stops):
        return None
    first = PROBLEMS[result.problems[0]]
    says = f"Not dosed on: {first}."
    if "newer-unreadable" in problems:
        says = f"A newer result could not be read: {unread_words(chart)}: look it up."
    rule = "indeterminate" if result.band is None and "verify" not in problems else "stop-info"
    if rule == "stop-info":
        severe = result.value is not None and result.value <= protocol.severe_high
        calm = "newer-unreadable" in problems or (stops.met("H9") and not problems & _SPECIMEN)
        if problems & _SPECIMEN or (severe and not calm):
            rule = "stop-warning"
    return met(
        protocol,
        rule,
        says,
        heading=HEADINGS[result.problems[0]],
        labs=("magnesium",),
        evidence=(result.source,),
    )


def _no_news(chart: Chart, result: Magnesium, flags: Flags, stops: Stops) -> bool:
    """Already being treated is no news: of a severe level once the next one is on its way (ruling
    96 (b))."""
    if flags.met("symp") or flags.met("life"):
        return False
    if stops.met("accepted") and result.acts_as != "severe":
        return True  # taken as placed (ruling 149)
    if not stops.met("H9"):
        return False
    return result.acts_as != "severe" or level_awaited(chart)


def _better(chart: Chart, result: Magnesium, flags: Flags, protocol: Protocol) -> bool:
    """Mild after a level that was no higher, which magnesium was ordered for: it is no news, or it
    is getting better (ruling 97)."""
    before = chart.magnesium.before
    k = chart.potassium
    low_k = k is not None and k.below(protocol.file.limit.potassium_low.value)
    if result.acts_as != "mild" or any(flags.met(f) for f in ("risk", "symp")) or low_k:
        return False
    if before is None or not before.low or before.value is None or result.value is None:
        return False
    if before.collected is None or result.value < before.value:
        return False
    return chart.medicines.ordered_since(before.collected)


def _low(
    chart: Chart, result: Magnesium, flags: Flags, stops: Stops, protocol: Protocol
) -> Finding | None:
    band = result.band
    assert band is not None  # noqa: S101 - usable
    acts_as = band.acts_as
    evidence = (result.source,)
    unanswered = failing(chart, flags, stops, protocol)
    if unanswered is not None:
        return unanswered
    if _no_news(chart, result, flags, stops):
        return None
    if _better(chart, result, flags, protocol):
        return None
    says = ""
    if flags.met("symp"):
        says = f"With {flags.reason('symp')}."
    elif flags.met("risk"):
        says = f"Cardiac risk: {flags.reason('risk')}."
    k = chart.potassium
    low_k = k is not None and k.below(protocol.file.limit.potassium_low.value)
    if result.borderline and not flags.met("symp"):
        if not (flags.met("risk") or low_k):
            return None
        return met(
            protocol,
            "borderline",
            f"Not below the laboratory's own low limit. {says}",
            evidence=evidence,
        )
    rule: str = acts_as
    indicator: Indicator = "info" if band.indicator == "none" else band.indicator
    if flags.met("symp"):
        rule, indicator = ("symp" if acts_as != "severe" else acts_as), "critical"
    elif acts_as == "mild" and flags.met("risk"):
        rule, indicator = "mild-risk", protocol.rule("mild-risk").indicator_for("mild")
    indicator = refusal_indicator(indicator, result, flags, stops, protocol)
    return met(
        protocol,
        rule,
        says,
        indicator=indicator,
        evidence=evidence,
    )


def refusal_indicator(
    indicator: Indicator, result: Magnesium, flags: Flags, stops: Stops, protocol: Protocol
) -> Indicator:
    """A refusal keeps its band's indicator, except when already being treated (H9) or out of
    scope (H1): rulings 35 and 78."""
    urgent = flags.met("life") or flags.met("symp")
    if urgent and (not stops.met("H1") or flags.met("torsades")):
        return indicator
    if stops.met("H9") and not urgent:
        return "info"
    if stops.met("H1"):
        severe = result.value is not None and result.value <= protocol.severe_high
        rule = "stop-warning" if severe else "stop-info"
        return protocol.rule(rule).indicator_for(result.acts_as)
    return indicator


def _maintenance(protocol: Protocol) -> Finding:
    """Normal again after intravenous magnesium while the cause persists (ruling 40)."""
    return met(
        protocol,
        "maintenance",
        protocol.file.wording.maintenance.text,
    )


def maintenance_due(chart: Chart, protocol: Protocol) -> bool:
    result = chart.magnesium.result
    if result is None or not result.usable or result.acts_as != "normal" or not chart.ambulatory:
        return False
    medicines = chart.medicines
    window = protocol.file.limit.maintenance_window.span
    if not medicines.parenteral_since(window) or medicines.running_oral:
        return False
    end = medicines.last_infusion_end()
    settled = protocol.file.result.not_equilibrated.span
    if end is None or result.collected is None or result.collected - end < settled:
        return False
    cause = medicines.active("cause") or chart.conditions.state(
        "short-bowel", "chronic-diarrhea", "malabsorption", "gitelman-bartter", "alcohol"
    )
    return bool(cause)
