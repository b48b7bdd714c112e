"""Call: discovery, then one hook request, each shown as it comes; the exit code says the end."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.call.address import Address
from service.call.meaning import NO_ANSWER, REFUSED, exit_code, meaning
from service.call.message import Message
from service.call.show import Show
from service.call.token import Client
from service.call.wire import Came, NoAnswer, Sent, Wire

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls services over ``wire`` and tells ``show``. ``client`` None: no token is sent."""

    wire: Wire
    show: Show
    client: Client | None = None
    verbose: bool = False

    def call(self, message: Message, name: str, address: Address, service: str | None) -> int:
        """The exit code of sending ``message``, which came from ``name``, to the service that
        is named, else to the one that discovery offers for its hook."""
        self.show.hide(*message.secrets)
        try:
            offered = self._discover(address)
            chosen = _choose(message, address, service, offered)
            if chosen is None:
                known = ", ".join(_id(one) for one in offered or ())
                self.show.line(
                    f"Which service is for {message.hook}? Discovery does not tell: give its id"
                    f" with --service{f' (offered: {known})' if known else ''}."
                )
                return REFUSED
            return self._send(message, name, address.of(chosen), _entry(offered, chosen))
        except NoAnswer as error:
            self.show.line(f"No answer: {error}.", "bold red")
            return NO_ANSWER

    def _discover(self, address: Address) -> list[Json] | None:
        """The services that are offered; None when discovery cannot be read."""
        came = self._exchange(address.discovery, None)
        services = _services(came.body) if came.status == 200 else None
        if services is not None:
            self.show.services(services)
        elif came.status == 200:
            self.show.line("  This is no discovery of CDS services: no list `services` in it.")
        else:
            self._refused(came)
        self.show.line("")
        return services

    def _send(self, message: Message, name: str, url: str, entry: Json | None) -> int:
        came = self._exchange(url, message.body)
        self.show.line(f"  {message.hook} of {name}, {message.how}")
        asked = entry.get("prefetch") if entry is not None else None
        keys = asked if isinstance(asked, dict) else {}
        missing = [key for key in keys if key not in message.prefetched]
        if missing:
            self.show.line(f"  asked for as prefetch and not in it: {', '.join(missing)}")
        self.show.line("")
        cards = _cards(came.body) if came.status == 200 else None
        if cards is None:
            self._refused(came)
        for card in cards or ():
            self.show.card(card)
        if cards is not None:
            self.show.line(f"{came.status}: {meaning(came.status)} {_counted(cards)}")
        elif came.status == 200:
            self.show.line("The body is no CDS Hooks answer: it has no list `cards`.")
        return exit_code(came.status, None if cards is None else len(cards))

    def _refused(self, came: Came) -> None:
        self.show.trouble(came.body)
        if "Location" in came.headers:
            self.show.line(f"  Location: {came.headers['Location']}")
        self.show.line(f"{came.status}: {meaning(came.status)}", "bold red")

    def _exchange(self, url: str, body: bytes | None) -> Came:
        headers = {"Accept": "application/json", "User-Agent": "repletion-call"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.client is not None:
            token = self.client.token(url, datetime.now(UTC), str(uuid.uuid4()))
            self.show.hide(token)
            headers["Authorization"] = f"Bearer {token}"
        sent = Sent(url, headers, body)
        if self.verbose:
            self.show.line(f"> {sent.method} {url}", "dim")
            self.show.headers(">", headers)
        came = self.wire.send(sent)
        if self.verbose:
            self.show.headers("<", came.headers)
        self.show.line(f"{sent.method} {url}: {came.status}, {came.ms:.1f} ms", "bold")
        return came


def _choose(
    message: Message, address: Address, service: str | None, offered: list[Json] | None
) -> str | None:
    asked = service or address.service
    if asked is not None:
        return asked
    fitting = [_id(one) for one in offered or () if one.get("hook") == message.hook and _id(one)]
    if message.service is not None and (offered is None or message.service in fitting):
        return message.service
    return fitting[0] if len(fitting) == 1 else None


def _entry(offered: list[Json] | None, service: str) -> Json | None:
    return next((one for one in offered or () if _id(one) == service), None)


def _id(service: Json) -> str:
    id_ = service.get("id")
    return id_ if isinstance(id_, str) else ""


def _counted(cards: list[Any]) -> str:
    if not cards:
        return "No card: it has nothing to say about this request."
    return "1 card." if len(cards) == 1 else f"{len(cards)} cards."


def _services(body: bytes) -> list[Json] | None:
    found = _member(body, "services")
    return None if found is None else [one for one in found if isinstance(one, dict)]


def _cards(body: bytes) -> list[Any] | None:
    return _member(body, "cards")


def _member(body: bytes, name: str) -> list[Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = content.get(name) if isinstance(content, dict) else None
    return found if isinstance(found, list) else None
