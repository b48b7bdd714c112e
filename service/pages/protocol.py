"""The page of the protocol: what the service decides by, every number with its sources and why.

Open to all, in jwt mode too: who reads a card must be able to read what it rests on. Without a
query it shows the protocol of the settings. A card's link names its protocol by hash: that of a
client may be another, and may be read by whoever holds such a link.
"""

from __future__ import annotations

from datetime import date

from flask import Response, request

from cards.protocol import PROFILES, Protocol, shipped
from service.pages.ledger import Filter
from service.pages.sheet import Page, etag, made, profiles
from service.pages.view import SECURITY, software_version
from service.web.service import Service

_LEAST = 12  # characters of a hash that name a protocol; fewer could be guessed


class ProtocolPage:
    """Answers with the page of a protocol; each is rendered once a day and kept."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # (hash, whether its review is overdue, note) -> page: a few for each protocol there is.
        self._pages: dict[tuple[str, bool, str], Page] = {}
        self._whole: dict[tuple[str, bool, str], tuple[bytes, str]] = {}

    def answer(self) -> Response:
        asked = Filter.of(request.args)
        protocol, note, kept = self._chosen()
        key = (protocol.hash, self._today() > protocol.review_due, note)
        page = self._page(key, protocol, note)
        if asked.empty:
            if key not in self._whole:
                text = page.text(asked, kept)
                self._whole[key] = text.encode(), etag(text)
            body, tag = self._whole[key]
        else:
            text = page.text(asked, kept)
            body, tag = text.encode(), etag(text)
        response = Response(body, mimetype="text/html")
        response.headers.update(SECURITY)
        response.headers["Cache-Control"] = "no-cache"  # kept, and asked for again each time
        response.set_etag(tag)
        response.make_conditional(request)
        return response

    def _today(self) -> date:
        return self._service.now().date()

    def _chosen(self) -> tuple[Protocol, str, dict[str, str]]:
        """The protocol asked for, a note when it is not the one of the settings, and the part of
        a query that names it."""
        service = self._service
        own = service.protocol
        profile, wanted = request.args.get("profile", ""), request.args.get("hash", "")
        if profile in PROFILES:
            found = shipped(profile)
            return (found, "profile", {"profile": profile}) if found.hash != own.hash else _own(own)
        if not wanted:
            return _own(own)
        known = [(own, ""), *((p, "client") for p in service.protocols)]
        known += [(shipped(name), "profile") for name in PROFILES]
        for found, note in known:
            if len(wanted) >= _LEAST and found.hash.startswith(wanted):
                return found, note, {"hash": found.hash} if note else {}
        return own, "gone", {}

    def _page(self, key: tuple[str, bool, str], protocol: Protocol, note: str) -> Page:
        if key not in self._pages:
            self._pages[key] = made(
                protocol,
                today=self._today(),
                software=software_version(),
                frame="layout.html",
                here="Protocol",
                profiles=profiles(protocol),
                notes=(note,) if note else (),
            )
        return self._pages[key]


def _own(protocol: Protocol) -> tuple[Protocol, str, dict[str, str]]:
    return protocol, "", {}
