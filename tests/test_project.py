"""The project's promises about itself: layout, pinning, commands, and the tests' own rules."""

import datetime as dt
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def kept_files() -> list[str]:
    """What git keeps or would keep: tracked, and new but not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


@pytest.mark.needs("git")
def test_top_level_holds_what_the_contract_allows() -> None:
    allowed = {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "cards",
        "fixtures",
        "pyproject.toml",
        "service",
        "tests",
    }
    top = {name.split("/")[0] for name in kept_files()}
    assert top, "git lists nothing"
    assert {name for name in top if not name.startswith(".")} <= allowed


@pytest.mark.needs("git")
@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager"])
def test_no_module_is_a_drawer(name: str) -> None:
    assert not [path for path in kept_files() if name in {Path(path).stem, *Path(path).parts}]


# --- versions and words -------------------------------------------------------


def test_the_changelog_has_this_version() -> None:
    versions = re.findall(
        r"^## (\d+\.\d+\.\d+) - (?:unreleased|\d{4}-\d\d-\d\d)$",
        (ROOT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )
    assert versions[0] == PYPROJECT["project"]["version"]
    assert len(set(versions)) == len(versions)


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PYPROJECT["project"]["license"] == "Apache-2.0"


def test_make_has_the_targets_of_the_contract() -> None:
    wanted = {
        *("run", "test", "test-full", "test-all", "check", "coverage", "bench", "sweep"),
        *("lock", "clean"),
    }
    assert wanted <= TARGETS


def console_commands(text: str) -> list[list[str]]:
    """The commands of a document: the `$ ` lines of its ```console fences, split as a shell does.

    A line that ends in a backslash goes on; `VAR=value` in front and what follows a pipe,
    `&&` or `;` are commands of their own or none.
    """
    commands = []
    for fence in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in fence.replace("\\\n", " ").splitlines():
            if not line.startswith("$ "):
                continue
            for part in re.split(r"\s(?:\||&&|;)\s", line[2:]):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words.pop(0)
                if words:
                    commands.append(words)
    return commands


def repletion_commands() -> click.Group:
    from service.cli import main

    assert isinstance(main, click.Group)
    return main


def unknown_command(words: list[str]) -> str | None:
    """Why a documented command cannot be run, or None. Commands of others are not judged."""
    program = words[0].rsplit("/", 1)[-1]
    if program == "make":
        named = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
        missing = [word for word in named if word not in TARGETS]
        return f"no make target {missing}" if missing else None
    if program == "repletion":
        command: click.Command = repletion_commands()
        for word in words[1:]:
            if not isinstance(command, click.Group) or word.startswith("-"):
                break
            found = command.commands.get(word)
            if found is None:
                return f"{command.name} has no command {word}"
            command = found
        known = {
            option
            for param in command.params
            for option in [*param.opts, *param.secondary_opts]
            if option.startswith("-")
        } | {"--help", "--version"}
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        return f"{command.name} has no option {sorted(used - known)}" if used - known else None
    return None


def test_every_readme_command_exists() -> None:
    readme = ROOT / "README.md"
    assert PYPROJECT["project"].get("readme") == ("README.md" if readme.exists() else None)
    if not readme.exists():
        return
    commands = console_commands(readme.read_text())
    assert commands, "README.md shows no command in a ```console fence"
    assert [(words, why) for words in commands if (why := unknown_command(words))] == []


def test_the_readme_check_finds_a_wrong_command() -> None:
    text = "```console\n$ PORT=1 make run && make nonsense \\\n    X=1\nan answer\n$ ls -l\n```\n"
    commands = console_commands(text)
    assert commands == [["make", "run"], ["make", "nonsense", "X=1"], ["ls", "-l"]]
    assert [unknown_command(words) is None for words in commands] == [True, False, True]


