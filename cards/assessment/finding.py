"""Finding: one question the protocol asks of a patient or an order, and its answer."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cards.orders import DraftOrder
from cards.protocol import Indicator, Protocol

Status = Literal["met", "not met", "unknown"]
Act = Literal["none", "remove", "update", "replace", "offer", "lab"]
RANK = {"critical": 0, "warning": 1, "info": 2}


class Finding(Struct, frozen=True, gc=False):
    """A rule, whether it is met, and why.

    ``says`` is the line a card shows (Markdown, record text already inert); ``heading`` a short
    plain text for the card's summary; ``indicator`` is set when it can be shown; ``draft`` is
    the order judged; ``act`` what a suggestion does about it; ``labs`` which laboratory orders
    it asks for; ``evidence`` the resources it rests on.
    """

    rule: str
    status: Status
    says: str
    indicator: Indicator | None = None
    heading: str = ""
    draft: DraftOrder | None = None
    act: Act = "none"
    labs: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        return self.status == "met"


def met(
    protocol: Protocol,
    rule: str,
    says: str,
    *,
    draft: DraftOrder | None = None,
    heading: str = "",
    act: Act | None = None,
    labs: tuple[str, ...] = (),
    indicator: Indicator | None = None,
    evidence: tuple[str, ...] = (),
) -> Finding:
    """A rule that is met: title and indicator of the protocol file where none is given, and
    the laboratory orders it asks for as its act."""
    entry = protocol.rule(rule)
    return Finding(
        rule,
        "met",
        says,
        indicator or entry.indicator_for(None),
        heading or entry.title,
        draft,
        act or ("lab" if labs else "none"),
        labs,
        evidence,
    )


def worst_first(findings: list[Finding]) -> list[Finding]:
    """By indicator, an order to be removed first, then as found: a stable order."""
    return sorted(findings, key=lambda f: (RANK[f.indicator or "info"], f.act != "remove"))
