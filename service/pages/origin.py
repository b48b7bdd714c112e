"""Origin: whether a browser sends something from our own page, and not from another site's."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request

from service.errors import CrossSite


def check_origin(request: Request, base_url: str | None) -> None:
    """Raises CrossSite when a page of another site sent this.

    A program (curl) sends neither header and is let through: it has no session to abuse.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        raise CrossSite
    origin = request.headers.get("Origin")
    if origin is None:
        return
    ours = {request.host}
    if base_url is not None:
        ours.add(urlsplit(base_url).netloc)
    if urlsplit(origin).netloc not in ours:
        raise CrossSite
