"""`reconcile`: a line for each object that is dark or lost, and in the end what there is at each place."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from rich.table import Table

from dataverse_backup import assembly
from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.reconcile import reconcile_destinations, reconcile_stores
from dataverse_backup.actions.reconcile_events import Finding, Presence, Progress, ReconcileEnded
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.progress import listing
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.cli.records import RECONCILE_COLUMNS, finding_object, reconciled_object
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.summary import unknown_store
from dataverse_backup.cli.terminal import err, out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import printable
from dataverse_backup.spreadsheet import cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.actions.reconcile_events import Amounts, Reconciled, ReconcileEvent
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger

    Tell = Callable[[Ledger, list[ReconcileEnded], ExitCode], ExitCode]
    """Tells everybody what came of it; the exit code then."""


class Form(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed."""

    destinations: tuple[str, ...] = ()
    has_stores: bool = False
    has_beside: bool = False
    is_quiet: bool = False
    form: Form = Form.TEXT


def run(settings: Settings, order: Order, tell: Tell) -> ExitCode:
    """Look at what was asked for, say what is dark or lost, and *tell*; the exit code."""
    stop = Stop()
    if order.form is Form.CSV:
        csv.writer(sys.stdout).writerow(RECONCILE_COLUMNS)
    with ledger_to_read(settings) as ledger, stopping_on_signals(stop):
        ended = _shown(_events(settings, order, ledger, stop), order)
        return tell(ledger, ended, code_of(part for one in ended for part in one.parts))


def _events(settings: Settings, order: Order, ledger: Ledger, stop: Stop) -> Iterator[ReconcileEvent]:
    """Everything, unless only stores, or only some destinations, were asked for."""
    names = chosen_destinations(settings, order.destinations)
    with assembly.open_catalogue(settings) as catalogue:
        installation = assembly.make_installation(settings, catalogue, ledger)
        sites = [assembly.make_site(settings, name) for name in names]
        looks = []
        if order.has_stores or not order.destinations:
            looks.append(reconcile_stores(installation, stop))
        if order.destinations or not order.has_stores:
            looks.append(reconcile_destinations(installation, sites, stop))
        yield from chain.from_iterable(looks)


def _shown(events: Iterator[ReconcileEvent], order: Order) -> list[ReconcileEnded]:
    """Show what is found as it is; what came of each place."""
    results: list[ReconcileEnded] = []
    with listing(quiet=order.is_quiet or order.form is not Form.TEXT) as advance:
        for event in events:
            if isinstance(event, Progress):
                advance(event.what, event.objects, event.size)
            elif isinstance(event, Finding):
                _show(event, order)
            elif isinstance(event, ReconcileEnded):
                results.append(event)
    for ended in results:
        for part in ended.parts:
            _show_end(part, order)
    return results


def _show(finding: Finding, order: Order) -> None:
    is_wanted = finding.presence is Presence.LOST or not order.is_quiet
    if not is_wanted or (finding.presence is Presence.BESIDE and not order.has_beside):
        return
    told = finding_object(finding)
    if order.form is Form.JSON:
        print(json.dumps(told))  # noqa: T201 -- the answer
    elif order.form is Form.CSV:
        csv.writer(sys.stdout).writerow([cell(told[name]) for name in RECONCILE_COLUMNS])
    else:
        out.print(plain(printable(_line(finding))))


def _line(finding: Finding) -> str:
    whose = [str(finding.place)]
    if finding.datafile_id is not None:
        whose.append(f"datafile {finding.datafile_id}")
    whose += [part for part in (finding.dataset, finding.label) if part]
    about = ", ".join(whose)
    if finding.size is not None:
        about += f"; {size_of(finding.size)}"
    if finding.modified is not None:
        about += f" of {finding.modified:%Y-%m-%d}"
    return f"{finding.presence} {finding.why}  {finding.key}  ({about}): {finding.message}"


def _show_end(ended: Reconciled, order: Order) -> None:
    if ended.trouble is not None and ended.ending is Ending.OK:
        warn(f"{ended.trouble}; no datafile is in it")
    elif ended.trouble is not None:
        say_error(ended.trouble)
    for store_id, count in sorted(ended.unknown_stores.items()):
        unknown = unknown_store(store_id, count)
        warn(unknown.message, unknown.hint)
    if order.form is Form.JSON:
        print(json.dumps(reconciled_object(ended)))  # noqa: T201 -- the answer
    elif ended.trouble is None and not (order.is_quiet and ended.ending is Ending.OK):
        where = err if order.form is Form.CSV or order.is_quiet else out
        where.print(_table(ended))


def _table(ended: Reconciled) -> Table:
    """What there is at one place."""
    table = Table(title=plain(f"{ended.place}: {ended.ending}"), title_justify="left", show_header=False, box=None)
    for column in ("left", "right", "right"):
        table.add_column(justify="left" if column == "left" else "right")

    def tell(what: str, amounts: Amounts) -> None:
        table.add_row(plain(what), f"{amounts.objects:,}", size_of(amounts.size) if amounts.objects else "")

    tell("listed", ended.listed)
    tell("  of datafiles" if ended.place.is_store else "  copies that are known", ended.known)
    for presence in (Presence.BESIDE, Presence.DARK):
        for (kind, why), amounts in sorted(ended.found.items()):
            if kind is presence:
                tell(f"  {presence}: {why}", amounts)
    if not ended.of(Presence.DARK).objects:
        tell("  dark", ended.of(Presence.DARK))
    tell("lost", ended.of(Presence.LOST))
    if ended.undecided:
        table.add_row("changed meanwhile, or not to be looked at", f"{ended.undecided:,}", "")
    return table
