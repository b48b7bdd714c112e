"""Asset: a stylesheet or script that ships with the pages, read once.

A page names it with a digest of its content, so that a browser may keep it for a year and yet
sees a new version at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """``version`` is a digest of ``content``; ``link`` is relative, for pages at the top level."""

    name: str
    mimetype: str
    content: bytes
    version: str

    @property
    def link(self) -> str:
        return f"static/{self.name}?v={self.version}"


@cache
def assets() -> dict[str, Asset]:
    """Every asset by its file name."""
    found = {}
    for file in files("service.pages").joinpath("static").iterdir():
        mimetype = _TYPES.get(file.name.rpartition(".")[2])
        if mimetype is not None:
            content = file.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            found[file.name] = Asset(file.name, mimetype, content, version)
    return found
