"""`make lock-check`: asks the registry, through pip, whether the locks hold for every Python.

For Python 3.11 to 3.14 on x86_64 and aarch64: that pip finds a locked file of every package whose
tags fit (nothing is downloaded but metadata), and that what these files ask for is in the lock.
tests/test_locks.py says the latter of what is installed, without a network. Exit code 1, and the
list, where something is missing.

A package that only another Python than this one asks for cannot be resolved here: `beyond` pins
it, with a marker, for `make lock`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.locks import ENVIRONMENTS, PYTHONS, SETS, Gap, Pin, Wants, asked, gaps, pins

ROOT = Path(__file__).resolve().parent.parent
MACHINES = ("x86_64", "aarch64")
SOURCE = {"pyspark"}
"""What comes as source, to be built with setuptools and wheel; any Python will do."""
GLIBC = range(5, 37)  # Debian 12 has 2.36


def wheels(python: str, machine: str, lines: list[str]) -> list[dict[str, Any]]:
    """What pip would install of `lines` there. Raises CalledProcessError with pip's words."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "lines.txt").write_text("\n".join(lines))
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--dry-run", "-qq", "--no-deps"),
                *("--ignore-installed", f"--target={made}", "--only-binary=:all:"),
                f"--python-version={python}",
                *(f"--platform={name}" for name in (*platforms, f"manylinux2014_{machine}")),
                *(f"--report={made}/report.json", "-r", f"{made}/lines.txt"),
            ],
            check=True,
        )
        return json.loads((Path(made) / "report.json").read_text())["install"]


def wants(found: dict[str, Any]) -> Wants:
    return Wants(
        tuple(Requirement(line) for line in found["metadata"].get("requires_dist", ())),
        SpecifierSet(found["metadata"].get("requires_python", "")),
    )


def there(python: str, machine: str) -> list[dict[str, str]]:
    return [
        where
        for where in ENVIRONMENTS
        if (where["python_version"], where["platform_machine"]) == (python, machine)
    ]


def missing(python: str, machine: str, chosen: list[Pin], roots: list[Requirement]) -> set[Gap]:
    """What the pins lack there. Raises CalledProcessError where a package has no file."""
    where = there(python, machine)
    here = [pin for pin in chosen if pin.holds(where[0])]
    lines = {  # without markers: pip would judge them by the Python that it runs on
        f"{pin.name}=={pin.version} {' '.join(f'--hash=sha256:{one}' for one in pin.hashes)}"
        for pin in here
        if pin.name not in SOURCE
    }
    found = wheels(python, machine, sorted(lines))
    said = {canonicalize_name(one["metadata"]["name"]): wants(one) for one in found}
    said |= {name: Wants((), SpecifierSet()) for name in SOURCE}
    return gaps(here, said, roots, where)


def beyond(chosen: list[Pin], roots: list[Requirement]) -> str:
    """Pins, as lines of a lock, of what other Pythons than this one ask for besides."""
    hashes: dict[tuple[str, str, str], set[str]] = {}
    for python in PYTHONS:
        for machine in MACHINES:
            for gap in missing(python, machine, chosen, roots):
                for one in wheels(python, machine, [gap.need]):
                    key = (canonicalize_name(one["metadata"]["name"]), one["metadata"]["version"])
                    one_hash = one["download_info"]["archive_info"]["hashes"]["sha256"]
                    hashes.setdefault((*key, python), set()).add(one_hash)
    return "".join(
        f'{name}=={version} ; python_version == "{python}"'
        + "".join(f" \\\n    --hash=sha256:{one}" for one in sorted(found))
        + "\n"
        for (name, version, python), found in sorted(hashes.items())
    )


def main() -> int:
    chosen = [pin for name in SETS for pin in pins((ROOT / f".ci/{name}.txt").read_text())]
    bad = False
    for python in PYTHONS:
        for machine in MACHINES:
            try:
                found = missing(python, machine, chosen, asked(SETS[-1]))
            except subprocess.CalledProcessError:
                bad = True
                print(f"Python {python} on {machine}: a package has no file (above)")
                continue
            bad = bad or bool(found)
            said = "; ".join(sorted(str(gap) for gap in found)) or "whole"
            print(f"Python {python} on {machine}: {said}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
