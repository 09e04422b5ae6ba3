"""What goes into the database for many rows at a time: a list for each column.

By columns and not by rows, because thousands of rows are written together: a dict for each of them would take longer
than the database does. Words are plain ``str`` here: for what only derives from it (an enumeration) a driver looks for
somebody who can adapt it, again and again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dataverse_backup.datafile import fingerprint
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.rules import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from dataverse_backup.datafile import Datafile, Mark, NotHere
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.records import Attempt, Copy, Kept, Planned

Values = dict[str, Any]
"""What one row has, by the column's name."""
Columns = dict[str, list[Any]]
"""By the column's name what each row has in it; all are of one length."""


def of_rows(rows: Sequence[Values]) -> Columns:
    """The columns of *rows*, of which there is one at least, and all of which name the same things."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def planned(destination: str, planned: Sequence[Planned]) -> Columns:
    """Datafiles that claim their keys."""
    return facts([one.datafile for one in planned]) | {
        "destination": [destination] * len(planned),
        "key": [one.key for one in planned],
        "reason": _words(one.reason for one in planned),
    }


def refreshed(destination: str, datafiles: Sequence[Datafile]) -> Columns:
    """Datafiles of which the catalogue says something new."""
    marks = [one.mark for one in datafiles]
    return facts(datafiles) | {"destination": [destination] * len(datafiles), "mark": marks}


def facts(datafiles: Sequence[Datafile]) -> Columns:
    """What the catalogue says of *datafiles*, in the columns of ``datafilestatus``."""
    return _ids(datafiles) | {
        "datasetidentifier": [one.dataset.storage_path for one in datafiles],
        "storageidentifier": [one.storageidentifier for one in datafiles],
        "createdate": [one.created for one in datafiles],
        "store": [one.store_id for one in datafiles],
        "persistent_id": [one.dataset.persistent_id for one in datafiles],
        "label": [one.label for one in datafiles],
        "directory_label": [one.directory_label for one in datafiles],
        "size": [one.size for one in datafiles],
        "checksum": _texts(one.checksum for one in datafiles),
        "fingerprint": [fingerprint(one) for one in datafiles],
        "is_tabular": [one.is_tabular for one in datafiles],
        "content_type": [one.content_type for one in datafiles],
        "original_name": [one.original_name for one in datafiles],
    }


def not_here(destination: str, rows: Sequence[NotHere]) -> Columns:
    """Datafiles that no store of ours can hold."""
    return {
        "datafile_id": [row.id for row in rows],
        "destination": [destination] * len(rows),
        "storageidentifier": [row.storageidentifier for row in rows],
        "createdate": [row.created for row in rows],
        "store": [""] * len(rows),
        "persistent_id": [row.persistent_id for row in rows],
        "label": [row.label for row in rows],
        "directory_label": [""] * len(rows),
        "fingerprint": [fingerprint(row) for row in rows],
        "not_here": _words(row.reason for row in rows),
        "mark": [row.mark for row in rows],
        "not_here_message": [row.message for row in rows],
    }


def gone(destination: str, datafile_ids: Sequence[int], now: datetime) -> Columns:
    """What `upserts.VANISH` is told of datafiles."""
    count = len(datafile_ids)
    return {"its_destination": [destination] * count, "its_id": list(datafile_ids), "now": [now] * count}


def companions_gone(destination: str, places: Sequence[tuple[int, str]], now: datetime) -> Columns:
    """What `upserts.VANISH_ALONE` is told of companions: ids and tags."""
    told = gone(destination, [datafile_id for datafile_id, _ in places], now)
    return told | {"its_object": [tag for _, tag in places]}


def marks(destination: str, marked: Sequence[Mark]) -> Columns:
    """What `upserts.MARK` is told of datafiles."""
    return {
        "its_destination": [destination] * len(marked),
        "its_id": [datafile_id for datafile_id, _ in marked],
        "its_mark": [mark for _, mark in marked],
    }


def recorded(run: str, attempts: Sequence[Attempt]) -> Columns:
    """Attempts, each with the copy that it proved."""
    places = [one.destination for one in attempts], [one.datafile for one in attempts]
    return proven(*places, [one.copy for one in attempts]) | _tries(run, attempts)


def succeeded(attempts: Sequence[Attempt]) -> Columns:
    """What `upserts.SUCCEED` is told of datafiles, each of which is OK after one of *attempts*."""
    return {
        "its_destination": [one.destination for one in attempts],
        "its_id": [one.datafile.id for one in attempts],
        "its_fingerprint": [fingerprint(one.datafile) for one in attempts],
        "its_key": [one.key for one in attempts],
        "its_reason": _words(one.reason for one in attempts),
        "its_message": [one.message for one in attempts],
        "its_mark": [one.datafile.mark for one in attempts],
        "ended": [_ended(one) for one in attempts],
        "method": [one.method for one in attempts],
    }


def tried(attempts: Sequence[Attempt]) -> Columns:
    """Datafiles, each after one of *attempts*."""
    ended = [_ended(one) for one in attempts]
    gone = [one.status is Status.GONE for one in attempts]
    told = list(zip(attempts, ended, gone, strict=True))
    return facts([one.datafile for one in attempts]) | {
        "destination": [one.destination for one in attempts],
        "key": [one.key for one in attempts],
        "status": _words(None if vanished else one.status for one, _, vanished in told),
        "mark": [one.datafile.mark if one.status is Status.OK else None for one in attempts],
        "reason": _words(None if vanished else one.reason for one, _, vanished in told),
        "message": ["" if vanished else one.message for one, _, vanished in told],
        "lastbackuptime": ended,
        "lastbackupmethod": [one.method for one in attempts],
        "attempts": [1] * len(attempts),
        "failing_since": [when if one.status in FAILED else None for one, when, _ in told],
        "gone_since": [when if vanished else None for _, when, vanished in told],
    }


def _ended(attempt: Attempt) -> datetime:
    return attempt.started + timedelta(seconds=attempt.seconds)


def _tries(run: str, attempts: Sequence[Attempt]) -> Columns:
    """What rows of ``attempts`` have besides places and proofs."""
    return {
        "run": [run] * len(attempts),
        "storageidentifier": [one.datafile.storageidentifier for one in attempts],
        "status": _words(one.status for one in attempts),
        "key": [one.key for one in attempts],
        "reason": _words(one.reason for one in attempts),
        "message": [one.message for one in attempts],
        "method": [one.method for one in attempts],
        "started": [one.started for one in attempts],
        "seconds": [one.seconds for one in attempts],
        "bytes_sent": [one.bytes_sent for one in attempts],
    }


def proven(destinations: Sequence[str], datafiles: Sequence[Datafile], copies: Sequence[Copy | None]) -> Columns:
    """The rows of copies: where each is, and of what."""
    return _ids(datafiles) | {"destination": list(destinations)} | proofs(copies)


def kept(kept: Sequence[Kept], now: datetime) -> tuple[Columns, Columns]:
    """Datafiles of which copies are said to be there, and these copies."""
    datafiles = [one.datafile for one in kept]
    destinations = [one.destination for one in kept]
    standing: Columns = {
        "destination": destinations,
        "key": [one.copy.key for one in kept],
        "gone_since": [now if one.status is Status.GONE else None for one in kept],
    }
    return facts(datafiles) | standing, proven(destinations, datafiles, [one.copy for one in kept])


def proofs(copies: Sequence[Copy | None]) -> Columns:
    """The columns of copies; None throughout where there is none."""
    return {
        "key": [None if one is None else one.key for one in copies],
        "size": [None if one is None else one.size for one in copies],
        "checksum": _texts(None if one is None else one.checksum for one in copies),
        "registered": _texts(None if one is None else one.registered for one in copies),
        "verified_by": _words(None if one is None else one.verified_by for one in copies),
        "durable": _words(None if one is None else one.durable for one in copies),
        "proven": [None if one is None else one.proven for one in copies],
    }


def _ids(datafiles: Sequence[Datafile]) -> Columns:
    return {"datafile_id": [one.id for one in datafiles], "object": [one.tag for one in datafiles]}


def _texts(checksums: Iterable[Checksum | None]) -> list[str | None]:
    return [None if one is None else str(one) for one in checksums]


def _words(words: Iterable[str | None]) -> list[str | None]:
    return [None if one is None else str(one) for one in words]
