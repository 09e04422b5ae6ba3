"""The command `repair` and its options."""

from __future__ import annotations

from typing import Annotated

import typer

from dataverse_backup.cli.invocation import settings_of
from dataverse_backup.cli.options import DestinationsOption, DryRunOption, QuietOption, hush


def repair(
    context: typer.Context,
    file: Annotated[
        list[int] | None,
        typer.Option(
            "--file",
            metavar="ID",
            help="Only this datafile, or with --stores the logos of this dataset; may be given again.",
            min=1,
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(metavar="PID", help="Only this dataset.")] = None,
    destination: DestinationsOption = None,
    stores: Annotated[
        bool,
        typer.Option(
            "--stores",
            help="Write Dataverse's own files back from intact copies; shows first, needs --file or --dataset.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --stores: do what was shown.")] = False,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make copies again that audits found missing or altered.

    From intact files; the next backup does so, too. What lies under an altered copy's key is kept under .superseded.
    With --stores the other way round: a file that is missing or altered in Dataverse itself, or what lies beside it, is
    written back from an intact copy, where its store's own is kept aside.
    """
    from dataverse_backup.cli import repairing
    from dataverse_backup.cli.telling import Telling

    order = repairing.Order(
        files=frozenset(file or ()),
        dataset=dataset,
        destinations=destination or [],
        is_meant=yes and not dry_run,
        is_dry=dry_run,
        is_quiet=quiet,
    )
    if not stores and yes:
        raise typer.BadParameter("it belongs to --stores", param_hint="--yes")
    if stores and not order.files and dataset is None:
        raise typer.BadParameter("say which files: --file ID or --dataset PID", param_hint="--stores")
    settings = settings_of(context)
    hush(context, is_quiet=quiet)
    if stores:
        raise typer.Exit(repairing.put_back(settings, order))
    if dry_run:
        repairing.show_damaged(settings, order)
        return
    with Telling(settings, pings=False) as telling:
        code = repairing.make_again(settings, order, telling.tell)
    raise typer.Exit(code)
