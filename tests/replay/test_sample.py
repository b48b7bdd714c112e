"""Cards drawn to be read, and the marks that come back."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.replay.errors import ReplayError
from service.replay.marks import Marks, read_marks
from service.replay.sample import Drawn, Head, Sample, Sampled, write_sample
from service.replay.walk import Walker
from tests.replay.export import write
from tests.replay.walking import (
    ALL,
    KEY,
    ask,
    lab,
    lines,
    magnesium,
    order,
    patient,
    stay,
)

pytestmark = pytest.mark.real_clock
HEAD = Head("repletion-replay-sample/1", "repletion 0", "standard", "1", "ab", "s", 3, 9)
MUCH = {
    "text": "all at once",
    "route": {"text": "IV"},
    "timing": {"repeat": {"count": 1, "duration": 60, "durationUnit": "min"}},
    "doseAndRate": [{"doseQuantity": {"value": 10, "unit": "g"}}],
}
RULES = ("D1-sign", "mild", "D1-sign")


def made(rules: tuple[str, ...] = RULES, key: bytes = KEY) -> str:
    first = tuple(Sampled(f"{n}", rule, f"card {n}\n\nwhole ") for n, rule in enumerate(rules))
    out = io.BytesIO()
    write_sample(Drawn(9, first), HEAD, key, out)
    return out.getvalue().decode()


def marked(text: str, *marks: str) -> str:
    """With the marks after each card in turn."""
    rest = iter(marks)
    return re.sub(r"(?m)^Mark: $", lambda _: f"Mark: {next(rest)}", text)


# --- the draw -----------------------------------------------------------------------------------


def test_which_cards_are_drawn_depends_on_no_order_and_no_other_card() -> None:
    cards = [Sampled(Sample(3, "s").rank("p", str(n)), "N1", str(n)) for n in range(40)]
    whole = Sample(3, "s")
    for card in cards:
        if whole.wants(card.rank):
            whole.add(Drawn(1, (card,)))
        else:
            whole.add(Drawn(1))
    half, rest, again = Sample(3, "s"), Sample(3, "s"), Sample(3, "s")
    half.add(Drawn(20, tuple(cards[20:][::-1])))
    rest.add(Drawn(20, tuple(cards[:20])))
    again.add(half.drawn())
    again.add(rest.drawn())
    assert again.drawn() == whole.drawn() == Drawn(40, tuple(sorted(cards)[:3]))
    assert not Sample(0, "s").wants("0")


def test_another_seed_draws_other_cards() -> None:
    def first(seed: str) -> list[int]:
        return sorted(range(40), key=lambda n: Sample(3, seed).rank(str(n)))[:3]

    assert first("a") != first("b")


def test_a_card_is_written_whole_with_its_facts_and_what_was_ordered() -> None:
    sample = Sample(9, "")
    walk = Walker(ask(), ALL).walk(
        "f" * 24,
        "p1",
        lines(
            [
                patient(),
                stay("e1", -48, None),
                lab("2160-0", 0.8, "mg/dL", -6),
                magnesium(1.0, 0),
                order("r1", "Magnesium sulfate 10 g", 2, dosageInstruction=[MUCH]),
                order("r2", "Aspirin 81 MG", 2),
                order("r3", "Aspirin 325 MG", 7),
                magnesium(1.9, 9),
            ]
        ),
        sample,
    )
    rows = list(walk.decisions())
    assert walk.drawn.cards == len([row for row in rows if row.indicator]) == len(walk.drawn.first)
    opening = next(one for one in walk.drawn.first if "**critical, patient-view:**" in one.text)
    assert opening.rule == "severe"
    for words in (
        "*Suggested*\n\n- ",
        "(recommended)",
        "- kidney: R0",
        "*Ordered in the 6 h after*\n\n- 2.0 h after: Magnesium sulfate 10 g; all",
        "*Next magnesium result*\n\n- 9.0 h after: 1.9 mg/dL",
    ):
        assert words in opening.text, opening.text
    assert "Aspirin 325" not in opening.text
    assert "*Ordered in this call*" not in opening.text
    signing = next(one.text for one in walk.drawn.first if "order-sign:**" in one.text)
    assert (
        "*Ordered in this call*\n\n- Magnesium sulfate 10 g; all at once\n- Aspirin 81 MG"
        in signing
    )
    assert "- 5.0 h after: Aspirin 325 MG" in signing


def test_what_is_not_wanted_is_counted_and_not_written() -> None:
    walk = Walker(ask(), ALL).walk(
        "f" * 24, "p1", lines([patient(), magnesium(1.0, 0)]), Sample(0, "")
    )
    assert [row.indicator for row in walk.decisions()] == ["critical"]
    assert walk.drawn == Drawn(1)


# --- the marks ----------------------------------------------------------------------------------


def test_marks_are_counted_by_rule_with_an_interval() -> None:
    marks = read_marks(marked(made(RULES * 2), "keep", "DROP", "", "*keep*", "drop.", "drop"), KEY)
    assert (marks.all.keep, marks.all.drop, marks.all.unmarked) == (2, 3, 1)
    # Wilson at 2 of 5: 11.8 to 76.9 (Newcombe 1998, by hand).
    assert marks.all.kept == (40.0, 11.8, 76.9)
    assert {one.rule: one.tally.kept for one in marks.rules}["mild"] == (0.0, 0.0, 65.8)
    assert [
        (one.rule, one.tally.keep, one.tally.drop, one.tally.unmarked) for one in marks.rules
    ] == [
        ("D1-sign", 2, 1, 1),
        ("mild", 0, 2, 0),
    ]
    assert read_marks(made(), KEY).all.kept is None
    assert marks.sample == HEAD


def test_reasons_and_what_an_editor_does_to_line_ends_do_not_count() -> None:
    text = marked(made(), "keep", "drop", "keep").replace(
        "Why: ", "Why: no drop of blood\n\n- so\n"
    )
    marks = read_marks(text.replace("\n", "\r\n").replace("> \r", ">\r"), KEY)
    assert (marks.all.keep, marks.all.drop) == (2, 1)


def without(text: str, number: int) -> str:
    return re.sub(rf"(?ms)^## {number}: .*?(?=^## |\Z)", "", text)


ALTERED: list[tuple[Callable[[str], str], str]] = [
    (lambda t: t.replace("> card 1", "> card one"), "card 2 was altered"),
    (lambda t: t.replace("> card 1\n", ""), "card 2 was altered"),
    (lambda t: t.replace("<!-- card 2 mild", "<!-- card 2 N1"), "card 2 was altered"),
    (lambda t: t.replace("<!-- end 2 ", "<!-- end 2 0"), "card 2 was altered"),
    (lambda t: t[: t.index("<!-- end 3")], "card 3 was altered"),
    (lambda t: without(t, 2), "a card is missing"),
    (lambda t: without(t, 3), "a card is missing"),
    (lambda t: t + t[t.index("## 3") :], "a card is missing"),
    (lambda t: t.replace('"of":9', '"of":90'), "head was altered"),
    (lambda t: t.replace("<!-- sample", "<!-- Sample"), "not a sample.md"),
    (lambda t: "# Notes\n", "not a sample.md"),
    (lambda t: made(key=b"another"), "another REPLETION_SECRET"),
    (lambda t: t.replace("Mark: ", "Mark: maybe"), "neither keep nor drop"),
    (lambda t: t.replace("Mark: ", "Mark: keep\nMark: drop"), "neither keep nor drop"),
]


@pytest.mark.parametrize(("alter", "words"), ALTERED)
def test_a_sample_that_is_not_as_it_was_drawn_is_refused(
    alter: Callable[[str], str], words: str
) -> None:
    text = made()
    assert alter(text) != text
    with pytest.raises(ReplayError, match=words):
        read_marks(alter(text), KEY)


def test_no_line_of_a_record_can_pass_for_one_of_the_file() -> None:
    forged = "x\n<!-- end 1 00 -->\nMark: keep\n<!-- card 2 N1 -->"
    out = io.BytesIO()
    write_sample(Drawn(1, (Sampled("0", "N1", forged),)), HEAD, KEY, out)
    assert read_marks(out.getvalue().decode(), KEY).all.unmarked == 1


# --- the command --------------------------------------------------------------------------------


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def test_a_replay_writes_a_sample_and_counts_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPLETION_SECRET", "a secret of the tests")
    write(tmp_path / "export", 6)
    out = tmp_path / "out"
    given = ("export", "--workers", 1, "--out", out, "--sample", 5)
    result = replay(*given, "--seed", "a")
    assert result.exit_code == 0, result.output
    sample = out / "sample.md"
    text = sample.read_text()
    assert sample.stat().st_mode & 0o777 == 0o600
    assert text.startswith("**Patient data.**")
    assert len(re.findall(r"(?m)^## ", text)) == 5
    sample.write_text(marked(text, "keep", "keep", "drop", "", ""))
    # A run that is whole is not made again: marks are not lost.
    assert replay(*given, "--seed", "a").exit_code == 0
    counted = replay("--marks", sample, "--out", out)
    assert counted.exit_code == 0, counted.output
    assert "all: keep 2, drop 1, unmarked 2, 67 % kept (21 to 94)" in counted.output
    path = out / "marks.json"
    assert path.stat().st_mode & 0o777 == 0o600
    marks = msgspec.json.decode(path.read_bytes(), type=Marks)
    assert (marks.all.keep, marks.all.drop, marks.all.unmarked) == (2, 1, 2)
    assert marks.sample.cards == 5
    words = {word for line in text.splitlines() if line.startswith("> ") for word in line.split()}
    assert not {word for word in words if len(word) > 12} & set(
        json.dumps(path.read_text()).split()
    )
    # Another seed is another question; no sample, no file.
    assert replay(*given, "--seed", "b").exit_code == 2
    assert replay(*given[:-1], 0, "--fresh").exit_code == 0
    assert not sample.exists()
    assert not path.exists()


WRONG = [
    (("--marks", "none.md"), "none.md"),
    (("--marks", "other.md"), "not a sample.md"),
    (("--marks", "binary.md"), "binary.md"),
    (("export", "--marks", "other.md"), "leave PATH out"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_what_is_no_sample_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPLETION_SECRET", "a secret of the tests")
    (tmp_path / "other.md").write_text("# Other\n")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe")
    result = replay(*given)
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "replay").exists()
