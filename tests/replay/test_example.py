"""The made-up export: whole, repeatable, of adults only, and worth a report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cards.evidence import NEEDS
from service.cli import main
from service.replay.example import ADULTS, ExampleError, write_example
from service.replay.report.sentences import FEW, FEW_PATIENTS

pytestmark = pytest.mark.real_clock  # the walk says how long it took
Json = dict[str, Any]


def read(folder: Path) -> Iterator[Json]:
    for file in sorted(folder.glob("*.ndjson")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def replayed(folder: Path, export: Path) -> Result:
    return CliRunner().invoke(
        main, ["replay", str(export), "--out", str(folder / "out"), "--workers", "1"],
        env={"REPLETION_SECRET": "of the patients of tests"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "export"
    write_example(folder)
    return folder


def test_the_same_seed_gives_the_same_bytes(export: Path, tmp_path: Path) -> None:
    write_example(tmp_path / "again")
    write_example(tmp_path / "other", seed=2)
    names = sorted(file.name for file in export.iterdir())
    assert names == sorted(file.name for file in (tmp_path / "again").iterdir())
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (export / name).read_bytes()
    patients = "Patient.ndjson"
    assert (tmp_path / "other" / patients).read_bytes() != (export / patients).read_bytes()


def test_it_is_a_month_of_300_adults(export: Path) -> None:
    born = [r["birthDate"] for r in read(export) if r["resourceType"] == "Patient"]
    assert (len(born), max(born) < "2008-03-01") == (ADULTS, True)
    stays = [r["period"] for r in read(export) if r["resourceType"] == "Encounter"]
    assert min(p["start"] for p in stays) >= "2026-03-01"
    assert max(p["end"] for p in stays) < "2026-04-02"


def test_ids_are_unique_and_references_lead_somewhere(export: Path) -> None:
    found = [f"{r['resourceType']}/{r['id']}" for r in read(export)]
    assert len(found) == len(set(found))
    known = set(found)

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if "reference" in value:
                yield value["reference"]
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from references(inner)

    assert {ref for r in read(export) for ref in references(r)} <= known
    assert {r["resourceType"] for r in read(export)} - {"Medication"} <= {n.type for n in NEEDS}


def test_it_has_the_faults_of_real_exports(export: Path) -> None:
    magnesium = [
        r
        for r in read(export)
        if r["resourceType"] == "Observation" and r["code"]["coding"][0]["code"] == "19123-9"
    ]
    assert any("valueString" in r for r in magnesium)
    assert any(r.get("valueQuantity", {}).get("unit") == "mmol/L" for r in magnesium)
    assert any("comparator" in r.get("valueQuantity", {}) for r in magnesium)
    assert any("issued" not in r for r in magnesium)
    orders = [r for r in read(export) if r["resourceType"] == "MedicationRequest"]
    assert any("medicationReference" in r for r in orders)
    assert any("coding" not in r.get("medicationCodeableConcept", {"coding": 0}) for r in orders)
    assert any("doseAndRate" not in r["dosageInstruction"][0] for r in orders)


@pytest.mark.slow
def test_its_report_says_something_in_every_sentence(export: Path, tmp_path: Path) -> None:
    result = replayed(tmp_path, export)
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "out/summary.json").read_bytes())
    assert len(summary["sentences"]) == 5
    for sentence in summary["sentences"]:
        assert FEW not in sentence
    assert "300 patients" in result.output
    assert "rejected" not in result.output
    assert "laborders" not in result.output + (tmp_path / "out/report.html").read_text()


def test_few_patients_are_said_once(tmp_path: Path) -> None:
    write_example(tmp_path / "export", adults=6)
    result = replayed(tmp_path, tmp_path / "export")
    assert result.exit_code == 0, result.output
    assert result.output.count(FEW_PATIENTS) == 1
    assert "withheld, too few" not in result.output
    assert result.output.index(FEW_PATIENTS) > result.output.index("6 patients")


# --- the command ------------------------------------------------------------------------------


def test_the_command_writes_it_and_says_what_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    result = CliRunner().invoke(main, ["replay", "--example", str(folder)])
    assert result.exit_code == 0, result.output
    assert f"repletion replay {folder} --out " in result.output
    again = CliRunner().invoke(main, ["replay", "--example", str(folder)])
    assert (again.exit_code, "is not empty" in again.output) == (2, True)
    both = CliRunner().invoke(main, ["replay", str(folder), "--example", str(tmp_path / "new")])
    assert (both.exit_code, "leave PATH out" in both.output) == (2, True)
    assert not (tmp_path / "new").exists()


def test_without_either_it_says_what_is_missing() -> None:
    result = CliRunner().invoke(main, ["replay"])
    assert (result.exit_code, "--example DIR" in result.output) == (2, True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExampleError, match="Not a directory"):
        write_example(tmp_path / "file" / "export")
