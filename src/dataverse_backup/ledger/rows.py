"""What comes out of a row: the columns that are asked for, and what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime
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

every_kept: Select[Any] = (
    select(datafilestatus, shown_status)
    .add_columns(*_labelled_copy_columns)
    .select_from(copies.join(datafilestatus, HAS_COPY))
)
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
    return Standing(datafile_id, Status(status), _reason(reason), key, copied(proof), mark, tag)


def copied(proof: Sequence[Any]) -> Copy | None:
    """The Copy in the columns of a proof, in this order; None where they tell of none."""
    key, size, checksum, registered, verified_by, durable, proven = proof
    known = _checksum(checksum)
    if known is None:  # no copy was joined, say: in `copies` the column is NOT NULL
        return None
    return Copy(key, size, known, _checksum(registered), VerifiedBy(verified_by), Durability(durable), proven)


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


def kept(row: Row[Any]) -> Kept:
    """The Kept in a row of `every_kept`."""
    datafile = Datafile(
        id=row.datafile_id,
        dataset=Dataset.at(row.persistent_id, row.datasetidentifier or ""),
        store_id=row.store,
        storageidentifier=row.storageidentifier,
        size=row.size,
        checksum=_checksum(row.checksum),
        is_tabular=row.is_tabular,
        content_type=row.content_type,
        created=row.createdate or _UNKNOWN_TIME,
        label=row.label,
        directory_label=row.directory_label,
        original_name=row.original_name,
        tag=row.object,
    )
    proof = Copy(
        key=row.copy_key,
        size=row.copy_size,
        checksum=_known_checksum(row.copy_checksum),
        registered=_checksum(row.copy_registered),
        verified_by=VerifiedBy(row.copy_verified_by),
        durable=Durability(row.copy_durable),
        proven=row.copy_proven,
    )
    return Kept(datafile, row.destination, Status(row.shown_status), proof)


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
    # our own spelling, not Dataverse's: nothing to normalise, and read by the hundred thousand
    return None if text is None else _known_checksum(text)


def _known_checksum(text: str) -> Checksum:
    algorithm, _, value = text.partition(":")
    return Checksum(Algorithm(algorithm), value)
