"""D0 and D1: what could not be read, and how fast it runs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cards.assessment.drafts.context import DraftContext, grams, label
from cards.assessment.drafts.tiers import is_tier
from cards.assessment.finding import Finding, met
from cards.orders import DoseLine, DraftOrder, is_bag
from cards.phrase import record
from cards.units.quantity import least_minutes, places

# A rate computed from a third of a minute must not be "faster" by a rounding digit.
_HAIR = Decimal("1e-9")


def check_unreadable(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.unreadable:
        yield met(
            context.protocol,
            "D0",
            f"{label(draft, context)}: {record(draft.unreadable, 90)}: dose and rate were not checked.",
            draft=draft,
        )
        return
    if not any(line.has_dose or line.flow is not None for line in draft.lines):
        unread = next((line.unread_rate for line in draft.lines if line.unread_rate), None)
        why = f"no dose is stated, and {record(unread, 60)}" if unread else "no dose is stated"
        yield met(
            context.protocol,
            "D0",
            f"{label(draft, context)}: {why}; dose and rate were not checked.",
            draft=draft,
        )
        return
    for line in draft.lines:
        if line.unreadable and line.pill and line.route is None:
            return  # the Sandbox's echo of an accepted order (ruling 74)
        problem = _problem(line)
        if problem is not None:
            heading, says = problem
            yield met(
                context.protocol,
                "D0",
                f"{label(draft, context)}: {says}",
                draft=draft,
                heading=heading,
            )
            return
    if draft.route is None:
        yield met(
            context.protocol,
            "D0",
            f"{label(draft, context)}: no route is stated; dose and rate were not checked.",
            draft=draft,
            heading="which route?",
        )


def _problem(line: DoseLine) -> tuple[str, str] | None:
    """(heading, sentence) of what could not be read of a line; None when all was. What was not
    read silences only what needs it (rulings 140, 142)."""
    often = line.unread_timing
    if line.unread_dose:
        lost = "dose" if line.rates else "dose and rate"
        plural = "was" if line.rates else "were"
        said = f"{record(line.unread_dose, 60)}: {lost} {plural} not checked."
        return f"{lost} {plural} not checked", f"{said} {_often(often)}".rstrip()
    if line.unread_rate:
        said = f"{record(line.unread_rate, 60)}: the rate was not checked."
        return "the rate was not checked", f"{said} {_often(often)}".rstrip()
    if often:
        return "how often could not be read", _often(often)
    return None


def _often(unread: str | None) -> str:
    return f"{record(unread, 90)}: the amount in 24 h was not checked." if unread else ""


def push_or_fast(draft: DraftOrder, line: DoseLine, context: DraftContext) -> Iterator[Finding]:
    """D1 of one line by itself."""
    limit = context.protocol.file.limit.infusion_rate.value
    fastest = max((rate for rate in line.rates if rate > 0), default=None)
    fast = fastest is not None and fastest > limit + _HAIR
    if fast or line.push:
        yield _too_fast(draft, line, fastest if fast else None, context)


def check_rate(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    limit = context.protocol.file.limit.infusion_rate.value
    for line in draft.lines:
        infused = draft.route == "iv" or (draft.route is None and bool(line.rates))
        single = line.dose is not None and line.dose <= context.life_dose and line.single
        if not infused or (single and context.flags.met("arrest")):
            continue
        rates = [rate for rate in line.rates if rate > 0]
        fastest = max(rates, default=None)
        fast = fastest is not None and fastest > limit + _HAIR
        exempt = single and (context.flags.met("life") or context.flags.met("torsades"))
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
            and not exempt
            and not is_tier(draft, context)
        ):
            yield from _no_time(draft, line, context)
            return


def _needs(dose: Decimal | None, context: DraftContext) -> str:
    if dose is None:
        return ""
    least = least_minutes(dose, context.protocol.file.limit.infusion_rate.value)
    return f" {grams(dose)} needs at least {least} min."


def _too_fast(
    draft: DraftOrder, line: DoseLine, fastest: Decimal | None, context: DraftContext
) -> Finding:
    limit = context.protocol.file.limit.infusion_rate.said
    if fastest is not None:
        says = f"{label(draft, context)}: {places(fastest, 0)} mg/min; the limit is {limit}."
        heading = f"{places(fastest, 0)} mg/min is faster than {limit}"
    else:
        says = f"{label(draft, context)}: an intravenous push; the limit is {limit}."
        heading = f"an IV push exceeds {limit}"
    rates = sorted(rate for rate in line.rates if rate > 0)
    if len(rates) > 1 and rates[-1] > rates[0] * Decimal("1.05"):
        stated = " and ".join(places(rate, 0) for rate in (rates[0], rates[-1]))
        says += f" Its rates disagree ({stated} mg/min): the fastest counts."
    return met(
        context.protocol,
        "D1",
        says + _needs(line.dose, context),
        draft=draft,
        heading=heading,
        act="update",
    )


def usual_without_time(draft: DraftOrder, dose: Decimal, context: DraftContext) -> bool:
    """Whether a dose is signed without a time as it is everywhere (ruling 99)."""
    if context.chart.kidney.id not in ("R0", "R1"):
        return False
    limit = context.protocol.file.limit
    bag = limit.untimed_bag.value if is_bag(draft, limit.bag_volume.value) else Decimal(0)
    return dose <= max(bag, limit.untimed_dose.value) * 1000


def _no_time(draft: DraftOrder, line: DoseLine, context: DraftContext) -> Iterator[Finding]:
    dose = line.dose or Decimal(0)
    if context.at_sign and usual_without_time(draft, dose, context):
        return
    usual = next((o for o in context.corrections(draft) if o.route == "iv"), None)
    over = f" Here: {usual.doses()[0].short}." if usual is not None else ""
    says = f"{label(draft, context)}: no infusion time stated.{over}"
    if context.at_sign:
        heading = f"{grams(dose)} without an infusion time"
        yield met(context.protocol, "D1-sign", says, heading=heading, act="update", draft=draft)
    elif usual is not None:
        yield met(context.protocol, "D1-select", says, act="update", draft=draft)
