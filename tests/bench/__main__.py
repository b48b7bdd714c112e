"""``make bench``: the service beside the least that any service would cost.

    python -m tests.bench [PART …] [--quick] [--out DIR] [--soak SECONDS]

Parts are those of the table below; none means all, ``curves`` the six curves. Writes a plot
(speed.svg) and every raw number (speed.json) under --out. Exit status 0 whether or not the
targets are reached: it measures, tests judge.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench.curves import (
    measure_classes,
    measure_fetch,
    measure_jwt,
    measure_observations,
    measure_store,
    measure_workers,
)
from tests.bench.findings import Findings
from tests.bench.hooks import measure_hooks
from tests.bench.inside import measure_inside
from tests.bench.profile import measure_profile
from tests.bench.report import show, show_targets, write_plot, write_raw
from tests.bench.setting import Setting
from tests.bench.soak import measure_sigterm, measure_soak
from tests.bench.start import measure_start

PARTS: dict[str, Callable[[Setting], Findings]] = {
    "hooks": measure_hooks,
    "inside": measure_inside,
    "profile": measure_profile,
    "start": measure_start,
    "jwt": measure_jwt,
    "store": measure_store,
    "observations": measure_observations,
    "workers": measure_workers,
    "classes": measure_classes,
    "fetch": measure_fetch,
    "sigterm": measure_sigterm,
    "soak": measure_soak,
}
CURVES = ("observations", "workers", "classes", "jwt", "store", "fetch")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join((*PARTS, "curves")))
    parser.add_argument("--quick", action="store_true", help="under two minutes; not to be quoted")
    parser.add_argument("--out", type=Path, default=Path(".bench"), help="default: .bench")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="default: 600, quick: 8")
    given = parser.parse_args(arguments)
    unknown = [part for part in given.parts if part not in (*PARTS, "curves")]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)}, curves)")
    return given


def chosen(parts: list[str]) -> list[str]:
    """The parts to run, in their own order."""
    wanted = {p for part in parts for p in (CURVES if part == "curves" else (part,))}
    return [part for part in PARTS if not parts or part in wanted]


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console()
    wide = console if console.is_terminal else Console(width=180)
    setting = Setting(
        quick=options.quick, soak_s=options.soak, say=lambda text: console.print(text, style="dim")
    )
    options.out.mkdir(parents=True, exist_ok=True)
    began, run = time.monotonic(), _run_of(setting)
    found: list[Findings] = []
    for part in chosen(options.parts):
        before, started = os.getloadavg(), time.monotonic()
        findings = PARTS[part](setting)
        findings.raw["load_average"] = {"before": before, "after": os.getloadavg()}
        findings.raw["seconds"] = time.monotonic() - started
        found.append(findings)
        show(findings, wide)
        # After each part: a run that is stopped has not measured for nothing.
        write_raw(options.out / "speed.json", run, found)
    run["seconds"] = time.monotonic() - began
    write_raw(options.out / "speed.json", run, found)
    curves = [curve for findings in found for curve in findings.curves]
    if curves:
        write_plot(options.out / "speed.svg", curves)
    targets = [target for findings in found for target in findings.targets]
    if targets:
        show_targets(targets, wide)
    wide.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        f" (server on {setting.machine.server_core}, client on {setting.machine.client_core});"
        f" load average {os.getloadavg()[0]:.1f}; {run['seconds']:.0f} s; raw numbers and plot in"
        f" {options.out}/"
    )
    if options.quick:
        wide.print("--quick: too short to be quoted.")
    return 0


def _run_of(setting: Setting) -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "quick": setting.quick,
        "machine": setting.machine.as_json(),
        "python": sys.version.split()[0],
        "commit": commit.stdout.strip() or None,
    }


def _stop(*_: object) -> None:
    sys.exit(143)  # by way of every `finally`: no server is left behind


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
