"""Folding: a proxy before a FHIR server that folds repeated slashes, also in the query.

As the proxies of some app launchers do. ``code=http://loinc.org|2601-3`` becomes a system that no
result has, and the search is answered in full, with nothing.
"""

from __future__ import annotations

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PASSED_ON = ("Accept", "Content-Type", "Authorization")


class Folding:
    """The proxy while the block runs; ``asked`` are the targets as they were passed on."""

    def __init__(self, host: str, port: int) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                target = re.sub("/{2,}", "/", self.path)
                proxy.asked.append(target)
                upstream = http.client.HTTPConnection(host, port, timeout=10)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {n: v for n in _PASSED_ON if (v := self.headers.get(n)) is not None}
                upstream.request(self.command, target, body or None, headers)
                answered = upstream.getresponse()
                data = answered.read()
                upstream.close()
                self.send_response(answered.status)
                self.send_header("Content-Type", answered.getheader("Content-Type") or "")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Nothing: it would be all that the test prints."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Folding:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
