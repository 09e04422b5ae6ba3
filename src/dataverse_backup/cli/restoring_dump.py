"""`restore --database-dump`: fetches the newest whole dump, and says how it goes on from there."""

from __future__ import annotations

import shlex
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.folder import claimed
from dataverse_backup.actions.restore_dump import Fetched, Shelved, dumps_at, newest_first, restore_dump
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.terminal import out, plain, say_error, size_of
from dataverse_backup.destinations.base import Staging
from dataverse_backup.errors import DestinationLost, RestoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dataverse_backup.config import Settings


def show(settings: Settings, names: Sequence[str]) -> ExitCode:
    """The dumps that there are, the newest first."""
    with ExitStack() as held:
        found, code = _found(settings, names, held)
        for one in found:
            out.print(plain(f"{_described(one)}  {one.generation.key}"))
    return code


def run(settings: Settings, names: Sequence[str], folder: Path, *, quiet: bool) -> ExitCode:
    """Fetch the newest whole one into *folder*, which is made; FAILURES where a newer one was damaged."""
    folder = folder.absolute()
    with ExitStack() as held:
        found, code = _found(settings, names, held)
        staging = held.enter_context(claimed(folder, uuid.uuid4().hex))
        target = held.enter_context(assembly.open_folder(folder, staging))
        target.connect()
        fetched = None
        for fetched in restore_dump(found, target):
            if fetched.error is not None:
                say_error(fetched.error)
                code = ExitCode.FAILURES
    if fetched is None or fetched.error is not None:
        raise RestoreError("no dump is whole, so none was restored", "is another copy of the destination there?")
    if not quiet or code is not ExitCode.OK:
        _tell(fetched, folder)
    return code


def _found(settings: Settings, names: Sequence[str], held: ExitStack) -> tuple[list[Shelved], ExitCode]:
    """The dumps, the newest first, each from the fastest destination first; FAILURES where one could not be asked."""
    found, code = [], ExitCode.OK
    for name in assembly.by_speed(settings, chosen_destinations(settings, names)):
        staging = Staging("reader", f"restore-{uuid.uuid4().hex}")  # nothing is staged there
        source = held.enter_context(assembly.open_destination(settings, name)(staging))
        try:
            source.connect()
            found += dumps_at(source)
        except (DestinationLost, RestoreError) as error:
            say_error(error)
            code = ExitCode.FAILURES
    if not found:
        raise RestoreError("there is no dump of the database", "a run keeps one where [Backup] has DatabaseDump: yes")
    return newest_first(found), code


def _described(one: Shelved) -> str:
    return f"{one.generation.taken:%Y-%m-%d %H:%M:%S} UTC  {size_of(one.size):>9}  {one.source.name}"


def _tell(fetched: Fetched, folder: Path) -> None:
    one = fetched.shelved
    did = "is there already, proven" if fetched.was_there else f"restored from {one.source.name}, proven"
    out.print(plain(f"the database as it was {one.generation.taken:%Y-%m-%d %H:%M:%S} UTC, {size_of(one.size)}: {did}"))
    out.print(plain("into a new, empty database (docs/howto/recover.md):"))
    path = shlex.quote(str(folder / one.generation.name))
    out.print(
        plain(f"  pg_restore --no-owner --no-privileges --exit-on-error --dbname=DATABASE {path}"), soft_wrap=True
    )
