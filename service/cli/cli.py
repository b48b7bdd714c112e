"""The command line: serve, decide, protocol, outcomes, store, replay.

Imports what a command needs when it runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.cli.replay import replay

if TYPE_CHECKING:
    from cards.protocol import Protocol
    from service.store import Store

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _ServeCommand(click.Command):
    """``serve --help`` lists every setting; the list comes from the settings themselves."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from service.config.settings import described

        with formatter.section("Settings (environment variables)"):
            formatter.write_dl([(n, f"{text}  [default: {d}]") for n, d, text in described()])


@click.group()
@click.version_option(package_name="repletion")
def main() -> None:
    """Repletion: magnesium replacement as a CDS Hooks service."""


@main.command(cls=_ServeCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
def serve(host: str, port: int, workers: int) -> None:
    """Serve CDS Hooks over HTTP (gunicorn)."""
    from cards.protocol import ProtocolError
    from service.config.settings import SettingsError, read_settings

    try:
        settings = read_settings()
        settings.check_start(host)
    except SettingsError as error:
        raise _Refusal(f"The service does not start:\n{error}") from None
    from service.config.protocol import load_protocol
    from service.server.serve import serve as run

    try:
        load_protocol(settings.protocol)  # said here in one line, not by a dying worker
        run(settings, host, port, workers)
    except (SettingsError, ProtocolError) as error:
        raise _Refusal(f"The service does not start:\n{error}") from None


@main.command()
@click.argument("request", type=_FILE, metavar="REQUEST.json")
@click.option("--protocol", "protocol_file", metavar="FILE", help="Protocol file or profile name.")
@click.option("--now", metavar="ISO8601", help="Decide as of this time. Default: the present.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly the CDS Hooks response.")
def decide(request: Path, protocol_file: str | None, now: str | None, as_json: bool) -> None:
    """Decide one hook request, offline, and show each stage.

    REQUEST.json is a CDS Hooks request, or a fixture (fixtures/hooks/): its times are moved to
    the present, or to --now.
    """
    from service.answer import answer
    from service.cdshooks.fixture import read_fixture
    from service.cdshooks.request import SERVICE_OF_HOOK
    from service.errors import ServiceError

    protocol = _protocol(protocol_file)
    moment = _moment(now)
    body = request.read_bytes()
    try:
        fixture = read_fixture(body)
        if fixture is not None:
            body, service = fixture.body(moment), fixture.service
        else:
            hook = _hook(body)
            if hook is None or hook not in SERVICE_OF_HOOK:
                raise _Refusal(f"{request}: expected a request for {', '.join(SERVICE_OF_HOOK)}")
            service = SERVICE_OF_HOOK[hook]
    except ValueError as error:
        raise _Refusal(f"{request}: {error}") from None
    except RecursionError:
        raise _Refusal(f"{request}: the JSON is nested too deeply") from None
    try:
        given = answer(body, service, moment, protocol)
    except ServiceError as error:
        raise _Refusal(f"{request}: HTTP {error.status}: {error}") from None
    if as_json:
        sys.stdout.buffer.write(given.body + b"\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for stage in given.decision.stages():
        console.print(Text(stage.title, style="bold"))
        for line in stage.lines:
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print()


@main.group()
def protocol() -> None:
    """Check or show a protocol file."""


@protocol.command()
@click.argument("file", required=False)
def check(file: str | None) -> None:
    """Validate a protocol FILE (default: the profile that is set)."""
    from cards.handbook import check as remarks

    checked = _protocol(file)
    for remark in remarks(checked, datetime.now(UTC).date()):
        relaxed = remark.startswith("site-relaxed: ")
        click.echo(click.style(remark, fg="red") if relaxed else remark)
    click.echo(f"{checked.name} {checked.version} ({checked.hash[:12]}): valid")


@protocol.command()
@click.argument("file", required=False)
@click.option("--html", "as_html", is_flag=True, help="As a page that needs nothing else.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of standard output.",
)
def show(file: str | None, as_html: bool, out: Path | None) -> None:
    """Print a protocol FILE (default: the profile that is set) as Markdown or as a page."""
    shown = _protocol(file)
    if as_html:
        from service.pages.sheet import standalone
        from service.pages.view import software_version

        text = standalone(shown, datetime.now(UTC).date(), software_version())
    else:
        from cards.handbook import show as rendered

        text = rendered(shown)
    if out is None:
        click.echo(text, nl=not as_html)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _Refusal(f"{out}: {error.strerror}") from None
    click.echo(f"{out} written")


@protocol.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", help="The name of the protocol (default: the name of FILE).")
@click.option("--short", is_flag=True, help="A file that extends the standard profile.")
def new(file: Path, name: str | None, short: bool) -> None:
    """Write a commented starting protocol to FILE, which must not exist."""
    from cards.handbook import template

    text = template(name or file.stem, datetime.now(UTC).date(), short=short)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise _Refusal(f"{file}: {error.strerror}") from None
    click.echo(f"{file} written: change it, then run: repletion protocol check {file}")


@main.command()
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.option("--days", type=click.IntRange(1), help="Cards of the last days only.")
@click.option("--correlation", metavar="ID", help="Tell what one call said, and why.")
def outcomes(as_csv: bool, days: int | None, correlation: str | None) -> None:
    """What became of the cards: shown, accepted, overridden, ignored."""
    from service.memory.explain import explain_call
    from service.memory.outcomes import Asked, read_outcomes

    with _store() as store:
        if correlation is not None:
            lines = explain_call(store, correlation, _protocol(None))
            if not lines:
                raise _Refusal(f"{correlation}: no card was shown, hushed or kept for that call")
            click.echo("\n".join(lines))
            return
        since = None if days is None else datetime.now(UTC) - timedelta(days=days)
        found = read_outcomes(store.waiting(600.0), Asked(since))
        click.echo(found.as_csv() if as_csv else found.as_text(), nl=not as_csv)


@main.group()
def store() -> None:
    """Prune, check or back up the store (REPLETION_DATABASE_URL)."""


@store.command()
@click.option("--older-than", required=True, metavar="DAYS", help="For example 90d.")
def prune(older_than: str) -> None:
    """Delete the cards and the feedback that are older."""
    from service.server.upkeep import prune as delete
    from service.server.upkeep import read_age

    try:
        age = read_age(older_than)
    except ValueError as error:
        raise _Refusal(f"--older-than {older_than}: {error}") from None
    with _store() as opened:
        for name, count in delete(opened, datetime.now(UTC) - age).items():
            click.echo(f"{name}: {count} rows deleted")


@store.command("check")
def check_store() -> None:
    """Say whether the store is whole, and what it holds."""
    from service.server.upkeep import UpkeepError
    from service.server.upkeep import check as checked

    with _store() as opened:
        try:
            for line in checked(opened):
                click.echo(line)
        except UpkeepError as error:
            raise _Refusal(str(error)) from None
        click.echo(f"{opened.name}: whole")


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Copy the store to FILE, which must not exist, while the service goes on.

    Keep REPLETION_SECRET (or the file repletion.secret) elsewhere: without it the copy tells
    nobody who it is about, and nothing is recognised after it is restored.
    """
    from service.server.upkeep import UpkeepError
    from service.server.upkeep import backup as copy

    with _store() as opened:
        try:
            copy(opened, file)
        except UpkeepError as error:
            raise _Refusal(str(error)) from None
        click.echo(f"{file} written")


@contextmanager
def _store() -> Iterator[Store]:
    """The store of the settings, its schema that of this version."""
    from service.config.settings import SettingsError, read_settings
    from service.store import Store, StoreDown

    try:
        opened = Store(read_settings().database_url)
        if opened.file is not None and not opened.file.exists():
            raise _Refusal(f"{opened.file}: there is no such database")
        opened.migrate()
        yield opened
    except SettingsError as error:
        raise _Refusal(str(error)) from None
    except StoreDown as error:
        raise _Refusal(f"The database did not do it: {error}") from None


main.add_command(replay)


class _Refusal(click.ClickException):
    """One message on standard error, exit code 2 as for wrong usage."""

    exit_code = 2


def _protocol(name: str | None) -> Protocol:
    """The protocol named, else the one of REPLETION_PROTOCOL."""
    from cards.protocol import ProtocolError
    from service.config.protocol import load_protocol
    from service.config.settings import SettingsError, read_settings

    try:
        return load_protocol(name or read_settings().protocol)
    except (SettingsError, ProtocolError) as error:
        raise _Refusal(str(error)) from None


def _moment(text: str | None) -> datetime:
    """The time asked for, in the site's time zone; the present when none is."""
    from service.config.settings import SettingsError, read_settings

    try:
        zone = read_settings().timezone
    except SettingsError as error:
        raise _Refusal(str(error)) from None
    if text is None:
        return datetime.now(zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Refusal(f"--now {text}: not an ISO 8601 date and time") from None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def _hook(body: bytes) -> str | None:
    content: Any = json.loads(body)
    hook = content.get("hook") if isinstance(content, dict) else None
    return hook if isinstance(hook, str) else None
