"""The lists of files that go with a message: what fails, and what was backed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.base import Status
from dataverse_backup.notify.base import Attachment
from dataverse_backup.spreadsheet import BoundedList
from dataverse_backup.wording import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dataverse_backup.ledger.base import Ledger, Listed
    from dataverse_backup.ledger.history import AttemptRecord

FAILED = (Status.FAIL_READ, Status.FAIL_WRITE)
MOST_ATTACHED = 5_000_000
"""Bytes of all attachments together."""
FAILED_LIST, COPIED_LIST = "failed.csv", "copied.csv"
FAILED_COLUMNS = (
    "datafile_id",
    "dataset",
    "directory_label",
    "label",
    "storageidentifier",
    "destination",
    "key",
    "status",
    "reason",
    "message",
    "hint",
    "lastbackuptime",
    "attempts",
)
COPIED_COLUMNS = (
    "datafile_id",
    "dataset",
    "directory_label",
    "label",
    "storageidentifier",
    "destination",
    "key",
    "reason",
    "size",
    "checksum_type",
    "checksum_value",
    "verified_by",
    "started",
    "seconds",
    "bytes_sent",
    "before",
)


def fitting(found: dict[str, BoundedList], most: int) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """The lists that are not empty and fit together, and the names of those that do not."""
    fitting: list[Attachment] = []
    too_long: list[str] = []
    for name, one in found.items():
        content = one.content()
        if content is None or len(content) > most:
            too_long.append(name)
        elif one.rows:
            fitting.append(Attachment(name, content))
            most -= len(content)
    return tuple(fitting), tuple(too_long)


def failed_list(ledger: Ledger, destinations: Iterable[str], most: int) -> BoundedList:
    """Every datafile that fails at one of *destinations*."""
    failed = BoundedList(FAILED_COLUMNS, most)
    for listed in _failing(ledger, destinations):
        failed.add(_failed_row(listed))
        if failed.is_dropped:
            break
    return failed


def _failing(ledger: Ledger, destinations: Iterable[str]) -> Iterator[Listed]:
    for destination in destinations:
        for status in FAILED:
            yield from ledger.listed(destination=destination, status=status)


def _failed_row(listed: Listed) -> tuple[object, ...]:
    return (
        listed.datafile_id,
        listed.dataset,
        listed.directory_label,
        listed.label,
        listed.storageidentifier,
        listed.destination,
        listed.key,
        listed.status.value,
        listed.reason.value if listed.reason else None,
        listed.message,
        HINTS[listed.reason] if listed.reason else None,
        iso(listed.lastbackuptime),
        listed.attempts,
    )


def copied_row(attempt: AttemptRecord) -> tuple[object, ...]:
    """One line of the list of what was copied or proven: COPIED_COLUMNS."""
    return (
        attempt.datafile_id,
        attempt.dataset,
        attempt.directory_label,
        attempt.label,
        attempt.storageidentifier,
        attempt.destination,
        attempt.key,
        attempt.reason.value if attempt.reason else None,
        attempt.size,
        attempt.checksum.algorithm.value if attempt.checksum else None,
        attempt.checksum.value if attempt.checksum else None,
        attempt.verified_by.value if attempt.verified_by else None,
        iso(attempt.started),
        round(attempt.seconds, 3),
        attempt.bytes_sent,
        attempt.before.value if attempt.before else None,
    )
