"""Every command and option."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from dataverse_backup import __version__
from dataverse_backup.cli import (
    audit_command,
    backup_command,
    prune_command,
    reconcile_command,
    repair_command,
    restore_command,
)
from dataverse_backup.cli.exit_codes import EPILOG
from dataverse_backup.cli.invocation import Options, option_value, settings_of
from dataverse_backup.cli.options import DestinationsOption, JsonOption, QuietOption, hush
from dataverse_backup.cli.terminal import out, plain, start_log
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.logs import Format, Level
from dataverse_backup.verdict import Verdict

app = typer.Typer(
    name="dataverse-backup",
    help="Copies every Datafile of a Dataverse installation and proves each copy against its registered checksum.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its panels cut long words, and show flags as if they took a value
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
config_app = typer.Typer(help="Make or check a configuration file.", epilog=EPILOG, no_args_is_help=True)
app.add_typer(config_app, name="config")

DestinationOption = Annotated[
    str | None, typer.Option("--destination", metavar="NAME", help="Only this destination; [Backup] is called default.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dataverse-backup {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The configuration. Otherwise $DATAVERSE_BACKUP_CONFIG, ./config.ini, "
            "~/.config/dataverse-backup/config.ini, /etc/dataverse-backup/config.ini.",
        ),
    ] = None,
    log_format: Annotated[
        Format, typer.Option("--log-format", help="How the log is written to standard error; json: an object a line.")
    ] = Format.TEXT,
    log_level: Annotated[
        Level | None,
        typer.Option("--log-level", help="The least severity that is logged; info has one event for each file."),
    ] = None,
    version: Annotated[  # noqa: ARG001 -- handled by its callback
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    context.obj = Options(config_file, log_level)
    start_log(log_format, log_level, has_time=context.invoked_subcommand in ("backup", "audit", "repair"))


app.command(epilog=EPILOG)(backup_command.backup)
app.command(epilog=EPILOG)(audit_command.audit)
app.command(epilog=EPILOG)(repair_command.repair)
app.command(epilog=EPILOG)(reconcile_command.reconcile)
app.command(epilog=EPILOG)(prune_command.prune)
app.command(epilog=EPILOG)(restore_command.restore)


@app.command(epilog=EPILOG)
def status(
    context: typer.Context,
    as_json: JsonOption = False,
    as_nagios: Annotated[
        bool, typer.Option("--nagios", help="One line with figures, and the exit codes 0 to 3 of a Nagios check.")
    ] = False,
    max_age: Annotated[
        str, typer.Option(metavar="TIME", help="For --nagios: how old the last run may be, as 90m, 26h or 2d.")
    ] = "26h",
) -> None:
    """Show per destination how many files stand where, and why."""
    from dataverse_backup.cli import answers, nagios
    from dataverse_backup.config.values import duration_from

    if not as_nagios:
        answers.status(settings_of(context), as_json=as_json)
        return
    age = option_value(duration_from, "--max-age", max_age)
    line, verdict = nagios.answer(lambda: settings_of(context), timedelta(seconds=age))
    typer.echo(line)
    raise typer.Exit(verdict)


@app.command("list", epilog=EPILOG)
def list_files(
    context: typer.Context,
    only_status: Annotated[Status | None, typer.Option("--status", help="Only files of this status.")] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="WORD", help=f"Only files of this reason: {', '.join(Reason)}.")
    ] = None,
    verdict: Annotated[
        Verdict | None, typer.Option(help="Only files of whose copy or primary the last audit said this.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(metavar="PID", help="Only files of this dataset.")] = None,
    destination: DestinationOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header line.")] = False,
) -> None:
    """Show files, one a line."""
    from dataverse_backup.cli import answers

    if reason is not None and reason not in set(Reason):
        raise typer.BadParameter(f"one of {', '.join(Reason)}", param_hint="--reason")
    chosen = answers.Selection(destination, only_status, Reason(reason) if reason else None, dataset, verdict)
    answers.list_files(settings_of(context), chosen, as_json=as_json, as_csv=as_csv)


@app.command(epilog=EPILOG)
def report(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Only this run; report names the newest.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="DIR", help="Write pages into this folder, which must exist.")
    ] = None,
    lists: Annotated[
        Path | None,
        typer.Option("--csv", metavar="DIR", help="Write failed.csv, copied.csv and files.csv into this folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show whether all files are safe, and since when.

    As text; or as pages, lists or JSON.
    """
    from dataverse_backup.cli import reporting

    reporting.report(settings_of(context), run, html=html, lists=lists, as_json=as_json)


@app.command(epilog=EPILOG)
def explain(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A datafile id, a storage identifier, a PID of a file or dataset, a key, or a name with its folder.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Tell everything that is known of one file, and what to do."""
    from dataverse_backup.cli import explaining

    explaining.explain(settings_of(context), file, as_json=as_json)


@app.command(epilog=EPILOG)
def check(context: typer.Context) -> None:
    """Try out everything that a backup needs, a line each."""
    from dataverse_backup.cli import checking

    raise typer.Exit(checking.run(settings_of(context)))


@app.command(epilog=EPILOG)
def accept(
    context: typer.Context, destination: Annotated[str, typer.Argument(metavar="NAME", help="The destination.")]
) -> None:
    """Make a destination this ledger's, whosever it was.

    Where it was not, the next backup proves every copy there, and copies what is missing.
    """
    from dataverse_backup.cli import checking

    checking.accept_destination(settings_of(context), destination)


@app.command(epilog=EPILOG)
def drill(
    context: typer.Context,
    destination: DestinationsOption = None,
    sample: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="So many files, at random.")] = 20,
    max_bytes: Annotated[
        str, typer.Option("--max-bytes", metavar="SIZE", help="Restore no more than about 500M, 10G …")
    ] = "10G",
    scratch: Annotated[
        Path | None,
        typer.Option("--scratch", metavar="DIR", help="Where it is restored for the moment; otherwise $TMPDIR."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Rehearse a restore, of a random sample and one dataset.

    What is restored is proven, measured, recorded, and removed again. Made for a monthly timer; `status` and the report
    show the last drills, and what failed.
    """
    from dataverse_backup.cli import drilling
    from dataverse_backup.config.values import size_from

    most = option_value(size_from, "--max-bytes", max_bytes)
    settings = settings_of(context)
    hush(context, is_quiet=quiet)
    raise typer.Exit(
        drilling.run(settings, destination or [], sample=sample, max_bytes=most, scratch=scratch, quiet=quiet)
    )


@app.command(epilog=EPILOG)
def rebuild(
    context: typer.Context, destination: Annotated[str, typer.Argument(metavar="NAME", help="The destination.")]
) -> None:
    """Make a lost ledger anew, from the manifests at a destination.

    What the ledger knows already stays as it is. The destination becomes this ledger's; the next backup proves every
    copy where it lies.
    """
    from dataverse_backup.cli import rebuilding

    raise typer.Exit(rebuilding.run(settings_of(context), destination))


@config_app.command(epilog=EPILOG)
def generate() -> None:
    """Print a commented configuration file."""
    from dataverse_backup import config

    typer.echo(config.generate(), nl=False)


@config_app.command(epilog=EPILOG)
def validate(context: typer.Context) -> None:
    """Check the configuration: every mistake at once, with its line."""
    settings = settings_of(context)
    out.print(plain(f"{settings.path}: OK"))