# --- the import contracts -----------------------------------------------------


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("cards/plan.py", "import cards.chart", None),
        ("cards/card/order.py", "from fhir.resources.R4B import medicationrequest", None),
        ("cards/plan.py", "import logging", "pure"),
        ("cards/plan.py", "from time import time", "pure"),
        ("cards/chart/drug.py", "import service.errors", "pure"),
        ("cards/chart/drug.py", "from cards.plan import VALUE", "stages"),
        ("cards/extra.py", "VALUE = 1", "stages"),
        ("cards/plan.py", "from cards import VALUE", "door"),
        ("cards/plan.py", "from fhir.resources.R4B import patient", "fhir-resources"),
        ("service/gather.py", "from fhir.resources.R4B import patient", "fhir-resources"),
        ("service/server/app.py", "import flask", None),
        ("service/web/routes.py", "import flask", None),
        ("service/gather.py", "import flask", "flask"),
        ("service/server/serve.py", "import flask", "flask"),
        ("service/replay/run.py", "import service.server.app", "replay"),
        ("service/replay/run.py", "import service.web", "replay"),
        ("service/replay/run.py", "import requests", "replay"),
        ("service/replay/run.py", "import cards", None),
    ],
)
def test_an_import_contract_breaks(
    module: str, line: str, contract: str | None, tmp_path: Path
) -> None:
    """Each contract lets the right import pass and stops the wrong one."""
    rooms = ["cards/card", "cards/chart", "service/server", "service/web", "service/replay"]
    for name in ["cards", "service", *rooms]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("VALUE = 0\n")
    for name in ["cards/plan", "service/server/app", "service/errors", "service/gather"]:
        (tmp_path / f"{name}.py").write_text("VALUE = 0\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    path = tmp_path / module
    path.write_text(f"{line}\n")
    program = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [program, "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    names = {entry["name"]: entry["id"] for entry in PYPROJECT["tool"]["importlinter"]["contracts"]}
    said = re.sub(r"\s+", " ", run.stdout)
    broken = {key for name, key in names.items() if f"{name} BROKEN" in said}
    assert broken == ({contract} if contract else set()), run.stdout
    assert run.returncode == bool(contract), run.stdout + run.stderr


# --- the tests' own rules (conftest.py) ---------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        time.time,
        time.time_ns,
        time.gmtime,
        lambda: dt.datetime.now(dt.UTC),
        lambda: dt.datetime.today(),  # noqa: DTZ002 - the very call that must fail
        lambda: dt.date.today(),  # noqa: DTZ011 - the very call that must fail
    ],
)
def test_a_test_may_not_read_the_clock(read) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"tests/test_project\.py:\d+ reads the clock"):
        read()


@pytest.mark.clock("2026-01-15T10:30:00+00:00")
def test_a_test_may_hold_the_clock() -> None:
    assert dt.datetime.now(dt.UTC) == dt.datetime(2026, 1, 15, 10, 30, tzinfo=dt.UTC)


def test_a_test_may_move_the_clock(clock) -> None:
    before = dt.datetime.now(dt.UTC)
    clock.shift(dt.timedelta(hours=6))
    assert dt.datetime.now(dt.UTC) - before == dt.timedelta(hours=6)


@pytest.mark.real_clock
def test_a_test_may_ask_for_the_real_clock() -> None:
    assert time.time() > 1_700_000_000


@given(st.integers())
def test_the_clock_is_refused_inside_a_property_too(number: int) -> None:
    with pytest.raises(pytest.fail.Exception, match="reads the clock"):
        assert time.time() > number


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_test_may_not_open_a_socket() -> None:
    with pytest.raises(RuntimeError, match=r"socket\.socket"):
        socket.socket()


@pytest.mark.loopback
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_test_that_asks_reaches_this_machine_only() -> None:
    with socket.socket() as listener, socket.socket() as caller:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        caller.connect(listener.getsockname())
    # An address of the documentation block; the guard refuses before anything is sent.
    with socket.socket() as caller, pytest.raises(RuntimeError, match=r"192\.0\.2\.1"):
        caller.connect(("192.0.2.1", 9))


@pytest.mark.parametrize(
    ("required", "outcome"),
    [("", "skipped"), ("no-such-program", "error"), ("all", "error"), ("node", "skipped")],
)
def test_a_missing_program_skips_or_fails(
    required: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/parts.py").write_text((ROOT / "tests/parts.py").read_text())
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.needs('no-such-program')\ndef test_it(): pass\n"
    )
    monkeypatch.setenv("REPLETION_TEST_REQUIRE", required)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert f"1 {outcome}" in run.stdout
    assert "no-such-program is not installed" in run.stdout
