"""What comes out of a row: the columns that are asked for, and what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, select

from dataverse_backup.datafile import Datafile, Dataset
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.ledger.history import AttemptRecord
from dataverse_backup.ledger.records import Copy, Kept, Listed, RunRecord, Standing, Status, Tally
from dataverse_backup.ledger.tables import (
    copies,
    datafilestatus,
    primaries,
    shown_message,
    shown_reason,
    shown_status,
)
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

_STATUSES = {one.value: one for one in Status}
_WAYS = {one.value: one for one in VerifiedBy}
_DURABILITIES = {one.value: one for one in Durability}
"""To look a word up takes a tenth of the time of calling the enumeration: they are read by the hundred thousand."""

_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)

HAS_COPY = and_(
    copies.c.destination == datafilestatus.c.destination,
    copies.c.datafile_id == datafilestatus.c.datafile_id,
    copies.c.object == datafilestatus.c.object,
)
with_copies = datafilestatus.outerjoin(copies, HAS_COPY)
"""Where datafiles stand, each with its copy."""

_copy_columns = (
    copies.c.key,
    copies.c.size,
    copies.c.checksum,
    copies.c.registered,
    copies.c.verified_by,
    copies.c.durable,
    copies.c.proven,
)
_its = datafilestatus.c

every_standing: Select[Any] = select(
    _its.datafile_id, _its.object, shown_status, shown_reason, _its.key, _its.fingerprint, *_copy_columns
).select_from(with_copies)
"""Rows for `standing`."""

_labelled_copy_columns = tuple(column.label(f"copy_{column.name}") for column in _copy_columns)

everything: Select[Any] = (
    select(datafilestatus, shown_status, shown_reason, shown_message)
    .add_columns(*_labelled_copy_columns, copies.c.verdict, primaries.c.verdict.label("primary_verdict"))
    .select_from(
        with_copies.outerjoin(
            primaries,
            and_(
                primaries.c.datafile_id == datafilestatus.c.datafile_id, primaries.c.object == datafilestatus.c.object
            ),
        )
    )
)
"""Rows for `listed`."""

every_kept: Select[Any] = select(
    _its.datafile_id,
    _its.persistent_id,
    _its.datasetidentifier,
    _its.store,
    _its.storageidentifier,
    _its.size,
    _its.checksum,
    _its.is_tabular,
    _its.content_type,
    _its.createdate,
    _its.label,
    _its.directory_label,
    _its.original_name,
    _its.object,
    _its.destination,
    shown_status,
    *_labelled_copy_columns,
    _its.gone_since,
).select_from(copies.join(datafilestatus, HAS_COPY))
"""Rows for `kept`."""

shown_size = func.coalesce(copies.c.size, _its.size, 0)
"""Bytes of the copy, otherwise as registered."""

tallies: Select[Any] = (
    select(shown_status, shown_reason, func.count(), func.sum(shown_size))
    .select_from(with_copies)
    # by datafile id, as copies lie too: SQLite, which knows no numbers of rows, would take any index of the destination
    .where(_its.datafile_id >= 0)
    .group_by(shown_status, shown_reason)
)
"""Rows for `tally`."""


def standing(row: Sequence[Any]) -> Standing:
    """The Standing in a row of `every_standing`."""
    datafile_id, tag, status, reason, key, mark, *proof = row
    return Standing(datafile_id, _STATUSES[status], _reason(reason), key, copied(proof), mark, tag)


def copied(proof: Sequence[Any]) -> Copy | None:
    """The Copy in the columns of a proof, in this order; None where they tell of none."""
    _, _, checksum, *_ = proof
    return None if checksum is None else _copy(proof)  # no copy was joined, say: in `copies` the column is NOT NULL


def _copy(proof: Sequence[Any]) -> Copy:
    key, size, checksum, registered, verified_by, durable, proven = proof
    its_checksum, its_registered = _known_checksum(checksum), _checksum(registered)
    return Copy(key, size, its_checksum, its_registered, _WAYS[verified_by], _DURABILITIES[durable], proven)


def listed(row: Row[Any]) -> Listed:
    """The Listed in a row of `everything`."""
    has_copy = row.copy_key is not None
    return Listed(
        datafile_id=row.datafile_id,
        dataset=row.persistent_id,
        label=row.label,
        directory_label=row.directory_label,
        storageidentifier=row.storageidentifier,
        store=row.store,
        destination=row.destination,
        key=row.key,
        status=Status(row.shown_status),
        reason=_reason(row.shown_reason),
        message=row.shown_message,
        size=row.copy_size if has_copy else row.size,
        checksum=_checksum(row.copy_checksum if has_copy else row.checksum),
        verified_by=VerifiedBy(row.copy_verified_by) if has_copy else None,
        proven=row.copy_proven,
        createdate=row.createdate,
        lastbackuptime=row.lastbackuptime,
        attempts=row.attempts,
        verdict=verdict(row.verdict),
        primary_verdict=verdict(row.primary_verdict),
        tag=row.object,
    )


def kept(row: Sequence[Any]) -> Kept:
    """The Kept in a row of `every_kept`, which is taken apart by position: there are as many as there are copies."""
    number, pid, path, store, identifier, size, checksum, is_tabular, content_type, created, *more = row
    label, folder, original_name, tag, destination, status, *proof, _ = more
    datafile = Datafile(
        id=number,
        dataset=_dataset(pid, path or ""),
        store_id=store,
        storageidentifier=identifier,
        size=size,
        checksum=_checksum(checksum),
        is_tabular=is_tabular,
        content_type=content_type,
        created=created or _UNKNOWN_TIME,
        label=label,
        directory_label=folder,
        original_name=original_name,
        tag=tag,
    )
    return Kept(datafile, destination, _STATUSES[status], _copy(proof))


@lru_cache(maxsize=100)
def _dataset(persistent_id: str, storage_path: str) -> Dataset:
    """One for all of its datafiles, which come one after the other."""
    return Dataset.at(persistent_id, storage_path)


def tally(row: Sequence[Any]) -> Tally:
    """The Tally in a row of `tallies`."""
    status, reason, files, size = row
    return Tally(Status(status), _reason(reason), files, int(size))


def run_record(row: Row[Any]) -> RunRecord:
    """The RunRecord in a row of ``runs``."""
    return RunRecord(
        id=row.run,
        verb=row.verb,
        destination=row.destination,
        started=row.started,
        ended=row.ended,
        outcome=row.outcome,
        files_ok=row.files_ok,
        files_failed=row.files_failed,
        bytes_sent=row.bytes_sent,
        bytes_read=row.bytes_read,
        message=row.message,
    )


def attempt_record(row: Row[Any]) -> AttemptRecord:
    """The AttemptRecord in a row of ``attempts`` with what is known of its datafile."""
    return AttemptRecord(
        run=row.run,
        destination=row.destination,
        datafile_id=row.datafile_id,
        dataset=row.persistent_id or "",
        directory_label=row.directory_label or "",
        label=row.label or "",
        store=row.store or "",
        storageidentifier=row.storageidentifier,
        key=row.key,
        status=Status(row.status),
        reason=_reason(row.reason),
        message=row.message,
        size=row.size,
        checksum=_checksum(row.checksum),
        verified_by=None if row.verified_by is None else VerifiedBy(row.verified_by),
        started=row.started,
        seconds=row.seconds,
        bytes_sent=row.bytes_sent,
        method=row.method,
        before=None if row.before is None else Status(row.before),
        tag=row.object,
    )


def verdict(word: str | None) -> Verdict | None:
    """The verdict of that name; None for none."""
    return None if word is None else Verdict(word)


def _reason(word: str | None) -> Reason | None:
    return None if word is None else Reason(word)


def _checksum(text: str | None) -> Checksum | None:
    return None if text is None else _known_checksum(text)


@lru_cache(maxsize=100)
def _known_checksum(text: str) -> Checksum:
    """In our own spelling, not Dataverse's, so there is nothing to normalise.

    A datafile has the same one up to three times: as registered, as registered when it was copied, as stored.
    """
    algorithm, _, value = text.partition(":")
    return Checksum(Algorithm(algorithm), value)
