"""The result of a run as the terminal and `notify` want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.actions.audit_events import AuditEnded
from dataverse_backup.actions.events import WELL
from dataverse_backup.actions.reconcile_events import Presence, ReconcileEnded
from dataverse_backup.cli.terminal import size_of
from dataverse_backup.errors import CatalogueUnavailable, ConfigurationError, DumpError
from dataverse_backup.ledger.audits import AUDIT_VERB
from dataverse_backup.ledger.base import BACKUP_VERB, RECONCILE_VERB, Status
from dataverse_backup.notify import text
from dataverse_backup.notify.summary import Result
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.actions.events import Ended
    from dataverse_backup.errors import DataverseBackupError

MOST_UNEXPLAINED = 5
"""So many of the manifests that could not be written are named."""


def result_of(ended: Ended | AuditEnded | ReconcileEnded) -> Result:
    """What a run at one destination came to, or an audit of one place, or a reconciliation."""
    if isinstance(ended, ReconcileEnded):
        return _reconciled(ended)
    return _audited(ended) if isinstance(ended, AuditEnded) else _backed_up(ended)


def _audited(ended: AuditEnded) -> Result:
    troubles = [*([ended.lost] if ended.lost else []), *ended.lost_stores.values()]
    troubles += [unknown_store(store_id, count) for store_id, count in sorted(ended.unknown_stores.items())]
    return Result(
        destination=ended.place,
        ending=ended.ending,
        is_well=ended.ending in WELL,
        run=ended.record,
        proven=ended.intact,
        failed=ended.verdicts.total() - ended.intact,
        troubles=tuple(troubles),
        limit=ended.limit,
        verb=AUDIT_VERB,
        verdicts=tuple((verdict, ended.verdicts[verdict]) for verdict in Verdict if ended.verdicts[verdict]),
        remarks=tuple(ended.remarks()),
        damaged_dumps=ended.damaged_dumps,
    )


def _reconciled(ended: ReconcileEnded) -> Result:
    troubles = [part.trouble for part in ended.parts if part.trouble is not None and part.ending not in WELL]
    unknown = ended.parts[0].unknown_stores if ended.parts else {}
    dark = [(part.place, part.of(Presence.DARK)) for part in ended.parts]
    return Result(
        destination=ended.place,
        ending=ended.record.outcome,
        is_well=ended.record.outcome in WELL,
        run=ended.record,
        proven=ended.record.files_ok,
        failed=ended.lost,
        troubles=(*troubles, *(unknown_store(store_id, count) for store_id, count in sorted(unknown.items()))),
        verb=RECONCILE_VERB,
        remarks=tuple(f"{place}: {dark.objects:,} dark, {size_of(dark.size)}" for place, dark in dark if dark.objects),
        lost=tuple(f"{one.place}: {one.key}: {one.message or one.why}" for one in ended.first_lost),
    )


def _backed_up(ended: Ended) -> Result:
    return Result(
        destination=ended.destination,
        ending=ended.ending,
        is_well=ended.ending in WELL,
        run=ended.record,
        proven=ended.tried[Status.OK],
        companions=ended.companions,
        failed=ended.tried[Status.FAIL_READ] + ended.tried[Status.FAIL_WRITE],
        troubles=tuple(_troubles(ended)),
        limit=ended.limit,
        left_files=ended.left.files,
        left_size=ended.left.size,
        verb=ended.record.verb if ended.record else BACKUP_VERB,
        remarks=(text.dump_line(ended.dump),) if ended.dump is not None and ended.dump.is_ok else (),
    )


def _troubles(ended: Ended) -> Iterator[DataverseBackupError]:
    """What went wrong with more than one file."""
    if ended.brake is not None:
        yield ended.brake
    if ended.lost is not None:
        yield ended.lost
    yield from ended.lost_stores.values()
    for store_id, count in sorted(ended.plan.unknown_stores.items()) if ended.plan else ():
        yield unknown_store(store_id, count)
    if ended.dump is not None and not ended.dump.is_ok:
        yield DumpError(f"the database was not dumped: {ended.dump.message}", ended.dump.hint)
    yield from ended.plan.not_asked if ended.plan else ()
    yield from ended.unexplained[:MOST_UNEXPLAINED]
    if ended.unconfirmed:
        said = f"{ended.unconfirmed:,} failures are not recorded: their rows could not be read again"
        yield CatalogueUnavailable(said, "the next run tries them again")


def unknown_store(store_id: str, count: int) -> ConfigurationError:
    """What is said of a store that the database uses and the configuration does not know (design, rule 11)."""
    said = f"store {store_id}: {count:,} datafiles are in it, and the configuration does not know it"
    return ConfigurationError(said, f"add a section [Store {store_id}]; `type: ignore` there says that it is intended")


def describe(ended: Ended | AuditEnded) -> str:
    """One line about a run at one destination, or an audit of one place."""
    return text.describe(result_of(ended))


def describe_reading(results: list[Ended]) -> str:
    """One line about what was read from the stores, which is once for several destinations where it could be."""
    copied = sum(ended.record.bytes_sent for ended in results if ended.record is not None)
    read = sum(ended.bytes_read for ended in results)
    whole = f"all {len(results)} destinations" if len(results) > 1 else results[0].destination
    return f"{whole}: {size_of(read)} read from the stores, {size_of(copied)} copied"
