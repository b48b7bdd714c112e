"""The README from top to bottom: every command is run, every configuration block is read.

Each part is walked in an empty folder that stands for the checkout. What cannot be run here stands
in NOT_RUN with its reason and what is checked instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from service.config.settings import described, read_settings
from service.store import open_store
from service.trust import Call, Trust, read_clients
from service.trust.keys import Pinned, read_jwks
from tests.contract.shapes import NOW
from tests.databases import _server
from tests.readme import README, Block, Part, parts
from tests.server import free_port
from tests.tokens import ec, public, rsa, signed

ROOT = README.parent
PARTS = parts(README.read_text(encoding="utf-8"))
COMMANDS = [command for part in PARTS for block in part.blocks for command in block.commands]
MAKEFILE = (ROOT / "Makefile").read_text()
DEPLOY = ROOT / "service/deploy"

_MACHINE = "changes the machine; compared with the Makefile and the unit below"
NOT_RUN = {
    "make test": "it is what runs this",
    "make replay": "installs from a registry; tests/test_locks.py proves the lock",
    "make bench": "measures for 40 minutes; tests/test_bench.py runs each part",
    'make bench ARGS="--quick hooks inside profile"': "the same",
    "repletion call captured.json --url https://cds.hospital.example": "somebody's server;"
    " tests/test_call.py",
    "repletion replay export --out spark --engine spark --master local[4]": "needs PySpark and"
    " Java; tests/replay runs the engine",
    "docker build -f service/deploy/Dockerfile -t repletion .": "needs a daemon and a registry;"
    " the file is checked below",
    "docker compose -f service/deploy/compose.yaml up --build": "the same",
    "python3 -m venv /opt/repletion": _MACHINE,
    "/opt/repletion/bin/pip install --no-deps --no-build-isolation --require-hashes"
    " -r .ci/serve.txt": _MACHINE,
    "/opt/repletion/bin/pip install --no-deps --no-build-isolation .": _MACHINE,
    "cp service/deploy/repletion.service /etc/systemd/system/": _MACHINE,
    "systemctl enable --now repletion": _MACHINE,
}  # fmt: skip
# They replay 300 patients or start a dozen commands, each of which has a test in one process.
SLOW = {"The first hour", "Replay", "What it remembers"}


def reason_not_to_run(command: str) -> str | None:
    return next((NOT_RUN[known] for known in NOT_RUN if known_by(known, command)), None)


def known_by(known: str, command: str) -> bool:
    return (
        command == known
        or command.startswith(f"{known} \\")
        or command.startswith(f"{known} --client")
    )


def test_what_is_not_run_is_listed_with_a_reason_and_does_not_grow() -> None:
    assert len(NOT_RUN) <= 13, "a command that is not run needs a better reason than this list"
    stale = [known for known in NOT_RUN if not any(known_by(known, c) for c in COMMANDS)]
    assert stale == [], "no longer in the README"
    assert len([c for c in COMMANDS if reason_not_to_run(c)]) == len(NOT_RUN)
    assert len(COMMANDS) - len(NOT_RUN) >= 25


# --- the walk ---------------------------------------------------------------------------------


class Walk:
    """A shell in a folder that looks like the checkout, and the server that was started in it."""

    def __init__(self, folder: Path, more: dict[str, str]) -> None:
        self.folder, self.port = folder, free_port()
        self.server: subprocess.Popen[bytes] | None = None
        for name in ("fixtures", "service", ".ci"):
            (folder / name).symlink_to(ROOT / name)
        bin_ = str(Path(sys.executable).parent)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("REPLETION_")}
        path = f"{bin_}:{clean.get('PATH', '')}"
        self.environment = clean | more | {"PATH": path, "PYTHONPATH": str(ROOT)}

    def do(self, command: str) -> str:
        """Does what is typed, at a port of our own; what it printed."""
        here = command.replace("8080", str(self.port))
        if command == "make run":  # what the target starts, once all is installed
            assert "-m service.server.demo --port" in MAKEFILE
            return self._serve(f"exec python -m service.server.demo --port {self.port}")
        if re.search(r"\brepletion serve\b", here):
            return self._serve(f"{here} --port {self.port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"$ {here}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def _serve(self, command: str) -> str:
        self.stop()
        log = self.folder / "server.log"
        with log.open("wb") as out:
            self.server = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + 90
        while self.server.poll() is None and time.monotonic() < end:
            text = log.read_text()
            if "FHIR servers that may be asked" in text and _answers(self.port):
                return text
            time.sleep(0.1)
        raise AssertionError(f"$ {command}\n{log.read_text()}")

    def stop(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(30)
            self.server = None


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def walking(folder: Path, **more: str) -> Iterator[Walk]:
    walk = Walk(folder, more)
    try:
        yield walk
    finally:
        walk.stop()


# What was there before the part begins.
BEFORE: dict[str, Callable[[Path], object]] = {
    "What it remembers": lambda folder: open_store(f"sqlite:///{folder}/repletion.db"),
    "Try it with a key of your own": lambda folder: None,
}
# Where a block is written; others are read by a test of their own (BLOCKS).
WRITTEN = {("Change a threshold", "toml"): "site.toml"}
BLOCKS = {
    ("Who may call: the clients file", "toml"),
    ("Run it in earnest", "sh"),
    ("Watch it", "yaml"),
    ("Find the room for a change", ""),
    *WRITTEN,
}


def test_every_block_has_its_check() -> None:
    found = [(p.title, b.language) for p in PARTS for b in p.blocks if b.language != "console"]
    assert sorted(found) == sorted(BLOCKS)


def runnable(part: Part) -> bool:
    return any(not reason_not_to_run(c) for b in part.blocks for c in b.commands)


@pytest.mark.real_clock
@pytest.mark.loopback
@pytest.mark.needs("curl")
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, id=part.title, marks=[pytest.mark.slow] if part.title in SLOW else [])
        for part in PARTS
        if runnable(part) and part.title != "PostgreSQL"
    ],
)
def test_a_part_is_walked(part: Part, tmp_path: Path) -> None:
    BEFORE.get(part.title, lambda _: None)(tmp_path)
    with walking(tmp_path) as walk:
        for block in part.blocks:
            follow(walk, part, block)


def follow(walk: Walk, part: Part, block: Block) -> None:
    if (part.title, block.language) in WRITTEN:
        (walk.folder / WRITTEN[part.title, block.language]).write_text(block.text)
    for command in block.commands:
        if not reason_not_to_run(command):
            said = walk.do(command)
            if "repletion call" in command:
                assert re.search(r"^200: .* card", said, re.MULTILINE), said


@pytest.mark.real_clock
@pytest.mark.loopback
@pytest.mark.postgres
@pytest.mark.needs("postgres", "createdb")
def test_the_part_on_postgresql_is_walked(tmp_path: Path) -> None:
    (part,) = [part for part in PARTS if part.title == "PostgreSQL"]
    url, name = make_url(_server()), f"readme_{uuid.uuid4().hex[:12]}"
    server = {"PGHOST": url.host, "PGPORT": str(url.port or 5432), "PGUSER": url.username or "root"}
    with walking(tmp_path, **{k: v for k, v in server.items() if v}) as walk:
        try:
            for command in (c for block in part.blocks for c in block.commands):
                own = command.replace("createdb repletion", f"createdb {name}")
                said = walk.do(own.replace("127.0.0.1/repletion", f"127.0.0.1/{name}"))
            assert f"PostgreSQL, database {name}" in said
        finally:
            walk.stop()
            walk.do(f"dropdb --if-exists {name}")


# --- what is read -----------------------------------------------------------------------------


def block(title: str, language: str) -> str:
    (found,) = [b for p in PARTS if p.title == title for b in p.blocks if b.language == language]
    return found.text


@pytest.mark.parametrize("which", ["the sandbox", "one hospital", "a tenant"])
def test_each_client_of_the_clients_file_is_let_in(which: str, tmp_path: Path) -> None:
    text = block("Who may call: the clients file", "toml")
    keys = {"keys": [public(ec("readme"), "k-ec"), public(rsa("readme"), "k-rsa")]}
    for entry in tomllib.loads(text)["client"]:
        if "jwks_file" in entry:
            (tmp_path / entry["jwks_file"]).write_text(json.dumps(keys))
    (tmp_path / "clients.toml").write_text(text)
    # None is fetched in a test: what would come from there is known.
    pinned = Pinned(read_jwks(json.dumps(keys).encode()))
    clients = tuple(replace(c, keys=pinned) for c in read_clients(tmp_path / "clients.toml"))
    assert len(clients) == 3
    client = clients[["the sandbox", "one hospital", "a tenant"].index(which)]
    url, now = (
        "https://cds.hospital.example/cds-services/magnesium-patient-view",
        int(NOW.timestamp()),
    )
    header: dict[str, Any] = {"alg": "ES384", "typ": "JWT", "kid": "k-ec", "jku": client.jku}
    claims: dict[str, Any] = {"iss": client.issuer, "aud": url, "iat": now, "exp": now + 300}
    if which == "one hospital":  # RS384, a quarter of an hour, nbf before iat, and a sub
        header |= {"alg": "RS384", "kid": "k-rsa"}
        claims |= {"nbf": now - 300, "exp": now + 900, "sub": "0f1c2d3e"}
    if which == "a tenant":
        del header["jku"]
        claims["tenant"] = next(iter(client.tenants))
    key = rsa("readme") if header["alg"] == "RS384" else ec("readme")
    trust = Trust(clients, Once(), lambda: NOW)
    caller = trust.caller(f"Bearer {signed(header, claims | {'jti': 'a'}, key)}", Call((url,)))
    assert (caller.issuer, caller.mode, caller.services) == (
        client.issuer,
        client.mode,
        client.services,
    )


class Once:
    def use_token(self, key: bytes, expires: float, now: float) -> bool:
        return True


def test_every_key_of_a_client_is_in_the_table() -> None:
    (part,) = [p for p in PARTS if p.title == "Who may call: the clients file"]
    text = README.read_text(encoding="utf-8")
    table = text[text.index(part.blocks[0].text) :].partition("### ")[0]
    for entry in tomllib.loads(part.blocks[0].text)["client"]:
        for key in entry:
            assert f"`{key}`" in table


def test_the_settings_of_a_hospital_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = block("Run it in earnest", "sh").splitlines()
    (tmp_path / "clients.toml").write_text("")
    for line in lines:
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.replace("/etc/repletion/", f"{tmp_path}/"))
    read_settings().check_start("127.0.0.1")


def test_the_scrape_configuration_is_one() -> None:
    (job,) = yaml.safe_load(block("Watch it", "yaml"))["scrape_configs"]
    assert job["static_configs"][0]["targets"]
    assert job["scheme"] == "https"
    assert "metrics_path" not in job, "its default is our route"
    assert job["authorization"].keys() == {"credentials_file"}  # the type's default is Bearer


def test_every_place_a_link_leads_to_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    places = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in places, link
        elif not link.startswith("http"):
            assert (ROOT / link).exists(), link


# --- image, compose, unit ---------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def copied() -> list[str]:
    return [
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]


def test_the_image_copies_what_is_there() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def installs(text: str) -> list[str]:
    """The options of each pip install in a text, in order."""
    return [
        " ".join(sorted(set(line.split()) - {"--no-cache-dir", "--editable", "-qq"}))
        for line in re.findall(r"pip install (.*?)(?: &&|$)", text, re.MULTILINE)
    ]


def test_image_unit_and_readme_install_as_the_makefile_does() -> None:
    (flags,) = re.findall(r"^INSTALL := \$\(PIP\) install (.*)$", MAKEFILE, re.MULTILINE)
    recipe = MAKEFILE[MAKEFILE.index("$(SERVE):") :].partition("\n\n")[0]
    ours = installs(recipe.replace("$(INSTALL)", f"pip install {flags}"))
    assert len(ours) == 2
    assert installs("\n".join(rest for word, rest in instructions() if word == "RUN")) == ours
    assert installs((DEPLOY / "repletion.service").read_text()) == ours
    assert installs("\n".join(COMMANDS)) == ours


@pytest.mark.slow
@pytest.mark.real_clock
def test_what_the_image_copies_is_enough_to_build_the_project(tmp_path: Path) -> None:
    """The RUN line that builds our own code, run where nothing else is."""
    here = tmp_path / "src"
    for source in copied():
        target = here / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "--target", tmp_path / "site", "."],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("cards/protocols/standard.toml", "service/pages/examples", "bin/repletion"):
        assert (tmp_path / "site" / name).exists(), name


def test_compose_builds_from_here_and_sets_only_what_there_is() -> None:
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).is_file()
    known = {name for name, _, _ in described()}
    assert set(service["environment"]) <= known


@pytest.mark.needs("systemd-analyze")
def test_the_unit_is_one(tmp_path: Path) -> None:
    text = (DEPLOY / "repletion.service").read_text()
    unit = tmp_path / "repletion.service"
    # The program is not installed there.
    unit.write_text(text.replace("/opt/repletion/bin/repletion", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "repletion.service" in done.stderr) == (0, False), done.stderr
