"""What happens at each level, as the sheet tells it, is what the core offers such a patient."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cards.handbook.levels import WEIGHT, Gets, Levels, PatientKind, levels
from cards.handbook.spoken import clearance, condition, dose, interval
from cards.protocol import Protocol, build_protocol, parse_protocol, shipped
from cards.protocol.model import Band, When
from service.answer import answer
from tests.test_protocol import raw
from tests.vignette import NOW, build_request

SITE = Path(__file__).parent / "protocols" / "site.toml"
PROTOCOLS = {
    "standard": shipped("standard"),
    "slow-infusion": shipped("slow-infusion"),
    "site": parse_protocol(SITE.read_bytes(), "site.toml"),
}
# A patient with each flag; first oral step: 12.4 mmol a day, full dose: 19.8.
FLAGS = {
    "life": "condition: torsades",
    "symp": "condition: tetany",
    "risk": "active: digoxin (authored 30 h ago)",
    "noent": "condition: ileus",
    "giloss": "condition: short_bowel",
    "potassium-urgent": "k 2.9",
    "oral-first-step": "active: MgO500 500 mg PO x1 daily (authored 90 h ago)",
    "oral-full-dose": "active: MgO400 400 mg PO x2 daily (authored 90 h ago)",
}
KIDNEY = {
    "R0": "",
    "R1": "egfr 45",
    "R2": "egfr 25",
    "R3": "egfr 15",
    "R4": "condition: dialysis",
    "RU": "creat None | egfr None",
}
HANDLES = [(name, setting) for name in PROTOCOLS for setting in ("inpatient", "ambulatory")]


def value_in(band: Band) -> Decimal:
    """A value that a laboratory may report in the band."""
    low = band.low if band.low is not None else Decimal("0.2")
    high = band.high if band.high is not None else low + 2
    return ((low + high) / 2).quantize(Decimal("0.01"))


def offered(protocol: Protocol, line: PatientKind, setting: str, id_: str) -> set[tuple[str, bool]]:
    """What the core offers the patient of a line."""
    clauses = [f"Mg {value_in(line.band)} mg/dL", f"weight {line.weight}", KIDNEY[id_]]
    # Clauses of one kind are one clause, its parts comma-separated.
    found: dict[str, list[str]] = {}
    for clause in (*(FLAGS[flag] for flag in line.flags), *clauses):
        kind, _, rest = clause.partition(": ")
        found.setdefault(kind, []).append(rest)
    said = [f"{kind}: {', '.join(rest)}" if rest != [""] else kind for kind, rest in found.items()]
    inputs = " | ".join(
        [*(part for part in said if part), *(["ambulatory"] * (setting != "inpatient"))]
    )
    request = json.dumps(build_request("patient-view", inputs)).encode()
    decision = answer(request, "magnesium-patient-view", NOW, protocol).decision
    assert decision.chart.kidney.id == id_
    assert line.flags <= decision.assessment.flags.plan_flags()
    return {
        (dose(protocol.file, offer.option).text, offer.star) for offer in decision.assessment.offers
    }


def open_to(gets: Gets) -> set[tuple[str, bool]]:
    """The doses for a patient of 70 kg who has none of what an option excludes, and was given no
    magnesium."""
    conditions = ("kg", "no oral magnesium is active")
    return {(d.text, d.star) for d in gets.doses if not d.only.endswith(conditions)}


@pytest.mark.parametrize(("name", "setting"), HANDLES)
def test_the_core_offers_the_same(name: str, setting: str) -> None:
    protocol = PROTOCOLS[name]
    found = levels(protocol.file, setting)  # type: ignore[arg-type]
    assert {band.name for band in protocol.file.band} == {line.band.name for line in found.lines}
    offers = 0
    for line in found.lines:
        for ids, gets in zip(found.columns, line.cells, strict=True):
            told = open_to(gets)
            for id_ in ids:
                where = f"{line.band.name} {sorted(line.flags)} {id_}"
                assert offered(protocol, line, setting, id_) == told, where
                offers += len(told)
            assert bool(gets.says) is not bool(gets.doses), line
    assert offers > 10 or (name, setting) == ("site", "ambulatory")


@pytest.mark.parametrize("flags", [(), ("risk",), ("giloss",), ("noent", "risk")])
def test_a_line_left_out_is_that_of_its_parts(flags: tuple[str, ...]) -> None:
    """A patient whose line is not told gets what the most like line says."""
    protocol = shipped("standard")
    found = levels(protocol.file, "ambulatory")
    for band in protocol.file.band:
        lines = [line for line in found.lines if line.band is band and line.flags <= set(flags)]
        nearest = max(lines, key=lambda line: len(line.flags))
        asked = PatientKind(band, frozenset(flags), WEIGHT, nearest.cells)
        for ids, gets in zip(found.columns, nearest.cells, strict=True):
            told = open_to(gets)
            assert offered(protocol, asked, "ambulatory", ids[0]) == told


def _cells(found: Levels, band: str, *flags: str) -> list[list[str]]:
    (line,) = [
        line for line in found.lines if line.band.name == band and line.flags == frozenset(flags)
    ]
    return [[str(d) for d in cell.doses] or [cell.says] for cell in line.cells]


def test_what_a_pharmacist_looks_for_first() -> None:
    found = levels(shipped("standard").file, "inpatient")
    assert found.columns == (("R0",), ("R1",), ("R2",), ("R3", "R4"), ("RU",))
    first = [cell[0] for cell in _cells(found, "severe")]
    assert first[0].startswith("★ magnesium sulfate 2 g IV over 20 min (8.1 mmol, 16.2 mEq, 100 ")
    assert first[2].startswith("★ magnesium sulfate 1 g IV over 20 min (4.1 mmol, 8.1 mEq, 50 mg/")
    assert first[3] == "H2: No magnesium without nephrology."
    assert first[4] == "H2: Order creatinine; no dose before it."
    assert "5 g IV over 3 h" in str(_cells(found, "severe")[0])
    assert "5 g IV" not in str(_cells(found, "severe")[1])  # over the cap of R1
    assert found.lines[0].cells[0].recheck == "6 h after the end; next morning"
    # The second infusion of the other profile does not fit the cap of R1.
    slow = _cells(levels(shipped("slow-infusion").file, "inpatient"), "moderate", "symp")
    assert "then 4 g IV over 4 h" in slow[0][0]
    assert "then 4 g" not in slow[1][0]


def test_a_row_for_a_weight_has_a_line() -> None:
    tables = raw()
    heavy = {"classes": ["severe"], "renal": ["R0"], "weight_from": Decimal(100)}
    tables["regimen"].insert(
        1,
        {
            "id": "heavy",
            "when": heavy,
            "offer": [{"product": "sulfate-iv", "dose": 4, "minutes": 60, "star": True}],
            "sources": ["A"],
            "why": "more",
        },
    )
    protocol = build_protocol(tables, "site.toml")
    found = levels(protocol.file, "inpatient")
    (line,) = [one for one in found.lines if one.weight == 100 and not one.flags]
    assert [d.text for d in line.cells[0].doses] == ["magnesium sulfate 4 g IV over 1 h"]
    assert offered(protocol, line, "inpatient", "R0") == {
        ("magnesium sulfate 4 g IV over 1 h", True)
    }


def test_where_the_starred_dose_does_not_fit_the_next_row_decides() -> None:
    tables = raw()
    big = {"product": "sulfate-iv", "dose": 5, "minutes": 60, "star": True}
    row = {"id": "big", "when": {"classes": ["severe"]}, "offer": [big], "else_next": True}
    tables["regimen"].insert(1, {**row, "sources": ["A"], "why": "more"})
    protocol = build_protocol(tables, "site.toml")
    found = levels(protocol.file, "inpatient")
    (line,) = [one for one in found.lines if one.band.name == "severe" and not one.flags]
    for ids, gets, grams in zip(found.columns[:3], line.cells[:3], (5, 2, 1), strict=True):
        assert gets.doses[0].text.startswith(f"magnesium sulfate {grams} g IV")
        assert offered(protocol, line, "inpatient", ids[0]) == open_to(gets)


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({}, "always"),
        ({"weight_from": Decimal(40)}, "from 40 kg"),
        ({"weight_to": Decimal(50)}, "up to 50 kg"),
        ({"weight_from": Decimal(40), "weight_to": Decimal(50)}, "40 to 50 kg"),
        (
            {"classes": ("mild",), "flags": ("noent",), "without": ("risk", "life")},
            "mild; enteral route out; not with life-threatening arrhythmia or seizure or cardiac"
            " risk",
        ),
    ],
)
def test_a_condition_in_words(when: dict[str, Any], says: str) -> None:
    assert condition(When(**when)) == says


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"high": Decimal("1.2")}, "Mg < 1.2"),
        ({"high": Decimal("1.2"), "high_inclusive": True}, "Mg ≤ 1.2"),
        ({"low": Decimal("4.7")}, "Mg ≥ 4.7"),
        ({"low": Decimal("4.7"), "low_inclusive": False}, "Mg > 4.7"),
        ({"low": Decimal("1.20"), "high": Decimal("1.50")}, "1.20 ≤ Mg < 1.50"),
    ],
)
def test_a_band_in_words(bounds: dict[str, Any], says: str) -> None:
    band = (
        shipped("standard")
        .file.band[0]
        .model_copy(update={"low": None, "high": None, "high_inclusive": False, **bounds})
    )
    assert interval(band) == says


def test_an_option_for_a_flag_says_so() -> None:
    tables = raw()
    option = {"product": "sulfate-iv", "dose": 1, "minutes": 60, "when": {"flags": ["giloss"]}}
    severe = next(row for row in tables["regimen"] if row["id"] == "severe")
    severe["offer"].append(option)
    found = levels(build_protocol(tables, "site.toml").file, "inpatient")
    (plain,) = [one for one in found.lines if one.band.name == "severe" and not one.flags]
    (only,) = [d.only for d in plain.cells[0].doses if "1 g IV over 1 h" in d.text]
    assert only == "gastrointestinal loss"


def test_the_clearance_of_a_class_stands_in_its_name() -> None:
    file = shipped("standard").file
    assert [clearance(file, row.id) for row in file.renal] == [
        "R0 (≥ 60 mL/min)",
        "R1 (30 to < 60 mL/min)",
        "R2 (20 to < 30 mL/min)",
        "R3 (< 20 mL/min)",
        "R4 (dialysis)",
        "RU (not known)",
    ]
