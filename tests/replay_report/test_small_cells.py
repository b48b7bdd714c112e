"""No report tells of few patients: neither a figure nor what figures leave of one another."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.replay.report import write
from service.replay.report.count import Counted, count
from service.replay.report.disclosure import Cell, Key, Sum
from service.replay.report.published import publish
from service.replay.report.summary import make_summary
from service.replay.row import (
    Decided,
    Followed,
    Level,
    Low,
    Missing,
    Ordered,
    Other,
    Refused,
    Run,
    Suggestion,
    Walked,
)

from .rows import SLOW, decided, run, write_rows
from .test_disclosure import determined

MIN = 4
LEVELS = ("severe", "moderate", "mild", "normal")
IV = Suggestion("Magnesium sulfate 2 g IV", "severe", "iv", Decimal(2), "g", 20, True)
PO = Suggestion("Magnesium oxide 500 mg", "oral", "po", Decimal(500), "mg", None, True)


def population(seed: int, patients: int, stray: float) -> tuple[list[Decided], list[Walked]]:
    """Random decisions: mostly of a few kinds, with a ``stray`` share of anything else."""
    r = random.Random(seed)
    calls: list[Decided] = []
    walked = []

    def choose(common: Any, *rare: Any) -> Any:
        return r.choice(rare) if rare and r.random() < stray else common

    def one(patient: str, hook: str, trigger: str, hour: int, **more: Any) -> Decided:
        shown = r.random() < 0.5
        suggestion = choose(PO, IV)
        drug = shown and r.random() < 0.6
        level = choose("mild", *LEVELS)
        against = Other(
            "mild" if shown else None,
            (),
            "info" if shown else None,
            (choose(suggestion, IV, PO),) if drug else (),
            stage=choose(None, "plan"),
            visible=False,
        )
        if against.indicator is None and r.random() < stray:
            against = Other("mild", (), "info", stage="assessment", visible=True)
        return decided(
            patient,
            hook,
            trigger,
            hour=hour,
            magnesium=Level(Decimal(1), "mg/dL", acts_as=level, band=level, usable=True),
            indicator=choose("info", "warning", "critical") if shown else None,
            lead=choose("mild", "N1", "D1") if shown else None,
            findings=(choose("mild", "N1", "D1-sign"), "D6") if shown else (),
            suggestions=(suggestion,) if drug else (),
            refusals=(Refused(choose("H2", "H9", "H1"), "all", "why", r.random() < 0.5),)
            if r.random() < 0.2
            else (),
            gaps=(Missing(choose("conditions", "weight"), choose("none", "late")),)
            if r.random() < 0.7
            else (),
            hushed=("N2",) if r.random() < stray else (),
            followed=(Followed(1, choose("po", "iv", None), same=r.random() < stray),)
            if drug and r.random() < 0.5
            else (() if drug else None),
            against=against,
            **more,
        )

    for n in range(patients):
        patient = f"{n:024x}"
        for i in range(r.randint(0, 3)):
            calls.append(one(patient, "patient-view", f"o{n}-{i}", choose(8, 3, 23)))
        for i in range(r.randint(0, 3)):
            drug = choose("furosemide", "digoxin", "")
            order = Ordered(drug, magnesium=r.random() < stray, relevant=r.random() >= stray)
            hour = choose(8, 14, 20)
            select = one(patient, "order-select", f"r{n}-{i}", hour, order=order)
            sign = one(patient, "order-sign", f"r{n}-{i}", hour, order=order)
            before = calls[-1] if calls else None
            if before and before.hook == sign.hook and i and r.random() < stray:
                # Signed together with the order before.
                told = before.indicator is not None and r.random() < 0.5
                more = replace(sign.orders[0], told=told)
                calls[-1] = replace(before, orders=(*before.orders, more))
                calls.insert(-1, select)
            else:
                calls += [select, sign]
        lows = tuple(
            Low(
                "2026-01-01T00:00:00Z",
                Decimal(1),
                choose("mild", "severe", "moderate"),
                hours=float(r.randint(1, 9)) if r.random() < 0.5 else None,
                treated=r.random() < stray,
                observed_h=choose(72, 10),
            )
            for _ in range(r.randint(0, 2))
        )
        undated = {"Observation": 1} if r.random() < stray else {}
        walked.append(
            Walked(patient, 1.0, choose("records", "encounters"), 1, lows=lows, undated=undated)
        )
    return calls, walked


def facts(min_cell: int, calls: list[Decided], walked: list[Walked]) -> Run:
    return run(
        min_cell=min_cell,
        against=SLOW,
        patients=len(walked),
        decisions=len(calls),
        held={"Patient": len(walked)},
    )


def told(counted: Counted, facts: Run) -> dict[str, Any]:
    published = publish(facts, counted, facts.min_cell)
    found: dict[str, Any] = json.loads(make_summary(published, (), facts.min_cell))
    return found


def cells(summary: dict[str, Any]) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every count of a summary by table and name; further counts by their own."""
    for table, content in summary["tables"].items():
        for row in content["rows"]:
            name = tuple(v for k, v in row.items() if isinstance(v, str) and k != "patients")
            yield (table, *name), row
            for more, cell in row.get("more", {}).items():
                yield (table, *name, more), cell


