"""What a run did, in the log: one event for each attempt, with its facts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger.base import Status
from dataverse_backup.logs import facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.ledger.base import Attempt

log = logging.getLogger(__name__)


def log_attempts(run: str, attempts: Iterable[Attempt]) -> None:
    """One event for each of *attempts*; call it when they are in the ledger."""
    if log.isEnabledFor(logging.INFO):
        for attempt in attempts:
            log.info("%s", event_of(attempt), extra=_facts(run, attempt))


def event_of(attempt: Attempt) -> str:
    """What came of it, in one word: ``copied``, ``adopted``, ``proven`` (again), ``gone``, ``failed``."""
    if attempt.status is Status.GONE:
        return "gone"
    if attempt.status is not Status.OK or attempt.copy is None:
        return "failed"
    if attempt.copy.verified_by is VerifiedBy.ADOPTED:
        return "adopted"
    return "proven" if attempt.copy.size and not attempt.bytes_sent else "copied"


def _facts(run: str, attempt: Attempt) -> dict[str, object]:
    return facts(
        run=run,
        datafile=attempt.datafile.id,
        dataset=attempt.datafile.dataset.persistent_id,
        destination=attempt.destination,
        key=attempt.key,
        bytes=attempt.bytes_sent,
        seconds=round(attempt.seconds, 3),
        outcome=attempt.status,
        reason=attempt.reason,
        message=attempt.message or None,
    )
