"""The tables of a sheet: every entry of a protocol file, with its sources, statements and why."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cards import codes
from cards.handbook.levels import Gets, Levels, levels
from cards.handbook.rows import Cell, Column, Kind, Row, Table, cell
from cards.handbook.spoken import (
    clearance,
    condition,
    dose,
    flags,
    interval,
    meq_l,
    mmol_l,
    recheck,
    strength,
)
from cards.protocol.anchors import anchor
from cards.protocol.flags import FLAGS
from cards.protocol.model import (
    ESTIMATES,
    Cited,
    Interaction,
    ProtocolFile,
    Rule,
    Setting,
    SiteDrug,
)
from cards.protocol.parse import Protocol
from cards.protocol.rules import RULES, About
from cards.protocol.words import fill, limit_kinds, limits
from cards.units.quantity import plain

LEVELS = (
    "The tables by setting are worked out from the regimen table for an adult of 70 kg with a "
    "usable result, of whom no hard stop holds and to whom no magnesium was given; ★ is the "
    "recommended option. A line names what makes the patient different; where several lines fit, "
    "the first row of the regimen table that holds decides."
)
STOPS = "While a stop holds no drug is suggested; the card says why and what to do."
REGIMENS = (
    "Amounts of magnesium are computed from the salt: sulfate heptahydrate 246.47 g/mol, oxide "
    "40.304 g/mol, magnesium 24.305 g/mol, valence 2; mmol and mEq of an oral regimen are a day's."
)
RULES_SAY = (
    "The worst finding leads the card. Rules that differ by level say their indicator for each "
    "class."
)
INTERACTIONS = (
    "Several of these intervals (source A beside SMI) were not read in a label: the site's "
    "pharmacist must check them."
)
DRUGS = (
    "Ingredients as this protocol counts them, the site's changes included. The QT list was not "
    "verified first-hand: the site's pharmacist must check it."
)
SOURCES = "“Second-hand” and “abstract” say what was not read in full: a pharmacist must check it."
_BASIS = (Column("sources", "sources"), Column("statements", "statements"), Column("why", "why"))
_SETTINGS: tuple[Setting, ...] = ("inpatient", "ambulatory")

_ABOUT: dict[str, About] = {
    "The patient's magnesium": "state",
    "A drafted magnesium order": "magnesium",
    "Another drafted order": "order",
}
_DRUG_GROUPS = {
    "cause": "cause of low magnesium (N6, with N2 and N3)",
    "cause-always": "cause that is told at every low level, for every course (N6)",
    "cause-tier2": "cause that is named only",
    "qt-known": "known-risk QT drug (N4, risk)",
    "qt-strong": "QT drug that sets risk alone",
    "loop": "loop diuretic (N2)",
    "thiazide": "thiazide diuretic (N2)",
    "ppi": "proton pump inhibitor (N3)",
    "potassium": "potassium replacement (N1)",
    "digoxin": "digoxin (N5, risk)",
    "neuromuscular-blocker": "neuromuscular blocker (N7)",
    "chelated": "chelated by oral magnesium (N8)",
    "calcium": "calcium replacement (N9)",
    "magnesium": "magnesium",
    "magnesium-laxative": "magnesium laxative or antacid (D16)",
    "anticoagulant": "anticoagulant (D15)",
    "platinum-egfr": "oral magnesium often fails beside it",
    "dihydropyridine": "dihydropyridine, a caution",
    "opioid": "opioid, a caution",
}


def _columns(*columns: tuple[str, Kind] | str) -> tuple[Column, ...]:
    return tuple(Column(c) if isinstance(c, str) else Column(*c) for c in columns)


def _basis(entry: Cited) -> tuple[Cell, Cell, Cell]:
    return entry.sources, entry.seeds, cell(entry.why)


def relaxed(file: ProtocolFile) -> Table:
    rows = (
        Row(anchor("relaxed", row.stop), ((row.stop,), (row.reason,), (row.approver,)))
        for row in file.relaxed
    )
    return Table("", _columns(("stop", "name"), "reason", "approved by"), tuple(rows))


def switched_off(file: ProtocolFile) -> Table:
    """The rules that make no card here (ruling 134)."""
    rows = (
        Row(anchor("off", name), ((name,), (rule.title,), (", ".join(rule.off) or "every class",)))
        for name, rule in file.rule.items()
        if rule.off
    )
    return Table("", _columns(("rule", "name"), "title", "off when"), tuple(rows))


def results(file: ProtocolFile) -> str:
    """How a result is compared, and what an old one does."""
    step = file.result.quantise.value
    rounded = f"rounded to {plain(step)} mg/dL, half up, then compared" if step else "as reported"
    old = "asks for a repeat" if file.result.stale == "repeat" else "is not spoken of"
    return f"Results are compared {rounded}. A result that is too old {old}."


def site_codes(file: ProtocolFile) -> Iterator[str]:
    for code in file.result.site_codes:
        sent = f", sent in {code.unit}" if code.unit else ""
        yield f"Site code for {code.lab}: {code.code} of {code.system}{sent} ({code.why})."


def bands(file: ProtocolFile) -> Table:
    rows = (
        Row(
            anchor("band", band.name),
            (
                (band.name,),
                (f"{interval(band)} {band.unit}",),
                (f"{mmol_l(band)} mmol/L",),
                (f"{meq_l(band)} mEq/L",),
                (band.acts_as,),
                (band.indicator,),
                *_basis(band),
            ),
        )
        for band in file.band
    )
    columns = _columns(
        ("band", "name"),
        ("magnesium", "number"),
        "in mmol/L",
        "in mEq/L",
        "acts as",
        ("indicator", "indicator"),
    )
    return Table("Bands", (*columns, *_BASIS), tuple(rows))


def levels_(file: ProtocolFile) -> Iterator[Table]:
    for setting in _SETTINGS:
        yield _levels(file, levels(file, setting))


def _levels(file: ProtocolFile, found: Levels) -> Table:
    rows = []
    for line in found.lines:
        about = [flags(line.flags)] if line.flags else []
        # Rows that ask for a weight are rare; the weight is then told.
        about += [f"{plain(line.weight)} kg"] if line.weight != found.weight else []
        name = f"{line.band.name}: {interval(line.band)} {line.band.unit}"
        rows.append(
            Row(
                anchor(f"level-{found.setting}", line.band.name),
                (
                    (name,),
                    (", ".join(about) or "nothing else",),
                    *(_gets(gets) for gets in line.cells),
                ),
            )
        )
    columns = _columns(
        ("level", "name"),
        "the patient has",
        *((", ".join(clearance(file, id_) for id_ in ids), "dose") for ids in found.columns),
    )
    where = {"inpatient": "Inpatients, emergency, observation", "ambulatory": "Outpatients"}
    return Table(where[found.setting], columns, tuple(rows), grouped=True)


def _gets(gets: Gets) -> Cell:
    after = f"magnesium again: {gets.recheck}" if gets.recheck else ""
    says = f"no drug: {gets.says}" if gets.says else ""
    return (*gets.doses, *cell(after, says))


def flags_(file: ProtocolFile) -> Table:
    """What makes a patient different, as the core finds it."""
    rows = (
        Row(
            anchor("flag", name),
            ((kind.words,), cell(name if kind.in_rows else ""), (fill(kind.meaning, file),)),
        )
        for name, kind in FLAGS.items()
    )
    columns = _columns(("the patient has", "name"), "in the file", "when")
    return Table("What the patient may have", columns, tuple(rows))


def estimates(file: ProtocolFile) -> str:
    """How the renal class is found, and what an acute injury makes of it."""
    limit = file.limit
    first = next(row.start for row in file.renal if row.id == "R0")
    *others, last = ESTIMATES
    return (
        f"The lowest of {', '.join(others)} and {last} decides, compared unrounded; the first "
        f"class whose bound is reached counts. Acute kidney injury (creatinine up by "
        f"{limit.creatinine_rise.said} in two days, {limit.creatinine_ratio.number} x the lowest "
        f"of a week, or coded) is at least R2; R1 where creatinine stays below "
        f"{limit.creatinine_low.said} and the estimate is {plain(first or Decimal(0))} mL/min or "
        "more."
    )


def kidney(file: ProtocolFile) -> Table:
    rows = (
        Row(
            anchor("renal", row.id),
            (
                (row.id,),
                cell("" if row.start is None else f">= {plain(row.start)} mL/min"),
                (row.intravenous,),
                (f"{plain(row.cap_g)} g",),
                cell("" if row.cap_g_per_kg is None else f"{plain(row.cap_g_per_kg)} g/kg"),
                (row.oral,),
                (row.says,),
                *_basis(row),
            ),
        )
        for row in file.renal
    )
    columns = _columns(
        ("class", "name"),
        ("clearance", "number"),
        "intravenous",
        ("cap in 24 h", "number"),
        ("and at most, in 24 h", "number"),
        "oral",
        "says",
    )
    return Table("", (*columns, *_BASIS), tuple(rows))


def stops(file: ProtocolFile) -> Table:
    rows = (
        Row(
            anchor("stop", name),
            (
                (name,),
                (stop.title,),
                ("every drug" if stop.blocks == "all" else "IV and IM",),
                cell("exempt" if stop.life_exempt else ""),
                (stop.says,),
                *_basis(stop),
            ),
        )
        for name, stop in file.stop.items()
    )
    columns = _columns(("stop", "name"), "when", "blocks", "life-threatening", "says")
    return Table("", (*columns, *_BASIS), tuple(rows))


def unread(file: ProtocolFile) -> Table:
    """What a need that was asked for and not obtained does (protocol section 0)."""
    cap = file.limit.unknown_weight_iv.said
    relaxed = {row.stop for row in file.relaxed}
    weight = "no limit by weight" if "weight-unknown" in relaxed else f"at most {cap} IV in 24 h"
    renal = (
        "treated as class RU says"
        if "RU" in relaxed
        else "no drug (H2), but for the emergency dose"
    )
    effects = {
        "patient": "no decision (HTTP 412)",
        "magnesium": "no drug; the card says so and suggests the level",
        "conditions": "no IV and no IM: heart block, neuromuscular disease and pregnancy were "
        "not checked; oral magnesium is offered",
        "medications": "orders alone: no IV and no IM; orders and administrations: no drug",
        "unidentified": "a parenteral order or administration without a name or a known code, "
        "current or since the result: no IV and no IM, but for the emergency dose",
        "unidentified-draft": "a draft of which nothing is known: no one-click drug",
        "possible-magnesium": "a name that may mean magnesium and is on no list, parenteral or of "
        "unknown route: no drug until someone looks; by mouth it is named",
        "PRN": "a magnesium order as needed, or a replacement protocol: no second parenteral order",
        "do-not-perform": "an order not to give magnesium: no drug",
        "may-run": "a magnesium order of which nobody can tell whether it runs: no drug, but for "
        "the emergency dose",
        "given-undated": "parenteral magnesium given at a time that could not be read: no IV and "
        "no IM, but for the emergency dose",
        "medicine-unread": "a medication that could not be read and may be magnesium: no drug, "
        "but for the emergency dose",
        "allergy": "an allergy to magnesium: no drug; to the salt of every infusion: no IV and "
        "no IM",
        "accepted": "a suggestion accepted here in the last "
        f"{file.limit.accepted_unseen.said}, whose order the record does not show yet: no drug, "
        "but for the emergency dose",
        "administrations": "the drug is offered; orders count for the cap; the card says to check "
        "the record",
        "creatinine": f"neither creatinine nor eGFR: {renal}",
        "weight": weight,
        "encounter": "treated as an inpatient, and the card says so",
        "others": "potassium, calcium, albumin, QTc: their lines are left out and named",
    }
    rows = (Row(anchor("unread", name), ((name,), (effect,))) for name, effect in effects.items())
    columns = _columns(("not read", "name"), "what it does")
    return Table("What could not be read", columns, tuple(rows))


def regimens(file: ProtocolFile) -> Table:
    rows = (
        Row(
            anchor("regimen", row.id),
            (
                (str(index),),
                (row.id,),
                (condition(row.when),),
                tuple(dose(file, option) for option in row.offer) or ("nothing",),
                cell("the next row" if row.else_next else ""),
                *_basis(row),
            ),
        )
        for index, row in enumerate(file.regimen)
    )
    columns = _columns(
        ("row", "name"), "id", "when", ("offered (★ recommended)", "dose"), "if ★ is refused"
    )
    return Table("Regimens", (*columns, *_BASIS), tuple(rows))


def products(file: ProtocolFile) -> Table:
    rows = (
        Row(
            anchor("product", name),
            (
                (name,),
                (product.text,),
                (product.route,),
                cell(product.diluent),
                cell(strength(product)),
                tuple(f"{c.system} {c.code} {c.display}" for c in product.codings),
            ),
        )
        for name, product in file.product.items()
    )
    columns = ("text", "route", "diluent", "strength", "codings, in order")
    return Table("Products", _columns(("product", "name"), *columns), tuple(rows))


def followup(file: ProtocolFile) -> Table:
    rows = (
        Row(
            anchor("followup", index),
            (
                (str(index),),
                (", ".join(row.routes),),
                (", ".join(row.regimens) or "any",),
                (condition(row.when),),
                tuple(recheck(text) for text in row.recheck),
                *_basis(row),
            ),
        )
        for index, row in enumerate(file.followup)
    )
    columns = _columns(("row", "name"), "given", "regimen", "when", ("magnesium again", "number"))
    return Table("", (*columns, *_BASIS), tuple(rows))


def limits_(file: ProtocolFile) -> Iterator[Table]:
    found = dict(limits(file))
    columns = _columns(("limit", "name"), ("value", "number"))
    groups: dict[str, list[str]] = {}
    for place, kind in limit_kinds():
        groups.setdefault(kind.group, []).append(place)
    for title, places in groups.items():
        rows = (
            Row(
                anchor(*place.split(".", 1)),
                ((place,), (found[place].said,), *_basis(found[place])),
            )
            for place in places
        )
        yield Table(title, (*columns, *_BASIS), tuple(rows))


def rules(file: ProtocolFile) -> Iterator[Table]:
    columns = _columns(("rule", "name"), "title", ("indicator", "indicator"))
    for title, about in _ABOUT.items():
        names = [name for name in file.rule if RULES[name].about == about]
        rows = (
            Row(
                anchor("rule", name),
                (
                    (name,),
                    (file.rule[name].title,),
                    _indicator(file.rule[name]),
                    *_basis(file.rule[name]),
                ),
            )
            for name in names
        )
        yield Table(title, (*columns, *_BASIS), tuple(rows))


def _indicator(rule: Rule) -> Cell:
    if isinstance(rule.indicator, str):
        return (rule.indicator,)
    return tuple(f"{found} when {acts_as}" for acts_as, found in rule.indicator.items())


def interactions(file: ProtocolFile) -> Table:
    rows = (
        Row(anchor("interaction", row.drug), ((row.drug,), (_spaced(row),), *_basis(row)))
        for row in file.interaction
    )
    return Table("", (*_columns(("drug", "name"), "says"), *_BASIS), tuple(rows))


def _spaced(row: Interaction) -> str:
    return f"{row.says} (off: no card)" if row.off else row.says


def drugs(protocol: Protocol) -> Iterator[Table]:
    """What the site changed, and every list as it counts now."""
    file = protocol.file
    if file.drug_list:
        changed = (
            Row(
                anchor("drug_list", index),
                (
                    (row.group,),
                    cell(", ".join(row.adds)),
                    cell(", ".join(row.removes)),
                    *_basis(row),
                ),
            )
            for index, row in enumerate(file.drug_list)
        )
        columns = _columns(("list", "name"), "adds", "removes")
        yield Table("Lists of drugs, changed", (*columns, *_BASIS), tuple(changed))
    if file.drug:
        named = (
            Row(
                anchor("drug", index),
                (
                    (row.drug or row.group,),
                    cell(", ".join(row.names)),
                    cell(", ".join(f"{c.system} {c.code}" for c in row.codes)),
                    cell(_product(row)),
                    *_basis(row),
                ),
            )
            for index, row in enumerate(file.drug)
        )
        columns = _columns(("drug or group", "name"), "names", "codes", "form and strength")
        yield Table("Drugs as the site calls them", (*columns, *_BASIS), tuple(named))
    known = codes.known_drugs()
    rows = []
    for group, title in _DRUG_GROUPS.items():
        names = {drug.name for drug in known if group in drug.groups}
        for name, (adds, removes) in protocol.drug_lists.items():
            names |= {name} if group in adds else set()
            names -= {name} if group in removes else set()
        rows.append(
            Row(anchor("drugs", group), ((title,), (group,), (", ".join(sorted(names)) or "none",)))
        )
    yield Table("Every list", _columns(("list", "name"), "name", "ingredients"), tuple(rows))


def _product(row: SiteDrug) -> str:
    strength = f"{plain(row.mg)} mg" if row.mg is not None else ""
    if row.mg_per_ml is not None:
        strength = f"{plain(row.mg_per_ml)} mg/mL"
    parts = (row.form, strength, "replacement protocol" if row.protocol else "")
    return ", ".join(part for part in parts if part)


def wording(file: ProtocolFile) -> Table:
    words = ((name, getattr(file.wording, name)) for name in type(file.wording).model_fields)
    rows = (
        Row(anchor("wording", name), ((name,), (entry.text,), *_basis(entry)))
        for name, entry in words
    )
    return Table("", (*_columns(("entry", "name"), "text"), *_BASIS), tuple(rows))


def sources(file: ProtocolFile) -> Table:
    rows = (Row(anchor("source", key), ((key,), (text,))) for key, text in file.sources.items())
    return Table("", _columns(("key", "name"), "source"), tuple(rows))
