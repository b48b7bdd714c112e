"""The drugs that a site's file names: ``[[drug]]`` rows and the codings of its products."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from cards import codes
from cards.codes import Drug, Formulary, Lists
from cards.protocol.model import Product, ProtocolFile, SiteDrug

Path = tuple[str | int, ...]
Fault = tuple[Path, str]

NONE = "none"
_NDC = re.compile(r"\d{4,5}-\d{3,4}(?:-\d{1,2})?|\d{10,11}")
_SYSTEMS = {
    "rxnorm": codes.RXNORM,
    "ndc": codes.NDC,
    "atc": codes.ATC,
    "snomed": codes.SNOMED,
}
_MAGNESIUM = frozenset({"magnesium", "magnesium-laxative"})


def is_ndc(code: str) -> bool:
    """Whether it can be an NDC: 10 digits with their hyphens, 10 or 11 without, or a product's."""
    return _NDC.fullmatch(code) is not None


def formulary_of(file: ProtocolFile, lists: Lists) -> Formulary:
    """The Formulary of a file without faults."""
    by_code: list[tuple[str, str, Drug | None]] = []
    names: list[tuple[str, Drug | None]] = []
    for product in file.product.values():
        for coding in product.codings:
            if coding.system != "rxnorm":  # those are in our tables, or the file was refused
                found = _of_product(product)
                by_code.append((_SYSTEMS.get(coding.system, coding.system), coding.code, found))
    for row in file.drug:
        drug = _of_row(row)
        names += [(name, drug) for name in row.names]
        by_code += [(_SYSTEMS.get(c.system, c.system), c.code, drug) for c in row.codes]
    return codes.site_formulary(by_code, names, lists)


def _of_product(product: Product) -> Drug:
    name = f"magnesium {product.salt}"
    base = next(d for d in codes.known_drugs() if d.name == name and "magnesium" in d.groups)
    oral = product.route == "po"
    return replace(
        base,
        form="oral" if oral else "parenteral",
        systemic=True,
        strength=product.unit_mg if oral else None,
        elemental=False if oral and product.unit_mg is not None else None,
    )


def _of_row(row: SiteDrug) -> Drug | None:
    if row.group == NONE:
        return None
    base = next((d for key, d in _known().items() if key == row.drug), None)
    if base is None:
        name = row.names[0] if row.names else row.group
        base = Drug(name, frozenset({row.group}), ingredients=(name,))
    return replace(
        base,
        form=row.form,
        systemic=True if row.form else None,
        strength=row.mg,
        elemental=False if row.mg is not None else None,
        mg_per_ml=row.mg_per_ml,
        protocol=row.protocol,
    )


def _known() -> dict[str, Drug]:
    return dict(zip(codes.drug_keys(), codes.known_drugs(), strict=True))


def drug_faults(file: ProtocolFile) -> Iterator[Fault]:
    """What is wrong with the ``[[drug]]`` rows of a file."""
    seen: set[tuple[str, str]] = set()
    for index, row in enumerate(file.drug):
        path: Path = ("drug", index)
        yield from _kind_faults(path, row)
        if not row.names and not row.codes:
            yield path, "names nothing: state names or codes"
        for name in row.names:
            yield from _name_faults(path, row, name)
        for number, coding in enumerate(row.codes):
            where: Path = (*path, "codes", number)
            system = _SYSTEMS.get(coding.system, coding.system)
            if ":" not in system:
                says = f"rxnorm, ndc, atc, snomed or the URI of a system, not {coding.system!r}"
                yield (*where, "system"), says
            if coding.system == "ndc" and not is_ndc(coding.code):
                yield (*where, "code"), f"{coding.code!r} is no NDC"
            if (system, coding.code) in seen:
                yield (*where, "code"), "stands twice"
            seen.add((system, coding.code))
            known = codes.drug(system, coding.code)
            if known is not None and known.groups & _MAGNESIUM and not _is_magnesium(row):
                yield (*where, "code"), f"{coding.code} is {known.name}"


def _kind_faults(path: Path, row: SiteDrug) -> Iterator[Fault]:
    if bool(row.drug) == bool(row.group):
        yield path, "says what it is once: as drug or as group"
    if row.drug and row.drug not in _known():
        yield (*path, "drug"), f"{row.drug!r} is no drug that cards/codes/codes.toml knows"
    if row.group and row.group not in {*codes.GROUPS, NONE}:
        yield (*path, "group"), f"{row.group!r} is no group: {', '.join(sorted(codes.GROUPS))}"
    drug = _known().get(row.drug)
    magnesium = _is_magnesium(row)
    if row.mg is not None and not (magnesium and row.form == "oral"):
        yield (*path, "mg"), "is the salt in a tablet of magnesium: form must be oral"
    sulfate = drug is not None and drug.salt == "sulfate"
    if row.mg_per_ml is not None and not (sulfate and row.form == "parenteral"):
        yield (*path, "mg_per_ml"), "is magnesium sulfate in an injection: form must be parenteral"
    if row.protocol and not magnesium:
        yield (*path, "protocol"), "a replacement protocol is magnesium here"


def _is_magnesium(row: SiteDrug) -> bool:
    drug = _known().get(row.drug)
    return bool(_MAGNESIUM & (drug.groups if drug is not None else {row.group}))


def _name_faults(path: Path, row: SiteDrug, name: str) -> Iterator[Fault]:
    reading = codes.read_text(name)
    known = next((d for d in reading.drugs if d.groups & _MAGNESIUM), None)
    if known is not None and not _is_magnesium(row):
        yield (*path, "names"), f"{name!r} is {known.name}"
    if "".join(filter(str.isalnum, name.lower())) in ("magnesium", "mag", "mg"):
        yield (*path, "names"), f"{name!r} alone tells no drug: it stands in the names of others"
