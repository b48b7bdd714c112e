"""A protocol as a page: rendered once for each protocol and kept; the command line writes it too.

Only the ledger differs from one request to the next, by what is asked of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from markupsafe import Markup

from cards.handbook import Sheet, check, checks_off, sheet
from cards.protocol import PROFILES, Protocol, shipped
from service.pages.asset import assets
from service.pages.ledger import CHOICES, Filter, Item, counts, items
from service.pages.template import render

BASE = "standard"  # what other protocols are compared with
_CUT = "<!-- the ledger -->"


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one protocol, but for the ledger in its middle. ``address`` is where it is,
    "" for a file."""

    head: str
    tail: str
    items: tuple[Item, ...]
    address: str

    def text(self, asked: Filter, hidden: Mapping[str, str] | None = None) -> str:
        """The page with the statements that are not asked for hidden.

        ``hidden`` are the other parts of the query, kept when the filter changes.
        """
        finds = [asked.finds(item) for item in self.items]
        ledger = render(
            "protocol_ledger.html",
            items=tuple(zip(self.items, finds, strict=True)),
            found=sum(finds),
            asked=asked,
            choices=CHOICES,
            counts=counts(self.items),
            hidden=hidden or {},
            address=self.address,
        )
        return self.head + ledger + self.tail


def made(
    protocol: Protocol, *, today: date, software: str, address: str = "protocol", **frame: Any
) -> Page:
    """The Page of a protocol on a day: from the day after its review is due on it says so.

    ``frame`` goes to the template as it is.
    """
    found = sheet(protocol)
    anchors = frozenset(row.anchor for row in found.rows)
    text = render(
        "protocol.html",
        sheet=found,
        protocol=protocol,
        version=software,
        overdue=today > protocol.review_due,
        remarks=_remarks(protocol, today),
        changed=_changed(found),
        left_out=_left_out(protocol),
        checks_off=checks_off(protocol.file),
        anchors=anchors,
        cut=Markup(_CUT),  # noqa: S704  # ours
        **frame,
    )
    head, _, tail = text.partition(_CUT)
    return Page(head, tail, items(protocol, anchors), address)


def _remarks(protocol: Protocol, today: date) -> tuple[str, ...]:
    """What `protocol check` remarks on, but for the relaxations, which have their own place."""
    found = check(protocol, today)
    return tuple(remark for remark in found if not remark.startswith("site-relaxed: "))


def _changed(found: Sheet) -> frozenset[str]:
    """The anchors of rows that the profile ``standard`` does not have like this.

    The number of a row and its name are not compared: a row more above it changes both.
    """
    if found.protocol.hash == shipped(BASE).hash:
        return frozenset()
    base = _cells(BASE)
    return frozenset(
        row.anchor
        for section in found.sections
        for table in section.tables
        for row in table.rows
        if (section.anchor, row.cells[1:]) not in base
    )


def _left_out(protocol: Protocol) -> tuple[str, ...]:
    """Regimens, interactions and follow-ups of ``standard`` that this protocol has none of."""
    file, base = protocol.file, shipped(BASE).file
    regimens = {row.id for row in file.regimen}
    drugs = {row.drug for row in file.interaction}
    return (
        *dict.fromkeys(f"regimen.{row.id}" for row in base.regimen if row.id not in regimens),
        *(f"interaction.{row.drug}" for row in base.interaction if row.drug not in drugs),
        *(() if file.followup else ("followup",)),
    )


@cache
def _cells(profile: str) -> frozenset[Any]:
    return frozenset(
        (section.anchor, row.cells[1:])
        for section in sheet(shipped(profile)).sections
        for table in section.tables
        for row in table.rows
    )


def standalone(protocol: Protocol, today: date, software: str) -> str:
    """The page as one file that needs nothing else, for a reader without the service."""
    style = "\n".join(assets()[name].content.decode() for name in ("repletion.css", "protocol.css"))
    script = assets()["protocol.js"].content.decode()
    page = made(
        protocol,
        today=today,
        software=software,
        address="",
        frame="protocol_file.html",
        here="Protocol",
        style=Markup(style),  # noqa: S704  # ours
        script=Markup(script),  # noqa: S704  # ours
        profiles=(),
        notes=(),
    )
    return page.text(Filter())


def profiles(shown: Protocol) -> tuple[tuple[str, bool], ...]:
    """The shipped profiles, and which of them is shown."""
    return tuple((name, shipped(name).hash == shown.hash) for name in PROFILES)


def etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
