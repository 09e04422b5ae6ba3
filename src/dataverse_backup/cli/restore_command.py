"""The command `restore` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.invocation import limits_of, option_value, settings_of
from dataverse_backup.cli.options import DryRunOption, QuietOption, hush


def restore(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Restore into this folder; it is made where there is none."),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            help="Restore into Dataverse's stores, exactly where it looks. What is right there stays; what is not is "
            "kept aside.",
        ),
    ] = False,
    file: Annotated[
        list[int] | None,
        typer.Option("--file", metavar="ID", help="A datafile, by its id; may be given again.", min=1),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="PID", help="All files of a dataset; may be given again."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    database_dump: Annotated[
        bool,
        typer.Option(
            "--database-dump",
            help="The newest whole dump of the database instead; needs no ledger. --dry-run lists all.",
        ),
    ] = False,
    destination: Annotated[
        list[str] | None,
        typer.Option(
            "--destination", metavar="NAME", help="Only from this one; may be given again. Otherwise from the fastest."
        ),
    ] = None,
    names: Annotated[
        bool,
        typer.Option(
            "--names", help="As <PID>/<folder>/<original file name>, made safe; otherwise as at the destination."
        ),
    ] = False,
    gone: Annotated[
        bool, typer.Option("--gone", help="With --dataset and --all: files too that Dataverse does not have any more.")
    ] = False,
    fill_empty_stores: Annotated[
        bool,
        typer.Option(
            "--fill-empty-stores", help="With --in-place: an empty store lost everything; its disk is mounted."
        ),
    ] = False,
    from_manifests: Annotated[
        bool,
        typer.Option("--from-manifests", help="Ask the destination itself what lies there: the ledger is lost."),
    ] = False,
    dry_run: DryRunOption = False,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin nothing more after 90m, 6h …. Exit code 12.")
    ] = None,
    max_bytes: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Begin nothing more once 500G, 2T … are restored. Exit code 12."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, metavar="N", help="How many processes; otherwise the destination's.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --in-place: let the workers of a Dask cluster do it, by tcp://host:port of its scheduler; they "
            "must be allowed to write to the stores.",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Bring files back from their copies, each proven first.

    Nothing appears under its name before that. What is there already and right is not fetched again, and nothing is
    overwritten. Works from the ledger alone, also when Dataverse is gone.
    """
    from dataverse_backup.actions.restore_plan import Wanted
    from dataverse_backup.cli import restoring
    from dataverse_backup.config.values import scheduler_address

    if database_dump:
        if file or dataset or everything or in_place:
            raise typer.BadParameter("is restored alone, and to a folder: --to DIR", param_hint="--database-dump")
        code = _restore_dump(context, destination or [], None if dry_run else to, is_list=dry_run, quiet=quiet)
        raise typer.Exit(code)
    if not file and not dataset and not everything:
        raise typer.BadParameter("say what is to be restored: --file ID, --dataset PID or --all")
    if in_place == (to is not None):
        raise typer.BadParameter("say where to: --to DIR or --in-place, one of them")
    if scheduler is not None:
        option_value(scheduler_address, "--scheduler", scheduler)
        if not in_place:
            said = "workers on other machines do not see a folder of this one: --in-place alone"
            raise typer.BadParameter(said, param_hint="--scheduler")
    order = restoring.Order(
        Wanted(tuple(file or ()), tuple(dataset or ()), everything=everything, with_gone=gone),
        to,
        tuple(destination or ()),
        is_named=names,
        fills_empty_stores=fill_empty_stores,
        asks_destinations=from_manifests,
        workers=workers,
        scheduler=scheduler,
        limits=limits_of(max_duration, max_bytes),
        is_quiet=quiet,
    )
    settings = settings_of(context)
    if dry_run:
        restoring.show_plan(settings, order)
        return
    hush(context, is_quiet=quiet)
    raise typer.Exit(restoring.run(settings, order))


def _restore_dump(context: typer.Context, names: list[str], to: Path | None, *, is_list: bool, quiet: bool) -> ExitCode:
    from dataverse_backup.cli import restoring_dump

    if is_list:
        return restoring_dump.show(settings_of(context), names)
    if to is None:
        raise typer.BadParameter("say where to: --to DIR")
    hush(context, is_quiet=quiet)
    return restoring_dump.run(settings_of(context), names, to, quiet=quiet)
