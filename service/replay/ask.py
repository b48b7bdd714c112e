"""Ask: what a replay was asked to do, in a form that travels to other processes and machines."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from cards.protocol import PROFILES, Protocol, parse_protocol, shipped

Answers = Literal["record", "none", "overridden"]


class ProtocolFile(Struct, frozen=True):
    """A protocol by the name of its profile, or with the content of its file."""

    name: str
    content: bytes | None = None

    def read(self) -> Protocol:
        if self.content is None:
            return shipped(self.name)
        return parse_protocol(self.content, self.name)


class Ask(Struct, frozen=True):
    """``timezone`` is the site's; ``setting`` "inpatient" or "ambulatory" is assumed where no
    Encounter tells ("" assumes nothing); ``alone``: each order is signed by itself; ``sample``
    cards are drawn by ``seed``."""

    protocol: ProtocolFile
    against: ProtocolFile | None
    hooks: tuple[str, ...]
    answers: Answers
    assume_none: tuple[str, ...]
    setting: str
    timezone: str
    key: bytes = msgspec.field(default=b"")
    alone: bool = False
    sample: int = 0
    seed: str = ""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def protocol_file(name: str) -> ProtocolFile:
    """The ProtocolFile of a profile's name or of a path. Raises OSError."""
    if name in PROFILES:
        return ProtocolFile(name)
    with open(name, "rb") as file:
        return ProtocolFile(name, file.read())
