"""`backup`: progress while it runs, a table when it ends, and a mail."""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.backup import backup, dry_run
from dataverse_backup.actions.events import Ended, Ending, Planning
from dataverse_backup.cli.answers import tally_table
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.progress import make_progress
from dataverse_backup.cli.summary import body, body_of_end, describe, describe_reading, subject, subject_of_end
from dataverse_backup.cli.terminal import err, out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import ConfigurationError, DataverseBackupError, NotificationError
from dataverse_backup.notify import mail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.events import Event
    from dataverse_backup.actions.sites import Site
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.plan import Plan


def chosen_destinations(settings: Settings, names: Sequence[str] = ()) -> list[str]:
    """Those that were asked for, or all; in the order of their names."""
    for name in names:
        if name not in settings.destinations:
            known = ", ".join(sorted(settings.destinations))
            raise ConfigurationError(f"no destination is called {name!r}", f"the configuration has: {known}")
    return sorted(set(names) or settings.destinations)


def show_plan(settings: Settings, names: Sequence[str], limit: int | None) -> None:
    """What a run would do, for each destination."""
    with assembly.open_catalogue(settings) as catalogue, assembly.open_ledger(settings) as ledger:
        installation = assembly.make_installation(settings, catalogue, ledger)
        for name in chosen_destinations(settings, names):
            with dry_run(installation, assembly.make_site(settings, name), limit=limit) as plan:
                out.print(plain(f"destination {name}: {_planned(plan)}"))
                for store_id, share in sorted(plan.by_store.items()):
                    out.print(plain(f"  store {store_id}: {share.files:,} files, {size_of(share.size)}"))
                _warn_of_plan(plan)


def run(settings: Settings, names: Sequence[str], *, limit: int | None, quiet: bool) -> ExitCode:
    """Back up to all chosen destinations at the same time; the exit code for all of them.

    What ends all of it is mailed too before it is raised: nobody looks at the terminal of a nightly run.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sites = [assembly.make_site(settings, name) for name in chosen_destinations(settings, names)]
    try:
        return _back_up(settings, sites, limit=limit, quiet=quiet)
    except DataverseBackupError as error:
        _notify_of_end(settings, error)
        raise


def _back_up(settings: Settings, sites: Sequence[Site], *, limit: int | None, quiet: bool) -> ExitCode:
    stop = Stop()
    with (
        assembly.open_ledger(settings) as ledger,
        assembly.open_catalogue(settings) as catalogue,
        _stopping_on_signals(stop),
    ):
        installation = assembly.make_installation(settings, catalogue, ledger)
        results = _shown(backup(installation, sites, stop, limit=limit), quiet=quiet)
        for ended in results:
            _show_result(ledger, ended, quiet=quiet)
        if len(results) > 1 and not quiet:
            out.print(plain(describe_reading(results)))
        return _notify(settings, ledger, results, code_of(results))


def _shown(events: Iterator[Event], *, quiet: bool) -> list[Ended]:
    """Show what happens while it does; what came of it for each destination, by name."""
    results: list[Ended] = []
    with make_progress(quiet=quiet) as progress:
        for event in events:
            if isinstance(event, Ended):
                progress.end(event)
                if event.lost is not None:
                    say_error(event.lost)
                results.append(event)
            elif isinstance(event, Planning):
                progress.begin(event)
                _warn_of_plan(event.plan)
            else:
                progress.advance(event)
    return sorted(results, key=lambda ended: ended.destination)


@contextmanager
def _stopping_on_signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and Ctrl-C ask the run to stop; what is in flight is finished or dropped, and recorded."""

    def ask_to_stop(number: int, _frame: object) -> None:
        if not stop.is_set():
            err.print(f"{signal.Signals(number).name}: finishing or dropping what is in flight …")
        stop.set()

    former = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _planned(plan: Plan) -> str:
    why = ", ".join(f"{count:,} {word}" for word, count in sorted(plan.by_reason.items()))
    todo = f"{plan.work.files:,} files, {size_of(plan.work.size)} to copy ({why})" if why else "nothing to copy"
    return f"{todo}; {plan.settled:,} of {plan.catalogue.files:,} are safe already"


def _warn_of_plan(plan: Plan) -> None:
    for store_id, count in sorted(plan.unknown_stores.items()):
        warn(
            f"store {store_id}: {count:,} datafiles are in it, and the configuration does not know it\n"
            f"hint: add a section [Store {store_id}]; `type: ignore` there says that it is intended"
        )
    for lost in plan.lost_stores.values():
        say_error(lost)
    for datafile_id, key in plan.beside:
        warn(f"datafile {datafile_id}: its key belongs to another datafile; its copy is called {key}")


def _show_result(ledger: Ledger, ended: Ended, *, quiet: bool) -> None:
    if quiet and ended.ending is Ending.OK:
        return
    console = err if quiet else out
    console.print(tally_table(ended.destination, ledger.tallies(ended.destination)))
    console.print(plain(describe(ended)))


def _notify(settings: Settings, ledger: Ledger, results: list[Ended], code: ExitCode) -> ExitCode:
    """Mail the result. A mail that cannot be sent never loses it: it counts only where nothing else went wrong."""
    if not settings.notifications.email:
        return code
    try:
        _send(settings, subject(results), body(ledger, results))
    except DataverseBackupError as error:
        say_error(error)
        return ExitCode.FAILURES if code is ExitCode.OK else code
    return code


def _notify_of_end(settings: Settings, error: DataverseBackupError) -> None:
    """Mail what ended the run; that a mail cannot be sent never hides it."""
    try:
        _send(settings, subject_of_end(), body_of_end(error))
    except NotificationError as untold:
        say_error(untold)


def _send(settings: Settings, about: str, text: str) -> None:
    notifications = settings.notifications
    mail.send(notifications.email, about, text, command=notifications.mail_command)