def test_no_count_of_few_patients_can_be_worked_out(tmp_path: Path) -> None:
    nothing_comes_out(tmp_path, 7, 24, 0.1)


@pytest.mark.slow
@settings(max_examples=6)
@given(st.integers(0, 10_000), st.integers(0, 40), st.sampled_from([0.03, 0.1, 0.3]))
def test_of_whatever_people_no_count_of_few_can_be_worked_out(
    tmp_path_factory: pytest.TempPathFactory, seed: int, patients: int, stray: float
) -> None:
    nothing_comes_out(tmp_path_factory.mktemp("small"), seed, patients, stray)


def nothing_comes_out(folder: Path, seed: int, patients: int, stray: float) -> None:
    calls, walked = population(seed, patients, stray)
    counted = count(write_rows(folder, facts(MIN, calls, walked), calls, walked), MIN)
    whole = dict(cells(told(counted, facts(0, calls, walked))))
    shown = told(counted, facts(MIN, calls, walked))
    published = dict(cells(shown))
    # A row that is none may stand there as withheld; no other row comes or goes.
    assert set(whole) <= set(published)
    whole |= {key: {"n": 0, "patients": 0} for key in set(published) - set(whole)}
    for key, cell in published.items():
        true = whole[key]
        if 0 < true["patients"] < MIN:
            assert (cell["n"], cell["patients"]) == (None, f"<{MIN}"), key
        else:
            assert cell["n"] in (None, true["n"]), key
            assert cell["patients"] in (None, true["patients"]), key
        if cell["n"] is None:
            assert not cell.get("per_100"), key
            assert not cell.get("per_100_patient_days"), key
    if patients < MIN:
        assert shown["patient_days"] is None or patients == 0
        assert "held" not in shown["run"] or patients == 0
    _attack(whole, published)


def _attack(whole: dict[Key, dict[str, Any]], published: dict[Key, dict[str, Any]]) -> None:
    """What a reader knows to add up, put together: no count of few patients comes out of it."""
    found: dict[Key, Cell] = {}
    small = set()

    def known(key: Key, n: int | None, patients: int) -> Key:
        found.setdefault(key, Cell(n, None))
        if n is not None:
            found[key] = Cell(n, None)
        if 0 < patients < MIN:
            small.add(key)
        return key

    def row(*key: str) -> Key:
        if key not in published:
            return known(key, 0, 0)
        return known(key, published[key]["n"], whole[key]["patients"])

    sums = []
    for hook in ("patient-view", "order-select", "order-sign"):
        calls: Key = ("calls", hook)
        for key, cell in published.items():
            if key[0] == "cards" and key[1] == hook:
                known(calls, cell["of"], 0)
        card, silent = row("cards", hook, "any card"), row("cards", hook, "no card")
        indicators = [row("cards", hook, name) for name in ("critical", "warning", "info")]
        sums += [Sum(calls, (card, silent)), Sum(card, tuple(indicators))]
        for indicator in indicators:
            led = [k for k in published if k[0] == f"rules-{hook}" and k[-1] == indicator[2]]
            sums.append(Sum(indicator, tuple(row(*key) for key in led)))
        hours = [k for k in published if k[0] == f"hours-{hook}"]
        sums.append(Sum(card, tuple(row(*key) for key in hours)))
        bases = [known(("of", *k), published[k]["of"], 0) for k in hours]
        sums.append(Sum(calls, tuple(bases)))
        differs = [
            k for k in published if k[0] == "differs" and k[1] == hook and k[3] in ("-", "any")
        ]
        sums.append(Sum(calls, tuple(row(*key) for key in differs)))
        outcomes = [k for k in published if k[0] == "outcomes" and k[1] == hook]
        whole_of: Key = ("suggested", hook)
        for k in outcomes:
            known(whole_of, published[k]["of"], 0)
        sums.append(Sum(whole_of, tuple(row(*key) for key in outcomes)))
        asked = row("asked", hook, "asked for magnesium")
        decided = {k[2]: row(*k) for k in published if k[0] == "asked" and k[1] == hook}
        offered = [key for name, key in decided.items() if name.startswith("an order was offered")]
        others = [key for name, key in decided.items() if name.startswith(("refused:", "low,"))]
        sums.append(Sum(asked, (*offered, *others)))
        if hook == "patient-view":  # no magnesium order at hand: what is offered is suggested
            sums.append(Sum(whole_of, tuple(offered)))
    both = {key[1]: row(*key) for key in published if key[0] == "both"}
    for hook, name in (("order-select", "chosen"), ("order-sign", "signed")):
        ordered = known(("ordered", hook), None, 0)
        card = known(("ordered-card", hook), None, 0)
        further: Key = ("further", hook)
        for table in ("kinds", "drugs"):
            lines = [k for k in published if k[:2] == (table, hook)]
            bases = [known(("of", *k), published[k]["of"], 0) for k in lines]
            sums += [Sum(card, tuple(row(*k) for k in lines)), Sum(ordered, tuple(bases))]
        # Who has the orders and the calls has the orders that were signed along with others.
        several = ("together", "more than one order", "all")
        few = whole[several]["patients"] if hook == "order-sign" and several in whole else 0
        known(further, None if hook == "order-sign" else 0, few)
        sums.append(Sum(ordered, (known(("calls", hook), None, 0), further)))
        if both:
            sums.append(Sum(card, (both["at both"], both[f"only when {name}"])))
            sums.append(Sum(ordered, tuple(both.values())))
    out = determined(found, sums)
    assert not out & small, out & small


