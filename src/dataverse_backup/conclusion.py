"""What is said in the end of each piece of work: attempts, from receipts and errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.errors import Reason, SourceDiffers, SourceError, SourceMissing
from dataverse_backup.fixity import Durability, VerifiedBy
from dataverse_backup.ledger.base import Attempt, Copy, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.base import Receipt, StoredDigest
    from dataverse_backup.errors import DestinationLost, ObjectError, StoreLost, WorkerDied
    from dataverse_backup.work import Batch, Work


Brief = tuple[int, int, VerifiedBy, Durability, datetime, Reason | None, str, str, datetime, float, int]
"""What an attempt adds to its work, where that was copied as it was wished.

The place of the work in its batch; of the copy: size, how it was proven, how durable it is, when it was proven; of the
attempt: reason, message, method, when it was begun, seconds, bytes sent.
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a batch. Work that is in none of the attempts was not tried to its end: it is not recorded."""

    attempts: list[Attempt] = field(default_factory=list)
    lost_destination: DestinationLost | None = None
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    deadly: list[Work] = field(default_factory=list)
    """Work that its worker process died of, also when nothing else was running."""
    died: WorkerDied | None = None
    """How it died."""
    seconds: float = 0.0
    """How long it took, without waiting for other destinations."""
    bytes_read: int = 0
    """Bytes that were read from stores for it; what was read for another destination already is not among them."""
    briefs: list[Brief] = field(default_factory=list)
    """Further attempts, as they travel (`shortened`)."""


def shortened(outcome: Outcome, batch: Batch) -> Outcome:
    """*outcome* as it travels: without what everybody knows who has *batch*, by far the most of it."""
    places = {id(work.datafile): place for place, work in enumerate(batch.works)}
    attempts, briefs = [], []
    for attempt in outcome.attempts:
        place = places.get(id(attempt.datafile))
        brief = None if place is None else _brief(attempt, place, batch.works[place])
        if brief is None:
            attempts.append(attempt)
        else:
            briefs.append(brief)
    return replace(outcome, attempts=attempts, briefs=briefs)


def _brief(attempt: Attempt, place: int, work: Work) -> Brief | None:
    """*attempt* in brief; None where it says of its work what is not said in brief."""
    copy, wished = attempt.copy, work.datafile.checksum
    if copy is None or attempt.status is not Status.OK or not attempt.key == copy.key == work.key:
        return None
    if wished is None or copy.registered is not wished or copy.checksum != wished:
        return None
    proof = copy.size, copy.verified_by, copy.durable, copy.proven
    remark = attempt.reason, attempt.message, attempt.method
    return place, *proof, *remark, attempt.started, attempt.seconds, attempt.bytes_sent


def whole(outcome: Outcome, batch: Batch) -> Outcome:
    """*outcome* of *batch* as it was before it was `shortened`, but for the order of its attempts."""
    if not outcome.briefs:
        return outcome
    attempts = [_attempt(brief, batch) for brief in outcome.briefs]
    return replace(outcome, attempts=attempts + outcome.attempts, briefs=[])


def _attempt(brief: Brief, batch: Batch) -> Attempt:
    place, size, verified_by, durable, proven, reason, message, method, started, seconds, bytes_sent = brief
    work = batch.works[place]
    wished = work.datafile.checksum
    if wished is None:
        raise TypeError("only what has a registered checksum is told in brief")
    copy = Copy(work.key, size, wished, wished, verified_by, durable, proven)
    told = work.datafile, batch.destination, Status.OK, work.key, reason, message, copy
    return Attempt(*told, method, started, seconds, bytes_sent)


class Crowded(Exception):
    """A worker could do nothing, perhaps because there are too many of them: a server may refuse connections."""

    def __init__(self, result: dict[str, Outcome]) -> None:
        """*result* is what the task comes to, by destination, where there is no other worker."""
        super().__init__(result)
        self.result = result


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Makes the attempt that one piece of work ends with."""

    work: Work
    destination: str
    method: str
    started: datetime

    def stored(self, receipt: Receipt, superseded: str | None) -> Attempt:
        """It was sent and proven; other bytes that lay under its key went to *superseded*."""
        copy = Copy(
            key=receipt.key,
            size=receipt.size,
            checksum=receipt.checksum,
            registered=self.work.datafile.checksum,
            verified_by=receipt.verified_by,
            durable=receipt.durable,
            proven=datetime.now(UTC),
        )
        return self._succeeded(copy, superseded, bytes_sent=receipt.size - receipt.kept)

    def proven(self, found: StoredDigest) -> Attempt:
        """What lay under its key fits: proven again where the ledger knew it, adopted otherwise."""
        known = self.work.copy
        ours = known if known is not None and known.key == found.key else None
        copy = Copy(
            key=found.key,
            size=found.size,
            checksum=found.checksum,
            registered=self.work.datafile.checksum,
            verified_by=found.verified_by if ours else VerifiedBy.ADOPTED,
            durable=ours.durable if ours else Durability.NOT_OFFERED,
            proven=datetime.now(UTC),
        )
        return self._succeeded(copy, None, bytes_sent=0)

    def failed(self, errors: Sequence[ObjectError]) -> Attempt:
        """It was tried under each of its names; *errors* holds what each gave."""
        error = _most_telling(errors)
        status = Status.FAIL_READ if isinstance(error, SourceError) else Status.FAIL_WRITE
        message = f"{error}; hint: {error.hint}" if error.hint else str(error)
        return self._attempt(status, error.reason, message, None, bytes_sent=0)

    def _succeeded(self, copy: Copy, superseded: str | None, *, bytes_sent: int) -> Attempt:
        reason, message = self._remark(copy, superseded)
        return self._attempt(Status.OK, reason, message, copy, bytes_sent=bytes_sent)

    def _remark(self, copy: Copy, superseded: str | None) -> tuple[Reason | None, str]:
        """What is worth knowing about a datafile that is OK."""
        datafile = self.work.datafile
        if superseded is not None:
            return Reason.CONTENT_CHANGED, f"other bytes lay there; they are kept as {superseded}"
        if datafile.checksum is None and not datafile.is_companion:
            return Reason.NO_CHECKSUM, "nothing usable is registered; proven against the bytes that were read"
        if not datafile.is_tabular and datafile.size not in (None, copy.size):
            return Reason.SIZE_DIFFERS, f"{copy.size} bytes fit the checksum, {datafile.size} are registered"
        return None, ""

    def _attempt(
        self, status: Status, reason: Reason | None, message: str, copy: Copy | None, *, bytes_sent: int
    ) -> Attempt:
        return Attempt(
            datafile=self.work.datafile,
            destination=self.destination,
            status=status,
            key=self.work.key,
            reason=reason,
            message=message,
            copy=copy,
            method=self.method,
            started=self.started,
            seconds=(datetime.now(UTC) - self.started).total_seconds(),
            bytes_sent=bytes_sent,
        )


def _most_telling(errors: Sequence[ObjectError]) -> ObjectError:
    """The last answer, unless it only says of another name what was said of the likeliest one before."""
    if not isinstance(errors[-1], SourceMissing | SourceDiffers):
        return errors[-1]
    return next(error for error in errors if isinstance(error, SourceMissing | SourceDiffers))
