"""Limit: how often one client may call. A token bucket for each, in each worker.

Each worker counts for itself: that costs no round trip, and with N workers a client gets at
most N times the rate. The limit is there so that one client in a loop does not take the service
from the others, not to meter anybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from service.errors import TooMany

_BURST_S = 2.0  # a full bucket holds what comes in that time: a ward round opens many charts


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class Limiter:
    """``rate`` requests a second for each name; 0 lets everything through.

    The names are those of the clients file: there are as many buckets as clients.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._most = max(1.0, rate * _BURST_S)
        self._buckets: dict[str, _Bucket] = {}
        self._lock = Lock()

    def take(self, name: str) -> None:
        """Counts one request of ``name``. Raises TooMany."""
        if not self._rate:
            return
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(name, _Bucket(self._most, now))
            gained = (now - bucket.filled) * self._rate
            bucket.tokens, bucket.filled = min(self._most, bucket.tokens + gained), now
            if bucket.tokens < 1:
                raise TooMany
            bucket.tokens -= 1
