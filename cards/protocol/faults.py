"""What makes a protocol file unusable although its shape is right, each with its place.

A fault is ``(path, what is wrong)``; the path is the tables, keys and row numbers of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from cards import codes
from cards.protocol.drugs import Fault, Path, drug_faults
from cards.protocol.model import (
    CLASSES,
    LOW,
    Cited,
    ProtocolFile,
)
from cards.protocol.offer_faults import offer_faults
from cards.protocol.rules import RULES, switchable
from cards.protocol.words import limit_kinds, limits
from cards.units.quantity import magnesium_unit, plain

STOPS = frozenset("H1 H2 H2-unknown H3 H4 H5 H6 H7 H8 H9 H10 H11".split())
PARENTERAL_STOPS = frozenset("H4 H5 H8".split())
LIFE_EXEMPT = frozenset("H2-unknown H7".split())
LABEL_RATE = 150  # mg/min, never relaxable
REFUSE_BELOW = 20  # mL/min, never relaxable
# mg/dL: H3 (no magnesium above normal) is never relaxable, so normal may not be stretched; up to
# here a high level without a source leaves nothing to do (ruling 66).
NORMAL_CEILING = 3
# Pairs of limits of which the first may not be above the second.
_ORDERED = (
    ("limit.recent_arrest", "limit.new_event"),
    ("limit.potassium_urgent", "limit.potassium_low"),
    ("limit.potassium_low", "limit.potassium_at_risk"),
    ("limit.calcium_urgent", "limit.calcium_recheck"),
    ("limit.qtc_borderline", "limit.qtc_long"),
    ("limit.femg_low", "limit.femg_high"),
    ("limit.weight_low", "limit.weight_floor"),
    ("limit.weight_floor", "limit.weight_high"),
    ("limit.single_iv", "limit.daily_parenteral"),
    ("limit.oral_full_dose", "limit.oral_daily"),
    ("result.range_middle_low", "result.range_middle_high"),
    ("result.verify_below", "result.verify_above"),
)


def faults(file: ProtocolFile) -> Iterator[Fault]:
    """Every fault of a file."""
    yield from _citation_faults(file)
    yield from _limit_faults(file)
    yield from _site_code_faults(file)
    yield from _band_faults(file)
    yield from _renal_faults(file)
    yield from _rule_faults(file)
    yield from _stop_faults(file)
    yield from _relaxed_faults(file)
    yield from offer_faults(file)
    yield from _interaction_faults(file)
    yield from _drug_list_faults(file)
    yield from drug_faults(file)


def cited(file: ProtocolFile) -> Iterator[tuple[Path, Cited]]:
    """Every entry that rests on sources, with its path in the file."""
    for place, limit in limits(file):
        yield tuple(place.split(".")), limit
    for name in type(file.wording).model_fields:
        yield ("wording", name), getattr(file.wording, name)
    for table, entries in (("rule", file.rule), ("stop", file.stop)):
        for name, entry in entries.items():
            yield (table, name), entry
    for table, rows in (
        ("band", file.band),
        ("renal", file.renal),
        ("regimen", file.regimen),
        ("followup", file.followup),
        ("interaction", file.interaction),
        ("drug_list", file.drug_list),
        ("drug", file.drug),
    ):
        for index, row in enumerate(rows):
            yield (table, index), row


def _citation_faults(file: ProtocolFile) -> Iterator[Fault]:
    used = set()
    for path, entry in cited(file):
        for key in entry.sources:
            used.add(key)
            if key not in file.sources:
                yield (*path, "sources"), f"{key!r} is not in [sources]"
        if entry.sources == ("A",) and not entry.why:
            yield (*path, "why"), "a design choice (source A alone) must say why"
    yield from ((("sources", key), "cited nowhere") for key in file.sources if key not in used)


def _limit_faults(file: ProtocolFile) -> Iterator[Fault]:
    found = dict(limits(file))
    for place, kind in limit_kinds():
        limit = found[place]
        path = tuple(place.split("."))
        expected = kind.unit.split()
        if limit.unit not in expected:
            yield (*path, "unit"), f"must be {' or '.join(expected)}, is {limit.unit!r}"
        if limit.value < 0 or (limit.value == 0 and place != "result.quantise"):
            yield (*path, "value"), "must be above 0"
    for low, high in _ORDERED:
        if found[low].value > found[high].value:
            yield (*low.split("."), "value"), f"must not be above {high}"
    step = found["result.quantise"].value
    if step != 0 and step.as_tuple().digits != (1,):
        yield ("result", "quantise", "value"), "must be 0, or 1, 0.1, 0.01, …"
    if file.limit.infusion_rate.value > LABEL_RATE:
        says = f"the label's {LABEL_RATE} mg/min is never relaxable"
        yield ("limit", "infusion_rate", "value"), says
    if file.limit.fast_rate.value * 1000 > file.limit.infusion_rate.value * 60:
        says = f"{file.limit.fast_rate.said} is faster than limit.infusion_rate"
        yield ("limit", "fast_rate", "value"), f"{says}, {file.limit.infusion_rate.said}"


def _site_code_faults(file: ProtocolFile) -> Iterator[Fault]:
    seen = set()
    for index, code in enumerate(file.result.site_codes):
        path: Path = ("result", "site_codes", index)
        if code.unit and magnesium_unit(code.unit) is None:
            yield (*path, "unit"), f"unknown magnesium unit {code.unit!r}"
        if ":" not in code.system:
            yield (*path, "system"), f"{code.system!r} is no URI"
        if (code.system, code.code) in seen:
            yield path, f"{code.code} stands twice"
        seen.add((code.system, code.code))


def _band_faults(file: ProtocolFile) -> Iterator[Fault]:
    bands = file.band
    names = [band.name for band in bands]
    for index, band in enumerate(bands):
        path: Path = ("band", index)
        if band.low is not None and band.high is not None:
            both = band.low_inclusive and band.high_inclusive
            if band.low > band.high or (band.low == band.high and not both):
                yield path, f"{band.interval} holds no value"
        if band.name in names[:index]:
            yield (*path, "name"), "stands twice"
        if band.acts_as in LOW and band.indicator == "none":
            yield (*path, "indicator"), "a low band needs an indicator"
        if band.acts_as == "normal" and band.indicator != "none":
            yield (*path, "indicator"), "a normal value is never treated: none"
        if band.acts_as in (*LOW, "normal") and (band.high or 0) > NORMAL_CEILING:
            says = f"H3 is never relaxable: above {NORMAL_CEILING} mg/dL magnesium is high"
            yield (*path, "high"), says
    for index, (below, above) in enumerate(pairwise(bands)):
        path = ("band", index + 1)
        if CLASSES.index(below.acts_as) > CLASSES.index(above.acts_as):
            yield path, f"acts as {above.acts_as} above {below.acts_as}: bands must rise to toxic"
        if below.high is None or above.low is None:
            yield path, f"the bound between {below.name} and {above.name} is missing"
        elif below.high < above.low or (
            below.high == above.low and not below.high_inclusive and not above.low_inclusive
        ):
            yield path, f"a gap between {below.interval} and {above.interval}"
        elif below.high > above.low or (below.high_inclusive and above.low_inclusive):
            yield path, f"{below.interval} and {above.interval} overlap"
    if bands[-1].high is not None:
        yield ("band", len(bands) - 1, "high"), "the last band must be open above"
    present = {band.acts_as for band in bands}
    for needed in ("severe", "normal", "high", "toxic"):
        if needed not in present:
            yield ("band",), f"none acts as {needed}"


def _renal_faults(file: ProtocolFile) -> Iterator[Fault]:
    ids = [row.id for row in file.renal]
    for needed in ("R0", "R1", "R2", "R3", "R4", "RU"):
        if ids.count(needed) != 1:
            yield ("renal",), f"exactly one row {needed} is needed, found {ids.count(needed)}"
    starts = [
        row.start or Decimal(0) for id_ in ("R0", "R1", "R2") for row in file.renal if row.id == id_
    ]
    if starts != sorted(set(starts), reverse=True) or len(starts) != 3:
        yield ("renal",), "R0, R1 and R2 need falling starts"
    relaxed = {r.stop for r in file.relaxed}
    for index, row in enumerate(file.renal):
        path: Path = ("renal", index)
        refuses = row.intravenous == "refuse" and row.oral == "refuse"
        if row.id in ("R3", "R4") and not refuses:
            yield path, "refusing is never relaxable"
        if row.id == "R2" and (row.start or 0) < REFUSE_BELOW:
            yield (*path, "start"), f"below {REFUSE_BELOW} mL/min refusing is never relaxable"
        if row.id in ("R3", "R4", "RU") and row.start is not None:
            yield (*path, "start"), "only R0, R1 and R2 have one"
        if (row.intravenous == "refuse") != (row.cap_g == 0):
            yield (*path, "cap_g"), f"{plain(row.cap_g)} g beside intravenous {row.intravenous!r}"
        if row.cap_g < 0 or (row.cap_g_per_kg is not None and row.cap_g_per_kg <= 0):
            yield (*path, "cap_g"), "a cap must not be negative"
        if row.id == "RU" and not refuses and "RU" not in relaxed:
            yield path, "allowed only with a [[relaxed]] entry RU"
        if row.id == "RU" and refuses and "RU" in relaxed:
            yield path, "relaxed, but it still refuses: say its cap and dose"


def _rule_faults(file: ProtocolFile) -> Iterator[Fault]:
    yield from ((("rule", n), "no such rule") for n in sorted(set(file.rule) - set(RULES)))
    yield from ((("rule", n), "missing") for n in sorted(set(RULES) - set(file.rule)))
    for name, rule in file.rule.items():
        path: Path = ("rule", name, "indicator")
        kind = RULES.get(name)
        if kind is None:
            continue
        if rule.off and not switchable(name):
            yield path, "this rule cannot be switched off"
        elif kind.critical and rule.indicator != "critical":
            yield path, "must be critical"
        if isinstance(rule.indicator, str):
            continue
        if not kind.by_class:
            yield path, "this rule has one indicator, not one for each class"
        elif set(rule.indicator) != LOW:
            yield path, "say severe, moderate and mild"


def _stop_faults(file: ProtocolFile) -> Iterator[Fault]:
    yield from ((("stop", n), "no such stop") for n in sorted(set(file.stop) - STOPS))
    yield from ((("stop", n), "missing") for n in sorted(STOPS - set(file.stop)))
    for name, stop in file.stop.items():
        if stop.blocks == "parenteral" and name not in PARENTERAL_STOPS:
            yield ("stop", name, "blocks"), "must be 'all': a stop is relaxed only by [[relaxed]]"
        if stop.life_exempt and name not in LIFE_EXEMPT:
            yield ("stop", name, "life_exempt"), "only H2-unknown and H7 may be exempt"


def _relaxed_faults(file: ProtocolFile) -> Iterator[Fault]:
    names = [relaxed.stop for relaxed in file.relaxed]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("relaxed", index), "stands twice"


def _interaction_faults(file: ProtocolFile) -> Iterator[Fault]:
    seen = set()
    for index, row in enumerate(file.interaction):
        path: Path = ("interaction", index, "drug")
        if row.drug in seen:
            yield path, "stands twice"
        seen.add(row.drug)
        if not any(speaks_of(row.drug, drug) for drug in codes.known_drugs()):
            yield path, "no chelated drug of that name is known to cards/codes/codes.toml"


def _drug_list_faults(file: ProtocolFile) -> Iterator[Fault]:
    groups = {drug.name: drug.groups for drug in codes.known_drugs()}
    for index, row in enumerate(file.drug_list):
        for key, names in (("adds", row.adds), ("removes", row.removes)):
            for name in names:
                path: Path = ("drug_list", index, key)
                if name not in groups:
                    yield path, f"{name!r} is no ingredient that cards/codes/codes.toml knows"
                elif (row.group in groups[name]) == (key == "adds"):
                    already = "already" if key == "adds" else "not"
                    yield path, f"{name} is {already} in {row.group}"


def speaks_of(name: str, drug: codes.Drug) -> bool:
    """Whether an interaction row of that name is found for a drug, as the core looks for it."""
    known = drug.name == name or drug.name.startswith(f"{name} ") or name in drug.ingredients
    return known and "chelated" in drug.groups
