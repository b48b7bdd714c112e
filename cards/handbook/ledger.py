"""Ledger: what the four source articles state, what became of each statement, and where it stands.

Each statement is told in our own words, with its verdict and the reason. One that is adopted or
corrected names the protocol entries that hold it (``band.severe``, ``limit.infusion_rate``,
``regimen.severe``, ``followup.0``) and the vignettes that show it; ``tests/test_ledger.py`` takes
each entry away and expects a vignette to fail.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Literal, get_args

from msgspec import Struct

Verdict = Literal["adopted", "corrected", "optional", "rejected"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# What each article was asked, in our words.
ARTICLES = {
    "seed 0": "S0: correcting a low magnesium",
    "seed 1": "S1: a level of 1.4 mg/dL",
    "seed 2": "S2: a level of 1.2 mg/dL",
    "seed 3": "S3: glycinate at 1.2 mg/dL",
}
TOPICS = {
    "levels": "levels, units, targets",
    "parenteral": "intravenous and intramuscular",
    "oral": "by mouth",
    "symptoms": "symptoms and risk",
    "kidney": "kidney",
    "electrolytes": "potassium and calcium",
    "safety": "monitoring and harm",
    "follow-up": "follow-up",
    "cause": "causes",
    "gut": "gut losses",
    "specialist": "specialist options",
    "diet": "diet",
}


class Statement(Struct, frozen=True, gc=False):
    """One statement of an article: ``S0-01`` is the first of seed 0.

    ``entries`` and ``vignettes`` are empty for what is optional or rejected.
    """

    id: str
    seed: str
    topic: str
    verdict: Verdict
    fact: str
    reason: str
    entries: tuple[str, ...] = ()
    vignettes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"{self.id}: no verdict {self.verdict!r}")
        if self.topic not in TOPICS:
            raise ValueError(f"{self.id}: no topic {self.topic!r}")
        if self.seed != f"seed {self.id[1:2]}":
            raise ValueError(f"{self.id}: not of {self.seed!r}")
        if not self.fact or not self.reason:
            raise ValueError(f"{self.id}: a fact and a reason are needed")
        if bool(self.entries) != self.reached or bool(self.vignettes) != self.reached:
            raise ValueError(f"{self.id}: entries and vignettes belong to what is adopted")

    @property
    def reached(self) -> bool:
        """Whether the protocol holds it, as stated or corrected."""
        return self.verdict in ("adopted", "corrected")


@cache
def ledger() -> tuple[Statement, ...]:
    """Every statement, in the order of the articles."""
    text = resources.files("cards.handbook").joinpath("ledger.csv").read_text(encoding="utf-8")
    return tuple(
        Statement(
            row["id"],
            row["seed"],
            row["topic"],
            row["verdict"],  # type: ignore[arg-type]  # text of a file: checked on construction
            row["fact"],
            row["reason"],
            tuple(row["entries"].split()),
            tuple(row["vignettes"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    )
