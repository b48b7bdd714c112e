"""The rotating tests: too dear for every push, so that each push runs one part of them.

A test with the marker `rotates` lies in exactly one part, told by its id (and its place among those
of one id, as schemathesis names its tests): nothing else that is added or removed moves it.
`python -m tests.parts` prints the part that is this commit's turn, and `make test-full` runs that
one (`PART=2` another, `PART=all` or `make test-all` the whole).

The turn is chosen by the hash of a commit. Each run of PARTS commits of the first-parent line,
counted from its root, goes through the parts in an order that the hash of the run's first commit
gives. What that promises, and no more:

- Each push adds one commit to the first-parent line (one commit, or one merge of however many):
  any 2 * PARTS - 1 pushes in a row bring every part. With three parts that is five.
- A push adds more than one: it runs the part of its last commit, which is chance, and ten pushes
  leave out a given part with the probability (1 - 1/PARTS) ** 10, with three parts 1.7 in a
  hundred. No choice by the commit alone could promise more: of each part there are commits without
  end, and nothing here knows which of them were pushed. Were the turn counted by commits alone,
  pushes of three at a time would run one part for ever.

How many parts: `.ci/run` is to take about twelve minutes on two cores. What rotates costs about
1,050 CPU-seconds: the sweep 630, the faults 185, the API at length 160, the fuzz 80.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
PARTS = 3


def part_of(test: str, place: int = 0) -> int:
    """The part, from 1 on, in which a test lies; `test` is its id, `place` its place among those
    of the same id."""
    return (crc32(test.encode()) // 256 + place) % PARTS + 1  # the lowest bits share out badly


def turn(line: Sequence[str]) -> int:
    """The part whose turn it is at the last commit of a first-parent line, given from its root."""
    run, place = divmod(len(line) - 1, PARTS)
    first = line[run * PARTS]
    order = sorted(
        range(1, PARTS + 1), key=lambda part: sha256(f"{first} {part}".encode()).digest()
    )
    return order[place]


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def turn_here() -> int:
    """The turn of this checkout's commit; of the commit alone where its history was cut off
    (a shallow clone), and 1 where there is no git."""
    try:
        if _git("rev-parse", "--is-shallow-repository") == ["true"]:
            return turn(_git("rev-parse", "HEAD"))
        return turn(_git("rev-list", "--first-parent", "--reverse", "HEAD"))
    except (OSError, subprocess.CalledProcessError):
        return 1


if __name__ == "__main__":
    print(turn_here())
