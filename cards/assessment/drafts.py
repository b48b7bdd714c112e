"""Checks D0 to D20 on a drafted magnesium order (protocol section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cards.assessment.finding import Act, Finding
from cards.assessment.flags import Flags
from cards.assessment.offers import Offer, read_cap
from cards.assessment.stops import Stops
from cards.chart import PROBLEMS, Chart, order_mmol
from cards.orders import DoseLine, DraftOrder
from cards.phrase import record
from cards.protocol import Indicator, Protocol
from cards.quantity import least_minutes, places, plain

# A rate computed from a third of a minute must not be "faster" by a rounding digit.
_HAIR = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class DraftContext:
    """What the checks of one draft need: the patient, the call, and what is open to them.

    ``session`` are all drafts of the call; ``offers`` the regimens open when this draft is not
    counted; ``at_sign`` whether the order is being signed.
    """

    chart: Chart
    flags: Flags
    stops: Stops
    protocol: Protocol
    session: tuple[DraftOrder, ...]
    offers: tuple[Offer, ...]
    infusion_offers: tuple[Offer, ...]
    at_sign: bool

    @property
    def life_dose(self) -> Decimal:
        return self.protocol.file.limit.bedside_dose.value * 1000

    @property
    def obstetric(self) -> bool:
        """Pre-eclampsia or eclampsia on file (in a male only as another indication)."""
        fact = self.chart.conditions.state("preeclampsia")
        return fact is not None and self.chart.sex != "male"

    @property
    def indicated(self) -> bool:
        """Another coded indication: silences D2 and D7."""
        conditions = self.chart.conditions
        return (
            conditions.state("preeclampsia", "severe-asthma") is not None
            or self.flags.met("torsades")
        )

    @property
    def urgent(self) -> bool:
        """Severe, symptomatic or life-threatening with a usable result, or torsades."""
        result = self.chart.magnesium.result
        severe = result is not None and result.usable and result.acts_as == "severe"
        return severe or any(self.flags.met(f) for f in ("symp", "life", "torsades"))


def check_draft(draft: DraftOrder, context: DraftContext) -> list[Finding]:
    """Every finding met by a drafted magnesium order; [] when it is right."""
    if draft.laxative is not None and draft.magnesium is None:
        return [*_remove_high(draft, context), *_laxative(draft, context)]
    if any(offer.same_as(draft) for offer in context.offers):
        return []
    readable = _is_readable(draft)
    checks = [*_unreadable(draft, context)]
    checks += _rate(draft, context)
    if readable:
        checks += [
            *_dose(draft, context),
            *_concentration(draft, context),
            *_half(draft, context),
            *_oral_ceiling(draft, context),
        ]
    checks += [
        *_level(draft, context),
        *_remove_high(draft, context),
        *_contraindicated(draft, context),
        *_duplicate(draft, context),
        *_oral_only(draft, context),
        *_bleeding(draft, context),
        *_pregnancy(draft, context),
        *_kidney_unknown(draft, context),
        *_cautions(draft, context),
        *_ambulatory(draft, context),
    ]
    return checks


def _met(
    draft: DraftOrder,
    context: DraftContext,
    rule: str,
    says: str,
    *,
    heading: str = "",
    act: Act = "none",
    labs: tuple[str, ...] = (),
    indicator: Indicator | None = None,
) -> Finding:
    entry = context.protocol.rule(rule)
    return Finding(
        rule,
        "met",
        says,
        indicator or entry.indicator_for(None),
        heading or entry.title,
        draft,
        act,
        labs,
    )


def _is_readable(draft: DraftOrder) -> bool:
    if draft.unreadable or not draft.lines or draft.route is None:
        return False
    return all(line.dose is not None and line.unreadable is None for line in draft.lines)


def bedside(draft: DraftOrder, context: DraftContext) -> bool:
    """A single emergency dose up to 2 g in torsades is never deleted (ruling 7)."""
    return context.flags.met("torsades") and _single(draft, context)


def _single(draft: DraftOrder, context: DraftContext) -> bool:
    return bool(draft.lines) and all(
        line.dose is not None and line.dose <= context.life_dose and line.doses_in_24h() == 1
        for line in draft.lines
    )


def _label(draft: DraftOrder) -> str:
    return record(draft.label or "magnesium", 50)


# -- D0 --------------------------------------------------------------------------------------
def _unreadable(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.unreadable:
        yield _met(draft, context, "D0", f"{_label(draft)}: {record(draft.unreadable, 90)}: dose and rate were not checked.")
        return
    if not any(line.has_dose for line in draft.lines):
        # The form is still being filled in at order-select.
        if context.at_sign:
            yield _met(draft, context, "D0", f"{_label(draft)}: no dose is stated; dose and rate were not checked.")
        return
    for line in draft.lines:
        if line.unreadable and line.pill and line.route is None:
            return  # the Sandbox's echo of an accepted order (ruling 74)
        if line.unreadable:
            yield _met(draft, context, "D0", f"{_label(draft)}: {record(line.unreadable, 60)}: dose and rate were not checked.")
            return
    if draft.route is None:
        yield _met(draft, context, "D0", f"{_label(draft)}: no route is stated; dose and rate were not checked.", heading="which route?")


# -- D1 --------------------------------------------------------------------------------------
def _rate(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    limit = context.protocol.file.limit.infusion_rate.value
    for line in draft.lines:
        infused = draft.route == "iv" or (draft.route is None and bool(line.rates))
        if not infused:
            continue
        rates = [rate for rate in line.rates if rate > 0]
        fastest = max(rates, default=None)
        fast = fastest is not None and fastest > limit + _HAIR
        exempt = (
            (context.flags.met("life") or context.flags.met("torsades"))
            and line.dose is not None
            and line.dose <= context.life_dose
            and line.doses_in_24h() == 1
        )
        if (fast or line.push) and not exempt:
            yield _too_fast(draft, line, fastest if fast else None, context)
            return
        if (
            draft.route == "iv"
            and not rates
            and line.minutes is None
            and not line.push
            and line.unreadable is None
            and line.dose is not None
            and not (exempt and not context.at_sign)
        ):
            yield from _no_time(draft, line, context)
            return


def _needs(dose: Decimal | None, context: DraftContext) -> str:
    if dose is None:
        return ""
    least = least_minutes(dose, context.protocol.file.limit.infusion_rate.value)
    return f" {plain(dose / 1000)} g needs at least {least} min."


def _too_fast(
    draft: DraftOrder, line: DoseLine, fastest: Decimal | None, context: DraftContext
) -> Finding:
    limit = plain(context.protocol.file.limit.infusion_rate.value)
    if fastest is not None:
        says = f"{_label(draft)}: {places(fastest, 0)} mg/min; the limit is {limit} mg/min."
        heading = f"{places(fastest, 0)} mg/min is faster than {limit} mg/min"
    else:
        says = f"{_label(draft)}: an intravenous push; the limit is {limit} mg/min."
        heading = f"an IV push exceeds {limit} mg/min"
    rates = sorted(rate for rate in line.rates if rate > 0)
    if len(rates) > 1 and rates[-1] > rates[0] * Decimal("1.05"):
        stated = " and ".join(places(rate, 0) for rate in (rates[0], rates[-1]))
        says += f" Its rates disagree ({stated} mg/min): the fastest counts."
    return _met(draft, context, "D1", says + _needs(line.dose, context), heading=heading, act="update")


def _no_time(draft: DraftOrder, line: DoseLine, context: DraftContext) -> Iterator[Finding]:
    says = f"{_label(draft)}: no infusion time stated.{_needs(line.dose, context)}"
    if context.at_sign:
        dose = plain((line.dose or Decimal(0)) / 1000)
        least = least_minutes(line.dose or Decimal(0), context.protocol.file.limit.infusion_rate.value)
        heading = f"no infusion time stated: {dose} g needs at least {least} min"
        yield _met(draft, context, "D1-sign", says, heading=heading, act="update")
    elif context.infusion_offers:
        yield _met(draft, context, "D1-select", says, act="update")


# -- D2 D3 D4 --------------------------------------------------------------------------------
def _dose(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not draft.parenteral:
        return
    limit = context.protocol.file.limit
    largest = max(line.dose or Decimal(0) for line in draft.lines)
    total = _total_24h(draft, context)
    found = list(_over_cap(draft, largest, total, context))
    yield from found
    if draft.route != "iv":
        return
    if not found and limit.single_iv.value * 1000 < largest <= limit.daily_parenteral.value * 1000:
        yield _met(
            draft,
            context,
            "D3",
            f"{_label(draft)}: {plain(largest / 1000)} g in one dose; the largest of the sources is {plain(limit.single_iv.value)} g.",
            heading=f"{plain(largest / 1000)} g is a large single dose",
            act="replace",
        )
    result = context.chart.magnesium.result
    if result is None or not result.usable or context.urgent or context.indicated:
        return
    per_hour = max((rate for line in draft.lines for rate in line.rates), default=Decimal(0)) * 60
    if per_hour > limit.fast_rate.value * 1000 + _HAIR:
        yield _met(
            draft,
            context,
            "D2",
            f"{_label(draft)}: {places(per_hour / 1000, 1)} g/h; without symptoms {plain(limit.fast_rate.value)} g/h or slower keeps more magnesium in.",
            heading=f"{places(per_hour / 1000, 1)} g/h: slow the infusion",
            act="update",
        )


def _grams(draft: DraftOrder) -> Decimal:
    return sum(
        ((line.dose or Decimal(0)) * line.doses_in_24h() for line in draft.lines), Decimal(0)
    )


def _total_24h(draft: DraftOrder, context: DraftContext) -> Decimal:
    """Milligrams in 24 h: this draft, what was given, and the other parenteral drafts."""
    total = _grams(draft)
    cap = read_cap(context.chart, context.protocol, Decimal(0), suggesting=False)
    total += (cap.given or Decimal(0)) * 1000
    for other in context.session:
        if other is not draft and other.magnesium is not None and other.parenteral:
            total += _grams(other)
    return total


def _over_cap(
    draft: DraftOrder, largest: Decimal, total: Decimal, context: DraftContext
) -> Iterator[Finding]:
    limit = context.protocol.file.limit
    kidney = context.chart.kidney.id
    day = limit.daily_parenteral.value * 1000
    cap = read_cap(context.chart, context.protocol, Decimal(0), suggesting=False)
    reason = None
    if context.obstetric:
        if largest > day:
            reason = f"{plain(largest / 1000)} g in one dose"
    elif total > day:
        reason = f"{plain(total / 1000)} g in 24 h; the limit is {plain(day / 1000)} g"
    elif kidney in ("R0", "R1", "R2") and total > cap.limit * 1000:
        by = "body weight" if cap.by_weight else f"renal class {kidney}"
        reason = f"{plain(total / 1000)} g in 24 h; the limit by {by} is {places(cap.limit, 1)} g"
    im = draft.route == "im" and largest > limit.single_im.value * 1000
    if im and reason is None and not context.obstetric:
        reason = f"{plain(largest / 1000)} g in one intramuscular dose"
    if reason is None:
        return
    says = f"{_label(draft)}: {reason}. Is it g or mEq? {plain(largest / 1000)} mEq are {places(largest / 1000 / Decimal('8.11'), 1)} g."
    if cap.weight_unknown:
        says += " The weight is not known."
    torsades = bedside(draft, context)
    yield _met(
        draft,
        context,
        "D4",
        says,
        heading=f"{reason}: g or mEq?",
        act="none" if torsades else "replace",
        indicator="warning" if torsades else None,
    )


# -- D5 --------------------------------------------------------------------------------------
def _concentration(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    percent = draft.identity.percent
    limit = context.protocol.file.limit.iv_concentration.value
    if draft.route == "iv" and percent is not None and percent > limit:
        yield _met(
            draft,
            context,
            "D5",
            f"{_label(draft)}: {places(percent, 0)} % without a diluent; dilute to {plain(limit)} % or less.",
            heading=f"{places(percent, 0)} % is too concentrated for intravenous use",
        )


# -- D6 D7 -----------------------------------------------------------------------------------
def _level(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart = context.chart
    result = chart.magnesium.result
    if result is None or not result.usable:
        given = chart.medicines.given_since(result.collected if result else None)
        if not given:
            yield _met(draft, context, "D6", _no_level(context), act="lab", labs=("magnesium",))
        return
    if result.acts_as != "normal" or context.indicated or result.value is None:
        return
    if _continues(draft, context) is not None:
        return
    limit = context.protocol.file.limit
    k = chart.potassium
    low_k = k is not None and k.below(limit.potassium_low.value)
    if result.value < limit.supplement_high.value and (context.flags.met("risk") or low_k):
        return
    if not equilibrated(chart, context.protocol):
        return
    yield _met(
        draft,
        context,
        "D7",
        f"{_label(draft)}: magnesium is normal and no other indication is coded: not indicated.",
        heading=f"magnesium {record(result.shown(), 30)} is normal: not indicated",
    )


def _no_level(context: DraftContext) -> str:
    chart = context.chart
    result = chart.magnesium.result
    gap = chart.gap("magnesium")
    if result is not None and result.problems:
        return f"No usable magnesium: {record(result.shown(), 40)}, {PROBLEMS[result.problems[0]]}."
    if chart.magnesium.unreadable:
        return "No usable magnesium: a result could not be read."
    if gap is not None:
        return f"Magnesium results could not be read: {record(gap.reason, 120)}."
    return "No magnesium result on file."


def equilibrated(chart: Chart, protocol: Protocol) -> bool:
    """A normal value within 6 h of an infusion does not mean repleted (ruling 22)."""
    result = chart.magnesium.result
    end = chart.medicines.last_infusion_end()
    if result is None or result.collected is None or end is None or end > result.collected:
        return True
    settled = timedelta(hours=float(protocol.file.result.not_equilibrated.value))
    return result.collected - end >= settled


def _continues(draft: DraftOrder, context: DraftContext) -> DraftOrder | None:
    """The active order that a draft continues: same salt, same daily dose (rulings 47, 77)."""
    if draft.parenteral or draft.magnesium is None:
        return None
    for order in context.chart.medicines.running_oral():
        same = order.magnesium is not None and order.magnesium.salt == draft.magnesium.salt
        if same and order.daily_mg() is not None and order.daily_mg() == draft.daily_mg():
            return order
    return None


# -- D8 D10 D11 ------------------------------------------------------------------------------
def _remove_high(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart = context.chart
    result = chart.magnesium.result
    if result is None or not result.usable or result.acts_as not in ("high", "toxic"):
        return
    limit = context.protocol.file.limit.obstetric_high.value
    if (
        context.obstetric
        and chart.medicines.running_parenteral()
        and result.value is not None
        and result.value <= limit
    ):
        return
    act: Act = "none" if bedside(draft, context) else "remove"
    says = f"{_label(draft)}: magnesium is {record(result.shown(), 40)}: remove this order."
    yield _met(draft, context, "D8", says, act=act)


def _contraindicated(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    chart, stops = context.chart, context.stops
    torsades = bedside(draft, context)
    act: Act = "none" if torsades else "remove"
    indicator: Indicator | None = "warning" if torsades else None
    if chart.kidney.id in ("R3", "R4"):
        says = f"{_label(draft)}: {record(chart.kidney.shown(), 120)}: remove this order, nephrology."
        yield _met(draft, context, "D10", says, act=act, indicator=indicator)
    block, nerve = stops.of("H4"), stops.of("H6")
    stop = nerve or (block if draft.route != "po" else None)
    if stop is not None:
        says = f"{_label(draft)}: {stop.finding.says}"
        yield _met(
            draft,
            context,
            "D11",
            says,
            heading=f"{stop.finding.heading}: remove this order",
            act=act,
            indicator=indicator,
        )


# -- D9 --------------------------------------------------------------------------------------
def _half(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if context.chart.kidney.id != "R2":
        return
    limit = context.protocol.file.limit
    result = context.chart.magnesium.result
    mild = result is not None and result.usable and result.acts_as == "mild"
    largest = max(line.dose or Decimal(0) for line in draft.lines)
    kidney = record(context.chart.kidney.shown(), 90)
    if draft.parenteral:
        full = largest > limit.half_dose_iv.value * 1000
        advice = f"half dose: {plain(limit.half_dose_iv.value)} g"
    else:
        oxide = draft.magnesium is not None and draft.magnesium.salt == "oxide"
        daily = draft.daily_mg()
        full = mild or (oxide and daily is not None and daily > limit.half_dose_oral.value)
        advice = "no oral magnesium at a mild level" if mild else f"at most {plain(limit.half_dose_oral.value)} mg oxide a day"
    if full:
        yield _met(
            draft,
            context,
            "D9",
            f"{_label(draft)}: {kidney}: {advice}.",
            heading=f"renal class R2: {advice}",
            act="replace",
        )


# -- D12 D13 ---------------------------------------------------------------------------------
def _duplicate(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    medicines = context.chart.medicines
    result = context.chart.magnesium.result
    collected = result.collected if result else None
    others = [
        d for d in context.session if d is not draft and d.magnesium is not None and d.parenteral
    ]
    reason = None
    if draft.route != "po":
        running = medicines.running_parenteral()
        given = medicines.given_since(collected) if result else ()
        if running:
            reason = f"running: {record(running[0].label, 40)}"
        elif given:
            reason = f"given since the result: {record(given[-1], 40)}"
        elif others:
            reason = f"also drafted: {record(others[0].label, 40)}"
    else:
        since = medicines.oral_since(collected) if result else ()
        if since:
            reason = f"running: {record(since[0].label, 40)}"
    if reason is not None:
        yield _met(draft, context, "D12", f"{_label(draft)}: {reason}. Keep one.")


def _oral_only(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "po" or not context.urgent:
        return
    medicines = context.chart.medicines
    result = context.chart.magnesium.result
    parenteral = any(d.magnesium is not None and d.parenteral for d in context.session)
    given = medicines.given_since(result.collected if result else None)
    if parenteral or medicines.running_parenteral() or given:
        return
    says = f"{_label(draft)}: oral magnesium alone will not do here."
    yield _met(draft, context, "D13", says, act="replace")


# -- D14 -------------------------------------------------------------------------------------
def _oral_ceiling(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.parenteral:
        return
    limit = context.protocol.file.limit
    own = order_mmol(draft)
    if own is None:
        return
    continued = _continues(draft, context)
    others = [o for o in context.chart.medicines.running_oral() if o is not continued]
    amounts = [order_mmol(o) for o in others]
    total = own + sum((a for a in amounts if a is not None), Decimal(0))
    daily = draft.daily_mg() or Decimal(0)
    if total <= limit.oral_daily.value:
        return
    risky = context.chart.kidney.id == "R1" or daily >= limit.oxide_daily.value
    says = f"{_label(draft)}: {places(total, 1)} mmol a day; the ceiling is {plain(limit.oral_daily.value)} mmol."
    if any(a is None for a in amounts):
        says += " Another oral magnesium without a known content is not counted."
    yield _met(
        draft,
        context,
        "D14-high" if risky else "D14",
        says,
        heading=f"{places(total, 1)} mmol a day is above {plain(limit.oral_daily.value)}",
        act="replace",
    )


# -- D15 D16 D17 D18 D19 D20 -----------------------------------------------------------------
def _bleeding(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "im":
        return
    for flag in ("anticoagulant", "platelets-low"):
        if context.flags.met(flag):
            says = f"{_label(draft)}: intramuscular with {context.flags.reason(flag)}."
            yield _met(draft, context, "D15", says, act="replace")
            return


def _laxative(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    kidney = context.chart.kidney
    if kidney.id not in ("R2", "R3", "R4"):
        return
    reduced = kidney.id == "R2"
    says = f"{_label(draft)}: {record(kidney.shown(), 120)}: magnesium accumulates."
    yield _met(
        draft, context, "D16-r2" if reduced else "D16", says, act="none" if reduced else "remove"
    )


def _pregnancy(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not context.chart.pregnant or context.obstetric or context.flags.met("life"):
        return
    says = (
        f"{_label(draft)}: pregnancy: obstetric co-management. "
        f"{context.protocol.file.wording.pregnancy_limit.text}"
    )
    yield _met(draft, context, "D17", says)


def _kidney_unknown(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if context.chart.kidney.id != "RU" or context.protocol.relaxed("RU"):
        return
    if context.flags.met("life") or context.flags.met("torsades"):
        return
    says = f"{_label(draft)}: renal function is not known: order creatinine."
    yield _met(draft, context, "D18", says, act="lab", labs=("creatinine",))


def _cautions(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not draft.parenteral:
        return
    for id_ in ("H5", "H8"):
        stop = context.stops.of(id_)
        if stop is not None:
            yield _met(
                draft, context, "D19", f"{_label(draft)}: {stop.finding.says}", heading=stop.finding.heading
            )
    if context.stops.of("H1") is not None:
        yield _met(draft, context, "D19-age", f"{_label(draft)}: not evaluated for this age.")


def _ambulatory(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.route != "iv" or not context.chart.ambulatory:
        return
    if context.stops.of("H11") is not None:
        says = f"{_label(draft)}: an outpatient at this level or with these symptoms: same-day emergency evaluation."
        yield _met(draft, context, "D20-emergency", says)
    else:
        yield _met(draft, context, "D20", f"{_label(draft)}: is an infusion centre meant?")
