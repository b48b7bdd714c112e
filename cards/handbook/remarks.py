"""Remarks: what a careful pharmacist would say about a protocol file that can be used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise

from cards import codes
from cards.handbook.reach import reach
from cards.protocol.doses import doses
from cards.protocol.faults import speaks_of
from cards.protocol.flags import URGENT
from cards.protocol.model import CLASSES, LOW, Option, ProtocolFile, Rule
from cards.protocol.parse import Protocol, shipped
from cards.protocol.regimens import acting, largest_dose
from cards.protocol.rules import RULES
from cards.protocol.words import limit_kinds, limits
from cards.units.quantity import places, plain

RELAXED = "site-relaxed: "
_RANK = {"none": 0, "info": 1, "warning": 2, "critical": 3}


def check(protocol: Protocol, today: date | None = None) -> tuple[str, ...]:
    """Remarks on a parsed protocol, relaxations first (they start with ``site-relaxed: ``).

    ``today`` is needed to say that the review is overdue.
    """
    file = protocol.file
    return (
        *_relaxations(file),
        *_switched_off(file),
        *_review(protocol, today),
        *_regimens(file),
        *_bands(file),
        *_doses(file),
        *_rates(file),
        *_followup(file),
        *_interactions(file),
        *_drug_lists(file),
        *_results(file),
        *_against_standard(protocol),
    )


def _relaxations(file: ProtocolFile) -> Iterator[str]:
    for row in file.relaxed:
        yield f"{RELAXED}{row.stop}: {row.reason} (approved by {row.approver})"


def _switched_off(file: ProtocolFile) -> Iterator[str]:
    """What the site has switched off; a check of a draft as loudly as what it relaxed."""
    checks = checks_off(file)
    yield from (f"{RELAXED}rule.{name} is {words}: {title}" for name, words, title in checks)
    for name, rule in file.rule.items():
        if rule.off and RULES[name].about != "magnesium":
            yield f"rule.{name} is {_off_words(rule)}: {rule.title}"


def checks_off(file: ProtocolFile) -> tuple[tuple[str, str, str], ...]:
    """The checks of a drafted magnesium order that are off: name, since when, title."""
    return tuple(
        (name, _off_words(rule), rule.title)
        for name, rule in file.rule.items()
        if rule.off and RULES[name].about == "magnesium"
    )


def _off_words(rule: Rule) -> str:
    """``switched off``, ``switched off when mild``"""
    return f"switched off when {', '.join(rule.off)}" if any(rule.off) else "switched off"


def _review(protocol: Protocol, today: date | None) -> Iterator[str]:
    head = protocol.file.protocol
    if not head.reviewers:
        yield (
            "protocol.reviewers: nobody has signed this file: a pharmacist and a nephrologist of "
            "the site must, before clinical use"
        )
    if any(name.startswith("(") for name in (*head.authors, *head.reviewers)):
        yield "protocol.authors: a placeholder stands in place of a name"
    if head.review_due <= head.reviewed:
        yield f"protocol.review_due: {head.review_due} is not after the review of {head.reviewed}"
    if today is not None and today > head.review_due:
        yield f"protocol.review_due: the review was due on {head.review_due}"


def _regimens(file: ProtocolFile) -> Iterator[str]:
    reached = reach(file)
    for index, row in enumerate(file.regimen):
        place = f"regimen[{index}] ({row.id})"
        if index not in reached.rows:
            yield f"{place}: no patient reaches it: the rows above decide first"
            continue
        for number in range(len(row.offer)):
            if (index, number) not in reached.options:
                yield f"{place}.offer[{number}]: never offered: no patient fits it and its cap"
    for band in file.band:
        if band.acts_as in LOW and band.name not in reached.answered:
            yield f"band {band.name!r}: no regimen offers anything at this level"


def _bands(file: ProtocolFile) -> Iterator[str]:
    low = [band for band in file.band if band.acts_as in LOW]
    for worse, milder in pairwise(low):
        if _RANK[worse.indicator] < _RANK[milder.indicator]:
            yield f"band {worse.name!r}: {worse.indicator} is milder than the band above it"
    for name, rule in file.rule.items():
        if isinstance(rule.indicator, str):
            continue
        ranks = [_RANK[rule.indicator[c]] for c in CLASSES if c in rule.indicator]
        if ranks != sorted(ranks, reverse=True):
            yield f"rule.{name}.indicator: milder for a worse class"
    for band in low:
        said = file.rule[band.acts_as].indicator
        if said not in (band.indicator, "none"):
            says = f"{said} is not used: band {band.name!r} says {band.indicator}"
            yield f"rule.{band.acts_as}.indicator: {says}"
    if file.band[0].low is None:
        yield f"band {file.band[0].name!r}: open below: an impossible 0.05 mg/dL is dosed on too"
    for acts_as in ("moderate", "mild"):
        if not any(band.acts_as == acts_as for band in file.band):
            yield f"band: none acts as {acts_as}"
    step = file.result.quantise.value
    for band in file.band:
        for bound in (band.low, band.high):
            if step and bound is not None and bound % step:
                yield f"band {band.name!r}: the bound {bound} is finer than quantise ({step})"


def _options(file: ProtocolFile) -> Iterator[tuple[str, Option]]:
    for index, row in enumerate(file.regimen):
        for number, option in enumerate(row.offer):
            yield f"regimen[{index}] ({row.id}).offer[{number}]", option


def _doses(file: ProtocolFile) -> Iterator[str]:
    limit = file.limit
    for place, option in _options(file):
        product = file.product[option.product]
        if product.route == "po":
            if product.unit_mg and option.dose % product.unit_mg:
                yield (
                    f"{place}.dose: {plain(option.dose)} mg is no whole number of units of "
                    f"{plain(product.unit_mg)} mg"
                )
            continue
        for dose in filter(None, (option.dose, option.then_dose)):
            if dose > limit.single_iv.value:
                yield (
                    f"{place}.dose: {plain(dose)} g is above limit.single_iv, "
                    f"{limit.single_iv.said}: its own draft is warned of"
                )
        if product.round_to_mg is None and not product.diluent:
            yield f"product.{option.product}: neither a diluent nor what is stocked is said"
    for row in file.renal:
        if row.cap_g > limit.daily_parenteral.value:
            yield f"renal {row.id}: its cap is above limit.daily_parenteral: drafts are warned of"
        for level in sorted(LOW) if row.intravenous == "half" else ():
            mine = largest_dose(file, row.id, level)
            full = (other.id for other in file.renal if other.intravenous == "full")
            if mine >= max((largest_dose(file, id_, level) for id_ in full), default=mine + 1):
                yield f"renal {row.id}: halved, yet a {level} level gets a full {plain(mine)} g"
                break
    for name, found in file.product.items():
        words = " ".join([found.text, found.substance, *(c.display for c in found.codings)])
        if "mgso4" in words.lower():
            yield f"product.{name}: 'MgSO4' on an order is misread as morphine: write it out"


def _rates(file: ProtocolFile) -> Iterator[str]:
    """``limit.fast_rate`` is the routine rate of the house (ruling 132): what is given faster
    without an emergency, and, where a site is slower than the standard, what stays faster."""
    routine, base = file.limit.fast_rate, shipped("standard").file.limit.fast_rate
    urgent = []
    for index, row in enumerate(file.regimen):
        flagged = URGENT & set(row.when.flags)
        emergency = flagged or acting(file, row.when) == ("severe",)
        for number, option in enumerate(row.offer):
            for dose in doses(file.product[option.product], option):
                an_hour = (dose.rate or 0) * 60 / 1000
                if an_hour <= routine.value:
                    continue
                if emergency:
                    urgent.append(dose.short)
                    continue
                yield (
                    f"regimen[{index}] ({row.id}).offer[{number}]: {dose.short} is "
                    f"{places(Decimal(an_hour), 3)} g/h, faster than limit.fast_rate, "
                    f"{routine.said}"
                )
    if urgent and routine.value < base.value:
        yield (
            f"limit.fast_rate: {routine.said}, slower than the standard profile's {base.said}, "
            f"and for severe levels and symptoms still faster: {', '.join(dict.fromkeys(urgent))}"
        )


def _followup(file: ProtocolFile) -> Iterator[str]:
    if not file.followup:
        yield "followup: no follow-up level is suggested after any regimen"
        return
    routes = {file.product[option.product].route for _, option in _options(file)}
    for route in sorted(routes):
        if not any(route in row.routes and not row.regimens for row in file.followup):
            yield f"followup: no row for every regimen given {route}"


def _interactions(file: ProtocolFile) -> Iterator[str]:
    names = [row.drug for row in file.interaction]
    silent = [
        drug.name
        for drug in codes.known_drugs()
        if "chelated" in drug.groups and not any(speaks_of(name, drug) for name in names)
    ]
    if silent:
        yield f"interaction: no row for {', '.join(sorted(set(silent)))}: N8 is silent on them"


def _drug_lists(file: ProtocolFile) -> Iterator[str]:
    for row in file.drug_list:
        if row.removes:
            yield f"drug_list {row.group}: {', '.join(row.removes)} no longer counted"


def _results(file: ProtocolFile) -> Iterator[str]:
    if file.result.stale == "silent":
        yield "result.stale: silent about every old result, also a toxic one"
    if file.result.quantise.value == 0:
        yield (
            "result.quantise: 0 compares as reported: laboratories in mg/dL and in mmol/L may "
            "fall in different bands"
        )


def _against_standard(protocol: Protocol) -> Iterator[str]:
    """Where the file is less careful than the profile standard."""
    standard = shipped("standard")
    file, base = protocol.file, standard.file
    for name, rule in file.rule.items():
        if rule.off:
            continue  # said above
        for acts_as in ("severe", "moderate", "mild"):
            mine, theirs = rule.indicator_for(acts_as), base.rule[name].indicator_for(acts_as)
            if _RANK[mine] < _RANK[theirs]:
                yield f"rule.{name}.indicator: {mine}, milder than the standard profile's {theirs}"
                break
    if protocol.low_high > standard.low_high:
        yield (
            f"band: low up to {protocol.low_high}: advises on values many laboratories call normal "
            f"(standard below {standard.low_high})"
        )
    if protocol.normal_high > standard.normal_high:
        yield (
            f"band: normal up to {protocol.normal_high}: H3 holds only above that "
            f"(standard {standard.normal_high})"
        )
    own_limits, base_limits = dict(limits(file)), dict(limits(base))
    for place, kind in limit_kinds():
        own, other = own_limits[place], base_limits[place]
        than = {"low": "above", "high": "below"}.get(kind.careful)
        higher = own.value > other.value
        if than and own.value != other.value and higher is (than == "above"):
            yield f"{place}: {own.said} is {than} the standard profile's {other.said}"
