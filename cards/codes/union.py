"""One medication of several mentions: each drug once, and what a carrier takes from the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from cards.codes.drugs import Drug

# Names that say magnesium and not which: a class's code, "magnesium replacement".
_ANY_MAGNESIUM = frozenset({"magnesium", "magnesium laxative", "magnesium antacid"})


def united(drugs: Iterable[Drug]) -> tuple[Drug, ...]:
    """Each drug once: what came first says what it is, the others what it left open."""
    found: list[Drug] = []
    for drug in drugs:
        parts = set(drug.ingredients)
        same = (i for i, known in enumerate(found) if parts <= set(known.ingredients))
        index = next(same, None)
        if index is None:
            found.append(drug)
        else:
            found[index] = _filled(found[index], drug)
    return as_carried(tuple(_with_salt(found)))


def _filled(known: Drug, more: Drug) -> Drug:
    """A drug with what another mention of it adds."""
    if known == more:
        return known
    if known.form is None and more.form is not None and known.ingredients == more.ingredients:
        known = replace(known, form=more.form, systemic=more.systemic, groups=more.groups)
    if known.strength is None and more.strength is not None:
        known = replace(known, strength=more.strength, elemental=more.elemental)
    return replace(
        known,
        mg_per_ml=known.mg_per_ml if known.mg_per_ml is not None else more.mg_per_ml,
        protocol=known.protocol or more.protocol,
    )


def _with_salt(drugs: list[Drug]) -> Iterator[Drug]:
    """Magnesium without its salt is the same as the one that names it, and says its use."""
    vague = [d for d in drugs if d.name in _ANY_MAGNESIUM and not d.carrier]
    exact = [d for d in drugs if d.salt is not None]
    if not vague or not exact:
        yield from drugs
        return
    for drug in drugs:
        if drug.salt is not None:
            for more in vague:
                # An injection stays one, whatever stands beside it.
                groups = drug.groups if drug.form == "parenteral" else more.groups
                form, protocol = drug.form or more.form, drug.protocol or more.protocol
                drug = replace(drug, form=form, groups=groups, protocol=protocol)
            yield drug
        elif drug not in vague:
            yield drug


def as_carried(drugs: tuple[Drug, ...]) -> tuple[Drug, ...]:
    """The drugs without the groups that a carrier among them takes: what is in parenteral
    nutrition or cardioplegia is no order of it (ruling 150). A balanced fluid in which magnesium
    sulfate is given carries that: the fluids themselves hold the chloride."""
    if not any(drug.carrier for drug in drugs):
        return drugs
    solvent = "multi-electrolyte fluid"
    given = any("magnesium" in drug.groups and drug.salt == "sulfate" for drug in drugs)
    if given and all(drug.name == solvent for drug in drugs if drug.carrier):
        return tuple(drug for drug in drugs if drug.name != solvent)
    return tuple(drug if drug.carrier else replace(drug, groups=_carried(drug)) for drug in drugs)


def _carried(drug: Drug) -> frozenset[str]:
    groups = drug.groups - {"magnesium", "magnesium-laxative", "potassium", "calcium"}
    if drug.groups & {"magnesium", "magnesium-laxative"}:
        groups |= {"magnesium-fluid"}
    return groups | {"potassium-fluid"} if "potassium" in drug.groups else groups
