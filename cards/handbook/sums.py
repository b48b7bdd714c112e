"""Sums: the arithmetic behind a verdict of the ledger, worked out anew from the constants.

The articles confuse salt with magnesium, mEq with mmol and mg/dL, milligrams with micrograms;
a sum shows it in a line. Limits are those of the protocol that is shown, so that a sum never
compares with a number that is not in force.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType

from cards.handbook.spoken import recheck
from cards.protocol import Protocol
from cards.protocol.model import ProtocolFile
from cards.units.quantity import (
    MG_DL_PER_MEQ_L,
    MG_DL_PER_MMOL_L,
    MG_MOLAR,
    OXIDE_MOLAR,
    SULFATE_MOLAR,
    SaltMass,
    places,
    plain,
)

Lines = tuple[str, ...]
_EXAMPLE_KG = 70


def sums(statement: str, protocol: Protocol) -> Lines:
    """The sums of a statement by its id; none for one that does not turn on arithmetic."""
    found = _SUMS.get(statement)
    return () if found is None else found(protocol.file)


def _mmol_l(mg_dl: str) -> str:
    mmol_l = places(Decimal(mg_dl) / MG_DL_PER_MMOL_L, 3)
    return f"{mg_dl} mg/dL / {MG_DL_PER_MMOL_L} = {mmol_l} mmol/L"


def _from_mmol_l(mmol_l: str) -> str:
    mg_dl = places(Decimal(mmol_l) * MG_DL_PER_MMOL_L, 2)
    return f"{mmol_l} mmol/L x {MG_DL_PER_MMOL_L} = {mg_dl} mg/dL"


def _from_meq_l(meq_l: str) -> str:
    return (
        f"{meq_l} mEq/L x {MG_DL_PER_MEQ_L} = {places(Decimal(meq_l) * MG_DL_PER_MEQ_L, 2)} mg/dL"
    )


def _rate(grams: int | Decimal, minutes: int) -> str:
    mg = plain(Decimal(grams) * 1000)
    return f"{mg} mg / {minutes} min = {places(Decimal(grams) * 1000 / minutes, 1)} mg/min"


def _least(grams: int, file: ProtocolFile) -> str:
    rate = file.limit.infusion_rate
    return f"{grams * 1000} mg / {rate.said} = {places(grams * 1000 / rate.value, 2)} min at least"


def _magnesium(mmol: int) -> str:
    return f"{mmol} mmol x {MG_MOLAR} = {places(mmol * MG_MOLAR, 1)} mg of magnesium"


def _oxide(mmol: int) -> str:
    return f"{mmol} mmol x {OXIDE_MOLAR} = {places(mmol * OXIDE_MOLAR, 1)} mg of magnesium oxide"


def _of_oxide(mg: int) -> str:
    mmol = SaltMass(Decimal(mg), "oxide").mmol
    return f"{mg} mg of magnesium oxide / {OXIDE_MOLAR} = {places(mmol, 2)} mmol"


def _of_magnesium(mg: int) -> str:
    return f"{mg} mg of magnesium / {MG_MOLAR} = {places(mg / MG_MOLAR, 2)} mmol"


def _of_sulfate(grams: int) -> str:
    salt = SaltMass(Decimal(grams * 1000), "sulfate")
    return (
        f"{grams * 1000} mg of the sulfate / {SULFATE_MOLAR} = {places(salt.mmol, 2)} mmol, "
        f"x 2 = {places(salt.meq, 2)} mEq"
    )


def _bound(file: ProtocolFile, acts_as: str) -> str:
    """The end of a class, as the file states it."""
    band = [band for band in file.band if band.acts_as == acts_as][-1]
    return f"{acts_as} {'up to' if band.high_inclusive else 'below'} {band.high} mg/dL here"


def _severe(file: ProtocolFile) -> Lines:
    return _mmol_l("1.2"), _from_mmol_l("0.5"), _bound(file, "severe")


def _by_weight(file: ProtocolFile) -> Lines:
    mg = 250 * _EXAMPLE_KG
    grams = Decimal(mg) / 1000
    meq = SaltMass(Decimal(mg), "sulfate").meq
    return (
        f"250 mg/kg x {_EXAMPLE_KG} kg = {plain(grams)} g, {places(meq, 0)} mEq; "
        f"the limit of 24 h is {file.limit.daily_parenteral.said}",
        f"{_rate(grams, 240)}: under {file.limit.infusion_rate.said}, so a check of the rate "
        "alone would pass it",
    )


def _push(file: ProtocolFile) -> Lines:
    return (
        f"{_rate(1, 1)}; the limit is {file.limit.infusion_rate.said}",
        _least(1, file),
        _least(2, file),
    )


def _toxic(file: ProtocolFile) -> str:
    low = next(band.low for band in file.band if band.acts_as == "toxic")
    return f"toxic from {low} mg/dL here"


def _ceiling(file: ProtocolFile) -> str:
    return f"the daily ceiling is {file.limit.oral_daily.said}"


def _too_late(file: ProtocolFile) -> Lines:
    found = next((row.recheck[0] for row in file.followup if "severe" in row.regimens), None)
    here = f"; after a severe level here: {recheck(found)}" if found else ""
    return (f"1 to 2 weeks = {7 * 24} to {14 * 24} h{here}",)


def _cut_off(file: ProtocolFile) -> Lines:
    normal = next(band for band in file.band if band.acts_as == "normal")
    return (f"{_from_mmol_l('0.85')}; normal from {normal.low} mg/dL here",)


_SUMS: MappingProxyType[str, Callable[[ProtocolFile], Lines]] = MappingProxyType(
    {
        "S0-01": _severe,
        "S0-03": lambda file: (
            "1.2 to 1.3 and 1.7 to 1.8 mg/dL lie in neither band",
            _mmol_l("1.3"),
            _mmol_l("1.7"),
        ),
        "S0-04": _severe,
        "S0-08": lambda file: (_rate(2, 15), _rate(1, 30)),
        "S0-09": _by_weight,
        "S0-10": lambda file: (_rate(5, 180),),
        "S0-11": lambda file: (_least(2, file),),
        "S0-15": lambda file: (_from_meq_l("10"), _from_meq_l("4"), _toxic(file)),
        "S0-17": _severe,
        "S0-18": lambda file: (
            _of_oxide(160),
            f"{places(SaltMass(Decimal(160), 'oxide').elemental.mg, 1)} mg of it magnesium",
            _of_magnesium(160),
        ),
        "S0-19": lambda file: (_magnesium(12), _magnesium(24), _ceiling(file)),
        "S0-21": lambda file: (
            f"20 mEq / 2 = {20 // 2} mmol; 60 mEq / 2 = {60 // 2} mmol; {_ceiling(file)}",
        ),
        "S0-22": lambda file: (_from_meq_l("4"), _from_meq_l("5"), _toxic(file)),
        "S0-23": lambda file: ("1 mg = 1000 micrograms",),
        "S1-01": lambda file: (_of_oxide(800),),
        "S1-02": lambda file: (_magnesium(12), _oxide(12), _magnesium(24), _oxide(24)),
        "S1-08": lambda file: (_mmol_l("1.4"), _bound(file, "severe")),
        "S1-10": lambda file: (_magnesium(12), _oxide(12), _of_oxide(500)),
        "S1-11": lambda file: (_of_oxide(800), _ceiling(file)),
        "S1-14": _severe,
        "S1-15": lambda file: (f"4 x 1 g = {4 * 1} g", _of_sulfate(4)),
        "S1-16": lambda file: (_of_sulfate(1), _of_sulfate(4)),
        "S1-17": lambda file: (_rate(5, 180),),
        "S1-18": _by_weight,
        "S1-24": lambda file: (_from_meq_l("1.8"), _from_meq_l("2.2"), _from_mmol_l("0.6")),
        "S2-01": lambda file: (f"{_rate(2, 20)}; the limit is {file.limit.infusion_rate.said}",),
        "S2-02": _severe,
        "S2-03": lambda file: (_from_meq_l("1.3"), _bound(file, "severe")),
        "S2-11": lambda file: (_mmol_l("1.5"), _from_mmol_l("0.6")),
        "S2-15": lambda file: (
            _of_magnesium(400),
            _of_oxide(400),
            _of_magnesium(500),
            _of_oxide(500),
        ),
        "S3-01": _push,
        "S3-05": _push,
        "S3-08": lambda file: (_of_magnesium(400), _of_magnesium(600), _ceiling(file)),
        "S3-11": _too_late,
        "S3-13": _cut_off,
        "S3-24": lambda file: (f"tetany at 1.4 mg/dL is symptomatic; {_bound(file, 'severe')}",),
        "S3-26": _cut_off,
    }
)
