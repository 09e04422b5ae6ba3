"""What goes into a row, and what comes out of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, select

from dataverse_backup.datafile import Datafile, Dataset, fingerprint
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

    from dataverse_backup.datafile import Mark, NotHere
    from dataverse_backup.ledger.records import Attempt, Planned

Values = dict[str, Any]

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


def facts(datafile: Datafile) -> Values:
    """What the catalogue says of *datafile*, in the columns of ``datafilestatus``."""
    return {
        "datafile_id": datafile.id,
        "object": datafile.tag,
        "datasetidentifier": datafile.dataset.storage_path,
        "storageidentifier": datafile.storageidentifier,
        "createdate": datafile.created,
        "store": datafile.store_id,
        "persistent_id": datafile.dataset.persistent_id,
        "label": datafile.label,
        "directory_label": datafile.directory_label,
        "size": datafile.size,
        "checksum": None if datafile.checksum is None else str(datafile.checksum),
        "fingerprint": fingerprint(datafile),
        "is_tabular": datafile.is_tabular,
        "content_type": datafile.content_type,
        "original_name": datafile.original_name,
    }


def planned_values(destination: str, planned: Planned) -> Values:
    """The row of a datafile that claims its key."""
    return facts(planned.datafile) | {
        "destination": destination,
        "key": planned.key,
        "reason": planned.reason,
    }


def refreshed_values(destination: str, datafile: Datafile) -> Values:
    """The row of a datafile of which the catalogue says something new."""
    return facts(datafile) | {"destination": destination, "mark": datafile.mark}


def companion_gone_values(destination: str, datafile_id: int, tag: str, now: datetime) -> Values:
    """What `upserts.VANISH_ALONE` is told of a companion."""
    return gone_values(destination, datafile_id, now) | {"its_object": tag}


def not_here_values(destination: str, row: NotHere) -> Values:
    """The row of a datafile that no store of ours can hold."""
    return {
        "datafile_id": row.id,
        "destination": destination,
        "storageidentifier": row.storageidentifier,
        "createdate": row.created,
        "store": "",
        "persistent_id": row.persistent_id,
        "label": row.label,
        "directory_label": "",
        "fingerprint": fingerprint(row),
        "not_here": row.reason,
        "mark": row.mark,
        "not_here_message": row.message,
    }


def gone_values(destination: str, datafile_id: int, now: datetime) -> Values:
    """What `upserts.VANISH` is told of a datafile."""
    return {"its_destination": destination, "its_id": datafile_id, "now": now}


def mark_values(destination: str, mark: Mark) -> Values:
    """What `upserts.MARK` is told of a datafile."""
    datafile_id, number = mark
    return {"its_destination": destination, "its_id": datafile_id, "its_mark": number}


def tried_values(attempt: Attempt) -> Values:
    """The row of a datafile after *attempt*."""
    ended = attempt.started + timedelta(seconds=attempt.seconds)
    failed = attempt.status in (Status.FAIL_READ, Status.FAIL_WRITE)
    vanished = attempt.status is Status.GONE
    return facts(attempt.datafile) | {
        "destination": attempt.destination,
        "key": attempt.key,
        "status": None if vanished else attempt.status,
        "mark": attempt.datafile.mark if attempt.status is Status.OK else None,
        "reason": None if vanished else attempt.reason,
        "message": "" if vanished else attempt.message,
        "lastbackuptime": ended,
        "lastbackupmethod": attempt.method,
        "attempts": 1,
        "failing_since": ended if failed else None,
        "gone_since": ended if vanished else None,
    }


def proof_values(copy: Copy) -> Values:
    """The columns of a copy."""
    return {
        "key": copy.key,
        "size": copy.size,
        "checksum": str(copy.checksum),
        "registered": None if copy.registered is None else str(copy.registered),
        "verified_by": copy.verified_by,
        "durable": copy.durable,
        "proven": copy.proven,
    }


def copy_values(attempt: Attempt, copy: Copy) -> Values:
    """The row of the copy that *attempt* proved."""
    return proof_values(copy) | place_values(attempt.destination, attempt.datafile)


def place_values(destination: str, datafile: Datafile) -> Values:
    """Whose row it is, of those that have an object."""
    return {"destination": destination, "datafile_id": datafile.id, "object": datafile.tag}


def kept_values(kept: Kept, now: datetime) -> Values:
    """The row of a datafile of which a copy is said to be there."""
    gone = now if kept.status is Status.GONE else None
    return facts(kept.datafile) | {"destination": kept.destination, "key": kept.copy.key, "gone_since": gone}


def kept_copy_values(kept: Kept) -> Values:
    """The row of a copy that is said to be there."""
    return proof_values(kept.copy) | place_values(kept.destination, kept.datafile)


def attempt_values(run: str, attempt: Attempt) -> Values:
    """The row of *attempt* itself."""
    # every column is named: rows that are inserted together must have the same ones
    proof = dict.fromkeys(("size", "checksum", "registered", "verified_by", "durable", "proven"))
    if attempt.copy is not None:
        proof = proof_values(attempt.copy)
    return (
        proof
        | place_values(attempt.destination, attempt.datafile)
        | {
            "run": run,
            "storageidentifier": attempt.datafile.storageidentifier,
            "status": attempt.status,
            "key": attempt.key,
            "reason": attempt.reason,
            "message": attempt.message,
            "method": attempt.method,
            "started": attempt.started,
            "seconds": attempt.seconds,
            "bytes_sent": attempt.bytes_sent,
        }
    )


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
