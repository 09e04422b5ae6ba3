"""The command `backup` and its options."""

from __future__ import annotations

from typing import Annotated

import typer

from dataverse_backup.cli.invocation import limits_of, option_value, settings_of
from dataverse_backup.cli.options import DestinationsOption, DryRunOption, QuietOption, SchedulerOption, hush


def backup(
    context: typer.Context,
    rerun: Annotated[  # noqa: ARG001 -- the original's option; every run tries again what failed
        bool, typer.Option("--rerun", help="As every run does: try again what failed. Kept from the original script.")
    ] = False,
    dry_run: DryRunOption = False,
    destination: DestinationsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Copy at most N files.")] = None,
    max_duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin nothing more after 90m, 6h …; instead of MaxDuration. Exit code 12."),
    ] = None,
    max_bytes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Begin nothing more once 500G, 2T … are sent to a destination; instead of MaxBytes. Exit code 12.",
        ),
    ] = None,
    scheduler: SchedulerOption = None,
    release_brake: Annotated[
        bool,
        typer.Option(
            "--release-brake",
            help="Go on, this once, where the brake was pulled (exit code 5): a person has looked, and all is well.",
        ),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Copy what is missing, failed or changed, and prove each copy."""
    from dataverse_backup.cli import backing_up
    from dataverse_backup.cli.telling import Telling
    from dataverse_backup.config.values import scheduler_address

    asked = limits_of(max_duration, max_bytes)
    if scheduler is not None:
        option_value(scheduler_address, "--scheduler", scheduler)
    settings = settings_of(context)
    if dry_run:
        backing_up.show_plan(settings, destination or [], limit)
        return
    hush(context, is_quiet=quiet)
    wanted = backing_up.Wanted(destination or [], limit, asked, scheduler, releases_brake=release_brake)
    with Telling(settings) as telling:
        code = backing_up.run(settings, wanted, quiet=quiet, tell=telling.tell)
    raise typer.Exit(code)
