"""The whole decision table of a protocol as Markdown, as a pharmacist reads and signs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from cards import codes
from cards.protocol.faults import daily_mmol, limits
from cards.protocol.model import Cited, Option, Product, ProtocolFile, Rule, When
from cards.protocol.parse import Protocol
from cards.quantity import SaltMass, places, plain


def show(protocol: Protocol) -> str:
    """Markdown: bands, kidney, stops, regimens, follow-up, rules, limits, words, sources."""
    file = protocol.file
    parts = [
        *_head(protocol),
        *_relaxed(file),
        *_bands(file),
        *_results(file),
        *_kidney(file),
        *_stops(file),
        *_regimens(file),
        *_products(file),
        *_followup(file),
        *_rules(file),
        *_limits(file),
        *_interactions(file),
        *_drug_lists(file),
        *_wording(file),
        *_sources(file),
        *_not_detected(),
    ]
    return "\n".join(parts) + "\n"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    columns = tuple(columns)
    yield f"\n## {title}\n"
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _basis(entry: Cited) -> tuple[str, str, str]:
    return ", ".join(entry.sources), ", ".join(entry.seeds), entry.why


_BASIS = ("sources", "statements", "why")


def _head(protocol: Protocol) -> Iterator[str]:
    head = protocol.file.protocol
    yield f"# {head.title}\n"
    yield f"Protocol `{head.name}`, version {head.version}, SHA-256 `{protocol.hash}`."
    if head.extends:
        yield f"Builds on the shipped profile `{head.extends}`."
    yield f"Written by {', '.join(head.authors)}."
    signed = ", ".join(head.reviewers) or "nobody: not signed"
    yield f"Reviewed by {signed}, {head.reviewed}; next review due {head.review_due}.\n"
    yield f"> {head.notice}"


def _relaxed(file: ProtocolFile) -> Iterator[str]:
    if file.relaxed:
        rows = ((row.stop, row.reason, row.approver) for row in file.relaxed)
        yield from _table("Relaxed by the site", ("stop", "reason", "approved by"), rows)


def _bands(file: ProtocolFile) -> Iterator[str]:
    rows = (
        (band.name, f"{band.interval} {band.unit}", band.acts_as, band.indicator, *_basis(band))
        for band in file.band
    )
    columns = ("band", "magnesium", "acts as", "indicator", *_BASIS)
    yield from _table("Bands", columns, rows)


def _results(file: ProtocolFile) -> Iterator[str]:
    step = file.result.quantise.value
    rounded = f"rounded to {plain(step)} mg/dL, half up, then compared" if step else "as reported"
    old = "asks for a repeat" if file.result.stale == "repeat" else "is not spoken of"
    yield f"\nResults are compared {rounded}. A result that is too old {old}."
    for code in file.result.site_codes:
        sent = f", sent in {code.unit}" if code.unit else ""
        yield f"Site code for {code.lab}: `{code.code}` of `{code.system}`{sent} ({code.why})."


def _kidney(file: ProtocolFile) -> Iterator[str]:
    rows = (
        (
            row.id,
            "" if row.start is None else f">= {plain(row.start)}",
            row.intravenous,
            plain(row.cap_g),
            "" if row.cap_g_per_kg is None else plain(row.cap_g_per_kg),
            row.oral,
            row.says,
            *_basis(row),
        )
        for row in file.renal
    )
    columns = ("class", "mL/min", "intravenous", "cap g/24 h", "cap g/kg/24 h", "oral", "says")
    yield from _table("Renal classes", (*columns, *_BASIS), rows)


def _stops(file: ProtocolFile) -> Iterator[str]:
    rows = (
        (
            name,
            stop.title,
            "every drug" if stop.blocks == "all" else "IV and IM",
            "exempt" if stop.life_exempt else "",
            stop.says,
            *_basis(stop),
        )
        for name, stop in file.stop.items()
    )
    columns = ("stop", "when", "blocks", "life-threatening", "says", *_BASIS)
    yield from _table("Hard stops", columns, rows)


def _when(when: When) -> str:
    """``moderate, mild; noent; inpatient; R0``"""
    parts = [
        ", ".join(f"band {name}" for name in when.bands) or ", ".join(when.classes),
        ", ".join(when.flags),
        ", ".join(f"not {flag}" for flag in when.without),
        ", ".join(when.settings),
        ", ".join(when.renal),
        "" if when.weight_from is None else f"from {plain(when.weight_from)} kg",
        "" if when.weight_to is None else f"to {plain(when.weight_to)} kg",
    ]
    return "; ".join(part for part in parts if part) or "always"


def _infusion(dose: Decimal, minutes: int) -> str:
    salt = SaltMass(dose * 1000, "sulfate")
    rate = places(dose * 1000 / minutes, 1)
    amounts = f"{places(salt.mmol, 1)} mmol, {places(salt.meq, 1)} mEq"
    return f"{plain(dose)} g ({amounts}) over {minutes} min = {rate} mg/min"


def dose(file: ProtocolFile, option: Option) -> str:
    """``magnesium sulfate 2 g (8.1 mmol, 16.2 mEq) over 20 min = 100 mg/min IV``"""
    product = file.product[option.product]
    if product.route == "iv":
        text = f"{product.substance} {_infusion(option.dose, option.minutes or 1)} IV"
        if option.then_dose is not None:
            text += f", then {_infusion(option.then_dose, option.then_minutes or 1)}"
    elif product.route == "im":
        salt = SaltMass(option.dose * 1000, "sulfate")
        text = (
            f"{product.substance} {plain(option.dose)} g ({places(salt.mmol, 1)} mmol, "
            f"{places(salt.meq, 1)} mEq) IM every {option.every_hours} h, {option.count} doses"
        )
    else:
        often = "at night" if option.at_night and option.per_day == 1 else f"{option.per_day} a day"
        basis = "" if product.salt == "oxide" else " elemental"
        mmol = places(daily_mmol(file, option), 1)
        meq = places(daily_mmol(file, option) * 2, 1)
        text = (
            f"{product.substance} {plain(option.dose)} mg{basis} {often} "
            f"({mmol} mmol, {meq} mEq a day)"
        )
    condition = _when(option.when)
    return text if condition == "always" else f"{text} [{condition}]"


def _regimens(file: ProtocolFile) -> Iterator[str]:
    def rows() -> Iterator[tuple[object, ...]]:
        for index, row in enumerate(file.regimen):
            offered = "<br>".join(
                f"{'★ ' if option.star else ''}{dose(file, option)}" for option in row.offer
            )
            after = "the next row" if row.else_next else ""
            yield index, row.id, _when(row.when), offered or "nothing", after, *_basis(row)

    columns = ("row", "id", "when", "offered (★ recommended)", "if ★ is refused", *_BASIS)
    yield from _table("Regimens: the first row that holds decides", columns, rows())


def _products(file: ProtocolFile) -> Iterator[str]:
    rows = (
        (name, product.text, product.route, product.diluent, _strength(product), _codings(product))
        for name, product in file.product.items()
    )
    columns = ("product", "text", "route", "diluent", "strength", "codings, in order")
    yield from _table("Products", columns, rows)


def _strength(product: Product) -> str:
    parts = []
    if product.unit_mg is not None:
        parts.append(f"{plain(product.unit_mg)} mg a unit")
    if product.elemental_mg is not None:
        parts.append(f"{plain(product.elemental_mg)} mg of it magnesium")
    if product.round_to_mg is not None:
        parts.append(f"stocked in steps of {plain(product.round_to_mg)} mg")
    return ", ".join(parts)


def _codings(product: Product) -> str:
    return "<br>".join(f"{c.system} {c.code} {c.display}" for c in product.codings)


def _followup(file: ProtocolFile) -> Iterator[str]:
    if not file.followup:
        yield "\n## Follow-up level\n\nNone is suggested."
        return
    rows = (
        (
            ", ".join(row.routes),
            ", ".join(row.regimens) or "any",
            _when(row.when),
            ", ".join(row.recheck),
            *_basis(row),
        )
        for row in file.followup
    )
    columns = ("given", "regimen", "when", "magnesium at", *_BASIS)
    yield from _table("Follow-up level: the first row that holds decides", columns, rows)


def _indicator(rule: Rule) -> str:
    if isinstance(rule.indicator, str):
        return rule.indicator
    return ", ".join(f"{acts_as} {found}" for acts_as, found in rule.indicator.items())


def _rules(file: ProtocolFile) -> Iterator[str]:
    rows = ((name, rule.title, _indicator(rule), *_basis(rule)) for name, rule in file.rule.items())
    yield from _table("Rules", ("rule", "title", "indicator", *_BASIS), rows)


def _limits(file: ProtocolFile) -> Iterator[str]:
    rows = (
        (place, plain(limit.value), limit.unit, *_basis(limit)) for place, limit in limits(file)
    )
    yield from _table("Limits", ("limit", "value", "unit", *_BASIS), rows)


def _interactions(file: ProtocolFile) -> Iterator[str]:
    rows = ((row.drug, row.says, *_basis(row)) for row in file.interaction)
    yield from _table("Hours apart from oral magnesium", ("drug", "says", *_BASIS), rows)


def _drug_lists(file: ProtocolFile) -> Iterator[str]:
    if file.drug_list:
        rows = (
            (row.group, ", ".join(row.adds), ", ".join(row.removes), *_basis(row))
            for row in file.drug_list
        )
        yield from _table("Lists of drugs, changed", ("list", "adds", "removes", *_BASIS), rows)


def _wording(file: ProtocolFile) -> Iterator[str]:
    words = ((name, getattr(file.wording, name)) for name in type(file.wording).model_fields)
    rows = ((name, entry.text, *_basis(entry)) for name, entry in words)
    yield from _table("Words on cards", ("entry", "text", *_BASIS), rows)


def _sources(file: ProtocolFile) -> Iterator[str]:
    yield from _table("Sources", ("key", "source"), file.sources.items())


def _not_detected() -> Iterator[str]:
    yield "\n## Not detected\n"
    yield "No code or no data reaches the service for these; a person must think of them:\n"
    yield from (f"- {name}" for name in codes.NOT_DETECTED)
