"""`audit`: each file that is not intact as it is found, the number of the others in the end, and a mail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.audit import audit, audit_primaries
from dataverse_backup.actions.audit_events import AuditEnded, AuditPlan
from dataverse_backup.actions.events import WELL
from dataverse_backup.cli.answers import which
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.progress import counting
from dataverse_backup.cli.records import judged_object, run_object
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.summary import describe, unknown_store
from dataverse_backup.cli.terminal import err, out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import printable
from dataverse_backup.ledger.audits import PRIMARY, name_of_place
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.actions.audit_events import AuditEvent, AuditRequest
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.audits import Judged
    from dataverse_backup.ledger.base import Ledger

    Tell = Callable[[Ledger, list[AuditEnded], ExitCode], ExitCode]
    """Tells everybody what came of an audit; the exit code then."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed."""

    request: AuditRequest
    destinations: Sequence[str] = ()
    """All, where none is named."""
    scheduler: str | None = None
    """Of a cluster that does the work, instead of what the configuration says."""
    is_of_stores: bool = False
    is_quiet: bool = False
    is_json: bool = False


def run(settings: Settings, order: Order, tell: Tell) -> ExitCode:
    """Look at what was asked for, say what is not intact, and *tell*; the exit code."""
    stop = Stop()
    names = chosen_destinations(settings, order.destinations)
    with (
        assembly.open_clusters(settings, names, order.scheduler, stop.is_set) as clusters,
        assembly.open_ledger(settings) as ledger,
        assembly.open_catalogue(settings) as catalogue,
        stopping_on_signals(stop),
    ):
        sites = [assembly.make_site(settings, name, clusters.get(name)) for name in names]
        installation = assembly.make_installation(settings, catalogue, ledger, set(names) - clusters.keys())
        look = audit_primaries if order.is_of_stores else audit
        results = _shown(look(installation, sites, order.request, stop), order)
        return tell(ledger, results, code_of(results))


def _shown(events: Iterator[AuditEvent], order: Order) -> list[AuditEnded]:
    """Show what is found as it is; what came of it for each place."""
    results: list[AuditEnded] = []
    for event in events:
        if isinstance(event, AuditPlan):
            results.append(_followed(event, events, order))
        elif isinstance(event, AuditEnded):  # it ended before anything could be planned
            results.append(event)
    for ended in results:
        _show_end(ended, order)
    return results


def _followed(plan: AuditPlan, events: Iterator[AuditEvent], order: Order) -> AuditEnded:
    """What came of one place."""
    _show_plan(plan, order)
    is_silent = order.is_quiet or order.is_json
    with counting(name_of_place(plan.place), plan.amount.files, plan.amount.size, quiet=is_silent) as advance:
        for event in events:
            if isinstance(event, AuditEnded):
                return event
            if not isinstance(event, AuditPlan):
                for finding in event.findings:
                    _show(finding, order)
                for size in event.sizes:
                    advance(size)
    raise RuntimeError("an audit ends with its result")


def _show_plan(plan: AuditPlan, order: Order) -> None:
    if order.is_quiet or order.is_json:
        return
    amount = plan.amount
    err.print(plain(f"{name_of_place(plan.place)}: {amount.files:,} files, {size_of(amount.size)} to look at"))


def _show(finding: Judged, order: Order) -> None:
    """One line for people, or one object for programs."""
    if order.is_json:
        print(json.dumps(judged_object(finding)))  # noqa: T201 -- the answer
        return
    file = finding.datafile
    name = f"{file.directory_label}/{file.label}" if file.directory_label else file.label
    where = (
        f"{name_of_place(finding.destination)}, store {file.store_id}"
        if finding.destination == PRIMARY
        else finding.destination
    )
    said = (
        f"{finding.verdict}  {finding.key}  ({where}; {which(file.id, file.tag)}, {file.dataset.persistent_id}, {name})"
    )
    out.print(plain(printable(f"{said}: {finding.message}")))


def _show_end(ended: AuditEnded, order: Order) -> None:
    if ended.lost is not None:
        say_error(ended.lost)
    for lost in ended.lost_stores.values():
        say_error(lost)
    for store_id, count in sorted(ended.unknown_stores.items()):
        unknown = unknown_store(store_id, count)
        warn(unknown.message, unknown.hint)
    if ended.promise is not None and not ended.promise.is_kept:
        warn(f"{name_of_place(ended.place)}: {ended.promise}", "raise the limits, run it more often, or promise less")
    if order.is_json:
        print(json.dumps(_ended_object(ended)))  # noqa: T201 -- the answer
    elif not (order.is_quiet and ended.ending in WELL):
        (err if order.is_quiet else out).print(plain(describe(ended)))


def _ended_object(ended: AuditEnded) -> dict[str, object]:
    promise = ended.promise
    return {
        "place": ended.place,
        "ending": ended.ending,
        "run": run_object(ended.record),
        "verdicts": {verdict: ended.verdicts[verdict] for verdict in Verdict},
        "intact_dumps": ended.intact_dumps,
        "bad_dumps": [{"key": key, "verdict": verdict} for key, verdict in ended.bad_dumps],
        "undecided": ended.undecided,
        "limit": ended.limit,
        "trouble": None if ended.lost is None else str(ended.lost),
        "lost_stores": sorted(ended.lost_stores),
        "unknown_stores": dict(sorted(ended.unknown_stores.items())),
        "promise": None
        if promise is None
        else {
            "every_seconds": int(promise.every.total_seconds()),
            "files": promise.total.files,
            "bytes": promise.total.size,
            "due_files": promise.due.files,
            "due_bytes": promise.due.size,
            "needed_bytes_per_day": round(promise.needed),
            "possible_bytes_per_day": None if promise.possible is None else round(promise.possible),
            "is_kept": promise.is_kept,
        },
    }
