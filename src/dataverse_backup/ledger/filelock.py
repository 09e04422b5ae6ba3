"""The lock beside a ledger in a file: the operating system frees it when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from dataverse_backup.errors import LedgerError, LockHeld
from dataverse_backup.ledger.records import Holder
from dataverse_backup.ledger.rules import described, lock_held
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TRIES = 5
_PAUSE = 0.05
"""Somebody who asks who holds the lock has it for a moment: a try or two later it is free again."""


class FileLock:
    """The lock of one destination: ``flock`` on ``<ledger>.<destination>.lock``, which also says who holds it."""

    def __init__(self, ledger: Path, destination: str) -> None:
        """Name the lock of *destination* beside the file *ledger*; nothing is locked yet."""
        self._destination = destination
        self._path = ledger.with_name(f"{ledger.name}.{quote(storable(destination), safe=' ')}.lock")
        self._descriptor = -1

    @contextmanager
    def held(self) -> Iterator[FileLock]:
        """Hold the lock; raises LockHeld."""
        with self._opened() as self._descriptor:
            self._acquire()
            self._write_holder()
            try:
                yield self
            finally:
                os.ftruncate(self._descriptor, 0)

    def confirm(self) -> None:
        """Raise LockHeld where the file was removed or replaced: another process may hold the new one."""
        if not self._is_the_file():
            raise LockHeld(
                f"the lock was lost: {self._path} was removed while destination {self._destination} was worked on",
                "leave lock files alone: a run that died holds nothing",
            )

    def holder(self) -> Holder | None:
        """Who holds the lock now."""
        if not self._path.exists():
            return None
        with self._opened() as descriptor:
            if _try_lock(descriptor, fcntl.LOCK_SH):
                return None
            return _parsed(os.pread(descriptor, 4096, 0).decode())

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerError(
                f"the lock file {self._path} cannot be opened: {error.strerror}", "check its owner and mode"
            ) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _acquire(self) -> None:
        for _ in range(_TRIES):
            if _try_lock(self._descriptor, fcntl.LOCK_EX) and self._is_the_file():
                return
            time.sleep(_PAUSE)
        raise lock_held(self._destination, self.holder())

    def _is_the_file(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _write_holder(self) -> None:
        text = f"{os.getpid()} {socket.gethostname()} {datetime.now(UTC).isoformat(timespec='seconds')}\n"
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parsed(text: str) -> Holder:
    try:
        process, host, since = text.split()
        return Holder(described(process, host), datetime.fromisoformat(since))
    except ValueError:  # its holder has not written it yet
        return Holder("another process", None)
