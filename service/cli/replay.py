"""The command line of the replay. Imports what it needs when it runs.

Not in service.replay, which never meets HTTP: the settings know the hosts of FHIR servers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.call.refusal import Refusal

if TYPE_CHECKING:
    from service.config.settings import Settings
    from service.replay.ask import Ask, ProtocolFile
    from service.replay.engine import Engine
    from service.replay.row import Run

_HOOKS = ("patient-view", "order-select", "order-sign")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="PATH…")
@click.option(
    "--example",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a made-up export of 300 adults and a month to DIR, and end.",
)
@click.option("--protocol", "protocol", metavar="P", help="Protocol file or profile name.")
@click.option(
    "--against", metavar="Q", help="A second protocol: which decisions differ, and where."
)
@click.option(
    "--hooks",
    default=",".join(_HOOKS),
    show_default=True,
    metavar="HOOK,…",
    help="The hooks to replay.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("replay"),
    show_default=True,
    help="Folder of the results, and of an unfinished run.",
)
@click.option(
    "--assume-none",
    multiple=True,
    metavar="TYPE…",
    help="Resource types the export does not hold that are empty, as against not obtained.",
)
@click.option(
    "--setting",
    type=click.Choice(["inpatient", "ambulatory"]),
    help="The setting where no Encounter tells it.",
)
@click.option(
    "--answers",
    type=click.Choice(["record", "none", "overridden"]),
    default="record",
    show_default=True,
    help="When a card counts as answered, which begins its quiet time. record: accepted when a"
    " magnesium order follows its suggestion within 6 h; none: never; overridden: at once.",
)
@click.option(
    "--alone",
    is_flag=True,
    help="Sign each order by itself, to compare with what signs them one by one.",
)
@click.option(
    "--sample",
    default=60,
    show_default=True,
    type=click.IntRange(0),
    help="How many cards, drawn by chance, are written whole to sample.md, to be marked keep or"
    " drop: patient data, for one reader in the house.",
)
@click.option("--seed", default="", metavar="TEXT", help="Another one draws other cards.")
@click.option(
    "--marks",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Count the marks in FILE, a sample.md, by rule; write marks.json to --out, and end.",
)
@click.option(
    "--min-cell",
    default=11,
    show_default=True,
    type=click.IntRange(0),
    help="Counts of fewer patients are withheld from the report, with all that would tell them;"
    " 0: none.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes (local). Default: one a core.")
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
@click.option("--master", metavar="URL", help="Spark master, for example local[4].")
@click.option("--fresh", is_flag=True, help="Throw away what another run left in --out.")
def replay(
    paths: tuple[Path, ...],
    example: Path | None,
    protocol: str | None,
    against: str | None,
    out: Path,
    engine: str,
    master: str | None,
    workers: int | None,
    min_cell: int,
    fresh: bool,
    marks: Path | None,
    **options: Any,
) -> None:
    """What would a protocol have done to the patients of an export?

    PATH… are FHIR R4 Bulk Data files (NDJSON, plain or gzip; Parquet) or folders of them, all
    types together in any order. Each medication order is replayed as an order-select when it was
    written, the orders of one patient, encounter (where it is stated) and minute as one order-sign
    (of a day and author, where the record gives the day alone), each magnesium result as a
    patient-view when it was known; every decision sees only what was known then. Writes
    decisions.parquet, patients.ndjson, rejected.ndjson, summary.json and report.html to --out,
    without ids, names or free text of the record, except rejected.ndjson, which keeps lines that
    could not be used whole. sample.md holds some cards whole, with facts and orders of the
    record: patient data, for nobody but its reader.

    A run that was ended goes on when it is started again with the same arguments. Spark: PATH
    must be readable at the same place on every executor.
    """
    if example is not None:
        _write_example(example, paths)
        return
    if marks is not None:
        _count_marks(marks, out, paths)
        return
    if not paths:
        raise click.UsageError("Missing argument 'PATH…': an export, or --example DIR for one.")
    from service.config.settings import SettingsError
    from service.replay.errors import ReplayError
    from service.replay.progress import Shown
    from service.replay.report import require, write
    from service.replay.run import replay as run

    if options["assume_none"]:
        # `--assume-none A B`: what click takes for a path.
        more = {path for path in paths if str(path) in _types() and not path.exists()}
        options["assume_none"] += tuple(map(str, more))
        paths = tuple(path for path in paths if path not in more)
    if master is not None and engine != "spark":
        raise Refusal("--master is for --engine spark")
    try:
        require()
        with Shown() as progress:
            ask = _ask(protocol, against, **options)
            done = run(
                paths, ask, out, _engine(engine, master, workers), progress,
                min_cell=min_cell, fresh=fresh,
            )  # fmt: skip
            seconds, decisions = progress.seconds, progress.decisions
    except (ReplayError, SettingsError) as error:
        raise Refusal(str(error)) from None
    _say(done, out, decisions, seconds, write(out))
    if done.failed:
        from cards.phrase import counted

        raise click.ClickException(
            f"{counted(done.failed, 'patient')} could not be walked: a fault of this program."
            f" See `failed` in {out / 'patients.ndjson'}."
        )


def _write_example(folder: Path, paths: tuple[Path, ...]) -> None:
    from service.replay.example import ADULTS, ExampleError, write_example

    if paths:
        raise Refusal("--example writes an export, and replays none: leave PATH out")
    try:
        counted = write_example(folder)
    except ExampleError as error:
        raise Refusal(str(error)) from None
    click.echo(f"{folder}: a made-up month of {ADULTS} adults, {sum(counted.values()):,} resources")
    click.echo(f"Now: repletion replay {folder} --out {folder}-replayed")


def _count_marks(path: Path, out: Path, paths: tuple[Path, ...]) -> None:
    from service.config.settings import SettingsError, read_settings
    from service.replay.errors import ReplayError
    from service.replay.marks import count_marks

    if paths:
        raise Refusal("--marks counts a sample, and replays nothing: leave PATH out")
    try:
        marks = count_marks(path, _key(read_settings()), out)
    except (ReplayError, SettingsError) as error:
        raise Refusal(str(error)) from None
    for name, tally in (("all", marks.all), *((one.rule, one.tally) for one in marks.rules)):
        kept = tally.kept
        share = f", {kept[0]:.0f} % kept ({kept[1]:.0f} to {kept[2]:.0f})" if kept else ""
        click.echo(
            f"{name}: keep {tally.keep}, drop {tally.drop}, unmarked {tally.unmarked}{share}"
        )
    click.echo(f"{out / 'marks.json'}")


def _say(run: Run, out: Path, decisions: int, seconds: float, sentences: Iterable[str]) -> None:
    from cards.phrase import counted

    click.echo(f"{counted(run.patients, 'patient')}, {counted(run.decisions, 'decision')}")
    if decisions:
        click.echo(f"{decisions:,} of them now, in {seconds:,.1f} s: {decisions / seconds:,.0f}/s")
    if run.rejected:
        told = ", ".join(f"{reason} {n:,}" for reason, n in run.rejected.items())
        click.echo(f"{counted(sum(run.rejected.values()), 'line')} rejected ({told})")
    for sentence in sentences:
        click.echo(sentence)
    click.echo(f"{out / 'report.html'}")


def _ask(
    protocol: str | None,
    against: str | None,
    *,
    hooks: str,
    assume_none: tuple[str, ...],
    setting: str | None,
    answers: Any,
    alone: bool,
    sample: int,
    seed: str,
) -> Ask:
    from service.config.settings import read_settings
    from service.replay.ask import Ask

    settings = read_settings()
    asked = {hook.strip() for hook in hooks.split(",") if hook.strip()}
    unknown = sorted(asked - set(_HOOKS))
    if unknown or not asked:
        raise Refusal(f"--hooks {hooks}: the hooks are {', '.join(_HOOKS)}")
    types = {t.strip() for some in assume_none for t in some.split(",") if t.strip()}
    known = _types()
    if types - known:
        raise Refusal(
            f"--assume-none {', '.join(sorted(types - known))}: the types that are read are"
            f" {', '.join(sorted(known))}"
        )
    return Ask(
        protocol=_protocol(protocol or settings.protocol),
        against=_protocol(against) if against is not None else None,
        hooks=tuple(hook for hook in _HOOKS if hook in asked),
        answers=answers,
        assume_none=tuple(sorted(types)),
        setting=setting or "",
        timezone=settings.timezone.key,
        key=_key(settings),
        alone=alone,
        sample=sample,
        seed=seed,
    )


def _types() -> set[str]:
    """The types that can be assumed to be empty."""
    from cards.evidence import NEEDS

    return {need.type for need in NEEDS} - {"Patient"}


def _key(settings: Settings) -> bytes:
    """REPLETION_SECRET, else the key kept beside the database, or in the working directory."""
    from service.config.secret import FILE, kept_key

    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    folder, database = Path(), settings.database_url
    if database.startswith("sqlite:///"):
        folder = Path(database.removeprefix("sqlite:///").partition("?")[0]).parent
    try:
        return kept_key(folder / FILE)
    except OSError as error:
        reason = f"REPLETION_SECRET is not set, and {folder / FILE}: {error.strerror}"
        raise Refusal(reason) from None


def _protocol(name: str) -> ProtocolFile:
    from cards.protocol import ProtocolError
    from service.config.protocol import load_named
    from service.replay.ask import protocol_file

    try:
        load_named(name)
        return protocol_file(name)
    except (ProtocolError, OSError) as error:
        raise Refusal(str(error)) from None


def _engine(name: str, master: str | None, workers: int | None) -> Engine:
    if name == "spark":
        from service.replay.spark import Spark

        return Spark(master)
    from service.replay.local import Local

    return Local(workers or len(os.sched_getaffinity(0)))
