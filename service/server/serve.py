"""The production server: gunicorn, threads, one process tree."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from cards.protocol import Protocol
from service.config.settings import Settings
from service.server.start import announced, check_free

# They wait (for FHIR servers, slow clients, the database) more than they work.
_THREADS = 16
# Seconds a worker may take to finish what it is answering after SIGTERM.
_GRACE = 10
_BESIDE_FETCHING_S = 2.0
# The collector looks at a generation after that many new objects. A request makes thousands of
# short-lived ones and no cycles; at the default of 700 a 118 kB request is interrupted a dozen
# times (p99 6.7 ms against 1.4 ms).
_GC_THRESHOLD = (50_000, 20, 20)
# glibc gives threads allocation arenas of their own, up to eight a core, and keeps what was in
# them. One thread runs Python at a time, so they win nothing, and cost 10 MB a worker after load.
_M_ARENA_MAX, _ARENAS = -8, 2  # malloc.h


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn around one application, made before the workers are forked (preload_app)."""

    def __init__(
        self,
        app: WSGIApplication,
        settings: Settings,
        host: str,
        port: int,
        workers: int,
        ready: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``ready`` is told the URL once it listens."""
        self._app, self._settings, self._ready = app, settings, ready
        self._bind = (
            f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
        )
        self._workers = workers
        super().__init__()

    def init(self, parser: Any, opts: Any, args: Any) -> None:
        """Nothing from a command line: BaseApplication asks for this method."""

    def load_config(self) -> None:
        settings = self._settings
        options = {
            "bind": self._bind,
            "workers": self._workers,
            "worker_class": "service.server.worker.Worker",
            "threads": _THREADS,
            "preload_app": True,
            "graceful_timeout": _GRACE,
            "timeout": 30,
            "keepalive": 75,  # longer than a proxy's, so that it is the proxy that hangs up
            "logger_class": "service.server.worker.ServerLog",
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 16_380,  # a JWT with a certificate chain
            "accesslog": None,  # one canonical line a request (service.observe)
            "errorlog": "-",
            "loglevel": "warning",
            "proc_name": "repletion",
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
            "certfile": str(settings.tls_cert) if settings.tls_cert else None,
            "keyfile": str(settings.tls_key) if settings.tls_key else None,
            "forwarded_allow_ips": ",".join(settings.proxies) or "",
            "forwarder_headers": "",  # a proxy tells us the scheme, never which route is meant
            "control_socket_disable": True,
            "when_ready": self._when_ready,
            "post_fork": self._post_fork,
            "child_exit": _child_exit,
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # `control_socket…` came with gunicorn 25
                self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return self._app

    def _when_ready(self, server: Any) -> None:
        host, port = server.LISTENERS[0].sock.getsockname()[:2]
        scheme = "https" if self._settings.tls_cert else "http"
        self._ready(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")

    def _post_fork(self, server: Any, worker: Any) -> None:
        # No answer takes longer than its fetches and then some: what does is a slow client.
        worker.pressed_s = self._settings.fhir_deadline_s + _BESIDE_FETCHING_S
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not everywhere: musl has none
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, _ARENAS)
        # What was loaded before the fork is never garbage: out of the collector's sight, its
        # memory also stays shared between the workers.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLD)


def _application(settings: Settings, protocol: Protocol) -> WSGIApplication:
    from service.cdshooks.schema import warm_up
    from service.server.app import create_app
    from service.store import open_store

    warm_up()
    return create_app(settings, protocol=protocol, store=open_store(settings.database_url))


def _child_exit(server: Any, worker: Any) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def serve(settings: Settings, protocol: Protocol, host: str, port: int, workers: int) -> None:
    """Serves until SIGTERM or SIGINT. Raises SettingsError, in words, when it must not.

    The port is tried, the database is brought up to date, the clients and their protocols are
    read before anything listens. Then it says on standard error what runs.
    """
    settings.check_start(host)
    check_free(host, port)

    def ready(address: str) -> None:
        print("\n".join(announced(settings, protocol, address)), file=sys.stderr, flush=True)

    if workers == 1:
        Server(_application(settings, protocol), settings, host, port, workers, ready).run()
        return
    # Read by prometheus_client when it is imported, hence before the application.
    folder = tempfile.mkdtemp(prefix="repletion-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    master = os.getpid()
    try:
        Server(_application(settings, protocol), settings, host, port, workers, ready).run()
    finally:
        if os.getpid() == master:
            shutil.rmtree(folder, ignore_errors=True)
