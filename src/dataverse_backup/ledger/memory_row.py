"""What the ledger in memory knows of one datafile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dataverse_backup.datafile import MAIN, Datafile, Dataset, fingerprint
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.records import Kept, Listed, Standing, Status
from dataverse_backup.ledger.rules import BACK_TO_NORMAL, FAILED
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.records import Attempt, Copy
    from dataverse_backup.verdict import Verdict


@dataclass
class MemoryRow:
    """Where one datafile, or a companion, stands at one destination."""

    datafile_id: int
    destination: str
    tag: str = MAIN
    fingerprint: str = ""
    dataset: str = ""
    label: str = ""
    directory_label: str = ""
    storageidentifier: str = ""
    store: str = ""
    size: int | None = None
    checksum: Checksum | None = None
    createdate: datetime | None = None
    key: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    message: str = ""
    attempts: int = 0
    lastbackuptime: datetime | None = None
    failing_since: datetime | None = None
    not_here: tuple[Reason, str] | None = None
    gone_since: datetime | None = None
    copy: Copy | None = None
    verdict: Verdict | None = None
    """What the last audit found of the copy, where that was not that it is intact."""
    judged: datetime | None = None
    datafile: Datafile | None = None
    mark: int | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the catalogue does not have it."""
        return self.gone_since is not None

    def vanish(self) -> None:
        """It is gone from now on, unless it was gone before."""
        self.gone_since = self.gone_since or datetime.now(UTC)

    @property
    def shown(self) -> tuple[Status, Reason | None, str]:
        """Status, reason and message: gone, else not here, else what attempts made of it."""
        if self.is_gone:
            return Status.GONE, None, ""
        if self.not_here is not None:
            return Status.NOT_HERE, *self.not_here
        return self.status or Status.PENDING, self.reason, self.message

    @property
    def shown_size(self) -> int | None:
        """Of the copy, otherwise as registered."""
        return self.copy.size if self.copy else self.size

    def learn(self, row: Datafile | NotHere) -> None:
        """Take over what the catalogue says."""
        self.fingerprint, self.mark = fingerprint(row), None
        self.label, self.storageidentifier = storable(row.label), storable(row.storageidentifier)
        self.createdate = row.created
        self.gone_since = None
        if isinstance(row, Datafile):
            self.datafile = _storable(row)
            self.dataset, self.store = storable(row.dataset.persistent_id), storable(row.store_id)
            self.directory_label = storable(row.directory_label)
            self.size, self.checksum = row.size, row.checksum
            self.not_here = None
        else:
            self.dataset = storable(row.persistent_id)
            self.not_here = row.reason, storable(row.message)
            self._tell_of(row)

    def _tell_of(self, row: NotHere) -> None:
        """What the datafile is called now; what it was registered with stays known."""
        if self.datafile is not None:
            dataset = Dataset.at(self.dataset, self.datafile.dataset.storage_path)
            created = row.created or self.datafile.created
            self.datafile = replace(self.datafile, dataset=dataset, created=created, label=self.label)
            self.datafile = replace(self.datafile, storageidentifier=self.storageidentifier)

    def conclude(self, attempt: Attempt) -> None:
        """Take over how an attempt ended."""
        before = self.gone_since, self.not_here
        self.learn(attempt.datafile)
        self.attempts += 1
        self.key = attempt.key if attempt.key is not None else self.key
        self.lastbackuptime = attempt.started + timedelta(seconds=attempt.seconds)
        if attempt.status is Status.GONE:
            self.gone_since, self.not_here = before
            self.vanish()
            return
        self.status, self.reason, self.message = attempt.status, attempt.reason, storable(attempt.message)
        self.mark = attempt.datafile.mark if self.status is Status.OK else None
        self.failing_since = (self.failing_since or self.lastbackuptime) if attempt.status in FAILED else None
        if attempt.copy is not None:
            self.copy, self.verdict, self.judged = attempt.copy, None, None

    def fail(self, reason: Reason, message: str, when: datetime) -> None:
        """The copy is not what it was."""
        self.status, self.reason, self.message = Status.FAIL_WRITE, reason, storable(message)
        self.failing_since = self.failing_since or when

    def recover(self, proof: Copy) -> None:
        """The copy is there again, if it is the one that is wanted."""
        failed = self.status is Status.FAIL_WRITE and self.reason in BACK_TO_NORMAL
        if failed and (self.key, self.checksum) == (proof.key, proof.registered):
            is_wanting = self.tag == MAIN and self.checksum is None
            self.status, self.reason, self.message = Status.OK, Reason.NO_CHECKSUM if is_wanting else None, ""
            self.failing_since = None

    @property
    def standing(self) -> Standing:
        """As `standings` shows it."""
        status, reason, _ = self.shown
        return Standing(self.datafile_id, status, reason, self.key, self.copy, self.fingerprint, self.tag)

    @property
    def kept(self) -> Kept | None:
        """As `kept` shows it."""
        if self.copy is None or self.datafile is None:
            return None
        return Kept(self.datafile, self.destination, self.shown[0], self.copy)

    @property
    def line(self) -> Listed:
        """As `listed` shows it."""
        status, reason, message = self.shown
        return Listed(
            datafile_id=self.datafile_id,
            dataset=self.dataset,
            label=self.label,
            directory_label=self.directory_label,
            storageidentifier=self.storageidentifier,
            store=self.store,
            destination=self.destination,
            key=self.key,
            status=status,
            reason=reason,
            message=message,
            size=self.shown_size,
            checksum=self.copy.checksum if self.copy else self.checksum,
            verified_by=self.copy.verified_by if self.copy else None,
            proven=self.copy.proven if self.copy else None,
            createdate=self.createdate,
            lastbackuptime=self.lastbackuptime,
            attempts=self.attempts,
            verdict=self.verdict,
            primary_verdict=None,
            tag=self.tag,
        )


def _storable(datafile: Datafile) -> Datafile:
    """*datafile* as a database gives it back."""
    its = datafile.dataset
    return replace(
        datafile,
        version="",
        companions=(),
        dataset=Dataset.at(storable(its.persistent_id), storable(its.storage_path)),
        store_id=storable(datafile.store_id),
        storageidentifier=storable(datafile.storageidentifier),
        content_type=storable(datafile.content_type),
        label=storable(datafile.label),
        directory_label=storable(datafile.directory_label),
        original_name=storable(datafile.original_name),
    )
