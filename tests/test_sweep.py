"""The sweep: no patient of the space breaks an invariant (issue "Rules", Must show)."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from tests.sweep import ask
from tests.sweep.axes import AXES, DRAFTS, Cell, request
from tests.sweep.check import REJECTED, check, drugs, neighbours, texts
from tests.sweep.cover import OPEN, all_cells, open_cells, uncovered
from tests.sweep.drawn import Tally, run_chunk
from tests.sweep.grid import MAGNESIUM, SIZE, columns
from tests.sweep.oracle import facts
from tests.sweep.whole import (
    COVER_CHUNKS,
    GRID_CHUNKS,
    judge_cells,
    judge_columns,
    run_cover,
    run_grid,
)

pytestmark = pytest.mark.uncounted

# Of `make test`: every 23rd column of the grid (23 shares no factor with an axis, so that every
# value and pair of values of two axes comes) and every 61st cell of the arrays.
COLUMN_STEP = 23
CELL_STEP = 61


def sound(tally: Tally) -> None:
    assert not tally.broken, "\n".join(
        f"{count}x {problem}\n   {tally.first[problem]}"
        for problem, count in tally.broken.most_common(20)
    )


def test_the_axes_have_the_sizes_the_note_states() -> None:
    assert SIZE == 304_290
    assert sum(len(column) for column in columns()) == SIZE
    assert Cell._fields == tuple(AXES)
    assert all(set(OPEN[name]) <= set(AXES[name]) for name in AXES)


@pytest.mark.parametrize("name", ["all", "open"])
def test_the_covering_arrays_cover_every_triple(name: str) -> None:
    array, axes = (all_cells(), AXES) if name == "all" else (open_cells(), OPEN)
    assert uncovered(array, axes) == 0


def test_a_sample_of_the_grid() -> None:
    taken = list(islice(columns(), 0, None, COLUMN_STEP))
    for name in ("renal", "urgent", "enteral", "setting"):
        assert {column["1.21"]._asdict()[name] for column in taken} == {
            column["1.21"]._asdict()[name] for column in columns()
        }
    tally = judge_columns(taken)
    sound(tally)
    # Not vacuous: one in thirty is offered a drug (most cells of this grid hold a stop).
    assert tally.drugs > 300


def test_a_sample_of_the_covering_arrays() -> None:
    cells = [*islice(all_cells(), 0, None, CELL_STEP), *islice(open_cells(), 0, None, CELL_STEP)]
    assert {cell.draft for cell in cells} == set(DRAFTS)
    tally = judge_cells(cells)
    sound(tally)
    assert tally.drugs > 20


def test_random_cells() -> None:
    sound(run_chunk((7, 0, 2_000)))


@pytest.mark.slow
@pytest.mark.rotates
@pytest.mark.parametrize("chunk", range(GRID_CHUNKS))
def test_the_whole_grid(chunk: int) -> None:
    sound(run_grid(chunk))


@pytest.mark.slow
@pytest.mark.rotates
@pytest.mark.parametrize("chunk", range(COVER_CHUNKS))
def test_the_whole_covering_arrays(chunk: int) -> None:
    sound(run_cover(chunk))


# ---------------------------------------------------------------- the sweep itself is not blind


def _answer(cell: Cell) -> bytes:
    body = ask(request(cell), cell.hook)
    assert body is not None
    return body


def test_every_draft_kind_is_read_as_what_it_is() -> None:
    """The fragments say what their names say: a magnesium draft under a toxic level is removed,
    anything else is not."""
    removed = set()
    for draft in DRAFTS:
        cell = Cell(hook="order-sign", mg="8.0", draft=draft)
        if b'"delete"' in _answer(cell):
            removed.add(draft)
    magnesium = {name for name, words in DRAFTS.items() if any("Mg" in w for w in words)}
    assert removed == (magnesium | {"laxative"})


@pytest.mark.parametrize(
    ("cell", "stop"),
    [
        (Cell(person="child"), "H1"),
        (Cell(renal="R3"), "H2"),
        (Cell(renal="R4"), "H2"),
        (Cell(renal="RU"), "H2"),
        (Cell(heart="myasthenia"), "H6"),
        (Cell(person="pregnant"), "H7"),
        # A mild or moderate level that is being treated is silent (ruling 96 (b)).
        (Cell(mg="1.20", running="iv"), "H9"),
        (Cell(mg="1.20", running="since"), "H9"),
        (Cell(quality="stale"), "H10"),
        (Cell(mg="1.20", setting="ambulatory"), "H11"),
    ],
)
def test_a_stop_is_seen_by_the_oracle_and_named_by_the_card(cell: Cell, stop: str) -> None:
    assert facts(cell).stop == stop
    response = json.loads(_answer(cell))
    assert drugs(response) == []
    assert response["cards"]
    # A drug offered to this patient would be caught.
    healthy = _answer(Cell(mg=cell.mg))
    assert f"a drug although {stop} holds" in list(check(cell, healthy))


def test_an_intravenous_dose_is_measured() -> None:
    healthy = json.loads(_answer(Cell(mg="1.10")))
    order = drugs(healthy)[0][0]
    line = order["dosageInstruction"][0]
    line["timing"]["repeat"]["duration"] = 13
    line["doseAndRate"][0]["rateRatio"]["denominator"]["value"] = 13
    found = list(check(Cell(mg="1.10"), json.dumps(healthy).encode()))
    assert "2000.0 mg over 13.0 min is faster than 150 mg/min" in found
    line["doseAndRate"][0]["doseQuantity"]["value"] = 9
    found = list(check(Cell(mg="1.10"), json.dumps(healthy).encode()))
    assert any("above the 24 h cap of 8.00 g" in problem for problem in found)


def test_an_oral_dose_is_measured() -> None:
    healthy = json.loads(_answer(Cell()))
    order = drugs(healthy)[0][0]
    line = order["dosageInstruction"][0]
    line["doseAndRate"][0]["doseQuantity"]["value"] = 1000
    del line["timing"]["repeat"]["boundsDuration"]
    found = list(check(Cell(), json.dumps(healthy).encode()))
    assert "24.8 mmol a day by mouth" in found
    assert "an oral order without an end" in found


@pytest.mark.parametrize(
    "claim",
    [
        "Keep potassium at 4.0-5.0 mEq/L.",
        "alfacalcidol 0.25-9.00 mg a day",
        "12 mmol (480 mg elemental)",
        "250 mg/kg within 4 h",
        "Target 1.8-2.2 mEq/L",
    ],
)
def test_a_rejected_claim_is_found(claim: str) -> None:
    assert any(pattern.search(claim) for pattern in REJECTED.values())
    healthy = json.loads(_answer(Cell()))
    healthy["cards"][0]["detail"] += claim
    assert any("the card says" in p for p in check(Cell(), json.dumps(healthy).encode()))


def test_the_cards_do_not_say_it_in_other_words() -> None:
    """The true sentence beside each rejected one is there, and passes."""
    said = "\n".join(
        text
        for cell in (Cell(), Cell(mg="1.1"), Cell(enteral="oral full", running="week"))
        for text in texts(json.loads(_answer(cell)))
    )
    assert "1.8-2.2 mg/dL" in said
    assert "302 mg elemental" in said


def test_neighbours_lead_to_normal() -> None:
    pairs = neighbours([mg for mg in MAGNESIUM if mg != "not obtained"])
    assert ("1.20", "1.21") in pairs
    assert ("1.79", "1.80") in pairs
    assert ("2.61", "2.60") in pairs
    assert ("4.70", "4.69") in pairs
    assert not any("0.19" in pair for pair in pairs)
