"""From resources to the report's numbers: the rows that a walk makes are what the report reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.replay.errors import ReplayError
from service.replay.report import require, write
from service.replay.row import HOOKS
from tests.replay.walking import lab, magnesium, order, patient, sulfate, walk

from .rows import run, write_rows
from .test_counts import rows as named

CREATININE = "2160-0"


@pytest.mark.parametrize(
    ("creatinine", "who", "stops"),
    [
        (lab(CREATININE, 6.0, "mg/dL", -1), patient(), [("H2", False)]),
        (None, patient(), [("H2-unknown", True)]),
        (lab(CREATININE, 0.9, "mg/dL", -1), patient(birthDate=None), [("H1", True)]),
        (lab(CREATININE, 0.9, "mg/dL", -1), patient(birthDate="2015-01-01"), [("H1", False)]),
        (lab(CREATININE, 0.9, "mg/dL", -1), patient(), []),
    ],
)
def test_a_stop_counts_as_a_refusal_and_says_whether_data_was_missing(
    creatinine: dict[str, object] | None, who: dict[str, object], stops: list[tuple[str, bool]]
) -> None:
    """The renal stop too, though it also empties the table of regimens."""
    who = {key: value for key, value in who.items() if value is not None}
    (row,), _ = walk(who, magnesium(1.0, 0), *([creatinine] if creatinine else []))
    assert row.indicator is not None
    asked = [(refusal.stop, refusal.unknown) for refusal in row.refusals]
    if stops != [("H1", True)]:
        assert asked == stops
    else:  # without an age there is no estimate of the kidney either
        assert ("H1", True) in asked
    offered = any(suggestion.regimen for suggestion in row.suggestions)
    assert offered == (not stops)


def test_a_walk_becomes_a_report(tmp_path: Path) -> None:
    """A severe result; two hours later the very order; then potassium, when all is quiet."""
    decisions, walked = walk(
        patient(),
        lab(CREATININE, 0.9, "mg/dL", -1),
        magnesium(1.0, 0),
        sulfate("r1", 2),
        order("r2", "Potassium chloride 20 mEq", 3),
    )
    folder = write_rows(tmp_path, run(hooks=HOOKS, decisions=len(decisions)), decisions, [walked])
    write(folder)
    whole = json.loads((folder / "summary.json").read_bytes())
    cards = named(whole, "cards", "hook", "answer")
    assert cards["patient-view", "critical"] == (1, 1)
    assert cards["order-sign", "any card"][1] == 2
    assert named(whole, "lows", "level", "then")["severe", "ordered within 72 h"] == (1, 1)
    assert whole["waits"]["severe"] == {"n": 1, "quartiles": [2.0, 2.0, 2.0]}
    # 2 g over 60 min for the 2 g over 20 min suggested: not faster, so as suggested.
    assert named(whole, "outcomes", "hook", "ordered")["patient-view", "as suggested"] == (1, 1)
    assert named(whole, "both", "card")["at both"][1] == 2


def test_what_the_report_needs_is_said_before_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    require()
    monkeypatch.setattr("service.replay.report.find_spec", lambda name: None)
    with pytest.raises(ReplayError, match=r"altair, duckdb, vl_convert.*make replay"):
        require()
