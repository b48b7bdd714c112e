"""The whole command: outputs, refusals, going on after a kill, and Spark beside it."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.replay.row import Rejected, Run, Walked
from tests.replay.export import write
from tests.replay.large import OUTPUTS, same
from tests.replay.walking import read_table

pytestmark = pytest.mark.real_clock
ROOT = Path(__file__).parents[2]
BAD = b'{"resourceType":"Observation"}\n\n{broken \xff\n'


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPLETION_SECRET", "a secret of the tests")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write(folder, 12)
    with (folder / "Observation.ndjson").open("ab") as file:
        file.write(BAD)
    return folder


@pytest.fixture(scope="module")
def done(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in one process."""
    out = tmp_path_factory.mktemp("done") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLETION_SECRET", "a secret of the tests")
        result = CliRunner().invoke(
            main, ["replay", str(export), "--out", str(out), "--workers", "1"]
        )
    assert result.exit_code == 0, result.output
    return out


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments), "--workers", "1"])


def rows(path: Path, type_: type[Any]) -> list[Any]:
    return [msgspec.json.decode(line, type=type_) for line in path.read_bytes().splitlines()]


def test_a_run_writes_whole_files_in_order(done: Path) -> None:
    decisions = read_table(done / "decisions.parquet")
    patients = rows(done / "patients.ndjson", Walked)
    run = msgspec.json.decode((done / "run.json").read_bytes(), type=Run)
    assert [p.patient for p in patients] == sorted({p.patient for p in patients})
    assert [d.patient for d in decisions] == sorted(d.patient for d in decisions)
    assert len(patients) == run.patients == 12
    assert len(decisions) == run.decisions == sum(p.decisions for p in patients)
    assert run.decisions > 100
    assert run.failed == 0
    assert run.unused == {"Claim": 12}
    assert run.held["Patient"] == 12
    assert sum(source.lines for source in run.sources) > sum(run.held.values())
    assert {path.name for path in done.iterdir()} >= {*OUTPUTS, "summary.json", "report.html"}


def test_what_lies_between_is_for_nobody_else_and_goes(done: Path) -> None:
    work = done / ".replay"
    assert work.stat().st_mode & 0o077 == 0
    left = {str(path.relative_to(work)) for path in work.rglob("*")}
    assert left == {"scan", "walked", "lock", "begun.json"}


def test_bad_lines_are_kept_where_they_stood(done: Path, export: Path) -> None:
    first, last = rows(done / "rejected.ndjson", Rejected)
    lines = (export / "Observation.ndjson").read_bytes().split(b"\n")
    assert first.file == last.file == str(export / "Observation.ndjson")
    assert first.text.encode() == lines[first.line - 1] == BAD.split(b"\n")[0]
    assert base64.b64decode(last.base64) == lines[last.line - 1] == b"{broken \xff"


@pytest.mark.slow
def test_two_processes_and_packed_files_give_the_same(
    done: Path, export: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in export.iterdir():
        content = path.read_bytes()
        half = content.find(b"\n", len(content) // 2) + 1
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(content[:half]))
        (packed / path.name).write_bytes(content[half:])
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["replay", str(packed), "--out", str(out), "--workers", "2"])
    assert result.exit_code == 0, result.output
    for output in ("decisions.parquet", "patients.ndjson"):
        assert (out / output).read_bytes() == (done / output).read_bytes()


# --- again, something else, anew ----------------------------------------------------------------


def test_a_run_that_is_whole_is_not_made_again(done: Path, export: Path, tmp_path: Path) -> None:
    out = shutil.copytree(done, tmp_path / "out")
    before = (out / "decisions.parquet").stat().st_mtime_ns
    result = replay(export, "--out", out, "--min-cell", "5")
    assert result.exit_code == 0, result.output
    assert (out / "decisions.parquet").stat().st_mtime_ns == before
    assert json.loads((out / "run.json").read_bytes())["min_cell"] == 5


OTHERS = "--answers=none --protocol=slow-infusion --hooks=order-sign --setting=inpatient".split()


@pytest.mark.parametrize("other", OTHERS)
def test_another_question_in_the_same_folder_is_refused(
    done: Path, export: Path, other: str
) -> None:
    result = replay(export, "--out", done, other)
    assert result.exit_code == 2
    assert "holds a finished replay of other input" in result.output


def test_other_input_is_refused_and_fresh_begins_anew(done: Path, tmp_path: Path) -> None:
    out = shutil.copytree(done, tmp_path / "out")
    write(tmp_path / "other", 2)
    result = replay(tmp_path / "other", "--out", out)
    assert result.exit_code == 2
    result = replay(tmp_path / "other", "--out", out, "--fresh")
    assert result.exit_code == 0, result.output
    assert len((out / "patients.ndjson").read_bytes().splitlines()) == 2
    shutil.rmtree(out / ".replay")
    result = replay(tmp_path / "other", "--out", out)
    assert result.exit_code == 2
    assert "nobody can tell" in result.output


