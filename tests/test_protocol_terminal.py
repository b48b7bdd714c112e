"""``repletion protocol show`` on a terminal: narrow, short, and nothing of the file lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cards.handbook import sheet
from cards.protocol import PROFILES, shipped
from service.cli import main
from service.cli.terminal import glance, section_of
from service.config.protocol import load_named

SITE = Path(__file__).parent / "protocols/site.toml"
SHEET = sheet(shipped("standard"))


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, ["protocol", *arguments])


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", [*PROFILES, SITE])
def test_at_a_glance_it_is_two_screens_and_no_wider_than_the_terminal(
    name: str | Path, width: int
) -> None:
    lines = glance(sheet(load_named(str(name))), width).splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= width


def test_at_a_glance_it_names_bands_classes_stops_and_who_signed() -> None:
    text = glance(SHEET, 80)
    file = shipped("standard").file
    names = [b.name for b in file.band] + [r.id for r in file.renal]
    for name in [*names, *file.stop, "nobody: not signed", "--section", "--markdown"]:
        assert name in text, name


@pytest.mark.parametrize("section", [s.anchor for s in SHEET.sections])
def test_a_section_is_whole_and_no_wider_than_the_terminal(section: str) -> None:
    text = section_of(SHEET, section, 80)
    # A source's address, or a list of codes, is one word.
    assert all(len(line) <= 80 or " " not in line.strip() for line in text.splitlines())
    joined = " ".join(text.split())
    (found,) = [s for s in SHEET.sections if s.anchor == section]
    for table in found.tables:
        for row in table.rows:
            assert " ".join(str(row.cells[0][0]).split()) in joined
    for item in found.items:
        assert " ".join(item.split()) in joined


def test_the_command_shows_either_or_refuses() -> None:
    assert "Hard stops" in run("show").output
    assert len(run("show").output) < 8_000
    assert run("show", "--section", "regimens").output.startswith("Regimens")
    assert run("show", str(SITE), "--markdown").output.startswith("# ")
    unknown = run("show", "--section", "nonsense")
    assert (unknown.exit_code, "regimens" in unknown.output) == (2, True)
    assert run("show", "--html", "--markdown").exit_code == 2


def test_what_the_site_relaxed_stands_first() -> None:
    shown = run("show", str(SITE)).output
    assert shown.index("Relaxed by the site") < shown.index("What happens at each level")


def test_a_file_that_is_not_there_is_no_fault_of_the_settings() -> None:
    for command in ("check", "show"):
        result = run(command, "nosuch.toml")
        assert result.exit_code == 2
        assert "nosuch.toml is neither a shipped profile" in result.output
        assert "REPLETION_" not in result.output
