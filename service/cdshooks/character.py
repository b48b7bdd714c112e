"""Character: broken characters in JSON, replaced and not refused (ruling 146).

A name cut in the middle of an emoji leaves half of a surrogate pair behind (``\\ud83d``), or
bytes that are no UTF-8. One such character anywhere must not cost the answer.
"""

from __future__ import annotations

import re

# Escapes one by one, so that of an escaped backslash before "ud83d" nothing is taken for one.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|(u[dD][c-fC-F][0-9a-fA-F]{2})|[^u]|u)",
    re.DOTALL,
)
_HALF = re.compile(rb"u[dD][89abAB]")
_REPLACEMENT = rb"\ufffd"


def mended(body: bytes) -> bytes:
    """The JSON text with each broken character replaced by U+FFFD; itself when none is broken."""
    if not body.isascii():
        try:
            body.decode()  # msgspec does not look into the strings it skips
        except UnicodeDecodeError:
            body = body.decode(errors="replace").encode()
    if b"\\" in body and (b"\\ud" in body or b"\\uD" in body):
        body = _ESCAPE.sub(_whole, body)
    return body


def _whole(match: re.Match[bytes]) -> bytes:
    alone = match[2] is not None or (match[1] is None and _HALF.match(match[0], 1) is not None)
    return _REPLACEMENT if alone else match[0]
