"""``make sweep``: random patients through every invariant.

    python -m tests.sweep [--cells N] [--seconds S] [--seed N] [--workers N] [--grid] [--cover]

``--grid`` and ``--cover`` run the exhaustive grid and the covering arrays instead.
Exit status 1 when an invariant is broken.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .drawn import CHUNK, Tally, run_chunk
from .whole import COVER_CHUNKS, GRID_CHUNKS, run_cover, run_grid


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000_000, help="random cells")
    parser.add_argument("--seconds", type=float, default=None, help="stop after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--grid", action="store_true", help="the exhaustive grid without draft")
    parser.add_argument("--cover", action="store_true", help="the 3-wise covering arrays")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    if options.grid:
        return _run("grid", run_grid, range(GRID_CHUNKS), options)
    if options.cover:
        return _run("cover", run_cover, range(COVER_CHUNKS), options)
    return _run("random", run_chunk, _work(options.seed, options.cells), options)


def _work(seed: int, cells: int) -> Iterator[tuple[int, int, int]]:
    for chunk, start in enumerate(range(0, cells, CHUNK)):
        yield seed, chunk, min(CHUNK, cells - start)


def _run(
    name: str, job: Callable[[Any], Tally], work: Iterable[Any], options: argparse.Namespace
) -> int:
    began = said = time.monotonic()
    total = Tally()
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        for tally in pool.imap_unordered(job, work):
            total.add(tally)
            now = time.monotonic()
            if now - said > 10:
                said = now
                _say(name, total, now - began)
            if options.seconds is not None and now - began > options.seconds:
                pool.terminate()
                break
    _say(name, total, time.monotonic() - began)
    for problem, count in total.broken.most_common(40):
        print(f"BROKEN {count}x {problem}\n       {total.first[problem]}")
    print("no invariant broken" if not total.broken else f"{len(total.broken)} kinds broken")
    return 1 if total.broken else 0


def _say(name: str, total: Tally, seconds: float) -> None:
    rate = total.cells / max(seconds, 1e-9)
    print(
        f"{name}: {total.cells:,} cells, {total.requests:,} requests, {total.cards:,} with a card, "
        f"{total.drugs:,} with a drug, {sum(total.broken.values())} broken, {seconds:.0f} s, "
        f"{rate:.0f} cells/s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
