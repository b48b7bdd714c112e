"""Way: how a server is asked, and how else when it does not take that.

Servers refuse the plain search in two ways: a 400 for a parameter of the result (``_sort``), and
a GET that their door forbids, so that addresses of patients stand in no log; these take a POST to
``_search``. Either is found out by asking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

_SORT = re.compile(r"&_sort=[^&]*")
_COUNT = re.compile(r"(&_count=)[0-9]+")
_UNSORTED = 100  # a page: without an order all of them are read
# Forbidden, not allowed, too long an address, not done here.
_NO_GET = frozenset({403, 405, 414, 501})


def encoded(query: str) -> str:
    """A query with each value percent-encoded whole, as proxies leave it alone: one that folds
    ``//`` makes ``http://loinc.org`` a system that no result has."""
    path, mark, asked = query.partition("?")
    pairs = (pair.partition("=") for pair in asked.split("&"))
    return (
        path + mark + "&".join(f"{name}{is_}{quote(value, safe='')}" for name, is_, value in pairs)
    )


@dataclass(frozen=True, slots=True)
class Way:
    """One search or read: ``target`` is path and query, as for a GET."""

    target: str
    posts: bool = False
    is_sorted: bool = True

    @property
    def asked(self) -> tuple[str, str | None]:
        """(target, form) as they go to the server; no form for a GET."""
        path, mark, query = self.target.partition("?")
        if not self.posts or not mark:
            return self.target, None
        return path if path.endswith("/_search") else f"{path}/_search", query

    def otherwise(self, status: int) -> Way | None:
        """Another way to ask after it was refused with a status; None when there is none."""
        if "?" not in self.target:
            return None
        if status == 400 and self.is_sorted and _SORT.search(self.target):
            target = _COUNT.sub(rf"\g<1>{_UNSORTED}", _SORT.sub("", self.target))
            return replace(self, target=target, is_sorted=False)
        if status in _NO_GET and not self.posts:
            return replace(self, posts=True)
        return None
