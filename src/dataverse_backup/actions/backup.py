"""Copy what is missing, failed or changed to every destination at once, and prove each copy.

Each destination has its own lock, plan, status and failures: one that is down, busy or slow does not stop the others.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.actions.database import OneDump
from dataverse_backup.actions.early import EarlyWorkers
from dataverse_backup.actions.events import Moving
from dataverse_backup.actions.run import Run
from dataverse_backup.brake import Brake
from dataverse_backup.engine import Engine, Stop
from dataverse_backup.joint import JointTransferFactory
from dataverse_backup.logos import LogoAnswers
from dataverse_backup.outflow import Meter, Outflow, Pace
from dataverse_backup.plan import Plan, Scope
from dataverse_backup.planner import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dataverse_backup.actions.events import Event
    from dataverse_backup.actions.sites import Installation, OpenWorkers, Site
    from dataverse_backup.engine import Submit
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch

    CopyWorkers = AbstractContextManager[Submit[JointBatch, Outcomes]]


def dry_run(
    installation: Installation, site: Site, *, limit: int | None = None, logos: LogoAnswers | None = None
) -> Plan:
    """What a run would do; nothing is written, and the destination is not touched."""
    scope = Scope(site.name, installation.stores, limit=limit, dry_run=True, brake=site.thresholds, logos=logos)
    return make_plan(installation.catalogue, installation.ledger, scope)


def backup(
    installation: Installation,
    sites: Sequence[Site],
    stop: Stop,
    *,
    limit: int | None = None,
    only: Mapping[str, Container[int]] | None = None,
    brake: Brake | None = None,
) -> Iterator[Event]:
    """Back up to every site: their plans, every attempt as it is recorded, and for each what came of it at its end.

    *only* names the datafiles that are to be repaired at each site, by id: then nothing else is copied. A *brake* that
    is released lets it go on whatever vanished or is altered.
    Raises CatalogueError and LedgerError when the databases cannot be used; everything else is in the Ended.
    """
    in_order = sorted(sites, key=lambda site: site.name)
    brake = brake or Brake()
    with ExitStack() as held:
        dumper = installation.dumper if only is None else None
        dump = None if dumper is None else held.enter_context(OneDump(dumper, stop))
        logos = LogoAnswers(installation.stores, are_kept=len(sites) > 1)
        runs = [
            Run(
                installation,
                site,
                stop,
                brake,
                limit=limit,
                only=only[site.name] if only else None,
                dump=dump,
                logos=logos,
            )
            for site in in_order
        ]
        try:
            yield from _done(installation, runs, stop, brake)
        except BaseException:
            if dump is not None:
                dump.give_up()
            for run in runs:
                run.abandon()
            raise


def _done(installation: Installation, runs: Sequence[Run], stop: Stop, brake: Brake) -> Iterator[Event]:
    _set_out(runs)
    reaching = {run.name: run for run in runs if not run.is_over}
    with _watched(reaching) as (outflows, meters):
        early = EarlyWorkers(partial(_workers, installation, reaching, outflows=outflows), reaching)
        with closing(early):
            for names in _worked_on_together(reaching):
                early.begin(names)
            yield from _begun(runs)
            going_on = {run.name: run for run in runs if not run.is_over}
            if brake.pulled is not None:
                for run in going_on.values():
                    yield run.end()
            elif going_on:
                for run in going_on.values():
                    run.send_dump(Outflow(outflows[run.name].pace))
                yield from _copied(going_on, meters, early.opened, stop, brake)


def _set_out(runs: Sequence[Run]) -> None:
    """Lock all, in the order of their names, and reach all at once; some are over by that."""
    for run in runs:
        run.lock()
    for run in runs:
        if not run.is_over:
            run.set_out()


def _begun(runs: Sequence[Run]) -> Iterator[Event]:
    """Plan one after the other; some are over by that."""
    for run in runs:
        if not run.is_over:
            yield from run.begin()
        if run.is_over:
            yield run.end()


@contextmanager
def _watched(runs: Mapping[str, Run]) -> Iterator[tuple[dict[str, Outflow], dict[str, Meter]]]:
    """What goes to each destination, held to its bandwidth, and what counts it."""
    with ExitStack() as opened:
        meters = {name: opened.enter_context(closing(Meter())) for name in runs}
        outflows = {
            name: Outflow(opened.enter_context(closing(Pace(bandwidth))) if bandwidth else None, meters[name].notes)
            for name, bandwidth in ((name, run.site.bandwidth) for name, run in runs.items())
        }
        yield outflows, meters


def _workers(
    installation: Installation,
    runs: dict[str, Run],
    names: Sequence[str],
    workers: int,
    *,
    outflows: Mapping[str, Outflow],
) -> CopyWorkers:
    """Workers that copy to the destinations called *names*."""
    make_transfers = {name: runs[name].site.make_transfer(runs[name].staging) for name in names}
    its_outflows = {name: outflows[name] for name in names}
    open_workers = runs[names[0]].site.open_workers
    return open_workers(JointTransferFactory(installation.make_stores, make_transfers, its_outflows), workers)


def _copied(
    runs: dict[str, Run],
    meters: Mapping[str, Meter],
    open_workers: Callable[[Sequence[str], int], CopyWorkers],
    stop: Stop,
    brake: Brake,
) -> Iterator[Event]:
    """Copy for all *runs*, each of which ends, and is taken out, as soon as nothing is left to do for it."""
    capacities = {name: run.capacity for name, run in runs.items()}
    allowances = {name: run.allowance for name, run in runs.items()}
    moving = dict.fromkeys(runs, 0)
    with Engine(capacities, open_workers, stop, allowances) as engine:
        for names in _worked_on_together(runs):
            engine.add({name: runs[name].works() for name in names})
        yield from _ended(runs, engine, stop)
        for outcomes in engine.outcomes():
            for name, outcome in outcomes.items():
                yield from runs[name].take(outcome)
            if brake.pulled is not None:
                for name in runs:
                    engine.drop(name)
            yield from _moved(runs, engine, meters, moving)
            yield from _ended(runs, engine, stop)
        _note_limits(runs, engine)
    for run in runs.values():
        yield from run.finish()


def _moved(
    runs: Mapping[str, Run], engine: Engine, meters: Mapping[str, Meter], moving: dict[str, int]
) -> Iterator[Moving]:
    """How many bytes are on their way now, where that is not what was told last."""
    for name, run in runs.items():
        run.keep_contact(is_ending=engine.is_at_the_end_of(name))
        size = meters[name].read(engine.in_flight(name))
        if size != moving[name]:
            moving[name] = size
            yield Moving(name, size)


def _worked_on_together(runs: Mapping[str, Run]) -> list[list[str]]:
    groups: dict[OpenWorkers, list[str]] = defaultdict(list)
    for name, run in runs.items():
        groups[run.site.open_workers].append(name)
    return list(groups.values())


def _note_limits(runs: dict[str, Run], engine: Engine) -> None:
    for name in runs.keys() & engine.limited.keys():
        runs[name].stop_at(engine.limited[name])


def _ended(runs: dict[str, Run], engine: Engine, stop: Stop) -> Iterator[Event]:
    _note_limits(runs, engine)
    for name, run in list(runs.items()):
        if run.is_over:
            engine.drop(name)
        if not engine.is_done_with(name):
            continue
        if name in engine.room:
            run.note_room(engine.room[name])
        again = run.take_again()
        if again and not engine.is_dropped(name) and not stop.is_set():
            engine.add({name: again})
        elif not run.is_sending_dump:  # who waits for that would hold up the others
            yield from runs.pop(name).finish()
