"""Secret: the key of pseudonyms where REPLETION_SECRET is not set, kept in a file."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from service.config.settings import SettingsError

FILE = "repletion.secret"


def kept_key(path: Path) -> bytes:
    """The key kept in the file ``path``, made now when there is none. Raises OSError, and
    SettingsError when the file holds none."""
    if not path.exists():
        # Whole or not at all, and of two that start at once one wins.
        made = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(made, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(32))
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    key = path.read_bytes().strip()
    if len(key) < 16:
        raise SettingsError(f"{path}: holds no key; remove it, or set REPLETION_SECRET")
    return key
