"""``make run``: start the server, send it one order-select request, print its cards.

The request is sent as ``repletion call`` sends it. Keeps serving until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import click

from service.call.command import call

_HOST = "127.0.0.1"
_FIXTURE = Path(__file__).parents[2] / "fixtures/hooks/potassium-with-low-magnesium.json"
_STARTS_WITHIN_S = 60.0  # it ends sooner when it cannot start


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
    server = subprocess.Popen(  # noqa: S603 - our own program
        [
            sys.executable,
            "-m",
            "service.cli",
            "serve",
            "--host",
            _HOST,
            "--port",
            str(options.port),
        ],
        stdout=subprocess.PIPE,
    )
    # `make` and a terminal end us with a signal: the server must go, too.
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    log = _Log(server)
    base = f"http://{_HOST}:{options.port}"
    try:
        if not _answers(f"{base}/healthz", server):
            print("The server did not start.", file=sys.stderr)
            return server.poll() or 1
        print(f"\n$ repletion call {_near(options.fixture)} --url {base}\n", flush=True)
        call.main([str(options.fixture), "--url", base], standalone_mode=False)
        print(
            f"\nServing on {base} (Ctrl-C ends it). Open it in a browser: the workbench."
            "\nBelow, the log: one line for each request.",
            flush=True,
        )
        log.release()
        return server.wait()
    except click.ClickException as error:
        error.show()
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(20)
        log.release()
        log.join(5)


class _Log(threading.Thread):
    """The server's log, passed on from the moment it is released: first comes the card."""

    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._server, self._held, self._lock = server, bytearray(), threading.Lock()
        self._released = False
        self.start()

    def run(self) -> None:
        for line in self._server.stdout or ():
            with self._lock:
                self._held += line
                if self._released:
                    self._write()

    def release(self) -> None:
        with self._lock:
            self._released = True
            self._write()

    def _write(self) -> None:
        sys.stdout.buffer.write(self._held)
        sys.stdout.buffer.flush()
        self._held.clear()


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


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


if __name__ == "__main__":
    sys.exit(main())
