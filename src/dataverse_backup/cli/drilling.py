"""`drill`: a restore that is rehearsed, measured, recorded and thrown away."""

from __future__ import annotations

import tempfile
import time
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.drill import DAMAGE, Drill, choose
from dataverse_backup.actions.folder import claimed, free_bytes
from dataverse_backup.actions.restore import Ending, Restored, restore
from dataverse_backup.actions.restore_layouts import KeyLayout
from dataverse_backup.actions.restore_plan import Shelves, make_plan
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.reading import known_ledger
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.terminal import err, out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import DataverseBackupError, RestoreError
from dataverse_backup.ledger.base import DRILL_VERB
from dataverse_backup.ledger.rules import Counts
from dataverse_backup.notify.text import drill_line
from dataverse_backup.retrieval import Retrieved

_CODES = {Ending.OK: ExitCode.OK, Ending.INTERRUPTED: ExitCode.INTERRUPTED, DAMAGE: ExitCode.DAMAGE}

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.actions.drill import Rehearsal
    from dataverse_backup.actions.restore_plan import RestorePlan
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger


def run(
    settings: Settings, names: Sequence[str], *, sample: int, max_bytes: int, scratch: Path | None, quiet: bool
) -> ExitCode:
    """Rehearse at each destination; the worst of what came of it."""
    stop = Stop()
    worst = ExitCode.OK
    with stopping_on_signals(stop), known_ledger(settings) as ledger:
        chosen = chosen_destinations(settings, names)
        assembly.prepare_workers(settings, chosen, to_restore=True)
        for name in chosen:
            rehearsal = choose(ledger, name, sample=sample, max_bytes=max_bytes)
            if rehearsal is None:
                warn(f"{name}: nothing is there that could be restored")
                worst = max(worst, ExitCode.FAILURES)
                continue
            worst = max(worst, _drill(settings, ledger, name, rehearsal, scratch=scratch, stop=stop, quiet=quiet))
    return worst


def _drill(
    settings: Settings,
    ledger: Ledger,
    name: str,
    rehearsal: Rehearsal,
    *,
    scratch: Path | None,
    stop: Stop,
    quiet: bool,
) -> ExitCode:
    drill = Drill(ledger.begin_run(DRILL_VERB, name), name, rehearsal, datetime.now(UTC))
    began = time.monotonic()
    results: list[Retrieved] = []
    restored = Restored(ending=Ending.LOST)
    try:
        results, restored = _rehearsed(settings, ledger, name, rehearsal, scratch=scratch, stop=stop)
    except DataverseBackupError as error:
        restored.trouble = error
        raise
    finally:
        record = drill.conclude(results, restored, time.monotonic() - began)
        ledger.end_run(record.run, record.outcome, Counts(record.files, record.failed, record.size))
        ledger.record_drill(record)
    code = _CODES.get(record.outcome, ExitCode.FAILURES)
    if not quiet or code is not ExitCode.OK:
        (err if quiet else out).print(plain(f"{name}: {drill_line(record)}"))
    return code


def _rehearsed(
    settings: Settings, ledger: Ledger, name: str, rehearsal: Rehearsal, *, scratch: Path | None, stop: Stop
) -> tuple[list[Retrieved], Restored]:
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="dataverse-backup-drill-", dir=scratch)))
        plan = held.enter_context(make_plan(ledger, rehearsal.wanted, Shelves((name,), (name,)), KeyLayout()))
        _check_space(plan, folder)
        target = assembly.FolderTargetFactory(folder, held.enter_context(claimed(folder, uuid.uuid4().hex)))
        retriever = assembly.make_retriever(settings, [name], target, identity=ledger.id)
        *results, restored = restore(plan, retriever, stop, workers=settings.destinations[name].workers)
    for trouble in (*restored.lost.values(), restored.trouble) if isinstance(restored, Restored) else ():
        if trouble is not None:
            say_error(trouble)
    found = [result for result in results if isinstance(result, Retrieved)]
    for result in found:
        for error in result.errors:
            say_error(error)
    return found, restored if isinstance(restored, Restored) else Restored()


def _check_space(plan: RestorePlan, folder: Path) -> None:
    free = free_bytes(folder)
    if free is not None and free < plan.work.size:
        said = f"{size_of(plan.work.size)} are to be restored, and only {size_of(free)} are free at {folder.parent}"
        raise RestoreError(said, "--scratch names another folder, --max-bytes restores less")
