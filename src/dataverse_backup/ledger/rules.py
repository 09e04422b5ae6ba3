"""What every implementation holds to, whatever it keeps its rows in."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dataverse_backup.errors import LockHeld, Reason
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.records import Status
from dataverse_backup.verdict import DAMAGE, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.ledger.audits import Damage, Judged
    from dataverse_backup.ledger.records import Attempt, Holder, Tally

FAILED = (Status.FAIL_READ, Status.FAIL_WRITE)
_RESULTS = (Status.OK, *FAILED, Status.GONE)


class Counts(NamedTuple):
    """What attempts add to their run: companions are counted where they fail."""

    files_ok: int
    files_failed: int
    bytes_sent: int


def counts(attempts: Sequence[Attempt]) -> Counts:
    """How many datafiles went well, how many objects failed, companions too, and what travelled."""
    return Counts(
        files_ok=sum(attempt.status is Status.OK and not attempt.datafile.is_companion for attempt in attempts),
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


FAILS_BY_VERDICT = {Verdict.COPY_MISSING: Reason.COPY_MISSING, Verdict.COPY_ALTERED: Reason.COPY_DIFFERS}
"""Verdicts on a copy that make its datafile FAIL_WRITE, and why; no other verdict changes a status."""
BACK_TO_NORMAL = tuple(FAILS_BY_VERDICT.values())


def check_judged(judged: Sequence[Judged]) -> None:
    """Raise ValueError for a verdict that contradicts what comes with it."""
    for one in judged:
        lacks_copy = one.verdict in (*FAILS_BY_VERDICT, Verdict.UNREADABLE, Verdict.UNREACHABLE)
        if one.proof is not None and (lacks_copy or one.destination == PRIMARY):
            raise ValueError(f"datafile {one.datafile.id}: {one.verdict} at {one.destination!r} with {one.proof}")


def what_stands(judged: Judged, before: Verdict | None) -> Verdict | None:
    """The verdict that stands after *judged*; None where all is well, as far as it is known."""
    if judged.verdict is Verdict.INTACT:
        return None if judged.how is not None else before
    is_silent = judged.verdict in (Verdict.UNREADABLE, Verdict.UNREACHABLE)
    return before if is_silent and before in DAMAGE else judged.verdict


def is_worth_keeping(judged: Judged, before: Verdict | None) -> bool:
    """Whether *judged* is kept as an event, where *before* stood."""
    return judged.verdict is not Verdict.INTACT or (before is not None and judged.how is not None)


def judged_counts(judged: Sequence[Judged]) -> dict[str, int]:
    """What verdicts add to their run."""
    bad = {one.datafile.place for one in judged if one.verdict is not Verdict.INTACT}
    return {
        "files_ok": len({one.datafile.place for one in judged} - bad),
        "files_failed": len(bad),
        "bytes_read": sum(one.size or 0 for one in judged if one.how is not None),
    }


def in_order_of_damage(found: Iterable[Damage]) -> list[Damage]:
    """By destination, and as verdicts are declared."""
    order = list(Verdict)
    return sorted(found, key=lambda each: (each.destination, order.index(each.verdict)))


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
