"""What holds for every test: nothing outside the test is reached unless it asks.

| a test wants | it says |
|---|---|
| sockets, to this machine | `@pytest.mark.loopback`, or the fixture `loopback` (or `httpserver`) |
| the time to stand still | `@pytest.mark.clock("2026-03-01T08:00+00:00")`, or the fixture `clock` |
| the machine's clock | `@pytest.mark.real_clock`, or the fixture `real_clock` |
| an outside program | `@pytest.mark.needs("postgres", "node")`, or the fixture `require` |

A fixture asks for every test that uses it, by depending on one of these fixtures.
Nothing in a test sees the `REPLETION_*` settings of the shell that started pytest.
"""

import datetime as dt
import functools
import importlib.util
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import hypothesis
import pytest
import time_machine

from tests.parts import PARTS, part_of

ROOT = Path(__file__).resolve().parent.parent
NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
"""The instant at which a test's clock stands when it names none."""

LOOPBACK = ["127.0.0.0/8", "::1", "localhost"]

# --- settings -----------------------------------------------------------------

REQUIRED = os.environ.get("REPLETION_TEST_REQUIRE", "").replace(",", " ").split()
"""Programs whose absence fails a test instead of skipping it; `all` stands for each."""

PART = os.environ.get("REPLETION_TEST_PART") or "all"
"""Which part of the tests marked `rotates` runs (tests/parts.py): its number, or `all`."""
if PART not in ("all", *map(str, range(1, PARTS + 1))):
    raise pytest.UsageError(f"REPLETION_TEST_PART={PART}: 1 to {PARTS}, or all")

for _name in [name for name in os.environ if name.startswith("REPLETION_")]:
    if not _name.startswith("REPLETION_TEST_"):
        del os.environ[_name]

# --- hypothesis ---------------------------------------------------------------

# `ci` (the default) tries the same examples every time, so that a red run can be
# looked at; `search` looks for new ones: HYPOTHESIS_PROFILE=search make test-full.
# No deadline in either: the machines are shared, and a slow example is no wrong one.
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# --- outside programs ---------------------------------------------------------


def _on_path(*names: str) -> Path | None:
    return next((Path(found) for name in names if (found := shutil.which(name))), None)


def _postgres() -> Path | None:
    """The folder's `initdb`: Debian keeps it out of PATH, newest version last."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parents[1].name),
    )
    return debian[-1] if debian else _on_path("initdb")


def _medplum() -> Path | None:
    """Medplum's FHIR router, once `npm ci --prefix tests/fhir_server` has run."""
    folder = ROOT / "tests/fhir_server/node_modules/@medplum/fhir-router"
    return folder if folder.is_dir() else None


def _pyspark() -> Path | None:
    """PySpark, which only .ci/spark.txt installs."""
    found = importlib.util.find_spec("pyspark")
    return Path(found.origin) if found is not None and found.origin else None


def _axe() -> Path | None:
    """axe-core, once `npm ci --prefix tests/e2e` has run."""
    script = ROOT / "tests/e2e/node_modules/axe-core/axe.min.js"
    return script if script.is_file() else None


FINDERS: dict[str, Callable[[], Path | None]] = {
    "postgres": _postgres,
    "medplum": _medplum,
    "pyspark": _pyspark,
    "axe": _axe,
    "chromium": lambda: _on_path("chromium", "chromium-browser", "google-chrome"),
}
"""How a program is found when its name is not simply that of a file on PATH."""


@functools.cache
def find(program: str) -> Path | None:
    """The path of an outside program, or None when this machine lacks it."""
    return FINDERS[program]() if program in FINDERS else _on_path(program)


def require_program(program: str) -> Path:
    """The path of an outside program; else the test is skipped, naming it, or failed."""
    if found := find(program):
        return found
    if program in REQUIRED or "all" in REQUIRED:
        pytest.fail(
            f"{program} is not installed, and REPLETION_TEST_REQUIRE asks for it", pytrace=False
        )
    pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def require() -> Callable[[str], Path]:
    """`require("postgres")` in a test or fixture of any scope: its path, or no test."""
    return require_program


# --- parts --------------------------------------------------------------------


def _leave_other_parts(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the rotating tests those of PART stay."""
    if PART == "all":
        return
    stay, others = [], []
    places: Counter[str] = Counter()
    for item in items:
        ours = True
        if item.get_closest_marker("rotates"):
            ours = part_of(item.nodeid, places[item.nodeid]) == int(PART)
            places[item.nodeid] += 1
        (stay if ours else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = stay


# --- sockets ------------------------------------------------------------------


@pytest.fixture(scope="session")
def loopback() -> None:
    """Sockets to this machine, for whoever depends on it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_other_parts(config, items)
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.get_closest_marker("loopback") or {"loopback", "httpserver"} & set(fixtures):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


# --- the clock ----------------------------------------------------------------


class ClockReadError(pytest.fail.Exception):
    """The project's own code read the clock in a test that did not ask for it.

    Not an `Exception`: a tolerant `except Exception` in the service must not hide it.
    """


def _project_frame(frame: FrameType | None) -> str | None:
    """Who reads the clock, when that is a line of ours: `cards/plan.py:12`.

    Libraries may: pytest times its tests and a log stamps its lines. Frames without
    a file (a dataclass's generated `__init__`) are taken as their caller.
    """
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<") and not name.startswith(time_machine.__file__):
            path = Path(name)
            if not path.is_relative_to(ROOT):
                return None
            inside = path.relative_to(ROOT)
            ours = inside.parts[0] in {"cards", "service", "tests"}
            return f"{inside}:{frame.f_lineno}" if ours else None
        frame = frame.f_back
    return None


class _Refusing(time_machine.Traveller):
    """A clock that tells the time to libraries and refuses it to the project's code."""

    def time_ns(self) -> int:
        if reader := _project_frame(sys._getframe(1)):
            raise ClockReadError(
                f"{reader} reads the clock; pass `now`, or ask with the `clock` or `real_clock`"
                " marker or fixture"
            )
        return time_machine.escape_hatch.time.time_ns()


@pytest.fixture(scope="session")
def real_clock() -> None:
    """The machine's clock, for whoever depends on it."""


@pytest.fixture
def clock(_clock: time_machine.Traveller) -> time_machine.Traveller:
    """A clock that stands still: `clock.move_to(instant)`, `clock.shift(timedelta)`."""
    return _clock


@pytest.fixture(autouse=True)
def _clock(request: pytest.FixtureRequest) -> Iterator[time_machine.Traveller | None]:
    marker = request.node.get_closest_marker("clock")
    if "real_clock" in request.fixturenames or request.node.get_closest_marker("real_clock"):
        yield None
    elif marker or "clock" in request.fixturenames:
        with time_machine.travel(*(marker.args if marker else ()) or (NOW,), tick=False) as held:
            yield held
    else:
        with time_machine.travel(0):
            time_machine.traveller_stack[-1] = _Refusing(0, None, True)
            yield None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            require_program(program)