def test_what_is_finished_is_not_done_again(done: Path, export: Path, tmp_path: Path) -> None:
    """Part after part is taken away: what comes of the rest is the same."""
    from service.replay import local

    out = tmp_path / "out"
    calls: list[object] = []
    real = local.walk_bucket

    def fails(bucket: int, *more: Any) -> object:
        calls.append(bucket)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return real(bucket, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "walk_bucket", fails)
        replay(export, "--out", out)
        assert not (out / "decisions.parquet").exists()
        (out / ".replay/walked/9.decisions.new").write_bytes(b"half a ro")
        assert replay(export, "--out", out, "--answers", "none").exit_code == 2
        result = replay(export, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(calls) == 17  # 8 before, the one that was cut off twice
    assert same(done, out)


def test_only_one_run_works_in_a_folder(export: Path, tmp_path: Path) -> None:
    from service.replay.folder import Folder

    with Folder(tmp_path / "out").held():
        result = replay(export, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "another replay is at work there" in result.output


def test_a_fault_of_ours_costs_one_patient_and_is_not_silent(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cards

    real, asked = cards.decide, []

    def fails(evidence: Any, *more: Any, **answered: Any) -> Any:
        asked.append(evidence.patient_id)
        if evidence.patient_id == asked[0]:
            raise ValueError("about Sam Smith")
        return real(evidence, *more, **answered)

    monkeypatch.setattr(cards, "decide", fails)
    result = replay(export, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "could not be walked: a fault of this program" in result.output
    failed = [p for p in rows(tmp_path / "out/patients.ndjson", Walked) if p.failed]
    assert [p.failed.split(":")[0] for p in failed] == ["ValueError at tests/replay/test_run.py"]
    assert "Smith" not in (tmp_path / "out/patients.ndjson").read_text()


GIVEN = ["A Condition Procedure", "A Condition --assume-none Procedure", "A Procedure,Condition"]


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("first", [True, False])
def test_types_assumed_empty_are_given_in_a_row_or_one_by_one(
    tmp_path: Path, given: str, first: bool
) -> None:
    (tmp_path / "a.ndjson").write_bytes(b'{"resourceType":"Patient","id":"p"}\n')
    types = given.replace("A ", "--assume-none ").split()
    arguments = [*types, "a.ndjson"] if first else ["a.ndjson", *types]
    result = replay(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    run = json.loads((tmp_path / "out/run.json").read_bytes())
    assert run["assumed_none"] == ["Condition", "Procedure"]


# --- wrong usage --------------------------------------------------------------------------------

WRONG = [
    (["missing.ndjson"], "there is no such file"),
    (["empty.ndjson"], "holds no FHIR resource"),
    (["folder"], "holds no file named"),
    (["bad.ndjson"], "1 line: not JSON"),
    (["good.ndjson", "--protocol", "nothing"], "neither a shipped profile"),
    (["good.ndjson", "--against", "bad.ndjson"], "bad.ndjson"),
    (["good.ndjson", "--hooks", "order-dispense"], "the hooks are patient-view"),
    (["good.ndjson", "--hooks", ""], "the hooks are patient-view"),
    (["good.ndjson", "--assume-none", "Condition,Claim"], "--assume-none Claim"),
    (["good.ndjson", "--master", "local[2]"], "--master is for --engine spark"),
    ([], "Missing argument"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_wrong_usage_is_said_in_one_line_with_exit_code_2(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "empty.ndjson").write_bytes(b"\n")
    (tmp_path / "bad.ndjson").write_bytes(b"{\n")
    (tmp_path / "good.ndjson").write_bytes(b'{"resourceType":"Patient","id":"p"}\n')
    (tmp_path / "folder").mkdir()
    result = replay(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_serving_does_not_pay_for_the_replay() -> None:
    program = (
        "import sys; import service.cli; "
        "print([m for m in sys.modules if m in ('duckdb', 'pyspark', 'altair', 'cards')])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert printed.stdout == "[]\n", printed.stderr


# --- kill, and Spark ----------------------------------------------------------------------------


def command(export: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "service.cli", "replay", str(export), "--out", str(out), *more]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(an export of 120 patients with bad lines in it, what a run makes of it)"""
    folder = tmp_path_factory.mktemp("many")
    write(folder / "export", 120, results=20, orders=4)
    with (folder / "export/Condition.ndjson").open("ab") as file:
        file.write(BAD)
    environment = {**os.environ, "REPLETION_SECRET": "a secret of the tests"}
    made = command(
        folder / "export", folder / "out", "--workers", "2", "--against", "slow-infusion"
    )
    subprocess.run(made, cwd=ROOT, env=environment, check=True, timeout=500)
    return folder / "export", folder / "out"


@pytest.mark.kill
def test_a_run_that_is_killed_goes_on_and_leaves_nobody_behind(
    many: tuple[Path, Path], tmp_path: Path
) -> None:
    export, whole = many
    out = tmp_path / "out"
    for walked in (3, 8):  # killed twice
        process = subprocess.Popen(
            command(export, out, "--workers", "2", "--against", "slow-infusion"), cwd=ROOT
        )
        deadline = time.monotonic() + 300
        while len(list((out / ".replay/walked").glob("*.json"))) < walked:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (out / "decisions.parquet").exists()
    subprocess.run(
        command(export, out, "--workers", "1", "--against", "slow-infusion"),
        cwd=ROOT, check=True, timeout=500,
    )  # fmt: skip
    assert same(whole, out)


@pytest.mark.slow
@pytest.mark.needs("java", "pyspark")
def test_spark_gives_the_same_bytes(many: tuple[Path, Path], tmp_path: Path) -> None:
    export, whole = many
    spark = ("--engine", "spark", "--master", "local[2]", "--against", "slow-infusion")
    made = subprocess.run(
        command(export, tmp_path / "out", *spark),
        cwd=ROOT, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert len(rows(whole / "rejected.ndjson", Rejected)) == 2
    assert same(whole, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.needs("java", "pyspark")
def test_spark_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    damaged = tmp_path / "a.ndjson.gz"
    damaged.write_bytes(gzip.compress(b'{"resourceType":"Patient","id":"p"}\n' * 9)[:-9])
    spark = ("--engine", "spark", "--master", "local[2]")
    wrong = subprocess.run(
        command(damaged, tmp_path / "out", *spark),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert wrong.returncode == 2
    assert f"Spark: {damaged}" in wrong.stderr
