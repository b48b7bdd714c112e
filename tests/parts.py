"""The rotating tests: too dear for every push, so that each push runs one part of them.

A test with the marker `rotates` lies in exactly one part, told by its id (and its place among those
of one id, as schemathesis names its tests): nothing else that is added or removed moves it.
`python -m tests.parts` prints the part that is this commit's turn, and `make test-full` runs that
one (`PART=2` another, `PART=all` or `make test-all` the whole).

The turn is chosen by the hash of a commit. Each run of PARTS commits of the first-parent line,
counted from its root, goes through the parts in an order that the hash of the run's first commit
gives. So where each commit is pushed by itself, 2 * PARTS - 1 pushes in a row bring every part.
Nothing here knows which commits were pushed, and a push of many runs the part of its last: then it
is chance, and ten pushes leave out a given part with the probability (1 - 1/PARTS) ** 10, one in a
thousand for two parts. Were the turn counted by commits alone, pushes of an even number of them
would run the same half for ever.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
PARTS = 2


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
