"""The figures: what figures.toml says is counted, adds up, and gives rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from service.replay.report.count import count
from service.replay.report.disclosure import Count, Key, Sum
from service.replay.report.figure import Figure, add_up, figures
from service.replay.report.published import publish
from service.replay.row import HOOKS, PARTED, Ordered, Other

from .rows import decided, run, write_rows
from .test_small_cells import facts, population


def test_every_sum_and_every_figure_speaks_of_something_that_is_counted(tmp_path: Path) -> None:
    """A sum that fits nothing protects nothing: a slip in its words would not be seen."""
    calls, walked = population(1, 60, 0.6)
    gone = Other(stage="chart", visible=True)
    louder = Other("N2", ("N2",), "warning", stage="plan", visible=True)
    n1: dict[str, Any] = {"lead": "N1", "findings": ("N1",), "indicator": "info"}
    for hook in HOOKS:
        n1["order"] = None if hook == "patient-view" else Ordered("furosemide")
        calls.append(decided("f" * 24, hook, "x", **n1, against=gone))
        calls.append(decided("f" * 24, hook, "y", **n1, against=louder))
    code = PARTED.join(("result", "urn:x", "MG", "mg/dL"))
    walked[0] = structs.replace(walked[0], unrecognised={code: 2}, lost_magnesium=1)
    counted = count(write_rows(tmp_path, facts(0, calls, walked), calls, walked), 0)
    for figure in figures():
        for text in figure.sums:
            fitting = [s for hook in ("", *HOOKS) for s in add_up([text], hook, counted.counts)]
            assert any(counted.counts[s.total].n for s in fitting), text
    tables = publish(facts(0, calls, walked), counted, 0).tables
    named = {figure.id.replace("{hook}", hook) for figure in figures() for hook in HOOKS}
    assert {table.id for table in tables} == named
    for table in tables:
        assert any(row.cell.n for row in table.rows), table.id


def test_a_slip_in_the_file_is_refused() -> None:
    text = 'title = ""\ncounted = ""\ncolumns = []\nunit = ""\nquery = ""\nrows = []\n'
    assert msgspec.toml.decode(text, type=Figure).rows == ()
    with pytest.raises(msgspec.ValidationError, match="unknown field `sum`"):
        msgspec.toml.decode(text + "sum = []\n", type=Figure)


COUNTS: dict[Key, Count] = {
    ("card", "order-sign"): Count(5, 5),
    ("rule", "order-sign", "N1"): Count(3, 3),
    ("rule", "order-sign", "D1"): Count(2, 2),
    ("rule", "order-sign", "no card"): Count(1, 1),
    ("rule", "order-select", "N1"): Count(4, 4),
}
SIGN = ("card", "order-sign")
WHOLE = Sum(SIGN, (("rule", "order-sign", "D1"), ("rule", "order-sign", "N1")))


@pytest.mark.parametrize(
    ("text", "hook", "sums"),
    [
        ("card/{hook} = rule/{hook}/*rule", "order-sign", [WHOLE]),
        ("card/{ordering} =? rule/{ordering}/*rule", "order-sign", [WHOLE]),
        ("card/{viewing} = rule/{viewing}/*rule", "order-sign", []),
        ("card/{hook} =? rule/{hook}/*rule", "order-select", []),
        (
            "rule/{hook}/{rule} = seen/{hook}/{rule} + seen/{hook}/{rule}/not",
            "order-select",
            [],
        ),
        (
            "card/{hook} = band/{hook}/*band",
            "order-sign",
            [Sum(SIGN, tuple(("band", "order-sign", b) for b in ("severe", "moderate", "mild")))],
        ),
    ],
)
def test_patterns_stand_for_what_was_counted(text: str, hook: str, sums: list[Sum]) -> None:
    assert list(add_up([text], hook, dict(COUNTS))) == sums


def test_further_cards_of_a_rule_with_two_indicators_are_told_once(tmp_path: Path) -> None:
    """Under the first of them by name, whatever the order of the rows."""
    calls = [
        decided("a", "patient-view", "1", lead="N1", findings=("N1",), indicator="warning"),
        decided("b", "patient-view", "2", lead="N1", findings=("N1",), indicator="info"),
        decided("c", "patient-view", "3", lead="N2", findings=("N2", "N1"), indicator="info"),
    ]
    for rows in (calls, calls[::-1]):
        counted = count(write_rows(tmp_path, run(), rows, []), 0)
        table = publish(run(), counted, 0).table("rules-patient-view")
        assert table is not None
        also = {(row.name[0], row.name[2]): row.extra[0].n for row in table.rows}
        assert also == {("N1", "info"): 1, ("N1", "warning"): 0, ("N2", "info"): 0}
