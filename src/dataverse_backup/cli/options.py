"""Options that several commands have, and what is done with them."""

from __future__ import annotations

from typing import Annotated

import typer

from dataverse_backup import logs

DestinationsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--destination", metavar="NAME", help="Only this one; may be given again. [Backup] is called default."
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The answer as one JSON object.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all is well.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Let a Dask cluster do the work: tcp://host:port of its scheduler; instead of Scheduler.",
    ),
]


def hush(context: typer.Context, *, is_quiet: bool) -> None:
    """Log nothing of what goes well where *is_quiet*, unless ``--log-level`` says otherwise."""
    if is_quiet and context.obj.log_level is None:
        logs.hush()
