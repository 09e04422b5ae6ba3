"""`restore`: the plan, progress while it runs, what failed and what came of it."""

from __future__ import annotations

import logging
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup import assembly, logs
from dataverse_backup.actions.folder import claimed, free_bytes
from dataverse_backup.actions.restore import Ending, Restored, restore
from dataverse_backup.actions.restore_layouts import KeyLayout, NamedLayout, StoreLayout
from dataverse_backup.actions.restore_plan import Shelves, Wanted, make_plan
from dataverse_backup.allowance import NO_LIMITS, Limits
from dataverse_backup.cli import rebuilding
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.progress import counting
from dataverse_backup.cli.reading import known_ledger
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.terminal import err, out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import CatalogueError, RestoreError, StoreLost
from dataverse_backup.retrieval import Came
from dataverse_backup.stores.restorable import Restorable
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.actions.restore import OpenWorkers
    from dataverse_backup.actions.restore_layouts import Layout
    from dataverse_backup.actions.restore_plan import RestorePlan
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.retrieval import Retrieved, Target

log = logging.getLogger(__name__)

SHOWN = 20
"""So many datafiles of one kind are named."""

_CODES = {
    Ending.OK: ExitCode.OK,
    Ending.FAILURES: ExitCode.FAILURES,
    Ending.LOST: ExitCode.COULD_NOT_RUN,
    Ending.LIMIT: ExitCode.LIMIT,
    Ending.INTERRUPTED: ExitCode.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed."""

    wanted: Wanted
    to: Path | None
    """None: in place."""
    destinations: tuple[str, ...] = ()
    is_named: bool = False
    fills_empty_stores: bool = False
    asks_destinations: bool = False
    """Whether the destinations say what lies there, because the ledger is lost."""
    workers: int | None = None
    scheduler: str | None = None
    """Of a cluster whose workers bring files back into the stores, instead of processes here."""
    limits: Limits = NO_LIMITS
    is_quiet: bool = False

    @property
    def place(self) -> str:
        """Where it goes, in words."""
        return "the stores" if self.to is None else str(self.to)


def show_plan(settings: Settings, order: Order) -> None:
    """What a restore would do."""
    with _ledger(settings, order) as ledger, _plan(settings, order, ledger) as plan:
        _show_plan(plan)
        _say_what_is_odd(plan)
        free = None if order.to is None else free_bytes(order.to)
        if free is not None:
            out.print(plain(f"  free at {order.to}: {size_of(free)}"))


def run(settings: Settings, order: Order) -> ExitCode:
    """Restore, and show what comes of it."""
    stop = Stop()
    with ExitStack() as held:
        held.enter_context(stopping_on_signals(stop))
        assembly.prepare_workers(settings, _names(settings, order), to_restore=True)
        ledger = held.enter_context(_ledger(settings, order))
        plan = held.enter_context(_plan(settings, order, ledger))
        if not order.is_quiet:
            _show_plan(plan)
        _say_what_is_odd(plan)
        open_workers = _workers(settings, order, held, stop)
        target = _target(settings, order, held)
        retriever = assembly.make_retriever(
            settings, _names(settings, order), target, identity=None if order.asks_destinations else ledger.id
        )
        workers = order.workers or max(settings.destinations[name].workers for name in _names(settings, order))
        results = restore(plan, retriever, stop, workers=workers, limits=order.limits, open_workers=open_workers)
        restored = _shown(plan, results, order)
    return _CODES[restored.ending]


def _workers(settings: Settings, order: Order, held: ExitStack, stop: Stop) -> OpenWorkers:
    """Processes of this machine, or a cluster that is seen to have workers. Raises WorkersLost."""
    if order.scheduler is None:
        return processes
    names = _names(settings, order)
    clusters = held.enter_context(assembly.open_clusters(settings, names, order.scheduler, stop.is_set))
    cluster = clusters[names[0]]  # all have the same
    cluster.connect()
    return cluster.open_workers


@contextmanager
def _ledger(settings: Settings, order: Order) -> Iterator[Ledger]:
    """The ledger, or one for the moment, made of what the destinations say of themselves."""
    if not order.asks_destinations:
        with known_ledger(settings) as ledger:
            yield ledger
        return
    with (
        tempfile.TemporaryDirectory(prefix="dataverse-backup-") as folder,
        assembly.open_passing_ledger(Path(folder)) as ledger,
    ):
        for name in _names(settings, order):
            rebuilding.read(settings, ledger, name, takes_over=False)
        yield ledger


def _target(settings: Settings, order: Order, held: ExitStack) -> Callable[[], Target]:
    """What brings datafiles to where they are wanted, which is seen to be fit for it."""
    if order.to is None:
        if not order.fills_empty_stores:
            _probe_stores(settings)
        return assembly.StoreTargetFactory(settings.stores)
    staging = held.enter_context(claimed(order.to.absolute(), uuid.uuid4().hex))
    return assembly.FolderTargetFactory(order.to.absolute(), staging)


def _probe_stores(settings: Settings) -> None:
    """Raise RestoreError where a store is empty or not there: its disk may not be mounted."""
    for store in assembly.make_stores(settings.stores).values():
        with store:
            try:
                if isinstance(store, Restorable):
                    store.probe()
            except StoreLost as lost:
                hint = "if it is mounted, and everything in it was lost: --fill-empty-stores"
                raise RestoreError(lost.message, hint) from lost


def _layout(settings: Settings, order: Order, held: ExitStack) -> Layout:
    if order.to is not None:
        return NamedLayout() if order.is_named else KeyLayout()
    stores = {name: held.enter_context(store) for name, store in assembly.make_stores(settings.stores).items()}
    catalogue = held.enter_context(assembly.open_catalogue(settings))
    try:
        catalogue.inspect()
    except CatalogueError as error:
        warn(f"{error}; where files belong is as the ledger has it")
        return StoreLayout(stores, None)
    return StoreLayout(stores, catalogue.read)


def _names(settings: Settings, order: Order) -> list[str]:
    """The destinations that may be read, best first."""
    return assembly.by_speed(settings, chosen_destinations(settings, order.destinations))


def _plan(settings: Settings, order: Order, ledger: Ledger) -> RestorePlan:
    names = _names(settings, order)
    with ExitStack() as held:
        layout = _layout(settings, order, held)
        plan = make_plan(ledger, order.wanted, Shelves(tuple(names), _by_news(ledger, names)), layout)
    if not plan.work.files and not plan.left_out and not plan.refused:
        plan.close()
        asked = ", ".join(plan.unknown) or "anything"
        raise RestoreError(
            f"the ledger knows no copy of {asked} at {', '.join(names)}", "`dataverse-backup list` shows what it knows"
        )
    return plan


def _by_news(ledger: Ledger, names: Sequence[str]) -> tuple[str, ...]:
    """*names*, the one whose last backup is newest first."""
    last = {name: next((run.id for run in ledger.runs(name) if run.verb == "backup"), "") for name in names}
    return tuple(sorted(names, key=lambda name: last[name], reverse=True))


def _show_plan(plan: RestorePlan) -> None:
    out.print(plain(f"{plan.work.files:,} files, {size_of(plan.work.size)} to restore"))
    for name, share in sorted(plan.by_destination.items()):
        out.print(plain(f"  from destination {name}: {share.files:,} files, {size_of(share.size)}"))


def _say_what_is_odd(plan: RestorePlan) -> None:
    if plan.left_out:
        warn(f"{plan.left_out:,} files are left out: they are not in Dataverse any more", "--gone restores them too")
    for what in plan.unknown:
        warn(f"{what}: no copy of it is known")
    for _, error in plan.refused:
        say_error(error)
    if plan.former:
        some = ", ".join(map(str, plan.former[:SHOWN])) + (" …" if len(plan.former) > SHOWN else "")
        said = f"{len(plan.former):,} files got other content in Dataverse since they were copied last: datafile {some}"
        warn(said, "what was copied last is what is restored")


def _shown(plan: RestorePlan, results: Iterator[Retrieved | Restored], order: Order) -> Restored:
    restored = Restored()
    with counting("restore", plan.work.files, plan.work.size, quiet=order.is_quiet) as advance:
        for result in results:
            if isinstance(result, Restored):
                restored = result
            else:
                advance(result.retrieval.size)
                _say(result)
    for trouble in (*restored.lost.values(), restored.trouble):
        if trouble is not None:
            say_error(trouble)
    if not order.is_quiet or restored.ending not in (Ending.OK, Ending.LIMIT):
        (err if order.is_quiet else out).print(plain(_summary(restored, plan, order)))
    return restored


def _say(result: Retrieved) -> None:
    """What became of one datafile, as an event of the log."""
    datafile = result.retrieval.datafile
    known = {"datafile": datafile.id, "to": result.retrieval.to}
    if result.came is Came.FAILED:
        said = "; ".join(str(error) for error in result.errors)
        hint = next((error.hint for error in result.errors if error.hint), None)
        log.error("datafile %d: %s", datafile.id, said, extra=logs.facts(hint=hint, **known))
        return
    log.info("%s", result.came, extra=logs.facts(**known))
    if result.aside is not None:
        log.warning("datafile %d: what lay there is kept as %s", datafile.id, result.aside, extra=logs.facts(**known))
    for error in result.errors:
        log.warning("datafile %d is restored from another copy: %s", datafile.id, error, extra=logs.facts(**known))


def _summary(restored: Restored, plan: RestorePlan, order: Order) -> str:
    files = restored.files
    parts = [f"{files[Came.RESTORED]:,} files restored to {order.place} ({size_of(restored.bytes_restored)})"]
    if files[Came.RIGHT]:
        parts.append(f"{files[Came.RIGHT]:,} were right already")
    if failed := files[Came.FAILED] + len(plan.refused):
        parts.append(f"{failed:,} failed")
    if left := plan.work.files - files.total():
        parts.append(f"{left:,} were not tried")
    if restored.limit is not None:
        parts.append(f"{restored.limit} reached: the same command goes on")
    return ", ".join(parts)
