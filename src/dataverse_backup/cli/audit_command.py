"""The command `audit` and its options."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from dataverse_backup.cli.invocation import limits_of, option_value, settings_of
from dataverse_backup.cli.options import DestinationsOption, QuietOption, SchedulerOption, hush

DEFAULT_AGE = timedelta(days=30)
"""What is older is looked at where nothing else is asked for, as Borealis does."""


def audit(
    context: typer.Context,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only what was not proven for so long, by default 30d; says whether that can be kept up.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every copy, whenever it was proven.")] = False,
    sample: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Only a part of all, chosen at random, as 1%.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(metavar="PID", help="Only this dataset, all of it.")] = None,
    destination: DestinationsOption = None,
    stores: Annotated[
        bool, typer.Option("--stores", help="Look at Dataverse's own files, not at the copies: all of their bytes.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--listed", help="Only see whether copies are there with their size: quick, and no proof.")
    ] = False,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin nothing more after 90m, 6h … Exit code 12.")
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Begin nothing more once 500G, 2T … are read. Exit code 12.")
    ] = None,
    scheduler: SchedulerOption = None,
    quiet: QuietOption = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="An object a line: what is not intact, and in the end what came of each place."),
    ] = False,
) -> None:
    """Read the copies again, and say which are not what they were.

    Those first that were not proven for longest. Prints each file that is not intact with its verdict and key, and the
    number of the others. What was read is remembered, so an audit that was stopped goes on where it was. Damage is exit
    code 4.
    """
    from dataverse_backup.actions.audit_events import AuditRequest
    from dataverse_backup.cli import auditing
    from dataverse_backup.cli.telling import Telling
    from dataverse_backup.config.values import scheduler_address, share_from

    if everything and every is not None:
        raise typer.BadParameter("it cannot be given together with --every", param_hint="--all")
    if listed and stores:
        raise typer.BadParameter("stores are not listed; their files are read", param_hint="--listed")
    request = AuditRequest(
        limits=limits_of(max_duration, max_bytes),
        every=_age(every, is_needless=everything or listed or bool(sample or dataset)),
        dataset=dataset,
        share=None if sample is None else option_value(share_from, "--sample", sample),
        is_listing=listed,
    )
    if scheduler is not None:
        option_value(scheduler_address, "--scheduler", scheduler)
    order = auditing.Order(request, destination or [], scheduler, is_of_stores=stores, is_quiet=quiet, is_json=as_json)
    settings = settings_of(context)
    hush(context, is_quiet=quiet)
    with Telling(settings, pings=False) as telling:
        code = auditing.run(settings, order, telling.tell)
    raise typer.Exit(code)


def _age(text: str | None, *, is_needless: bool) -> timedelta | None:
    """How old a proof must be; None for any age."""
    from dataverse_backup.config.values import duration_from

    if text is not None:
        return timedelta(seconds=option_value(duration_from, "--every", text))
    return None if is_needless else DEFAULT_AGE
