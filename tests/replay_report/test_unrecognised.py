"""An export under codes that nobody mapped: said first and loud, listed by code, without a name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cards.handbook import template
from service.cli.cli import main
from tests.vignette import NOW

Json = dict[str, Any]
LAB = "urn:oid:1.2.3.4"
MG = {
    "coding": [{"system": LAB, "code": "MG-S", "display": "Magnesium Serum"}],
    "text": "Magnesium",
}
NAMELESS = {"coding": [{"system": LAB, "code": "7731"}]}


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLETION_SECRET", "k" * 32)
    monkeypatch.chdir(tmp_path)


def export(folder: Path, code: Json, patients: int, more: Iterable[Json] = ()) -> Path:
    """So many adults with a low level each under a code, four hours ago."""
    at = (NOW - timedelta(hours=4)).isoformat()
    found: list[Json] = list(more)
    for number in range(patients):
        patient = f"p{number}"
        found += [
            {"resourceType": "Patient", "id": patient, "birthDate": "1960-01-01"},
            {
                "resourceType": "Observation",
                "id": f"o{number}",
                "status": "final",
                "subject": {"reference": f"Patient/{patient}"},
                "code": code,
                "effectiveDateTime": at,
                "issued": at,
                "valueQuantity": {"value": 1.1, "unit": "mg/dL"},
            },
        ]
    folder.mkdir()
    text = "".join(json.dumps(resource) + "\n" for resource in found)
    (folder / "all.ndjson").write_text(text)
    return folder


def replayed(source: Path, out: Path, *more: str) -> tuple[str, str]:
    """(what the command line says, the report)"""
    result = CliRunner().invoke(
        main, ["replay", str(source), "--out", str(out), "--workers", "1", *more]
    )
    assert result.exit_code == 0, result.output
    return result.output, (out / "report.html").read_text()


def rows(out: Path) -> list[Json]:
    found: list[Json] = json.loads((out / "summary.json").read_text())["tables"]["unrecognised"][
        "rows"
    ]
    return found


def test_a_magnesium_of_the_house_is_said_loudly(tmp_path: Path) -> None:
    said, report = replayed(export(tmp_path / "in", MG, 12), tmp_path / "out")
    assert "12 RESULTS THAT ARE A MAGNESIUM BY THEIR NAME WERE NOT READ" in said
    assert "What was missing: 12 RESULTS" in said
    assert "[[result.site_codes]]" in said
    assert "nothing the decisions read was missing" not in said
    assert "no magnesium results on record" not in said
    assert "12 RESULTS THAT ARE A MAGNESIUM" in report
    (row,) = [row for row in rows(tmp_path / "out") if row["code"] == "MG-S"]
    assert (row["kind"], row["system"], row["unit"], row["n"]) == ("result", LAB, "mg/dL", 12)
    assert "MG-S" in report


def test_one_without_a_name_is_not_called_none_on_record(tmp_path: Path) -> None:
    said, _ = replayed(export(tmp_path / "in", NAMELESS, 12), tmp_path / "out")
    assert "NO MAGNESIUM WAS READ, AND 12 RESULTS WERE NOT RECOGNISED" in said
    assert "no magnesium results that could be read (see what was missing) on record" in said


def test_few_patients_are_not_told_and_not_silent(tmp_path: Path) -> None:
    said, report = replayed(export(tmp_path / "in", MG, 4), tmp_path / "out")
    assert "SOME RESULTS THAT MAY BE A MAGNESIUM WERE NOT READ" in said
    assert not re.search(r"\b4 RESULTS", said)
    assert [row for row in rows(tmp_path / "out") if row["code"] == "MG-S"] == []
    assert "MG-S" not in report
    said, _ = replayed(tmp_path / "in", tmp_path / "all", "--min-cell", "0")
    assert "4 RESULTS THAT ARE A MAGNESIUM" in said


def test_of_a_text_nothing_is_kept(tmp_path: Path) -> None:
    coding = {"system": "of Jane Doe", "code": "Jane, Doe", "display": "Jane Doe"}
    code = {"coding": [coding], "text": "Level of Jane Doe"}
    _, report = replayed(export(tmp_path / "in", code, 12), tmp_path / "out", "--min-cell", "0")
    assert "Doe" not in report
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files
    assert not any(b"Doe" in path.read_bytes() for path in files)
    (row,) = [row for row in rows(tmp_path / "out") if row["code"] == "(text)"]
    assert row["n"] == 12


def test_what_is_mapped_is_read(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    entry = (
        f'[[result.site_codes]]\nlab = "magnesium"\nsystem = "{LAB}"\ncode = "MG-S"\nwhy = "ours"\n'
    )
    site.write_text(template("ours", NOW.date(), short=True) + "\n" + entry)
    said, _ = replayed(export(tmp_path / "in", MG, 12), tmp_path / "out", "--protocol", str(site))
    assert "NOT READ" not in said
    assert "12 magnesium results" in said or "of 12" in said
    assert rows(tmp_path / "out") == []
