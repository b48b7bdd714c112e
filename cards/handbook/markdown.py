"""A sheet as Markdown, as a pharmacist reads and signs it from the command line."""

from __future__ import annotations

from collections.abc import Iterator

from cards.handbook.rows import Dose, Table
from cards.handbook.sheet import Section, sheet
from cards.protocol.parse import Protocol


def show(protocol: Protocol) -> str:
    """The whole protocol in Markdown."""
    parts = [*_head(protocol)]
    for section in sheet(protocol).sections:
        parts += _section(section)
    return "\n".join(parts) + "\n"


def _head(protocol: Protocol) -> Iterator[str]:
    head = protocol.file.protocol
    yield f"# {head.title}\n"
    yield f"Protocol `{head.name}`, version {head.version}, SHA-256 `{protocol.hash}`."
    if head.extends:
        yield f"Builds on the shipped profile `{head.extends}`."
    yield f"Written by {', '.join(head.authors)}."
    signed = ", ".join(head.reviewers) or "nobody: not signed"
    yield f"Reviewed by {signed}, {head.reviewed}; next review due {head.review_due}.\n"
    yield f"> {head.notice}"


def _section(section: Section) -> Iterator[str]:
    yield f"\n## {section.title}"
    yield from (f"\n{text}" for text in section.says)
    for table in section.tables:
        yield from _table(table)
    if section.items:
        yield ""
        yield from (f"- {item}" for item in section.items)


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"\n### {table.title}"
    yield f"\n| {' | '.join(column.name for column in table.columns)} |"
    yield f"|{'---|' * len(table.columns)}"
    for row in table.rows:
        cells = (
            (", " if column.kind in ("sources", "statements") else "<br>").join(map(_cell, lines))
            for column, lines in zip(table.columns, row.cells, strict=True)
        )
        yield f"| {' | '.join(cells)} |"


def _cell(line: str | Dose) -> str:
    return str(line).replace("|", "\\|").replace("\n", " ")
