"""The vignettes that must speak, frozen before the rules were made quieter.

Silence is the cheap way to fewer cards. Each critical and warning of section 7, and each severe,
toxic and ``life`` card, stands in ``vignettes/frozen/must_speak.csv`` with the indicator it had;
what no longer speaks so loud has the ruling that took it in ``gone_by``. No line is ever removed.
"""

from __future__ import annotations

import csv
import re

import pytest

from tests.vignette import all_rows
from tests.vignette.check import RANK
from tests.vignette.tables import TABLES

with (TABLES / "frozen" / "must_speak.csv").open(newline="", encoding="utf-8") as _handle:
    FROZEN = list(csv.DictReader(_handle))
ROWS = {row.id: row for row in all_rows()}


def test_no_line_was_taken_out() -> None:
    assert len({line["id"] for line in FROZEN}) == 649


@pytest.mark.parametrize("line", FROZEN, ids=[line["id"] for line in FROZEN])
def test_it_still_speaks_or_a_ruling_took_it(line: dict[str, str]) -> None:
    row = ROWS.get(line["id"])
    loud = (
        row is not None
        and row.hook == line["hook"]
        and RANK.get(row.worst_indicator, 0) >= RANK[line["indicator"]]
    )
    if line["gone_by"]:
        assert re.search(r"ruling \d+", line["gone_by"]), "what took it is a ruling, by its number"
        assert not loud, "it speaks: take the ruling out"
    else:
        assert loud, f"{line['id']} was {line['indicator']} ({line['rule']}): name the ruling"
