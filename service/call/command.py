"""``repletion call``. Imports what it needs when it runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.call.refusal import Refusal

if TYPE_CHECKING:
    from service.call.message import Message

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_PEM = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("request", type=_FILE, metavar="REQUEST.json")
@click.option("--url", required=True, help="The server, its discovery, or one of its services.")
@click.option("--service", metavar="ID", help="The service. Default: the one for the hook.")
@click.option("--client-key", type=_PEM, metavar="JWK", help="Private key: sign each call.")
@click.option("--issuer", metavar="I", help="The client, as the service knows it (iss).")
@click.option("--kid", metavar="K", help="The key's id. Default: the one in the JWK.")
@click.option("--jku", metavar="URL", help="Where the service gets the public key.")
@click.option("--tenant", metavar="T", help="The claim `tenant`, when the service wants one.")
@click.option("--ca", type=_PEM, metavar="PEM", help="Certificates to trust, not the machine's.")
@click.option("--insecure", is_flag=True, help="Allow plain http to another machine.")
@click.option("--as-is", is_flag=True, help="Send the request to the byte, times and all.")
@click.option(
    "--captured",
    metavar="ISO8601",
    help="When a captured request was made. Default: its newest time of writing.",
)
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1, 600))
@click.option("--verbose", is_flag=True, help="Show the headers, too.")
def call(
    request: Path,
    url: str,
    service: str | None,
    client_key: Path | None,
    issuer: str | None,
    kid: str | None,
    jku: str | None,
    tenant: str | None,
    ca: Path | None,
    insecure: bool,
    as_is: bool,
    captured: str | None,
    timeout: float,
    verbose: bool,
) -> None:
    """Send a request to any CDS Hooks service and show what it answers.

    REQUEST.json (- for standard input) is a CDS Hooks request that was captured, or a fixture
    (fixtures/hooks/). Its times are moved to the present, its hookInstance is new. Discovery is
    shown first. Redirects are not followed, and neither a token nor a key is printed.

    Exit code: 0 a card, 3 no card, 4 refused, 5 no answer, 2 wrong use.
    """
    from rich.console import Console

    from service.call.address import AddressError, host_of, read_address
    from service.call.call import Caller
    from service.call.show import Show
    from service.call.token import KeyRefused, read_client
    from service.call.wire import Wire
    from service.config.settings import is_loopback

    if (client_key is None) != (issuer is None):
        raise Refusal("--client-key and --issuer go together")
    try:
        here = is_loopback(host_of(url))
        address = read_address(url, insecure=insecure, is_loopback=here)
    except AddressError as error:
        raise Refusal(f"--url {url}: {error}") from None
    client = None
    if client_key is not None and issuer is not None:
        try:
            client = read_client(client_key.read_bytes(), issuer, kid, jku, tenant)
        except (KeyRefused, OSError) as error:
            raise Refusal(f"--client-key {client_key}: {error}") from None
    message = _message(request, captured, as_is)
    wire = Wire(timeout, ca)
    caller = Caller(wire, Show(Console(highlight=False)), client, verbose)
    try:
        code = caller.call(message, _name(request), address, service)
    finally:
        wire.close()
    click.get_current_context().exit(code)


def _message(request: Path, captured: str | None, as_is: bool) -> Message:
    import uuid

    from service.call.message import MessageError, read_message

    try:
        data = sys.stdin.buffer.read() if str(request) == "-" else request.read_bytes()
        then = datetime.fromisoformat(captured).astimezone() if captured else None
        now = datetime.now(UTC)
        return read_message(data, now, str(uuid.uuid4()), captured=then, as_is=as_is)
    except MessageError as error:
        raise Refusal(f"{_name(request)}: {error}") from None
    except ValueError:
        raise Refusal(f"--captured {captured}: not an ISO 8601 date and time") from None
    except OSError as error:
        raise Refusal(f"{_name(request)}: {error.strerror}") from None


def _name(request: Path) -> str:
    return "standard input" if str(request) == "-" else request.name
