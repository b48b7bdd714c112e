"""All vignettes as one test: what mutmut runs for each of its mutants (``make mutants``).

One by one they would cost ten times as much, and the first row that fails is enough.
"""

from __future__ import annotations

from tests.vignette import all_rows, run

ROWS = all_rows()


def test_every_row() -> None:
    for row in ROWS:
        found = run(row)
        assert not found, (row.id, found)
