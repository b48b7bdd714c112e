"""Where an entry of a protocol stands on its page: ``rule-D1``, ``stop-H2``, ``limit-quiet``."""

from __future__ import annotations

import re

from cards.protocol.model import ProtocolFile

# What could not be read or told and therefore blocks, and orders that block, as cards name them
# (protocol sections 0 and 5).
UNREAD = (
    "conditions",
    "medications",
    "unidentified",
    "unidentified-draft",
    "possible-magnesium",
    "PRN",
    "do-not-perform",
    "may-run",
    "given-undated",
    "medicine-unread",
    "allergy",
    "accepted",
)
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


def anchor(table: str, name: object) -> str:
    """A name of the file as part of an address: a site's own may hold anything."""
    return f"{table}-{_OTHER.sub('-', str(name))}"


def cited_anchor(file: ProtocolFile, cited: str) -> str:
    """The place of what a card names under "Rules": a rule, a stop, a regimen, or what was not
    read.

    Where a rule and a regimen share a name (``severe``) it is the rule's. Raises KeyError.
    """
    tables = {
        "rule": set(file.rule),
        "stop": set(file.stop),
        "unread": set(UNREAD),
        "regimen": {row.id for row in file.regimen},
    }
    for table, names in tables.items():
        if cited in names:
            return anchor(table, cited)
    raise KeyError(cited)
