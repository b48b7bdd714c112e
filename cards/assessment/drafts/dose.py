"""D2 to D5, D9 and D14: how much, how concentrated, how often."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from cards.assessment.drafts.context import DraftContext, bedside, emergency, grams, label
from cards.assessment.drafts.level import continues
from cards.assessment.drafts.tiers import is_tier
from cards.assessment.finding import Act, Finding, met
from cards.assessment.offers import read_cap
from cards.chart import order_mmol
from cards.orders import DraftOrder
from cards.protocol import Indicator
from cards.protocol.regimens import gives_oral, largest_dose, largest_oxide
from cards.units.quantity import (
    SULFATE_MEQ_PER_G,
    SULFATE_MMOL_PER_G,
    figures,
    places,
    plain,
)

_HAIR = Decimal("1e-9")
_GRAMS = frozenset({"g", "gm", "gms", "gram", "grams"})


def check_dose(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if not draft.parenteral:
        return
    limit = context.protocol.file.limit
    largest = max(line.dose or Decimal(0) for line in draft.lines)
    found = () if emergency(draft, context) else tuple(check_cap(draft, context))
    yield from found
    if draft.route != "iv":
        return
    single = limit.single_iv.value * 1000
    above = single < largest <= limit.daily_parenteral.value * 1000
    if not found and above and not _slow_tier(draft, context):
        yield met(
            context.protocol,
            "D3",
            f"{label(draft, context)}: {grams(largest)} in one dose; the largest of the sources "
            f"is {limit.single_iv.said}.",
            draft=draft,
            heading=f"{grams(largest)} is a large single dose",
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
            f"{label(draft, context)}: {figures(per_hour / 1000)} g/h; without symptoms "
            f"{limit.fast_rate.said} or slower keeps more magnesium in.",
            draft=draft,
            heading=f"{figures(per_hour / 1000)} g/h: slow the infusion",
            act="update",
        )


def _slow_tier(draft: DraftOrder, context: DraftContext) -> bool:
    """A tier of a protocol that runs at the routine rate or slower (ruling 101)."""
    slow = context.protocol.file.limit.routine_rate.value * 1000 / 60 + _HAIR
    rates = [rate for line in draft.lines for rate in line.rates]
    return bool(rates) and max(rates) <= slow and is_tier(draft, context)


class _Sums(Struct, frozen=True, gc=False):
    """Milligrams in 24 h: of the draft with what was surely given, with the doses that were only
    due, and with the other drafts."""

    sure: Decimal
    due: Decimal
    all: Decimal
    others: tuple[DraftOrder, ...]


def _sums(draft: DraftOrder, context: DraftContext) -> _Sums:
    medicines = context.chart.medicines
    own = draft.at_least_mg()
    sure = own + (medicines.grams_given(context.day, repeated=False) or Decimal(0)) * 1000
    due = own + (medicines.grams_given(context.day) or Decimal(0)) * 1000
    others = other_orders(draft, context)
    more = sum((other.at_least_mg() for other in others), Decimal(0))
    return _Sums(sure, max(due, sure), max(due, sure) + more, others)


def other_orders(draft: DraftOrder, context: DraftContext) -> tuple[DraftOrder, ...]:
    """The other parenteral drafts that add up with this one: of the tiers of a route the largest
    counts, and of its own route none beside a tier (ruling 101)."""
    found: list[DraftOrder] = []
    tiers: dict[str | None, DraftOrder] = {}
    own_tier = is_tier(draft, context)
    for other in context.session:
        if other is draft or other.magnesium is None or not other.parenteral:
            continue
        if not is_tier(other, context):
            found.append(other)
        elif not (own_tier and other.route == draft.route):
            before = tiers.get(other.route)
            if before is None or other.at_least_mg() > before.at_least_mg():
                tiers[other.route] = other
    return (*found, *tiers.values())


def check_cap(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    limit = context.protocol.file.limit
    largest = max(line.dose or Decimal(0) for line in draft.lines)
    sums = _sums(draft, context)
    act: Act = "replace"
    indicator: Indicator | None = None
    reason = _over(sums.sure, context)
    im = draft.route == "im" and largest > limit.single_im.value * 1000
    if reason is None and im:
        reason = f"{grams(largest)} in one intramuscular dose"
    elif reason is not None and draft.as_needed and _over(largest, context) is None:
        indicator = "warning"  # only when it is given as often as it may be
    asked = reason is not None and indicator is None
    if reason is None:
        reason, indicator, act = _by_others(draft, sums, context)
    if reason is None:
        return
    says = f"{label(draft, context)}: {reason}."
    in_grams = any(line.unit.casefold() in _GRAMS for line in draft.lines)
    asked = asked and largest > 0 and in_grams
    if asked:
        meq = largest / 1000
        says += f" Is it g or mEq? {figures(meq)} mEq are {figures(meq / SULFATE_MEQ_PER_G)} g."
    elif largest > 0 and not in_grams and draft.magnesium is not None:
        says += f" As ordered: {_as_ordered(draft)}."
    if context.chart.weight is None:
        says += " The weight is not known."
    if bedside(draft, context):
        act, indicator = "none", "warning"
    yield met(
        context.protocol,
        "D4",
        says,
        draft=draft,
        heading=f"{reason}: g or mEq?" if asked else reason,
        act=act,
        indicator=indicator,
    )


def _as_ordered(draft: DraftOrder) -> str:
    """``20 mmol a dose``: the amount in the unit of the order."""
    line = max(draft.lines, key=lambda one: one.dose or Decimal(0))
    dose = (line.dose or Decimal(0)) / 1000
    per = {"meq": SULFATE_MEQ_PER_G, "mmol": SULFATE_MMOL_PER_G}.get(line.unit.casefold())
    if per is None:
        return f"{figures(dose)} g a dose"
    return f"{figures(dose * per)} {line.unit} ({figures(dose)} g) a dose"


def _by_others(
    draft: DraftOrder, sums: _Sums, context: DraftContext
) -> tuple[str | None, Indicator | None, Act]:
    """Over the limit only with doses that nobody recorded, or with the other drafts."""
    if (reason := _over(sums.due, context)) is not None:
        says = f"{reason}; amount unknown: check the administration record"
        return says, "warning", "none"
    reason = _over(sums.all, context)
    if reason is None:
        return None, None, "none"
    together = (draft, *sums.others)
    if all(order.one_off or order.as_needed for order in together):
        says = f"{grams(sums.all)} in {len(together)} orders: tiers, or all to be given?"
        return f"{reason}; {says}", "warning", "none"
    return reason, None, "replace"


def _over(total: Decimal, context: DraftContext) -> str | None:
    """Why so many milligrams are too many in 24 h."""
    limit = context.protocol.file.limit
    kidney = context.chart.kidney.id
    if total > limit.daily_parenteral.value * 1000:
        return f"{grams(total)} in 24 h; the limit is {limit.daily_parenteral.said}"
    cap = read_cap(context.chart, context.protocol, Decimal(0), suggesting=False)
    if kidney in ("R0", "R1", "R2") and total > cap.limit * 1000:
        by = "body weight" if cap.by_weight else f"renal class {kidney}"
        return f"{grams(total)} in 24 h; the limit by {by} is {cap.shown}"
    return None


def check_concentration(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    percent = draft.identity.percent
    limit = context.protocol.file.limit.iv_concentration
    if draft.route == "iv" and percent is not None and percent > limit.value:
        yield met(
            context.protocol,
            "D5",
            f"{label(draft, context)}: {places(percent, 0)} % without a diluent; dilute to "
            f"{limit.said} or less.",
            draft=draft,
            heading=f"{places(percent, 0)} % is too concentrated for intravenous use",
        )


def check_half(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    """More than the regimen table gives a halved class (ruling 48)."""
    kidney = context.chart.kidney.id
    if context.protocol.renal(kidney).intravenous != "half" or emergency(draft, context):
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
            f"{label(draft, context)}: renal class {kidney}: {advice}.",
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
    # What runs is taken together with what is drafted (ruling 129).
    daily += sum((o.daily_mg() or Decimal(0) for o in others if _is_oxide(o)), Decimal(0))
    risky = context.chart.kidney.id == "R1" or daily >= limit.oxide_daily.value
    says = f"{label(draft, context)}: {places(total, 1)} mmol a day; the ceiling is {limit.oral_daily.said}."
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


def _is_oxide(order: DraftOrder) -> bool:
    return order.magnesium is not None and order.magnesium.salt == "oxide"
