"""ReplayError: why a replay does not begin or cannot go on, in words for who started it."""

from __future__ import annotations

INSTALL = (
    "`make replay` in the checkout installs it; into another environment,"
    " pip install --no-deps --require-hashes -r .ci/replay.txt"
)
"""How what the replay needs beyond the service is installed."""


class ReplayError(Exception):
    """What was asked cannot be done as it was asked."""
