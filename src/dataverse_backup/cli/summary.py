"""The result of a run in words: for the terminal's last line and for the mail."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ending
from dataverse_backup.cli.terminal import size_of
from dataverse_backup.errors import printable
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.actions.events import Ended
    from dataverse_backup.errors import DataverseBackupError
    from dataverse_backup.ledger.base import Ledger

MOST_FAILURES = 200
"""So many failed files of a destination are named in a mail."""


def describe(ended: Ended) -> str:
    """One line about a run at one destination."""
    if ended.record is None:
        return f"{ended.destination}: {ended.ending}"
    seconds = 0.0
    if ended.record.ended is not None:
        seconds = (ended.record.ended - ended.record.started).total_seconds()
    rate = f" ({size_of(ended.record.bytes_sent / seconds)}/s)" if seconds > 1 and ended.record.bytes_sent else ""
    tried = ended.tried
    return (
        f"{ended.destination}: {ended.ending}; this run: {tried[Status.OK]:,} copied or proven, "
        f"{tried[Status.FAIL_READ] + tried[Status.FAIL_WRITE]:,} failed, "
        f"{size_of(ended.record.bytes_sent)} in {seconds:.0f} s{rate}"
    )


def describe_reading(results: list[Ended]) -> str:
    """One line about several destinations: what was read from the stores, which is once where it could be."""
    copied = sum(ended.record.bytes_sent for ended in results if ended.record is not None)
    read = sum(ended.bytes_read for ended in results)
    return f"all {len(results)} destinations: {size_of(read)} read from the stores, {size_of(copied)} copied"


def subject(results: list[Ended]) -> str:
    """The outcome first."""
    worst = "OK" if all(r.ending is Ending.OK for r in results) else "FAILED"
    failed = sum(r.tried[Status.FAIL_READ] + r.tried[Status.FAIL_WRITE] for r in results)
    copied = sum(r.tried[Status.OK] for r in results)
    return f"Dataverse backup {worst}: {copied} files backed up, {failed} failed ({socket.gethostname()})"


def subject_of_end() -> str:
    """Of a run that something ended before it was done."""
    return f"Dataverse backup FAILED: it could not run to its end ({socket.gethostname()})"


def body_of_end(error: DataverseBackupError) -> str:
    """What ended it, and what helps."""
    hint = f"hint: {error.hint}\n" if error.hint else ""
    return f"{error}\n{hint}What was copied and recorded before that stays; the next run does the rest.\n"


def body(ledger: Ledger, results: list[Ended]) -> str:
    """Counts, and every failed file up to a sensible number."""
    return "\n".join(line for ended in results for line in _section(ledger, ended)) + "\n"


def _section(ledger: Ledger, ended: Ended) -> Iterator[str]:
    yield describe(ended)
    if ended.lost is not None:
        yield f"  {ended.lost}"
        if ended.lost.hint:
            yield f"  hint: {ended.lost.hint}"
    for lost in ended.lost_stores.values():
        yield f"  {lost}"
    for tally in ledger.tallies(ended.destination):
        yield f"  {tally.status:<10} {tally.reason or '':<16} {tally.files:>10,} files  {size_of(tally.size):>12}"
    yield from _failures(ledger, ended.destination)


def _failures(ledger: Ledger, destination: str) -> Iterator[str]:
    named = 0
    for status in (Status.FAIL_READ, Status.FAIL_WRITE):
        for listed in ledger.listed(destination=destination, status=status):
            if named == MOST_FAILURES:
                yield f"  … and more; `dataverse-backup list --status {status}` names all"
                return
            named += 1
            where = listed.key or listed.storageidentifier
            yield "  " + printable(
                f"{listed.status} {listed.reason}: datafile {listed.datafile_id}, {listed.dataset}, "
                f"{listed.label}, {where}: {listed.message}"
            )
    yield ""
