"""What goes into the cells of a row."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dataverse_backup.datafile import fingerprint
from dataverse_backup.ledger.records import Status

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.datafile import Datafile, Mark, NotHere
    from dataverse_backup.ledger.records import Attempt, Copy, Kept, Planned

Values = dict[str, Any]


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
