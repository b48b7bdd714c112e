"""``make run``: start the server, fire one order-select request at it, print the cards.

Keeps serving until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.cdshooks.fixture import read_fixture

_HOST = "127.0.0.1"
_FIXTURE = Path(__file__).parents[2] / "fixtures/hooks/potassium-with-low-magnesium.json"
_STARTS_WITHIN_S = 20.0
_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


def main(arguments: list[str] | None = None) -> int:
    """Runs the demonstration; the exit code is the server's, or 1 when it could not run."""
    parser = argparse.ArgumentParser(prog="python -m service.server.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--fixture", type=Path, default=_FIXTURE)
    options = parser.parse_args(arguments)
    if not _is_free(options.port):
        print(
            f"Port {options.port} on {_HOST} is taken by another program."
            f" Choose another: make run PORT={options.port + 1}",
            file=sys.stderr,
        )
        return 1
    try:
        fixture = read_fixture(options.fixture.read_bytes())
    except (OSError, ValueError) as error:
        print(f"{options.fixture}: {error}", file=sys.stderr)
        return 1
    if fixture is None:
        print(f"{options.fixture} is not a fixture", file=sys.stderr)
        return 1
    server = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "service.cli", "serve", "--host", _HOST, "--port", str(options.port)]
    )
    # `make` and a terminal end us with a signal: the server must go, too.
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    base = f"http://{_HOST}:{options.port}"
    try:
        if not _answers(f"{base}/healthz", server):
            print("The server did not start.", file=sys.stderr)
            return server.poll() or 1
        request = fixture.body(datetime.now(UTC))
        _show(options.fixture, f"{base}/cds-services/{fixture.service}", request)
        print(
            f"\nServing on {base} (Ctrl-C ends it). Open it in a browser: the workbench", flush=True
        )
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(20)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - http to ourselves
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _show(path: Path, url: str, body: bytes) -> None:
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.panel import Panel

    console = Console()
    call = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(call, timeout=10) as answer:  # noqa: S310
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, content = error.code, error.read()
    ms = (time.perf_counter() - started) * 1000
    console.print(
        f"POST {url}\n  {path.name}, its times moved to the present: {status}, {ms:.1f} ms\n"
    )
    response: dict[str, Any] = json.loads(content)
    if "cards" not in response:
        console.print_json(data=response)
        return
    for card in response["cards"]:
        colour = _COLOURS.get(card["indicator"], "white")
        console.print(
            Panel(
                Markdown(card.get("detail", "")),
                title=f"{card['indicator'].upper()}: {card['summary']}",
                subtitle=card["source"]["label"],
                border_style=colour,
            )
        )
        for suggestion in card.get("suggestions", ()):
            star = "★" if suggestion.get("isRecommended") else "·"
            console.print(f"  {star} {suggestion['label']}", style=colour, markup=False)
            for action in suggestion.get("actions", ()):
                console.print(f"      {action['type']}: {action['description']}", markup=False)
    if not response["cards"]:
        console.print("No card: nothing to say about this order.")


if __name__ == "__main__":
    sys.exit(main())
