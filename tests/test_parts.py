"""The rotating tests come round: each in one part, and every part in turn."""

import shutil
import subprocess
import sys
from collections import Counter
from hashlib import sha1
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest

from tests.mutants import FAULTS
from tests.parts import PARTS, ROOT, part_of, turn

# Made-up hashes, as git's.
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
LINE = [sha1(str(number).encode()).hexdigest() for number in range(600 * PARTS)]


def test_pushes_of_one_commit_bring_every_part_soon() -> None:
    turns = [turn(LINE[: number + 1]) for number in range(len(LINE))]
    window = 2 * PARTS - 1
    assert window <= 10
    for start in range(len(turns) - window):
        assert set(turns[start : start + window]) == set(range(1, PARTS + 1))


def complete(ends: list[int]) -> float:
    """The share of stretches of ten pushes, each ending at a length of LINE, with every part."""
    turns = [turn(LINE[:end]) for end in ends]
    windows = [set(turns[start : start + 10]) for start in range(len(turns) - 10)]
    return sum(len(seen) == PARTS for seen in windows) / len(windows)


# What chance alone gives: at most this share lacks some part.
CHANCE = 1 - PARTS * (1 - 1 / PARTS) ** 10


@pytest.mark.parametrize("step", [2, 3, 4, 6, 10, 12])
def test_pushes_of_equal_size_do_not_run_one_part_for_ever(step: int) -> None:
    assert complete(list(range(1, len(LINE), step))) > CHANCE - 0.07


def test_pushes_of_any_size_bring_every_part_as_chance_does() -> None:
    random = Random(1)
    ends = list(accumulate(random.randint(1, 12) for _ in range(300)))
    assert complete([end for end in ends if end <= len(LINE)]) > CHANCE - 0.07


def test_no_turn_by_commit_could_promise_more() -> None:
    """Of every part there are commits without end: who pushes just those never sees another."""
    by_part = Counter(turn(LINE[:end]) for end in range(1, len(LINE) + 1))
    assert min(by_part.values()) == max(by_part.values()) == len(LINE) // PARTS


def test_the_hash_chooses() -> None:
    """Two histories of one length do not go in step."""
    other = [sha1(f"other {number}".encode()).hexdigest() for number in range(len(LINE))]
    same = sum(turn(LINE[:n]) == turn(other[:n]) for n in range(1, 1_001))
    assert 0.7 < same * PARTS / 1_000 < 1.4


def test_the_parts_share_the_faults() -> None:
    ids = [f"tests/test_mutants.py::test_a_fault_is_caught[{f.file}: {f.name}]" for f in FAULTS]
    shares = [sum(part_of(one) == part for one in ids) for part in range(1, PARTS + 1)]
    assert sum(shares) == len(FAULTS)
    assert min(shares) > len(FAULTS) / PARTS * 0.7


@pytest.mark.parametrize("part", [str(part) for part in range(1, PARTS + 2)])
def test_a_part_runs_its_tests_and_no_others(part: str, tmp_path: Path) -> None:
    """The parts together are the whole, each test once; a part that is none is refused."""
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "parts.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests/test_it.py").write_text(
        "import pytest\ndef test_always(): pass\n"
        "@pytest.mark.rotates\n@pytest.mark.parametrize('n', range(40))\ndef test_one(n): pass\n"
    )
    run = subprocess.run(
        [*PYTEST, "--collect-only", "-q"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "REPLETION_TEST_PART": part},
        capture_output=True,
        text=True,
    )
    if int(part) > PARTS:
        assert run.returncode != 0
        assert f"REPLETION_TEST_PART={part}" in run.stdout + run.stderr
        return
    listed = {line for line in run.stdout.splitlines() if "::" in line}
    rotating = [f"tests/test_it.py::test_one[{n}]" for n in range(40)]
    chosen = {one for one in rotating if part_of(one) == int(part)}
    assert listed == {"tests/test_it.py::test_always", *chosen}
    assert 0 < len(chosen) < 40
