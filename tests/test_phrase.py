"""cards.phrase: what the record says can be shown, and can do nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cards.phrase import age, bare, counted, listed, moment, record

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", r"&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("[click](https://evil.example)", r"\[click\](https\://evil.example)"),
        ("![x](http://evil.example/i.png)", r"!\[x\](http\://evil.example/i.png)"),
        ("www.evil.example", r"www\.evil.example"),
        ("WWW.evil.example", r"WWW\.evil.example"),
        ("a@evil.example", r"a\@evil.example"),
        ("**bold** _it_ ~~no~~ `x`", r"\*\*bold\*\* \_it\_ \~\~no\~\~ \`x\`"),
        ("a | b", r"a \| b"),
        ("AT&amp;T", "AT&amp;amp;T"),
        ("# heading", r"\# heading"),
        ("- bullet", r"\- bullet"),
        ("1. first", r"1\. first"),
        ("1) first", r"1\) first"),
        ("+ bullet", r"\+ bullet"),
        ("\\[x]", r"\\\[x\]"),
        ("$x$", r"\$x\$"),
        # What a name may hold all the same, unharmed.
        ("0.9 % sodium chloride", "0.9 % sodium chloride"),
        ("co-trimoxazole 1.5 mg", "co-trimoxazole 1.5 mg"),
        ("-5 mg", "-5 mg"),
        ("Mg: 1.1", "Mg: 1.1"),
        ("Ångström µg ≥ 3", "Ångström µg ≥ 3"),
    ],
)
def test_record_text_is_the_letters_it_is(text: str, shown: str) -> None:
    assert record(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a b c"),
        ("  a \u00a0 b  ", "a b"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("pay\u202egpj.exe", "paygpj.exe"),  # right-to-left override
        ("\u200fa\u2066b\u2069\ufeff\u200b", "ab"),  # marks, isolates, no width
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("\ue000a\U000e0041", "a"),  # private use, tags
        ("\n\u202e", ""),
    ],
)
def test_control_and_direction_characters_are_dropped(text: str, shown: str) -> None:
    assert bare(text) == shown


def test_a_name_of_ten_thousand_letters_is_cut() -> None:
    assert bare("x" * 10_000) == "x" * 59 + "…"
    assert bare("x" * 60) == "x" * 60
    assert bare("x" * 57 + "  y z", 60) == "x" * 57 + " y…"
    # Escapes come after the cut: none is cut in half.
    assert record("<" * 10_000, 10) == "&lt;" * 9 + "…"
    assert record("\\" * 10_000, 10) == "\\\\" * 9 + "…"


def test_nothing_hostile_survives_any_cut() -> None:
    hostile = '<b onload="x">[a](http://b.example)*_`\u202e\n'
    for longest in range(1, 60):
        shown = record(hostile * 200, longest)
        assert not re.search(r"[<>\u202e\n]|(?<!\\)[\[\]*_`]|(?<!\\):(?=//)", shown), shown


def test_a_moment_is_in_the_zone_of_now() -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1), "CET"))
    assert moment(datetime(2026, 3, 14, 10, 0, tzinfo=UTC), NOW) == "2026-03-14 10:00 UTC"
    assert moment(datetime(2026, 3, 14, 10, 0, tzinfo=UTC), berlin) == "2026-03-14 11:00 CET"


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [
        (-3, "just now"),
        (0.9, "just now"),
        (1, "1 min ago"),
        (119, "119 min ago"),
        (120, "2 h ago"),
        (47 * 60 + 59, "47 h ago"),
        (48 * 60, "2 d ago"),
    ],
)
def test_an_age_as_people_say_it(minutes: float, shown: str) -> None:
    assert age(NOW - timedelta(minutes=minutes), NOW) == shown


def test_a_list_names_the_first_and_counts_the_rest() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"


def test_one_is_one() -> None:
    assert [counted(n, "line") for n in (0, 1, 2, 1234)] == [
        "0 lines", "1 line", "2 lines", "1,234 lines",
    ]  # fmt: skip
