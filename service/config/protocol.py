"""Protocol: the one in force, by the name of a shipped profile or the path of a site's file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cards.card import protocol_faults
from cards.protocol import PROFILES, Protocol, ProtocolError, parse_protocol, shipped
from service.config.settings import SettingsError


def load_protocol(name: str) -> Protocol:
    """The protocol of REPLETION_PROTOCOL: the shipped profile of that name, else the protocol
    file at that path.

    Raises SettingsError when there is neither, ProtocolError when the file is wrong.
    """
    try:
        return load_named(name)
    except SettingsError as error:
        raise SettingsError(f"REPLETION_PROTOCOL: {error}") from None


def load_named(name: str) -> Protocol:
    """The same for a name that stands elsewhere than in the setting."""
    protocol = shipped(name) if name in PROFILES else _read(name)
    # No card may carry an order that is not valid FHIR: found out at start, not at the bedside.
    faults = protocol_faults(protocol, datetime(2000, 1, 1, tzinfo=UTC))
    if faults:
        raise ProtocolError([f"{name}: {fault}" for fault in faults])
    return protocol


def _read(name: str) -> Protocol:
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{name} is neither a shipped profile ({', '.join(PROFILES)})"
            f" nor a readable file: {error.strerror}"
        ) from None
    return parse_protocol(data, name)
