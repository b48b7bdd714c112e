"""The locks (`.ci/*.txt`) as pip reads them, and whether they are closed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SETS = ("serve", "replay", "develop", "spark")
"""Each is installed upon those before it."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.{patch}",
        "implementation_name": "cpython",
        "implementation_version": f"{python}.{patch}",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "platform_release": "",
        "platform_version": "",
    }
    for python in PYTHONS
    for patch in (0, 99)  # a marker may tell the first releases of a Python from the later ones
    for machine in ("x86_64", "aarch64")
]


@dataclass(frozen=True)
class Pin:
    name: str
    version: str
    extras: frozenset[str]
    hashes: tuple[str, ...]
    marker: Marker | None = None

    def holds(self, where: dict[str, str]) -> bool:
        """Whether it is installed in an environment."""
        return self.marker is None or self.marker.evaluate(where)


@dataclass(frozen=True, order=True)
class Gap:
    by: str
    need: str

    def __str__(self) -> str:
        return f"{self.by} asks for {self.need}"


@dataclass(frozen=True)
class Wants:
    """What a distribution's metadata ask for."""

    requires: tuple[Requirement, ...]
    python: SpecifierSet


def pins(text: str) -> list[Pin]:
    """The pins of a lock, in its order. Raises ValueError on a line that is not `name==version`
    with hashes, or that is an option (of a registry, say)."""
    found = []
    for entry in text.replace("\\\n", " ").splitlines():
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        pin, *options = re.split(r"\s+(?=--)", entry.strip())
        pin, _, marker = (part.strip() for part in pin.partition(";"))
        part = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[([a-z0-9,-]+)\])?==([^\s=*]+)", pin)
        hashes = [re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", option) for option in options]
        if part is None or not hashes or None in hashes:
            raise ValueError(f"not a pin with hashes: {entry}")
        found.append(
            Pin(
                canonicalize_name(part[1]),
                part[3],
                frozenset((part[2] or "").split(",")) - {""},
                tuple(one[1] for one in hashes if one),
                Marker(marker) if marker else None,
            )
        )
    return found


def locked(name: str) -> list[Pin]:
    return pins((ROOT / f".ci/{name}.txt").read_text())


def upon(name: str) -> list[Pin]:
    """What is installed once the set is: its own pins, and those of the sets before it."""
    return [pin for each in SETS[: SETS.index(name) + 1] for pin in locked(each)]


def asked(name: str) -> list[Requirement]:
    """What the project itself asks of a set: to be built, to serve, and its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    adds = {
        "serve": [
            *project["build-system"]["requires"],
            *project["project"]["dependencies"],
            *extras["postgres"],
        ],
        "replay": extras["replay"],
        "develop": extras["dev"],
        "spark": [*extras["spark"], "setuptools", "wheel"],  # PySpark is built here
    }
    return [Requirement(line) for each in SETS[: SETS.index(name) + 1] for line in adds[each]]


def installed(pin: Pin) -> Wants:
    """What the installed distribution says. Raises ValueError when it is another version's."""
    found = metadata.distribution(pin.name)
    if found.version != pin.version:
        raise ValueError(f"{pin.name} {found.version} is installed, locked is {pin.version}")
    return Wants(
        tuple(Requirement(line) for line in found.requires or ()),
        SpecifierSet(found.metadata["Requires-Python"] or ""),
    )


def gaps(
    chosen: Iterable[Pin],
    wants: Mapping[str, Wants],
    roots: list[Requirement],
    environments: list[dict[str, str]] = ENVIRONMENTS,
) -> set[Gap]:
    """What the pins ask for and do not hold, in one of the environments: no gaps, and the set is
    closed. `wants`: by the name of each pin; `roots`: what is asked of the set from outside.

    An extra must be named by the pin (`coverage[toml]==…`): it then brings its own requirements
    into the question, and an installer that does resolve finds what it looks for.
    """
    everything = list(chosen)
    return {gap for where in environments for gap in _gaps(everything, wants, roots, where)}


def _gaps(
    chosen: list[Pin], wants: Mapping[str, Wants], roots: list[Requirement], where: dict[str, str]
) -> Iterator[Gap]:
    versions: dict[str, str] = {}
    extras: dict[str, frozenset[str]] = {}
    for pin in chosen:
        if pin.holds(where):
            versions[pin.name] = pin.version
            extras[pin.name] = extras.get(pin.name, frozenset()) | pin.extras
    for name in versions:
        if not wants[name].python.contains(where["python_full_version"]):
            yield Gap(name, f"Python {wants[name].python}")
    for by, need in _needs(extras, wants, roots, where):
        name = canonicalize_name(need.name)
        if name not in versions or not need.specifier.contains(versions[name], True):
            yield Gap(by, f"{need.name}{need.specifier}")
        elif lacking := need.extras - extras[name]:
            yield Gap(by, f"{need.name}[{','.join(sorted(lacking))}]")


def _needs(
    extras: Mapping[str, frozenset[str]],
    wants: Mapping[str, Wants],
    roots: list[Requirement],
    where: dict[str, str],
) -> Iterator[tuple[str, Requirement]]:
    """Who asks for what in an environment, markers and extras taken into account."""
    yield from (("the project", need) for need in roots)
    for name, own in extras.items():
        for need in wants[name].requires:
            marker = need.marker
            if marker is None or any(
                marker.evaluate({**where, "extra": extra}) for extra in ("", *own)
            ):
                yield name, need
