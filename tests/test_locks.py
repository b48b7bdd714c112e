"""The locks are closed: what is released tomorrow cannot change what is installed.

Two walls. No install asks a resolver (`--no-deps`, no build isolation), which the commands
themselves are read for. And each lock holds all that its packages ask for, extras named, as their
metadata say it, so that even an installer that resolves finds nothing to choose. Read here are
the locks and the metadata of what is installed; whether each Python has a file to install is
asked of a registry by `make lock-check`, and no test's matter.
"""

import re
import shlex
import subprocess
from dataclasses import replace

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.locks import (
    ROOT,
    SETS,
    Gap,
    Pin,
    Wants,
    asked,
    gaps,
    installed,
    locked,
    pins,
    upon,
)

HERE = ("serve", "replay", "develop", pytest.param("spark", marks=pytest.mark.needs("pyspark")))
"""PySpark's metadata are here only where `make spark` has put them."""


def wanted(chosen: list[Pin]) -> dict[str, Wants]:
    """By name. A pin for other Pythons than this one has its metadata there; `make lock-check`
    looks at it."""
    here = default_environment()
    return {
        pin.name: installed(pin) if pin.holds(here) else Wants((), SpecifierSet()) for pin in chosen
    }


# --- what they hold -----------------------------------------------------------


@pytest.mark.parametrize("name", HERE)
def test_a_lock_is_closed(name: str) -> None:
    """Every requirement of every package of the set, and of the project, is met inside it: on
    Linux, x86_64 and aarch64, Python 3.11 to 3.14, at the first and the last of their releases.

    The requirements are those of the release that is installed here, which must be the locked
    one: wheels of one release could differ by platform in what they ask for, and for that there
    is `pip check` after each install.
    """
    chosen = upon(name)
    assert gaps(chosen, wanted(chosen), asked(name)) == set()


def test_a_package_has_one_version_in_all_sets() -> None:
    """And stands twice only where a later set wants an extra of it more."""
    seen: dict[str, Pin] = {}
    for pin in upon(SETS[-1]):
        before = seen.setdefault(pin.name, pin)
        if before is not pin:
            assert (before.version, before.hashes) == (pin.version, pin.hashes)
            assert before.extras < pin.extras


def test_the_service_alone_is_small() -> None:
    names = {pin.name for pin in locked("serve")}
    assert {"flask", "psycopg-binary", "hatchling", "editables"} <= names
    assert not names & {"duckdb", "altair", "vl-convert-python", "playwright", "pytest", "pyspark"}


@pytest.mark.parametrize("name", SETS)
def test_a_lock_names_no_registry(name: str) -> None:
    text = (ROOT / f".ci/{name}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash)", text.replace("\\\n    --hash", ""), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "flask>=3",
        "flask==3.*",
        "flask==3.1.3",
        "--index-url=x",
        "flask==3.1.3 --hash=md5:00",
        f"flask @ file:///tmp/flask --hash=sha256:{'0' * 64}",
    ],
)
def test_a_line_that_is_no_pin_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a pin"):
        pins(line)


def test_the_locks_reach_both_processor_kinds() -> None:
    """A package with compiled wheels lists more files than one machine would install."""
    hashes = {pin.name: pin.hashes for pin in upon("develop")}
    for name in ("msgspec", "pydantic-core", "duckdb", "psycopg-binary", "cryptography"):
        assert len(hashes[name]) > 4, name


# --- what an open lock looks like ----------------------------------------------

# Of the lock of commit 2524ebe, which could be installed on the day it was made: the next day
# there was a coverage 7.17.5, pip asked for `coverage[toml]>=7.10.6`, found `coverage` pinned but
# not that, took the newest, and had no hash for it.
OPEN = """\
coverage==7.17.4 \\
    --hash=sha256:1111111111111111111111111111111111111111111111111111111111111111
pluggy==1.7.0 \\
    --hash=sha256:2222222222222222222222222222222222222222222222222222222222222222
pytest==9.2.0 \\
    --hash=sha256:3333333333333333333333333333333333333333333333333333333333333333
pytest-cov==7.1.0 \\
    --hash=sha256:4444444444444444444444444444444444444444444444444444444444444444
"""
CLOSED = OPEN.replace("coverage==", "coverage[toml]==")
PYTHON = SpecifierSet(">=3.10")
SAID = {
    "coverage": Wants(
        (Requirement("tomli; python_full_version<='3.11.0a6' and extra=='toml'"),), PYTHON
    ),
    "pluggy": Wants((), PYTHON),
    "pytest": Wants((Requirement("pluggy<2,>=1.5"),), PYTHON),
    "pytest-cov": Wants(
        (
            Requirement("coverage[toml]>=7.10.6"),
            Requirement("pluggy>=1.2"),
            Requirement("pytest>=7"),
            Requirement("virtualenv; extra == 'testing'"),
        ),
        PYTHON,
    ),
}


def test_the_lock_that_broke_is_found_open() -> None:
    assert gaps(pins(OPEN), SAID, []) == {Gap("pytest-cov", "coverage[toml]")}
    assert gaps(pins(CLOSED), SAID, []) == set()


