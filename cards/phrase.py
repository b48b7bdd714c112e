"""Phrase: text from the record made safe for a card, and times and ages as people say them.

Whatever comes from the record may hold Markdown, HTML, links, control or right-to-left
characters; a card shows it as the letters it is.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from functools import lru_cache

# A colon and a dot only where GitHub would make a link of them.
_MARKDOWN = re.compile(r"([\\`*_\[\]#|<>~&$@]|:(?=//)|(?<=www)\.)", re.I)
# What would begin a list item when the text begins a line.
_ITEM = re.compile(r"^(\d{0,9})([-+.)])(?=\s|$)")
# Most of what a card says of a record is said again: products, units, values. Longer texts are
# not kept: a name of 10 kB, sent often, must not fill the memory.
_REMEMBERED = 200


def bare(text: str, longest: int = 60) -> str:
    """Record text in one line without control, format or bidirectional characters, shortened."""
    return _bare(text, longest) if len(text) <= _REMEMBERED else _bare.__wrapped__(text, longest)


@lru_cache(maxsize=4096)
def _bare(text: str, longest: int) -> str:
    kept = text
    if not text.isprintable():  # printable text has no control, format or separator characters
        kept = "".join(
            " " if c.isspace() else c
            for c in text
            if c.isspace() or unicodedata.category(c)[0] != "C"
        )
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"


def record(text: str, longest: int = 60) -> str:
    """Record text for ``detail``: bare, and inert as Markdown and HTML."""
    return _inert(bare(text, longest))


@lru_cache(maxsize=4096)
def _inert(text: str) -> str:
    return (
        _ITEM.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", text))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
        .replace("\\&", "&amp;")
    )


def moment(when: datetime, now: datetime) -> str:
    """``2026-03-14 10:00 UTC`` in the timezone of ``now``."""
    local = when.astimezone(now.tzinfo)
    return local.strftime("%Y-%m-%d %H:%M ") + (local.tzname() or "")


def age(when: datetime, now: datetime) -> str:
    """``2 h ago``; minutes below two hours, days from two days on."""
    span = now - when
    if span < timedelta(minutes=1):
        return "just now"
    if span < timedelta(hours=2):
        return f"{int(span.total_seconds() // 60)} min ago"
    if span < timedelta(days=2):
        return f"{int(span.total_seconds() // 3600)} h ago"
    return f"{span.days} d ago"


def counted(number: int, thing: str) -> str:
    """``1 line``, ``1,234 lines``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def listed(items: list[str], most: int = 4) -> str:
    """``a, b and 3 more``"""
    if len(items) <= most:
        return ", ".join(items)
    return ", ".join(items[:most]) + f" and {len(items) - most} more"
