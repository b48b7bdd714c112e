"""A protocol for a terminal: a page of it at a glance, or one section row by row.

Whole it is a document (``repletion protocol show --markdown``, ``--html``): nobody reads tables of
ten columns between the edges of a terminal. Sources, statements and reasons stand only there.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from cards.handbook import Section, Sheet

# What is shown at a glance: of each of these sections the first table, and its columns.
_GLANCE = {
    "relaxed": ("stop", "approved by"),
    "levels": ("band", "magnesium", "in mmol/L", "indicator"),
    "kidney": ("class", "clearance", "intravenous", "cap in 24 h", "oral"),
    "stops": ("stop", "when", "blocks"),
}
_LEFT_OUT = frozenset({"sources", "statements", "why"})  # kinds of column
_NARROWEST = 40


def glance(sheet: Sheet, width: int) -> str:
    """Who wrote and signed it, bands, renal classes, stops, and how to see the rest."""
    lines = [*_head(sheet, width)]
    for section in sheet.sections:
        columns = _GLANCE.get(section.anchor)
        if columns is not None:
            lines += ["", section.title, *_columns(section, columns, width)]
    rest = [s.anchor for s in sheet.sections]
    lines += [
        "",
        "The rest:",
        *_wrapped(f"--section {' | '.join(rest)}", width),
        *_wrapped("--markdown or --html, the whole with sources and reasons", width),
    ]
    return "\n".join(lines)


def section_of(sheet: Sheet, anchor: str, width: int) -> str:
    """One section whole, each row a block of lines."""
    section = next(s for s in sheet.sections if s.anchor == anchor)
    lines = [section.title]
    for text in section.says:
        lines += ["", *_wrapped(text, width, "", "")]
    for table in section.tables:
        lines += ["", f"{table.title}:"] if table.title else []
        for row in table.rows:
            lines.append("")
            head, *cells = (
                (column.name, [str(line) for line in lines_])
                for column, lines_ in zip(table.columns, row.cells, strict=True)
                if column.kind not in _LEFT_OUT
            )
            lines += _wrapped(" ".join(head[1]), width, "")
            for name, said in cells:
                for n, line in enumerate(said):
                    lines += _wrapped(f"{name}: {line}" if n == 0 else line, width, "    ")
    lines += [line for item in section.items for line in _wrapped(f"- {item}", width)]
    return "\n".join(lines)


def _head(sheet: Sheet, width: int) -> Iterator[str]:
    protocol = sheet.protocol
    head = protocol.file.protocol
    yield from _wrapped(head.title, width, "")
    yield from _wrapped(f"{head.name} {head.version}, SHA-256 {protocol.hash[:16]}", width)
    if head.extends:
        yield from _wrapped(f"builds on the shipped profile {head.extends}", width)
    signed = ", ".join(head.reviewers) or "nobody: not signed"
    yield from _wrapped(f"reviewed by {signed}, {head.reviewed}; due {head.review_due}", width)
    yield from _wrapped(head.notice, width)


def _columns(section: Section, names: tuple[str, ...], width: int) -> Iterator[str]:
    """The first table of a section, in columns as wide as they need; the last one is wrapped."""
    table = section.tables[0]
    places = [n for n, column in enumerate(table.columns) if column.name in names]
    rows = [[table.columns[n].name for n in places]]
    rows += [[" ".join(map(str, row.cells[n])) for n in places] for row in table.rows]
    wide = [max(len(row[n]) for row in rows) for n in range(len(places))]
    for row in rows:
        start = "  " + "".join(f"{text:<{wide[n]}}  " for n, text in enumerate(row[:-1]))
        yield from _wrapped(row[-1], width, start, " " * len(start))


def _wrapped(text: str, width: int, first: str = "  ", then: str | None = None) -> list[str]:
    then = first + "  " if then is None else then
    room = max(width, len(first) + _NARROWEST // 2)
    made = fill(
        text, room, initial_indent=first, subsequent_indent=then, break_on_hyphens=False
    )  # fmt: skip
    return [line.rstrip() for line in made.splitlines()] or [first.rstrip()]
