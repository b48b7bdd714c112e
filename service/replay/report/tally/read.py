"""Tally: everything the report counts, counted by DuckDB from the rows of a replay.

Lines are read once into a narrow table that DuckDB keeps within MEMORY and spills beside the
rows; every count is then a GROUP BY over it. A count knows its distinct patients, and names them
(by a number) where they are fewer than ``min_cell``, so that what is published can be checked
for small groups (disclosure). Sums of fractions are made of whole seconds: the order in which
threads add them must not show.
"""

from __future__ import annotations

from pathlib import Path

from service.replay.report.tally.against import count_against
from service.replay.report.tally.agreement import count_lows, count_outcomes
from service.replay.report.tally.calls import count_both, count_cards, count_patients
from service.replay.report.tally.counter import Counter
from service.replay.report.tally.refusals import count_asked, count_gaps, count_hushed
from service.replay.report.tally.rows import connected, load
from service.replay.report.tally.tally import Tally
from service.replay.row import HOOKS


def read_tally(folder: Path, min_cell: int) -> Tally:
    """The Tally of ``decisions.ndjson`` and ``patients.ndjson`` in a folder."""
    with connected(folder) as db:
        load(db, folder)
        tally = Tally()
        count = Counter(db, tally, max(min_cell, 1))
        count_patients(count)
        for hook in HOOKS:
            count_cards(count, hook)
            count_asked(count, hook)
            count_gaps(count, hook)
            count_hushed(count, hook)
            count_outcomes(count, hook)
            count_against(count, hook)
        count_both(count)
        count_lows(count)
        return tally