def test_the_page_says_what_the_summary_says(tmp_path: Path) -> None:
    calls, walked = population(3, 40, 0.1)
    folder = write_rows(tmp_path, facts(11, calls, walked), calls, walked)
    write(folder)
    page = (folder / "report.html").read_text()
    assert "&lt;11" in page
    assert "withheld" in page
    shown = json.loads((folder / "summary.json").read_bytes())
    small = [key for key, cell in cells(shown) if cell["patients"] == "<11"]
    assert len(small) > 10
    # A row of the page for each row of the summary, with its number or none.
    body = re.sub(r"<svg.*?</svg>", "", page, flags=re.S)
    for table in ("cards", "patients", "stops"):
        rows = body.split(f'<h3 id="{table}">')[1].split("</table>")[0].split("<tbody>")[1]
        lines = rows.split("</tr>")[:-1]
        assert len(lines) == len(shown["tables"][table]["rows"])
        for line, row in zip(lines, shown["tables"][table]["rows"], strict=True):
            if row["n"] is None:
                numbers = re.findall(r'<td class="n">(.*?)</td>', line)
                assert set(re.findall(r"\d+", " ".join(numbers))) <= {"11", str(row["of"])}
            else:
                assert f'<td class="n">{row["n"]:,}</td>' in line


def test_a_report_of_few_patients_tells_next_to_nothing(tmp_path: Path) -> None:
    calls, walked = population(5, 5, 0.1)
    folder = write_rows(tmp_path, facts(11, calls, walked), calls, walked)
    write(folder)
    shown = json.loads((folder / "summary.json").read_bytes())
    assert shown["patient_days"] is None
    assert shown["period"] is None
    for name in ("patients", "decisions", "held"):
        assert name not in shown["run"]
    numbers = {cell["n"] for _, cell in cells(shown)}
    assert numbers == {None, 0}
    assert "<svg" not in (folder / "report.html").read_text()


def test_withheld_rows_stand_last_by_name(tmp_path: Path) -> None:
    """Their place among the others would tell their size."""
    calls, walked = population(3, 40, 0.3)
    folder = write_rows(tmp_path, facts(11, calls, walked), calls, walked)
    shown = told(count(folder, 11), facts(11, calls, walked))
    rows = [
        r for t in ("order-sign", "patient-view") for r in shown["tables"][f"rules-{t}"]["rows"]
    ]
    assert any(row["n"] is None for row in rows)
    for hook in ("order-sign", "patient-view"):
        rows = shown["tables"][f"rules-{hook}"]["rows"]
        hidden = [row["n"] is None for row in rows]
        assert any(hidden)
        assert hidden == sorted(hidden)
        names = [(r["rule"], r["asks"], r["indicator"]) for r in rows if r["n"] is None]
        assert names == sorted(names)


def test_a_few_failed_patients_are_not_counted(tmp_path: Path) -> None:
    calls, walked = population(3, 40, 0.1)
    some = msgspec.structs.replace(facts(11, calls, walked), failed=3)
    folder = write_rows(tmp_path, some, calls, walked)
    write(folder)
    assert json.loads((folder / "summary.json").read_bytes())["run"]["failed"] == "<11"
    assert "<dd>&lt;11</dd>" in (folder / "report.html").read_text()
