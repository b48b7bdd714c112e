"""The page: whole, alone, escaped, and the same each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from service.replay.report import write
from service.replay.row import Missing, Other, Profile, Refused, Source, Suggestion

from .rows import STANDARD, decided, run, write_rows
from .test_counts import IV, PATIENTS, SEVERE, SLOW_IV, ten_calls

VOID = {"meta", "link", "br", "hr", "img", "input", "col"}
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
EVIL = "<script>alert('x')</script> \"'; DROP TABLE d; -- {{ 7*7 }} &amp; </title></svg>"


class Page(HTMLParser):
    """Elements, text and faults of nesting of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(folder: Path) -> str:
    write(folder)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    calls = [
        decided("a", "patient-view", f"o{n}", **SEVERE, suggestions=(IV,), followed=(), against=o)
        for n, o in enumerate(
            (Other("severe", ("severe",), "critical", (SLOW_IV,), stage="plan", visible=True),) * 3
        )
    ]
    calls += [row for row in ten_calls() if row.hook != "patient-view"]
    calls = [row if row.against else _against_same(row) for row in calls]
    return page(write_rows(folder, run(against=STANDARD), calls, PATIENTS))


def _against_same(row):  # type: ignore[no-untyped-def]
    import msgspec

    other = Other(row.lead, row.rules, row.indicator, row.suggestions)
    return msgspec.structs.replace(row, against=other)


def test_the_page_is_well_formed(text: str) -> None:
    assert text.startswith("<!doctype html>")
    found = Page(text)
    assert found.faults == []
    assert found.named("html") == [{"lang": "en"}]
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in found.named("a"):
        assert link["href"].removeprefix("#") in ids


def test_every_chart_is_xml_with_a_name_and_a_table(text: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(charts) >= 8
    for chart in charts:
        root = ET.fromstring(chart)
        assert root.get("role") == "img"
        by_id = {e.get("id"): e.text for e in root.iter() if e.get("id")}
        title, told = (by_id[name] for name in root.get("aria-labelledby", "").split())
        assert title
        assert "table that follows" in (told or "")
    for after in re.split(r"</svg>", text)[1:]:
        assert "<table" in after.split("<svg")[0]


def test_headings_go_down_one_step_at_a_time(text: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(text).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_every_column_and_row_of_a_table_has_a_heading(text: str) -> None:
    found = Page(text)
    heads = found.named("th")
    assert heads
    assert {head.get("scope") for head in heads} == {"col", "row"}


def test_the_page_asks_no_host_for_anything(text: str) -> None:
    found = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base", "form"} & {
        tag for tag, _ in found.elements
    }
    for tag, attributes in found.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href", "action", "srcset", "data"):
                assert value.startswith("#"), (tag, name, value)
    assert set(re.findall(r"https?://[^\"'\s<)]*", text)) <= NAMESPACES
    assert not re.search(r"url\((?!#)|@import|javascript:", text)
    assert "default-src 'none'" in text


def test_every_colour_of_a_chart_has_a_twin_in_the_dark(text: str) -> None:
    drawn = set()
    for chart in re.findall(r"<svg.*?</svg>", text, re.S):
        drawn |= set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+)"', chart))
    assert drawn
    for colour in drawn:
        assert f'[fill="{colour}"]' in text, colour


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    evil = Suggestion(EVIL, EVIL, EVIL, Decimal(2), "g", 20, True)
    calls = [
        decided(
            EVIL,
            "patient-view",
            EVIL,
            lead=EVIL,
            findings=(EVIL, EVIL + "2"),
            indicator="critical",
            suggestions=(evil,),
            refusals=(Refused(EVIL, "all", EVIL, True),),
            gaps=(Missing(EVIL, EVIL),),
            hushed=(EVIL,),
            followed=(),
            against=Other(EVIL, (EVIL,), "info", (evil,), stage=EVIL, visible=True),
        )
    ]
    hostile = Profile(EVIL, EVIL, EVIL, EVIL, {EVIL: EVIL})
    facts = run(
        protocol=hostile,
        against=hostile,
        software=EVIL,
        answers=EVIL,
        timezone=EVIL,
        setting=EVIL,
        sources=(Source(EVIL, 1, 1),),
        held={EVIL: 1},
        rejected={EVIL: 1},
        unused={EVIL: 1},
        assumed_none=(EVIL,),
    )
    text = page(write_rows(tmp_path, facts, calls, PATIENTS))
    found = Page(text)
    assert found.faults == []
    assert "script" not in {tag for tag, _ in found.elements}
    assert "<script" not in text
    assert "49" not in re.findall(r"\{\{.*?\}\}", text)
    assert "{{ 7*7 }}" in text
    assert "".join(found.text).count("<script>alert('x')</script>") > 10
    for chart in re.findall(r"<svg.*?</svg>", text, re.S):
        ET.fromstring(chart)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write_rows(folder, run(), ten_calls(), PATIENTS)
        write(folder)
        made.append([(folder / file).read_bytes() for file in ("report.html", "summary.json")])
        assert sorted(p.name for p in folder.iterdir()) == [
            "decisions.parquet",
            "patients.ndjson",
            "report.html",
            "run.json",
            "summary.json",
        ]
    assert made[0] == made[1]


def test_no_patient_is_named(text: str, tmp_path: Path) -> None:
    calls = [decided("cafe" * 6, "patient-view", "feed" * 6, **SEVERE, suggestions=(IV,))]
    folder = write_rows(tmp_path, run(), calls, PATIENTS)
    write(folder)
    for name in ("report.html", "summary.json"):
        assert not re.search("cafe|feed", (folder / name).read_text(), re.I)
