"""The command `reconcile` and its options."""

from __future__ import annotations

from typing import Annotated

import typer

from dataverse_backup.cli.invocation import settings_of
from dataverse_backup.cli.options import hush


def reconcile(
    context: typer.Context,
    stores: Annotated[
        bool, typer.Option("--stores", help="Only Dataverse's stores; or, with --destination, both.")
    ] = False,
    destination: Annotated[
        list[str] | None,
        typer.Option(
            "--destination",
            metavar="NAME",
            help="Only this destination; may be given again. [Backup] is called default.",
        ),
    ] = None,
    beside: Annotated[
        bool,
        typer.Option(
            "--beside", help="Name what lies beside the files too: thumbnails, exports, what is moved aside …"
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something is lost.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="An object a line: each finding, and in the end what came of each place.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The findings as CSV with a header line.")] = False,
) -> None:
    """List what is dark or lost, in stores and at destinations.

    Dark is what lies there and nothing knows; lost, what should lie there and does not. Compared is the catalogue with
    the stores, and the ledger with the destinations; files that come or go meanwhile are left out. Nothing is deleted
    or changed. Nothing is read: `audit` does that. What is lost is exit code 4; what is dark is told, and exit code 0.
    """
    from dataverse_backup.cli import reconciling
    from dataverse_backup.cli.telling import Telling

    if as_json and as_csv:
        raise typer.BadParameter("it cannot be given together with --json", param_hint="--csv")
    form = reconciling.Form.JSON if as_json else reconciling.Form.CSV if as_csv else reconciling.Form.TEXT
    order = reconciling.Order(tuple(destination or ()), has_stores=stores, has_beside=beside, is_quiet=quiet, form=form)
    settings = settings_of(context)
    hush(context, is_quiet=quiet)
    with Telling(settings, pings=False) as telling:
        code = reconciling.run(settings, order, telling.tell)
    raise typer.Exit(code)
