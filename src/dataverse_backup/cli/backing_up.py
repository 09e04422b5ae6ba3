"""`backup`: progress while it runs, a table when it ends, and a mail."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.backup import backup, dry_run
from dataverse_backup.actions.events import WELL, Dumping, Ended, Moving, Planning
from dataverse_backup.allowance import NO_LIMITS, Limits
from dataverse_backup.brake import Brake
from dataverse_backup.cli.answers import tally_table
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.progress import make_progress
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.summary import describe, describe_reading, unknown_store
from dataverse_backup.cli.terminal import err, out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import ConfigurationError, DumpError
from dataverse_backup.logos import LogoAnswers
from dataverse_backup.notify.text import dump_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.actions.events import Event
    from dataverse_backup.actions.sites import Site
    from dataverse_backup.cluster.connection import Cluster
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.plan import Plan

    Tell = Callable[[Ledger, list[Ended], ExitCode], ExitCode]
    """Tells everybody what came of a run; the exit code then."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the administrator asked for, on the command line."""

    destinations: Sequence[str] = ()
    """All, where none is named."""
    limit: int | None = None
    """The most files."""
    limits: Limits = NO_LIMITS
    """For each destination, instead of what the configuration says of it."""
    scheduler: str | None = None
    """Of a Dask cluster, for all destinations."""
    releases_brake: bool = False
    """A person has looked at what the brake was pulled for."""


def chosen_destinations(settings: Settings, names: Sequence[str] = ()) -> list[str]:
    """Those that were asked for, or all; in the order of their names."""
    for name in names:
        if name not in settings.destinations:
            known = ", ".join(sorted(settings.destinations))
            raise ConfigurationError(f"no destination is called {name!r}", f"the configuration has: {known}")
    return sorted(set(names) or settings.destinations)


def show_plan(settings: Settings, names: Sequence[str], limit: int | None) -> None:
    """What a run would do, for each destination."""
    with assembly.open_catalogue(settings) as catalogue, ledger_to_read(settings) as ledger:
        installation = assembly.make_installation(settings, catalogue, ledger)
        told: set[str] = set()
        logos = LogoAnswers(installation.stores, are_kept=True)
        for name in chosen_destinations(settings, names):
            with dry_run(installation, assembly.make_site(settings, name), limit=limit, logos=logos) as plan:
                out.print(plain(f"destination {name}: {_planned(plan)}"))
                for store_id, share in sorted(plan.by_store.items()):
                    out.print(plain(f"  store {store_id}: {share.files:,} files, {size_of(share.size)}"))
                _warn_of_plan(plan)
                _warn_once(plan, told)


def run(settings: Settings, wanted: Wanted, *, quiet: bool, tell: Tell) -> ExitCode:
    """Back up to all chosen destinations at the same time, and *tell*; the exit code for all of them."""
    chosen = chosen_destinations(settings, wanted.destinations)
    stop = Stop()
    with ExitStack() as opened:
        clusters = opened.enter_context(assembly.open_clusters(settings, chosen, wanted.scheduler, stop.is_set))
        here = set(chosen) - clusters.keys()
        if assembly.has_no_ledger(settings):  # there will be something to do; to open one takes a while, too
            assembly.prepare_workers(settings, here)
        ledger = opened.enter_context(assembly.open_ledger(settings))
        catalogue = opened.enter_context(assembly.open_catalogue(settings))
        opened.enter_context(stopping_on_signals(stop))
        sites = [_site(settings, name, wanted.limits, clusters.get(name)) for name in chosen]
        installation = assembly.make_installation(settings, catalogue, ledger, here)
        brake = Brake(is_released=wanted.releases_brake)
        results = show_events(backup(installation, sites, stop, limit=wanted.limit, brake=brake), quiet=quiet)
        for ended in results:
            show_result(ledger, ended, quiet=quiet)
        if not quiet and (len(results) > 1 or results[0].bytes_read):
            out.print(plain(describe_reading(results)))
        return tell(ledger, results, code_of(results))


def _site(settings: Settings, name: str, asked: Limits, cluster: Cluster | None) -> Site:
    site = assembly.make_site(settings, name, cluster)
    return replace(site, limits=Limits(asked.seconds or site.limits.seconds, asked.size or site.limits.size))


def show_events(events: Iterator[Event], *, quiet: bool) -> list[Ended]:
    """Show what happens while it does; what came of it for each destination, by name."""
    results: list[Ended] = []
    told: set[str] = set()
    with make_progress(quiet=quiet) as progress:
        for event in events:
            if isinstance(event, Ended):
                progress.end(event)
                _say_troubles(event, has_told_brake=any(former.brake for former in results))
                results.append(event)
            elif isinstance(event, Planning):
                progress.begin(event)
                _warn_of_plan(event.plan)
                _warn_once(event.plan, told)
            elif isinstance(event, Dumping):
                progress.dump(event)
            elif isinstance(event, Moving):
                progress.move(event)
            else:
                progress.advance(event)
    return sorted(results, key=lambda ended: ended.destination)


def _say_troubles(ended: Ended, *, has_told_brake: bool) -> None:
    if ended.lost is not None:
        say_error(ended.lost)
    if ended.brake is not None and not has_told_brake:
        say_error(ended.brake)
    if ended.dump is not None and not ended.dump.is_ok:
        said = f"{ended.destination}: the database was not dumped: {ended.dump.message}"
        say_error(DumpError(said, ended.dump.hint))


def _planned(plan: Plan) -> str:
    why = ", ".join(f"{count:,} {word}" for word, count in sorted(plan.by_reason.items()))
    files = f"{plan.work.files - plan.companions:,} files"
    files += f" and {plan.companions:,} beside them" if plan.companions else ""
    todo = f"{files}, {size_of(plan.work.size)} to copy ({why})" if why else "nothing to copy"
    return f"{todo}; {plan.settled:,} of {plan.catalogue.files:,} are safe already"


def _warn_of_plan(plan: Plan) -> None:
    for store_id, count in sorted(plan.unknown_stores.items()):
        unknown = unknown_store(store_id, count)
        warn(unknown.message, unknown.hint)
    for lost in plan.lost_stores.values():
        say_error(lost)
    if plan.unusual is not None:
        say_error(plan.unusual)
    for datafile_id, key in plan.beside:
        warn(f"datafile {datafile_id}: its key belongs to another datafile; its copy is called {key}")


def _warn_once(plan: Plan, told: set[str]) -> None:
    """What concerns every destination in the same way."""
    for silence in plan.not_asked:
        if silence.message not in told:
            told.add(silence.message)
            warn(silence.message, silence.hint)


def show_result(ledger: Ledger, ended: Ended, *, quiet: bool) -> None:
    if quiet and ended.ending in WELL:
        return
    console = err if quiet else out
    name = ended.destination
    console.print(tally_table(name, ledger.tallies(name), ledger.tallies(name, companions=True)))
    console.print(plain(describe(ended)))
    if ended.dump is not None and ended.dump.is_ok:
        console.print(plain(dump_line(ended.dump)))
