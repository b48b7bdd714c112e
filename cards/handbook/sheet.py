"""Sheet: a whole protocol as sections, tables and rows, in the order a pharmacist reads it.

One object for everybody who shows a protocol: the command line writes it as Markdown
(``cards/handbook/markdown.py``), the service as a page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from cards import codes
from cards.handbook import tables
from cards.handbook.rows import Row, Table
from cards.protocol.parse import Protocol


class Section(Struct, frozen=True, gc=False):
    """``says`` are paragraphs above the tables, ``items`` a list below them."""

    anchor: str
    title: str
    says: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    items: tuple[str, ...] = ()


class Sheet(Struct, frozen=True, gc=False):
    """A protocol in words; every row has an anchor of its own."""

    protocol: Protocol
    sections: tuple[Section, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for s in self.sections for table in s.tables for row in table.rows)


def sheet(protocol: Protocol) -> Sheet:
    """What happens at each level first; then limits, checks of orders, words, sources."""
    file = protocol.file
    sections = [
        Section(
            "levels",
            "What happens at each level",
            (tables.results(file), *tables.site_codes(file), tables.LEVELS),
            (tables.bands(file), *tables.levels_(file), tables.flags_(file)),
        ),
        Section("kidney", "Renal classes", (tables.estimates(file),), (tables.kidney(file),)),
        Section("stops", "Hard stops", (tables.STOPS,), (tables.stops(file), tables.unread(file))),
        Section(
            "regimens",
            "Regimens: the first row that holds decides",
            (tables.REGIMENS,),
            (tables.regimens(file), tables.products(file)),
        ),
        Section(
            "followup",
            "Follow-up level: the first row that holds decides",
            () if file.followup else ("None is suggested.",),
            (tables.followup(file),) if file.followup else (),
        ),
        Section("limits", "Limits", (), tuple(tables.limits_(file))),
        Section(
            "rules", "Rules: what a card can say", (tables.RULES_SAY,), tuple(tables.rules(file))
        ),
        Section(
            "interactions",
            "Hours apart from oral magnesium",
            (tables.INTERACTIONS,),
            (tables.interactions(file),),
        ),
        Section("drugs", "Lists of drugs", (tables.DRUGS,), tuple(tables.drugs(protocol))),
        Section("words", "Words on cards", (), (tables.wording(file),)),
        Section("sources", "Sources", (tables.SOURCES,), (tables.sources(file),)),
        Section(
            "not-detected",
            "Not detected",
            ("No code or no data reaches the service for these; a person must think of them:",),
            items=codes.NOT_DETECTED,
        ),
    ]
    off = tables.switched_off(file)
    if off.rows:
        says = "These rules make no card here; the checks of drafted orders among them stand red."
        sections.insert(0, Section("off", "Switched off by the site", (says,), (off,)))
    if file.relaxed:
        relaxed = Section("relaxed", "Relaxed by the site", (), (tables.relaxed(file),))
        sections.insert(0, relaxed)
    return Sheet(protocol, tuple(_told_apart(sections)))


def _told_apart(sections: Iterable[Section]) -> Iterable[Section]:
    """Anchors made unique: rows of one name are numbered from the second on."""
    seen: Counter[str] = Counter()

    def own(row: Row) -> Row:
        seen[row.anchor] += 1
        number = seen[row.anchor]
        return row if number == 1 else replace(row, anchor=f"{row.anchor}~{number}")

    for section in sections:
        yield replace(
            section,
            tables=tuple(
                replace(t, rows=tuple(own(row) for row in t.rows)) for t in section.tables
            ),
        )
