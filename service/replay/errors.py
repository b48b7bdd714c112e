"""ReplayError: why a replay does not begin or cannot go on, in words for who started it."""

from __future__ import annotations


class ReplayError(Exception):
    """What was asked cannot be done as it was asked."""
