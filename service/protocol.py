"""Protocol: the one in force, by the name of a shipped profile or the path of a site's file."""

from __future__ import annotations

from pathlib import Path

from cards.protocol import PROFILES, Protocol, parse_protocol, shipped
from service.settings import SettingsError


def load_protocol(name: str) -> Protocol:
    """The shipped profile of that name, else the protocol file at that path.

    Raises SettingsError when there is neither, ProtocolError when the file is wrong.
    """
    if name in PROFILES:
        return shipped(name)
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"REPLETION_PROTOCOL: {name} is neither a shipped profile ({', '.join(PROFILES)})"
            f" nor a readable file: {error.strerror}"
        ) from None
    return parse_protocol(data, name)
