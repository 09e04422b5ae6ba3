"""The command `prune` and its options."""

from __future__ import annotations

from typing import Annotated

import typer

from dataverse_backup.cli.invocation import option_value, settings_of
from dataverse_backup.cli.options import DestinationsOption


def prune(
    context: typer.Context,
    destination: DestinationsOption = None,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="PLAN", help="Carry out the plan of this name, which was shown; it holds for 7 days."),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Allow that so many of the copies are deleted, instead of PruneShare."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="An object a line: everything that a plan has, and the plan itself.")
    ] = False,
) -> None:
    """Delete copies of files that left Dataverse long ago.

    And former copies, which were moved aside. Without --confirm nothing is deleted or written: each destination has a
    plan, which is shown, and has a name. With it exactly that plan is carried out, or nothing where something else
    would be deleted by now. How long ago is PruneAfter, by default a year; what is under Object Lock stays; more than
    PruneShare, by default 5 %, is refused.
    """
    from dataverse_backup.cli import pruning
    from dataverse_backup.config.values import share_from

    if confirm is None and share is not None:
        raise typer.BadParameter("it belongs to --confirm", param_hint="--share")
    if confirm is not None and as_json:
        raise typer.BadParameter("it is for plans; it cannot be given together with --confirm", param_hint="--json")
    allowed = None if share is None else option_value(share_from, "--share", share)
    settings = settings_of(context)
    if confirm is None:
        raise typer.Exit(pruning.show(settings, destination or [], is_json=as_json))
    raise typer.Exit(pruning.carry_out(settings, destination or [], confirm, allowed))
