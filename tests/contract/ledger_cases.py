"""Ledgers of every kind, and datafiles to tell them about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dataverse_backup.datafile import Datafile, Dataset, NotHere
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.ledger.base import Attempt, Copy, Ledger, Planned, Status

HERE = "default"
NOON = datetime(2026, 1, 2, 12, 0, 0, 250_000, tzinfo=UTC)
MD5 = Checksum(Algorithm.MD5, "0123456789abcdef" * 2)
DATASET = Dataset("doi:10.5072/FK2/ABCDEF", "10.5072", "FK2/ABCDEF")


def datafile(number: int, **changes: Any) -> Datafile:
    """Datafile *number*, 1,000 bytes and a few."""
    base = Datafile(
        id=number,
        dataset=DATASET,
        store_id="file",
        storageidentifier=f"file://18b-{number}",
        size=1000 + number,
        checksum=MD5,
        is_tabular=False,
        content_type="text/plain",
        created=NOON - timedelta(days=300),
        label=f"data {number}.txt",
        directory_label="raw",
    )
    return replace(base, **changes)


def key_of(file: Datafile) -> str:
    return f"{file.dataset.storage_path}/{file.location}"


def planned(file: Datafile, key: str | None = "", reason: Reason | None = None) -> Planned:
    return Planned(file, key_of(file) if key == "" else key, reason)


def copied(file: Datafile, key: str = "", size: int = 5) -> Copy:
    return Copy(key or key_of(file), size, MD5, file.checksum, VerifiedBy.REMOTE_HASH, Durability.YES, NOON)


def succeeded(file: Datafile, key: str = "", minute: int = 0, **changes: Any) -> Attempt:
    copy = copied(file, key)
    started = NOON + timedelta(minutes=minute)
    base = Attempt(file, HERE, Status.OK, copy.key, None, "", copy, "ssh", started, 1.5, copy.size)
    return replace(base, **changes)


def failed(file: Datafile, reason: Reason | None = Reason.MISSING, minute: int = 0, **changes: Any) -> Attempt:
    status = Status.FAIL_WRITE if reason in (Reason.NO_SPACE, Reason.COPY_FAILED) else Status.FAIL_READ
    started = NOON + timedelta(minutes=minute)
    base = Attempt(file, HERE, status, key_of(file), reason, "it did not work", None, "ssh", started, 1.5, 0)
    return replace(base, **changes)


def not_here(number: int, reason: Reason = Reason.REMOTE) -> NotHere:
    return NotHere(number, reason, "kept elsewhere", "doi:10.5072/FK2/ABCDEF", "trsa://x", "far.txt", NOON)


def recorded(ledger: Ledger, *attempts: Attempt) -> str:
    """Record *attempts* in a run of their own; its id."""
    run = ledger.begin_run("backup", HERE)
    ledger.record(run, attempts)
    return run
