"""Link: from another page to where an entry stands on the page of the protocol."""

from __future__ import annotations

from cards.protocol import Protocol, anchor, cited_anchor


def link_to(protocol: Protocol, name: str, table: str = "") -> str:
    """The relative link; ``table`` is the one of the file that holds the name.

    Without it the name is one that a card cites: of a rule, a stop, a regimen, or of what was not
    read. The page shows that protocol, whichever the service runs. A name that the protocol does
    not have leads to the top of the page.
    """
    page = f"protocol?hash={protocol.hash[:16]}"
    if table and not (table == "stop" and name not in protocol.file.stop):
        return f"{page}#{anchor(table, name)}"
    try:
        return f"{page}#{cited_anchor(protocol.file, name.removesuffix('-unknown'))}"
    except KeyError:
        return page
