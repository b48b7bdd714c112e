"""The command line: serve, call, decide, protocol, outcomes, gaps, store, replay.

Imports what a command needs when it runs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.call.command import call
from service.call.refusal import Refusal
from service.cli.replay import replay

if TYPE_CHECKING:
    from cards.protocol import Protocol
    from service.store import Store

_INPUT = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_HOOKS = ("patient-view", "order-select", "order-sign")


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
        from service.config.protocol import load_protocol
        from service.server.serve import serve as run

        # Read here: what is wrong with it is said in one line, not by a dying worker.
        run(settings, load_protocol(settings.protocol), host, port, workers)
    except (SettingsError, ProtocolError) as error:
        raise Refusal(_one_line("The service does not start", str(error))) from None


@main.command()
@click.argument("request", type=_INPUT, metavar="REQUEST.json")
@click.option("--protocol", "protocol_file", metavar="FILE", help="Protocol file or profile name.")
@click.option("--now", metavar="ISO8601", help="Decide as of this time. Default: the present.")
@click.option("--hook", type=click.Choice(_HOOKS), help="What a patient Bundle is asked for.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly the CDS Hooks response.")
def decide(
    request: Path, protocol_file: str | None, now: str | None, hook: str | None, as_json: bool
) -> None:
    """Decide one hook request, offline, and show each stage.

    REQUEST.json (- for standard input) is a CDS Hooks request, a fixture (fixtures/hooks/), its
    times moved to the present or to --now, or a Bundle with one Patient.
    """
    from service.answer import answer
    from service.cli.offline import NoRequest, read_offline
    from service.errors import ServiceError

    protocol = _protocol(protocol_file)
    moment = _moment(now)
    name = "standard input" if str(request) == "-" else str(request)
    try:
        body = sys.stdin.buffer.read() if str(request) == "-" else request.read_bytes()
        asked = read_offline(body, hook, moment)
        given = answer(asked.body, asked.service, moment, protocol)
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror}") from None
    except NoRequest as error:
        raise Refusal(f"{name}: {error}") from None
    except ServiceError as error:
        raise Refusal(f"{name}: HTTP {error.status}: {error}") from None
    for remark in asked.remarks:
        click.echo(remark, err=True)
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
@click.option("--section", metavar="NAME", help="One section, row by row: levels, regimens, …")
@click.option("--markdown", "as_markdown", is_flag=True, help="The whole as Markdown.")
@click.option(
    "--html", "as_html", is_flag=True, help="The whole as a page that needs nothing else."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of standard output.",
)
def show(
    file: str | None, section: str | None, as_markdown: bool, as_html: bool, out: Path | None
) -> None:
    """Show a protocol FILE (default: the profile that is set): bands, renal classes and stops on
    a terminal; the whole, with every number's source and reason, as Markdown or as a page."""
    if (section is not None) + as_markdown + as_html > 1:
        raise Refusal("--section, --markdown and --html: one of them")
    # A file is read in something wider than a terminal.
    whole = as_markdown or (out is not None and section is None)
    text = _shown(_protocol(file), section, whole, as_html)
    if out is None:
        click.echo(text, nl=not as_html)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{out}: {error.strerror}") from None
    click.echo(f"{out} written")


def _shown(shown: Protocol, section: str | None, as_markdown: bool, as_html: bool) -> str:
    from cards.handbook import sheet
    from cards.handbook import show as rendered
    from service.cli.terminal import glance, section_of

    if as_html:
        from service.pages.sheet import standalone
        from service.pages.view import software_version

        return standalone(shown, datetime.now(UTC).date(), software_version())
    if as_markdown:
        return rendered(shown)
    found, width = sheet(shown), min(shutil.get_terminal_size().columns, 100)
    if section is None:
        return glance(found, width)
    known = [one.anchor for one in found.sections]
    if section not in known:
        raise Refusal(f"--section {section}: the sections are {', '.join(known)}")
    return section_of(found, section, width)


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
        raise Refusal(f"{file}: {error.strerror}") from None
    click.echo(f"{file} written: change it, then run: repletion protocol check {file}")


