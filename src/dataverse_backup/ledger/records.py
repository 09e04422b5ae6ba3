"""What a ledger is told, and what it tells: values of its contract."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.datafile import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import Reason
    from dataverse_backup.fixity import Checksum, Durability, VerifiedBy
    from dataverse_backup.verdict import Verdict

BACKUP_VERB = "backup"
REPAIR_VERB = "repair"
DRILL_VERB = "drill"
RECONCILE_VERB = "reconcile"
"""What the runs of these verbs are called; each verb that keeps runs has a word of its own."""


class Status(StrEnum):
    """Where a datafile stands at a destination. The first three are the original script's."""

    OK = "OK"
    FAIL_READ = "FAIL_READ"
    FAIL_WRITE = "FAIL_WRITE"
    NOT_HERE = "NOT_HERE"  # its bytes are in no store of ours; see the reason
    PENDING = "PENDING"  # planned, not tried yet; or in doubt since its destination was accepted
    GONE = "GONE"  # no longer in the catalogue; what was copied is kept


@dataclass(frozen=True)
class Copy:
    """A copy that was proven once."""

    key: str
    size: int
    checksum: Checksum
    """Of the stored bytes, when they were proven."""
    registered: Checksum | None
    """What Dataverse had registered then; None where it had nothing usable."""
    verified_by: VerifiedBy
    durable: Durability
    proven: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What the plan needs to know of one datafile at one destination."""

    datafile_id: int
    status: Status
    reason: Reason | None
    key: str | None
    copy: Copy | None
    fingerprint: str
    """Of the catalogue's row as last noted: ``datafile.fingerprint(row)``; a companion's, as last tried."""
    tag: str = MAIN


Marked = tuple[int, int | None, str, int | None, str | None]
"""Datafile id, the mark with which it was settled (None: look at it), store id, registered size, why it is not here.

Not a class of its own: there are millions of them.
"""


@dataclass(frozen=True, slots=True)
class LogoTurn:
    """How far the datasets were asked for logos for one destination."""

    after: int = 0
    """The next run goes on after the dataset of this id."""
    newest: int = 0
    """Datasets of higher ids have never been asked."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A datafile that is to be copied: noted before the first byte moves.

    Where the ledger has no status for it yet it becomes PENDING; a status that it has stays.
    """

    datafile: Datafile
    key: str | None
    """The key that it claims; None where no key could be made of it."""
    reason: Reason | None = None
    """STORE_UNKNOWN where it cannot even be tried."""


@dataclass(frozen=True)
class Attempt:
    """One try at one datafile at one destination."""

    datafile: Datafile
    destination: str
    status: Status
    """OK, FAIL_READ or FAIL_WRITE; GONE when its row had vanished on re-reading."""
    key: str | None
    reason: Reason | None
    message: str
    """A sentence; '' when there is nothing to add."""
    copy: Copy | None
    """The proof; None when it failed, which leaves the copy that is known untouched."""
    method: str
    """The destination's ``method``: the original's ``lastbackupmethod``."""
    started: datetime
    seconds: float
    bytes_sent: int
    """Bytes that travelled; 0 when a copy was adopted or only proven again."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `list`: where a datafile stands at a destination, with everything that the ledger knows."""

    datafile_id: int
    dataset: str
    label: str
    directory_label: str
    storageidentifier: str
    store: str
    destination: str
    key: str | None
    status: Status
    reason: Reason | None
    message: str
    size: int | None
    """Bytes of the copy where there is one, otherwise what Dataverse registered."""
    checksum: Checksum | None
    """Of the proven copy where there is one, otherwise what Dataverse registered."""
    verified_by: VerifiedBy | None
    proven: datetime | None
    createdate: datetime | None
    lastbackuptime: datetime | None
    attempts: int
    verdict: Verdict | None
    """What the last audit found of the copy, where that was not that it is intact."""
    primary_verdict: Verdict | None
    """What the last audit found of the primary, where that was not that it is intact."""
    tag: str = MAIN
    """MAIN, or which companion of the datafile it is about."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy that was proven once, and of what: all that is needed to bring a datafile back."""

    datafile: Datafile
    """As the catalogue described it last; ``Datafile.checksum`` is what is registered now, or was when it was there."""
    destination: str
    status: Status
    copy: Copy


@dataclass(frozen=True, slots=True)
class Tally:
    """Files and bytes of one status and reason at one destination: datafiles, or companions."""

    status: Status
    reason: Reason | None
    files: int
    size: int


LACKING = (Status.FAIL_READ, Status.FAIL_WRITE, Status.PENDING)
"""There should be a copy, and there is no proven one."""


def merged(tallies: Iterable[Tally]) -> list[Tally]:
    """One for each status and reason, in the order in which they came first."""
    sums: dict[tuple[Status, Reason | None], tuple[int, int]] = {}
    for tally in tallies:
        files, size = sums.get((tally.status, tally.reason), (0, 0))
        sums[tally.status, tally.reason] = files + tally.files, size + tally.size
    return [Tally(*kind, *sum_) for kind, sum_ in sums.items()]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One invocation that worked on a destination, or (``audits.PRIMARY``) on the primaries."""

    id: str
    verb: str
    destination: str
    started: datetime
    ended: datetime | None
    """None while it runs, and for a run that was killed."""
    outcome: str
    """One word: ``ok``, ``failures``, ``lost``, ``interrupted``, …; ``''`` while it runs."""
    files_ok: int
    files_failed: int
    bytes_sent: int
    bytes_read: int = 0
    """Bytes that an audit hashed."""
    message: str = ""
    """Why a backup ended before everything was done: the brake, or a lost destination; several lines perhaps."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """What became of the table that the original script left."""

    rows: int
    matched: int
    """Rows that belong to exactly one datafile of the catalogue."""
    ambiguous: int
    unmatched: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    description: str
    """Process and host: ``process 4711 on archive1``."""
    since: datetime | None
