"""D2 to D5, D9 and D14: how much, how concentrated, how often."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cards.assessment.drafts.context import DraftContext, bedside, label
from cards.assessment.drafts.level import continues
from cards.assessment.finding import Finding, met
from cards.assessment.offers import read_cap
from cards.chart import order_mmol
from cards.orders import DraftOrder
from cards.protocol.regimens import gives_oral, largest_dose, largest_oxide
from cards.units.quantity import SULFATE_MEQ_PER_G, places, plain

_HAIR = Decimal("1e-9")


def check_dose(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
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
        yield met(
            context.protocol,
            "D3",
            f"{label(draft)}: {_g(largest)} in one dose; the largest of the sources "
            f"is {limit.single_iv.said}.",
            draft=draft,
            heading=f"{_g(largest)} is a large single dose",
            act="replace",
        )
    result = context.chart.magnesium.result
    if result is None or not result.usable or context.urgent or context.indicated(draft):
        return
    per_hour = max((rate for line in draft.lines for rate in line.rates), default=Decimal(0)) * 60
    if per_hour > limit.fast_rate.value * 1000 + _HAIR:
        yield met(
            context.protocol,
            "D2",
            f"{label(draft)}: {places(per_hour / 1000, 1)} g/h; without symptoms "
            f"{limit.fast_rate.said} or slower keeps more magnesium in.",
            draft=draft,
            heading=f"{places(per_hour / 1000, 1)} g/h: slow the infusion",
            act="update",
        )


def _g(mg: Decimal) -> str:
    return f"{places(mg / 1000, 3)} g"


def _total_24h(draft: DraftOrder, context: DraftContext) -> Decimal:
    """Milligrams in 24 h: this draft, what was given, and the other parenteral drafts."""
    total = draft.at_least_mg()
    cap = read_cap(context.chart, context.protocol, Decimal(0), suggesting=False)
    total += (cap.given or Decimal(0)) * 1000
    for other in context.session:
        if other is not draft and other.magnesium is not None and other.parenteral:
            total += other.at_least_mg()
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
            reason = f"{_g(largest)} in one dose"
    elif total > day:
        reason = f"{_g(total)} in 24 h; the limit is {limit.daily_parenteral.said}"
    elif kidney in ("R0", "R1", "R2") and total > cap.limit * 1000:
        by = "body weight" if cap.by_weight else f"renal class {kidney}"
        reason = f"{_g(total)} in 24 h; the limit by {by} is {cap.shown}"
    im = draft.route == "im" and largest > limit.single_im.value * 1000
    if im and reason is None and not context.obstetric:
        reason = f"{_g(largest)} in one intramuscular dose"
    if reason is None:
        return
    grams = largest / 1000
    says = f"{label(draft)}: {reason}."
    asked = grams > 0  # a rate without a dose leaves nothing to ask
    if asked:
        says += (
            f" Is it g or mEq? {places(grams, 3)} mEq are {places(grams / SULFATE_MEQ_PER_G, 1)} g."
        )
    if cap.weight_unknown:
        says += " The weight is not known."
    torsades = bedside(draft, context)
    yield met(
        context.protocol,
        "D4",
        says,
        draft=draft,
        heading=f"{reason}: g or mEq?" if asked else reason,
        act="none" if torsades else "replace",
        indicator="warning" if torsades else None,
    )


def check_concentration(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    percent = draft.identity.percent
    limit = context.protocol.file.limit.iv_concentration
    if draft.route == "iv" and percent is not None and percent > limit.value:
        yield met(
            context.protocol,
            "D5",
            f"{label(draft)}: {places(percent, 0)} % without a diluent; dilute to "
            f"{limit.said} or less.",
            draft=draft,
            heading=f"{places(percent, 0)} % is too concentrated for intravenous use",
        )


def check_half(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """More than the regimen table gives a halved class (ruling 48)."""
    kidney = context.chart.kidney.id
    if context.protocol.renal(kidney).intravenous != "half":
        return
    file = context.protocol.file
    result = context.chart.magnesium.result
    level = result.acts_as if result is not None and result.usable and result.low else None
    if draft.parenteral:
        most = largest_dose(file, kidney, level)
        full = max(line.dose or Decimal(0) for line in draft.lines) > most * 1000
        advice = f"half dose: {plain(most)} g" if most else "no regimen for it infuses"
    elif not gives_oral(file, kidney, level):
        full, advice = True, f"no oral magnesium at a {level} level"
    else:
        most = largest_oxide(file, kidney)
        oxide = draft.magnesium is not None and draft.magnesium.salt == "oxide"
        full = oxide and (draft.daily_mg() or Decimal(0)) > most
        advice = f"at most {plain(most)} mg oxide a day"
    if full:
        yield met(
            context.protocol,
            "D9",
            f"{label(draft)}: renal class {kidney}: {advice}.",
            draft=draft,
            heading=f"renal class {kidney}: {advice}",
            act="replace",
        )


def check_oral_ceiling(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.parenteral:
        return
    limit = context.protocol.file.limit
    own = order_mmol(draft)
    if own is None:
        return
    continued = continues(draft, context)
    others = [o for o in context.chart.medicines.running_oral if o is not continued]
    amounts = [order_mmol(o) for o in others]
    total = own + sum((a for a in amounts if a is not None), Decimal(0))
    daily = draft.daily_mg() or Decimal(0)
    if total <= limit.oral_daily.value:
        return
    risky = context.chart.kidney.id == "R1" or daily >= limit.oxide_daily.value
    says = f"{label(draft)}: {places(total, 1)} mmol a day; the ceiling is {limit.oral_daily.said}."
    if any(a is None for a in amounts):
        says += " Another oral magnesium without a known content is not counted."
    yield met(
        context.protocol,
        "D14-high" if risky else "D14",
        says,
        draft=draft,
        heading=f"{places(total, 1)} mmol a day is above {limit.oral_daily.number}",
        act="replace",
    )