def test_a_pin_for_one_python_is_no_pin_for_another() -> None:
    line = CLOSED.replace("pluggy==1.7.0", 'pluggy==1.7.0 ; python_version == "3.13"')
    assert gaps(pins(line), SAID, []) == {
        Gap("pytest", "pluggy<2,>=1.5"),
        Gap("pytest-cov", "pluggy>=1.2"),
    }


def test_every_stripped_extra_is_found() -> None:
    """The locks as they are, with their extras stripped: the very lock of 2524ebe, kept current."""
    stripped = [replace(pin, extras=frozenset()) for pin in upon("develop")]
    found = gaps(stripped, wanted(stripped), asked("develop"))
    assert {Gap("pytest-cov", "coverage[toml]"), Gap("the project", "psycopg[binary]")} <= found


@pytest.mark.parametrize(
    ("of", "line", "gap"),
    [
        ("pytest", "colorama; sys_platform == 'win32'", None),
        ("pytest", "tomli; python_version < '3.11'", None),
        ("pytest", "backports; python_version >= '3.14'", "backports"),
        ("pytest", "early; python_full_version < '3.11.4'", "early"),
        ("pytest", "arm; platform_machine == 'aarch64'", "arm"),
        ("coverage", "tomli; extra == 'toml'", "tomli"),
        ("pytest", "pluggy[testing]; python_version == '3.13'", "pluggy[testing]"),
        ("pytest", "pluggy<1.7", "pluggy<1.7"),
    ],
)
def test_a_requirement_that_is_not_met_is_found(of: str, line: str, gap: str | None) -> None:
    more = {of: Wants((*SAID[of].requires, Requirement(line)), PYTHON)}
    assert gaps(pins(CLOSED), {**SAID, **more}, []) == ({Gap(of, gap)} if gap else set())


def test_a_package_that_leaves_a_python_is_found() -> None:
    old = {"pluggy": Wants((), SpecifierSet("<3.14"))}
    found = gaps(pins(CLOSED), {**SAID, **old}, [Requirement("flask")])
    assert found == {Gap("pluggy", "Python <3.14"), Gap("the project", "flask")}


# --- how they are installed ----------------------------------------------------


def made(*targets: str) -> str:
    """What make would run for the targets on a new machine."""
    run = ["make", "-n", "-B", "PYTHON=python3", *targets]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def installs(text: str) -> list[list[str]]:
    """The words behind each `pip install` of a text."""
    text = text.replace("\\\n", " ")
    found = re.findall(r"\bpip3? install ([^\n;&|`'\"]*)", text)
    return [shlex.split(words, comments=True) for words in found]


def is_closed(words: list[str]) -> bool:
    """Hashed from our locks alone, or the project itself; nothing resolved, nothing fetched to
    build with."""
    options = {word for word in words if word.startswith("-")}
    if "--no-deps" not in options or not options <= {
        *("--no-deps", "--no-build-isolation", "--require-hashes"),
        *("-r", "-q", "-qq", "--quiet", "--no-cache-dir", "--editable", "-e"),
    }:
        return False
    rest = [word for word in words if word not in options]
    if "--require-hashes" in options:
        return bool(rest) and set(rest) <= {f".ci/{name}.txt" for name in SETS}
    return rest == ["."] and "--no-build-isolation" in options


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        ("--no-deps --no-build-isolation --require-hashes -r .ci/serve.txt", True),
        ("--no-deps --no-build-isolation --editable .", True),
        ("--require-hashes -r .ci/serve.txt", False),
        ("--no-deps -r .ci/serve.txt", False),
        ("--no-deps --require-hashes -r requirements.txt", False),
        ("--no-deps .", False),
        ("--no-deps --no-build-isolation --index-url=x .", False),
        ("--no-deps --no-build-isolation flask", False),
    ],
)
def test_an_install_that_would_resolve_is_told(line: str, closed: bool) -> None:
    assert is_closed(shlex.split(line)) == closed


@pytest.mark.needs("make")
def test_make_resolves_nothing() -> None:
    for targets, sets in [
        (("install", "run"), ["serve"]),
        (("replay",), ["serve", "replay"]),
        (("test", "test-full", "coverage", "check", "bench"), ["serve", "replay", "develop"]),
        (("spark",), ["serve", "replay", "develop", "spark"]),
    ]:
        text = made(*targets)
        found = installs(text)
        assert [words for words in found if not is_closed(words)] == []
        assert [words[-1] for words in found if words[-1] != "."] == [f".ci/{s}.txt" for s in sets]
        assert text.count("pip check") == len(sets)


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("service/deploy/Dockerfile", 2),
        ("service/deploy/repletion.service", 2),
        ("service/deploy/compose.yaml", 0),
        (".ci/run", 0),
        ("README.md", None),
        ("service/replay/errors.py", 1),
    ],
)
def test_no_other_install_resolves(file: str, count: int | None) -> None:
    text = (ROOT / file).read_text()
    found = installs(text)
    assert [words for words in found if not is_closed(words)] == []
    assert count is None or len(found) == count
    if file.startswith("service/deploy/"):  # the service alone
        assert {words[-1] for words in found} <= {".", ".ci/serve.txt"}
        assert text.count("pip check") == bool(count)
    assert not re.search(r"\bnpm (install|i)\b|\b(pipx|uvx?|conda)\b .*install", text)