@main.command()
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.option("--days", type=click.IntRange(1), help="Cards of the last days only.")
@click.option("--correlation", metavar="ID", help="Tell what one call said, and why.")
def outcomes(as_csv: bool, days: int | None, correlation: str | None) -> None:
    """What became of the cards: shown, accepted, overridden, ignored."""
    from service.memory.explain import explain_call
    from service.memory.outcomes import Selection, read_outcomes

    with _store() as store:
        if correlation is not None:
            lines = explain_call(store, correlation, _protocol(None))
            if not lines:
                raise Refusal(f"{correlation}: no card was shown, hushed or kept for that call")
            click.echo("\n".join(lines))
            return
        since = None if days is None else datetime.now(UTC) - timedelta(days=days)
        found = read_outcomes(store.waiting(600.0), Selection(since))
        click.echo(found.as_csv() if as_csv else found.as_text(), nl=not as_csv)


@main.command()
@click.option("--entries", is_flag=True, help="Ready entries for the site's protocol file.")
def gaps(entries: bool) -> None:
    """Codes, units and names of the record that are not known here, counted."""
    from service.memory.unrecognised import as_entries, as_text, read_unrecognised

    with _store() as store:
        rows = read_unrecognised(store.waiting(600.0))
        click.echo(as_entries(rows) if entries else as_text(rows), nl=not entries)


@main.group()
def store() -> None:
    """Prune, check or back up the store (REPLETION_DATABASE_URL)."""


@store.command()
@click.option("--older-than", required=True, metavar="DAYS", help="For example 90d.")
def prune(older_than: str) -> None:
    """Delete the cards and the feedback that are older."""
    from cards.phrase import counted
    from service.server.upkeep import prune as delete
    from service.server.upkeep import read_age

    try:
        age = read_age(older_than)
    except ValueError as error:
        raise Refusal(f"--older-than {older_than}: {error}") from None
    with _store() as opened:
        for name, count in delete(opened, datetime.now(UTC) - age).items():
            click.echo(f"{name}: {counted(count, 'row')} deleted")


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
            raise Refusal(str(error)) from None
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
            raise Refusal(str(error)) from None
        click.echo(f"{file} written")


@contextmanager
def _store() -> Iterator[Store]:
    """The store of the settings, its schema that of this version."""
    from service.config.settings import SettingsError, read_settings
    from service.store import Store, StoreDown

    try:
        opened = Store(read_settings().database_url)
        if opened.file is not None and not opened.file.exists():
            raise Refusal(f"{opened.file}: there is no such database")
        opened.migrate()
        yield opened
    except SettingsError as error:
        raise Refusal(str(error)) from None
    except StoreDown as error:
        raise Refusal(f"The database did not do it: {error}") from None


main.add_command(call)
main.add_command(replay)


def _one_line(head: str, reasons: str) -> str:
    """One line for one reason, a list for more."""
    return f"{head}:\n{reasons}" if "\n" in reasons else f"{head}: {reasons}"


def _protocol(name: str | None) -> Protocol:
    """The protocol named, else the one of REPLETION_PROTOCOL."""
    from cards.protocol import ProtocolError
    from service.config.protocol import load_named, load_protocol
    from service.config.settings import SettingsError, read_settings

    try:
        return load_named(name) if name else load_protocol(read_settings().protocol)
    except (SettingsError, ProtocolError) as error:
        raise Refusal(str(error)) from None


def _moment(text: str | None) -> datetime:
    """The time asked for, in the site's time zone; the present when none is."""
    from service.config.settings import SettingsError, read_settings

    try:
        zone = read_settings().timezone
    except SettingsError as error:
        raise Refusal(str(error)) from None
    if text is None:
        return datetime.now(zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--now {text}: not an ISO 8601 date and time") from None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
