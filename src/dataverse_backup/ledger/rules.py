"""What every implementation holds to, whatever it keeps its rows in."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dataverse_backup.errors import LockHeld
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.ledger.base import Attempt, Holder, Tally

FAILED = (Status.FAIL_READ, Status.FAIL_WRITE)
_RESULTS = (Status.OK, *FAILED, Status.GONE)


class Counts(NamedTuple):
    """What attempts add to their run."""

    files_ok: int
    files_failed: int
    bytes_sent: int


def counts(attempts: Sequence[Attempt]) -> Counts:
    """How many went well, how many failed, and what travelled."""
    return Counts(
        files_ok=sum(attempt.status is Status.OK for attempt in attempts),
        files_failed=sum(attempt.status in FAILED for attempt in attempts),
        bytes_sent=sum(attempt.bytes_sent for attempt in attempts),
    )


def check_attempts(attempts: Sequence[Attempt]) -> None:
    """Raise ValueError for an attempt that calls OK what nothing proves, or proves what it calls failed."""
    for attempt in attempts:
        if attempt.status not in _RESULTS:
            raise ValueError(f"datafile {attempt.datafile.id}: {attempt.status} is not the result of an attempt")
        if (attempt.status is Status.OK) != (attempt.copy is not None):
            raise ValueError(f"datafile {attempt.datafile.id}: {attempt.status} with copy {attempt.copy}")


def in_order(tallies: Iterable[Tally]) -> list[Tally]:
    """*tallies* by status, as declared, and reason."""
    order = list(Status)
    return sorted(tallies, key=lambda tally: (order.index(tally.status), tally.reason or ""))


def new_run_id() -> str:
    """Unique, in the order of time, and fit for a file name: ``20260131T235959-1f2e3d4c``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def folders(name: str) -> Iterator[str]:
    """The folders that *name* lies in, nearest to the top first."""
    parts = name.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def goes_by(name: str, storageidentifier: str, folder: str, label: str, *others: str | None) -> bool:
    """Whether *name* means a datafile that is known by these."""
    known = (storageidentifier, label, f"{folder}/{label}" if folder else label, *others)
    return name in known or storageidentifier.endswith((f"/{name}", f":{name}"))


def lock_held(destination: str, holder: Holder | None) -> LockHeld:
    """The error that says who works on *destination*."""
    who = holder.description if holder else "another process"
    since = f" since {_shown(holder.since)}" if holder and holder.since else ""
    return LockHeld(
        f"another run works on destination {destination}: {who}{since}",
        "wait until it has ended; a run that died holds nothing",
    )


def _shown(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def described(process: str, host: str) -> str:
    """How a process is named: ``process 4711 on archive1``."""
    return f"process {process} on {host}"
