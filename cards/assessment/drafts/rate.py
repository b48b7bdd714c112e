"""D0 and D1: what could not be read, and how fast it runs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cards.assessment.drafts.context import DraftContext, label
from cards.assessment.finding import Finding, met
from cards.orders import DoseLine, DraftOrder
from cards.phrase import record
from cards.units.quantity import least_minutes, places

# A rate computed from a third of a minute must not be "faster" by a rounding digit.
_HAIR = Decimal("1e-9")


def check_unreadable(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
    if draft.unreadable:
        yield met(
            context.protocol,
            "D0",
            f"{label(draft)}: {record(draft.unreadable, 90)}: dose and rate were not checked.",
            draft=draft,
        )
        return
    if not any(line.has_dose for line in draft.lines):
        yield met(
            context.protocol,
            "D0",
            f"{label(draft)}: no dose is stated; dose and rate were not checked.",
            draft=draft,
        )
        return
    for line in draft.lines:
        if line.unreadable and line.pill and line.route is None:
            return  # the Sandbox's echo of an accepted order (ruling 74)
        if line.unreadable:
            yield met(
                context.protocol,
                "D0",
                f"{label(draft)}: {record(line.unreadable, 60)}: dose and rate were not checked.",
                draft=draft,
            )
            return
    if draft.route is None:
        yield met(
            context.protocol,
            "D0",
            f"{label(draft)}: no route is stated; dose and rate were not checked.",
            draft=draft,
            heading="which route?",
        )


def check_rate(draft: DraftOrder, context: DraftContext) -> Iterator[Finding]:
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
    return f" {places(dose / 1000, 3)} g needs at least {least} min."


def _too_fast(
    draft: DraftOrder, line: DoseLine, fastest: Decimal | None, context: DraftContext
) -> Finding:
    limit = context.protocol.file.limit.infusion_rate.said
    if fastest is not None:
        says = f"{label(draft)}: {places(fastest, 0)} mg/min; the limit is {limit}."
        heading = f"{places(fastest, 0)} mg/min is faster than {limit}"
    else:
        says = f"{label(draft)}: an intravenous push; the limit is {limit}."
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


def _no_time(draft: DraftOrder, line: DoseLine, context: DraftContext) -> Iterator[Finding]:
    says = f"{label(draft)}: no infusion time stated.{_needs(line.dose, context)}"
    if context.at_sign:
        dose = places((line.dose or Decimal(0)) / 1000, 3)
        least = least_minutes(
            line.dose or Decimal(0), context.protocol.file.limit.infusion_rate.value
        )
        heading = f"no infusion time stated: {dose} g needs at least {least} min"
        yield met(context.protocol, "D1-sign", says, heading=heading, act="update", draft=draft)
    elif context.infusion_offers:
        yield met(context.protocol, "D1-select", says, act="update", draft=draft)
