"""Runs the trials: see the package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import eicu, wild
from .check import Tally

TRIALS = {
    "eicu": eicu.trial,
    "cds-requests": wild.cds_requests,
    "odd-resources": wild.odd_resources,
    "hl7-cases": wild.hl7_cases,
    "sandbox-requests": wild.sandbox_requests,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trials")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("trial", nargs="*", choices=[*TRIALS, []], help="all without a name")
    asked = parser.parse_args()
    wrong = False
    for name in asked.trial or TRIALS:
        tally = Tally()
        print(f"=== {name}")
        for line in [*TRIALS[name](asked.data, tally), *tally.lines()]:
            print(line)
        wrong = wrong or bool(tally.faults)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
