"""The page of outcomes: the same numbers as the store has, filtered, drawn, and honest if few."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from service.memory.outcomes import Outcomes, Selection, Tally, read_outcomes, rules_shown
from service.pages.bars import HEIGHT, WIDTH, lay_out
from tests.html import Html
from tests.stored import add_cards, answer_cards
from tests.test_memory import Instance
from tests.test_outcomes import RULE, fill
from tests.vignette import NOW, build_request

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
WEEK = timedelta(days=7)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Instance]:
    """In open mode everyone sees everything."""
    instance = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path, auth="open")
    yield instance
    instance.close()


def page(one: Instance, query: str = "") -> Html:
    response = one.client.get(f"/outcomes{query}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    return Html(response.text)


def found(one: Instance, **asked: Any) -> Outcomes:
    return read_outcomes(one.store, Selection(**asked))


def row(read: Html, name: str) -> list[str]:
    """The cells of the first table row whose head begins so."""
    index = next(
        n
        for n, e in enumerate(read.elements)
        if e.tag == "th" and e.attributes.get("scope") == "row" and e.text.split()[0] == name
    )
    cells = []
    for element in read.elements[index + 1 :]:
        if element.tag == "tr":
            break
        if element.tag == "td":
            cells.append(element.text)
    return cells


def tiles(read: Html) -> dict[str, str]:
    names = [e.text for e in read.all("dt")][:6]
    return dict(zip(names, [e.text for e in read.all("dd")][:6], strict=True))


def add(one: Instance, count: int, at: Any = NOW, **more: Any) -> list[str]:
    return add_cards(one.store, count, at, **more)


def answered(one: Instance, cards: list[str], outcome: str, reason: str | None = None) -> None:
    answer_cards(one.store, cards, outcome, NOW, reason)


def test_what_the_page_says_is_what_the_store_has(one: Instance) -> None:
    fill(one)
    read = page(one, "?days=all")
    assert read.all("h1")[0].text == "Outcomes"
    total = found(one).total
    assert (total.shown, total.accepted, total.overridden, total.ignored) == (8, 2, 3, 3)
    assert tiles(read)["shown"] == str(total.shown)
    assert tiles(read)["accepted"] == f"{total.accepted} of {total.shown}"
    assert tiles(read)["overridden"] == f"{total.overridden} of {total.shown}"
    assert tiles(read)["not answered"] == f"{total.ignored} of {total.shown}"
    assert tiles(read)["hushed"] == str(total.hushed)
    for tally in found(one).sections[0].tallies:
        cells = row(read, tally.name[0])
        assert cells[0] == tally.name[1]
        counted = [tally.shown, tally.accepted, tally.overridden, tally.ignored]
        assert cells[1:5] == [str(count) for count in counted]
        assert cells[6:8] == [str(tally.hushed), str(tally.shadow)]
        assert cells[8] == tally.reasons_text
    links = {e.attributes["href"] for e in read.all("a")}
    assert {"protocol#stop-H10", "protocol#rule-D4"} <= links
    for part in ("service", "tenant", "protocol"):
        assert read.all("div", **{"aria-label": f"By {part}, table"})


def test_small_numbers_are_told_as_they_are(one: Instance) -> None:
    cards = add(one, 19)
    answered(one, cards[:7], "accepted")
    assert "7 of 19" in page(one).id("main").text
    assert not re.search(r"\d %", page(one).all("dl", class_="tiles")[0].text)
    add(one, 1)
    assert tiles(page(one))["accepted"] == "7 of 20 35 % (18 to 57)"


def test_reasons_of_overriding(one: Instance) -> None:
    cards = add(one, 5)
    answered(one, cards[:3], "overridden", "renal-plan-agreed")
    answered(one, cards[3:4], "overridden")
    read = page(one)
    assert row(read, "Renal") == ["3 of 4"]
    assert row(read, "no") == ["1 of 4"]
    assert "Renal plan agreed: 3, no reason: 1" in row(read, "severe")[-1]


def test_the_filters(one: Instance) -> None:
    one.now = NOW
    add(one, 3, NOW - timedelta(days=2))
    add(one, 4, NOW - timedelta(days=20), rule="D4", service="magnesium-order-sign")
    add(one, 5, NOW - timedelta(days=80), state="shadow")
    add(one, 6, NOW - timedelta(days=400), state="hushed")

    def counts(query: str) -> tuple[int, int, int]:
        said = tiles(page(one, query))
        return int(said["shown"]), int(said["hushed"]), int(said["kept in shadow mode"])

    assert counts("?days=7") == (3, 0, 0)
    assert counts("?days=30") == (7, 0, 0)
    assert counts("") == counts("?days=90") == counts("?days=1000") == (7, 0, 5)
    assert counts("?days=all") == (7, 6, 5)
    assert counts("?days=all&mode=live") == (7, 6, 0)
    assert counts("?days=all&mode=shadow") == (0, 0, 5)
    assert counts("?rule=D4") == (4, 0, 0)
    assert counts("?service=magnesium-order-sign") == (4, 0, 0)
    assert counts("?service=magnesium-patient-view&days=7") == (3, 0, 0)
    assert counts("?mode=x&service=y") == (7, 0, 5)
    chosen = page(one, "?rule=D4&days=30&service=magnesium-order-sign&mode=live")
    picked = [e.attributes["value"] for e in chosen.all("option") if "selected" in e.attributes]
    assert picked == ["30", "magnesium-order-sign", "D4", "live"]
    assert rules_shown(one.store, Selection()) == ("D4", "severe")


def test_the_numbers_can_be_taken_away(one: Instance) -> None:
    add(one, 3)
    add(one, 4, rule="D4")
    one.now = NOW
    (link,) = [e for e in page(one, "?rule=D4").all("a") if "csv" in e.attributes["href"]]
    response = one.client.get("/" + link.attributes["href"])
    assert response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.headers["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert {(r["group"], r["shown"]) for r in rows if r["by"].startswith("rule")} == {
        ("D4 critical", "4")
    }


def test_nothing_yet(one: Instance) -> None:
    read = page(one)
    assert "No card shown yet" in read.id("main").text
    assert not read.all("svg", class_="bars")
    add(one, 1, NOW - timedelta(days=300))
    one.now = NOW
    assert "No card in this selection" in page(one).id("main").text
    assert "No card" not in page(one, "?days=365").id("main").text
    assert "No card in this selection" in page(one, "?rule=D99").id("main").text


def test_shadow_mode_is_said(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/s.db", tmp_path, auth="open", mode="shadow")
    value = build_request("patient-view", "Mg 1.1 mg/dL")
    assert one.client.post("/cds-services/magnesium-patient-view", json=value).json == {"cards": []}
    assert one.memory.flush()
    read = page(one)
    assert "Shadow mode." in read.id("main").text
    assert tiles(read)["kept in shadow mode"] == "1"
    assert tiles(read)["shown"] == "0"
    assert len(read.all("rect", class_="shadow")) == 1
    one.close()


def test_hostile_names_are_inert(one: Instance) -> None:
    bad = '"><script>alert(1)</script>\u202e'
    add(one, 2, tenant=bad, client=bad, rule=bad, protocol=bad, indicator="info", service=bad)
    for query in ("", f"?rule={bad}"):
        read = page(one, query)
        assert read.all("script") == []
        assert bad in read.id("main").text
    assert all(not n.startswith("on") for e in read.elements for n in e.attributes)
    assert all("style" not in e.attributes for e in read.elements)


def test_a_client_sees_its_own_filter(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
    fill(one)
    assert rules_shown(one.store, Selection(whose=("https://clinic.example.org", "-"))) == ()
    assert one.client.get("/outcomes?days=all").status_code == 401
    one.close()


def test_a_reason_of_the_vocabulary_reaches_the_page(one: Instance) -> None:
    (card,) = one.cards(build_request("patient-view", "Mg 1.1 mg/dL"))
    one.answer(card["uuid"], overrideReason={"reason": RULE})
    assert row(page(one), "Renal") == ["1 of 1"]


# --- over time -----------------------------------------------------------------------------------


def tally(shown_: int, accepted: int = 0, overridden: int = 0, shadow: int = 0) -> Tally:
    return Tally(("",), shown_, 0, shadow, accepted, overridden)


def test_bars_are_as_high_as_their_counts() -> None:
    monday = date(2026, 11, 2)
    course = {monday: tally(10, 4, 3), monday + 3 * WEEK: tally(0, shadow=5)}
    drawn = lay_out(course, WEEK)
    assert drawn is not None
    assert [bar.first for bar in drawn.bars] == [monday + n * WEEK for n in range(4)]
    first, second, _, last = drawn.bars
    assert [part.kind for part in first.parts] == ["accepted", "overridden", "ignored"]
    unit = first.parts[0].height / 4
    assert [round(part.height / unit) for part in first.parts] == [4, 3, 3]
    assert second.parts == ()  # a week without a card has its place
    assert [(part.kind, round(part.height / unit)) for part in last.parts] == [("shadow", 5)]
    assert first.said == "10 shown: 4 accepted, 3 overridden, 3 not answered"
    assert last.said.endswith("; 5 kept in shadow mode")
    # They stand on each other and on the ground, and stay inside.
    assert first.parts[0].y + first.parts[0].height == pytest.approx(drawn.base)
    for below, above in zip(first.parts, first.parts[1:], strict=False):
        assert above.y + above.height == pytest.approx(below.y, abs=0.11)
    for bar in drawn.bars:
        assert bar.x >= drawn.left
        assert bar.x + bar.width <= WIDTH
        assert all(0 <= part.y < HEIGHT for part in bar.parts)
    assert [count for count, _ in drawn.ticks] == [0, 5, 10]


def test_what_there_is_no_room_for_is_told() -> None:
    assert lay_out({}, WEEK) is None
    assert lay_out({date(2026, 1, 5): Tally(("",), hushed=3)}, WEEK) is None
    first = date(2024, 1, 1)
    drawn = lay_out({first + n * WEEK: tally(1) for n in range(100)}, WEEK)
    assert drawn is not None
    assert drawn.left_out == 34
    assert len(drawn.bars) == 66
    labels = [bar.label for bar in drawn.bars if bar.label]
    assert len(labels) <= 10
    assert drawn.bars[-1].label
    # The highest of those drawn sets the scale, not one that is left out.
    course = {first: tally(900)} | {first + n * WEEK: tally(2) for n in range(1, 100)}
    scaled = lay_out(course, WEEK)
    assert scaled is not None
    assert scaled.ticks[-1][0] == 2


@pytest.mark.parametrize(
    ("most", "top"), [(1, 2), (3, 4), (10, 10), (11, 20), (99, 100), (101, 200)]
)
def test_the_scale_is_round(most: int, top: int) -> None:
    drawn = lay_out({date(2026, 1, 5): tally(most)}, WEEK)
    assert drawn is not None
    assert drawn.ticks[-1][0] == top


def test_a_month_is_drawn_by_the_day_and_a_year_by_the_week(one: Instance) -> None:
    one.now = NOW
    for day in (0, 1, 8):
        add(one, 2, NOW - timedelta(days=day, minutes=1))
    days = found(one, daily=True).course
    assert list(days) == sorted((NOW - timedelta(days=n)).date() for n in (0, 1, 8))
    assert sum(t.shown for t in days.values()) == 6
    daily = page(one, "?days=30")
    assert daily.id("course").text == "By day"
    assert len(daily.all("rect", class_="ignored")) >= 3
    assert row(daily, NOW.date().isoformat())[0] == "2"
    weekly = page(one, "?days=365")
    assert weekly.id("course").text == "By week"
    monday = NOW.date() - timedelta(days=NOW.weekday())
    assert row(weekly, monday.isoformat())[0] == str(2 + 2 * (NOW.weekday() >= 1))
    (drawing,) = weekly.all("svg", class_="bars")
    assert drawing.attributes["role"] == "img"
    assert drawing.attributes["aria-labelledby"] in weekly.ids
    assert drawing.attributes["aria-describedby"] in weekly.ids


def test_what_was_counted_holds_until_something_happens(one: Instance) -> None:
    from service.server.upkeep import prune

    one.now = NOW
    cards = add(one, 3) + add(one, 2, NOW - timedelta(days=200))
    assert tiles(page(one, "?days=all"))["shown"] == "5"
    asked: list[str] = []

    def listen(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    event.listen(one.memory.reports.engine, "before_cursor_execute", listen)
    for _ in range(3):
        assert tiles(page(one, "?days=all"))["shown"] == "5"
    assert len(asked) >= 3  # whether something happened, and no more
    assert not [statement for statement in asked if "row_number" in statement]
    answered(one, cards[:1], "accepted")
    assert tiles(page(one, "?days=all"))["accepted"] == "1 of 5"
    answered(one, cards[1:2], "overridden")  # at the same moment
    assert tiles(page(one, "?days=all"))["overridden"] == "1 of 5"
    add(one, 1)
    assert tiles(page(one, "?days=all"))["shown"] == "6"
    prune(one.store, NOW - timedelta(days=100))
    assert tiles(page(one, "?days=all"))["shown"] == "4"


def test_it_is_there_in_50_ms(one: Instance) -> None:
    for rule in ("severe", "D4", "N1", "mild"):
        for day in range(0, 60, 3):
            answered(one, add(one, 20, NOW - timedelta(days=day), rule=rule)[:7], "accepted")
    one.now = NOW
    page(one)
    best = 1.0
    for _ in range(10):
        start = time.perf_counter()
        one.client.get("/outcomes")
        best = min(best, time.perf_counter() - start)
    assert best < 0.05
