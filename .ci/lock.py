"""`make lock`: choose every package once, and write each set's share as a closed, hashed lock.

The sets lie one upon the other: serve, replay, develop, spark (SETS). All four are resolved
together, so that a package has one version in all of them; a set's file holds what the sets
before it do not. Pins keep the extras asked for (`coverage[toml]==…`): a pin without them is not
taken for the one with them, and an installer then asks the registry for the newest release.

What is pinned stays pinned; `make lock ARGS=--upgrade` chooses the newest of everything,
`ARGS="--upgrade-package flask"` of one. Resolved for the Python that runs this; what other Pythons
ask for besides is added with a marker (reach.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import reach

ROOT = Path(__file__).resolve().parent.parent
SETS = {  # what each adds: an extra of pyproject.toml, or a file
    "serve": ["--extra=postgres"],
    "replay": ["--extra=replay"],
    "develop": ["--extra=dev"],
    "spark": [".ci/spark.in"],
}
HEAD = """\
# The set `{name}`{upon}. Made by `make lock` (.ci/lock.py); installed
# with --no-deps, each file checked against its hash: nothing released later can change it.
"""
_BLOCK = re.compile(
    r"^(?P<pin>[A-Za-z0-9._-]+(?:\[[^\]]*\])?==\S+) .*\n(?:[ \t].*\n)*", re.MULTILINE
)


def blocks(text: str) -> dict[str, str]:
    """Each pin of a lock with its lines: hashes, and what asks for it."""
    return {found["pin"]: found[0] for found in _BLOCK.finditer(text)}


def compiled(folder: Path, asked: list[str], known: str, options: list[str]) -> str:
    """The lock of `asked`, near to what is `known`."""
    build = folder / "build.in"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build.write_text("\n".join(project["build-system"]["requires"]) + "\n")
    lock = folder / "lock.txt"
    lock.write_text(known)
    subprocess.run(
        [
            Path(sys.executable).with_name("pip-compile"),
            *("--quiet", "--generate-hashes", "--allow-unsafe", "--no-strip-extras"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
            *("--no-header", f"--output-file={lock}", *options),
            *("pyproject.toml", build, *asked),
        ],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        check=True,
    )
    return lock.read_text().replace(f"-r {build}", "build-system (pyproject.toml)")


def main(options: list[str]) -> None:
    files = {name: ROOT / f".ci/{name}.txt" for name in SETS}
    known = "".join(file.read_text() for file in files.values() if file.exists())
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        every = [word for words in SETS.values() for word in words]
        whole = compiled(folder, every, known, options)
        pins = folder / "pins.txt"
        pins.write_text("".join(re.sub(r"\[.*?\]", "", pin) + "\n" for pin in blocks(whole)))
        asked: list[str] = []
        written: set[str] = set()
        for name, words in SETS.items():
            asked += words
            found = blocks(compiled(folder, asked, whole, [f"--constraint={pins}"]))
            before = ", ".join(list(SETS)[: list(SETS).index(name)])
            head = HEAD.format(name=name, upon=f", upon {before}" if before else "")
            shares = [lines for pin, lines in found.items() if pin not in written]
            if name == "develop":  # the sets of those who only run it have needed none yet
                shares.append(reach.beyond(reach.pins("".join(found.values())), reach.asked(name)))
            text = head + "".join(shares).replace(f"    #   -c {pins}\n", "")
            files[name].write_text(text)
            written |= set(found)
            print(f"{files[name].relative_to(ROOT)}: {len(shares)} packages")


if __name__ == "__main__":
    main(sys.argv[1:])
