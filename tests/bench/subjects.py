"""Subjects: the servers that are compared, each a process tree whose costs can be read."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.server import free_port

_ROOT = Path(__file__).resolve().parents[2]
_STARTS_WITHIN_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Recipe:
    """How to start a subject. ``name`` is told in tables; ``kind`` is one of tests.bench.serve,
    or "repletion": the product's own command."""

    name: str
    kind: str = "repletion"
    workers: int = 1
    worker_class: str | None = None
    settings: dict[str, str] = field(default_factory=dict)

    def command(self, port: int) -> list[str]:
        if self.kind == "repletion":
            command = [sys.executable, "-m", "service.cli", "serve"]
        else:
            command = [sys.executable, "-m", "tests.bench.serve", self.kind]
            if self.worker_class:
                command += ["--worker-class", self.worker_class]
        return [*command, "--port", str(port), "--workers", str(self.workers)]


ORJSON = Recipe("floor: orjson", "orjson")
MSGSPEC = Recipe("floor: msgspec", "msgspec")
SERVICE = Recipe("service")


@dataclass
class Subject:
    """A server that runs. ``start_s``: from the start of its process to its first answer;
    ``start_cpu_s``: what the processor worked for it until then, whoever else it worked for."""

    recipe: Recipe
    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    start_s: float = 0.0
    start_cpu_s: float = 0.0

    @property
    def name(self) -> str:
        return self.recipe.name

    def workers(self) -> list[int]:
        """Process ids of the workers: the children of the one that was started."""
        pid = self.process.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def cpu_s(self) -> float:
        """Processor seconds that the workers have used."""
        return sum(_cpu_s(pid) for pid in self.workers())

    def pss_mb_each(self) -> list[float]:
        """Proportional memory of each worker: a page that n processes share counts 1/n."""
        return [_pss_mb(pid) for pid in self.workers()]

    def pss_mb(self) -> float:
        """Of the largest worker."""
        return max(self.pss_mb_each())

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def err(self) -> str:
        return (self.folder / "err.log").read_text()


def _cpu_s(pid: int) -> float:
    # utime and stime come after the name, which may hold anything but ends with the last ")".
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no Pss in smaps_rollup of {pid}")


@contextmanager
def running(recipe: Recipe, core: int | None = None, port: int | None = None) -> Iterator[Subject]:
    """The subject, started; ``core``: the only one that it runs on."""
    port = port or free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REPLETION_")}
    environment |= {f"REPLETION_{k.upper()}": v for k, v in recipe.settings.items()}
    environment["PYTHONPATH"] = str(_ROOT)
    with tempfile.TemporaryDirectory(prefix="repletion-bench-") as name:
        folder = Path(name)
        with (folder / "out.log").open("wb") as out, (folder / "err.log").open("wb") as err:
            began = time.perf_counter()
            process = subprocess.Popen(
                recipe.command(port), cwd=folder, env=environment, stdout=out, stderr=err
            )
        if core is not None:
            os.sched_setaffinity(process.pid, {core})  # its children inherit it
        subject = Subject(recipe, port, process, folder)
        try:
            _wait(subject)
            subject.start_s = time.perf_counter() - began
            subject.start_cpu_s = _cpu_s(process.pid) + subject.cpu_s()
            yield subject
        finally:
            _end(process)


def _wait(subject: Subject) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < end and subject.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=10)
        try:
            connection.request("GET", "/cds-services")
            # In jwt mode discovery needs a token: 401 is an answer, too.
            if connection.getresponse().status in (200, 401):
                return
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()
    raise RuntimeError(f"{subject.name} did not start:\n{subject.err()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
