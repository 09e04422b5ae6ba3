"""The dump of the Dataverse database: taken once in an invocation, before any plan, and kept at each destination.

Taken first, it names no datafile that the plans do not know, but for those that are deleted meanwhile. It is spooled: a
destination is told how many bytes an object has before it gets them, and a dump that failed must not have been begun.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from dataverse_backup.destinations.base import DATABASE_PREFIX, Listable, Receipt, Upload
from dataverse_backup.errors import (
    CatalogueError,
    CatalogueUnavailable,
    DataverseBackupError,
    DestinationLost,
    DestinationRefused,
    DumpError,
    DumpInterrupted,
    ObjectError,
    SourceUnreadable,
    Unavailable,
)
from dataverse_backup.fixity import Durability, VerifiedBy, checksum_of
from dataverse_backup.generations import ALGORITHM, Generation, generations
from dataverse_backup.ledger.base import Copy
from dataverse_backup.ledger.dumps import DumpRecord
from dataverse_backup.transfer import RETRY_DELAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from typing import IO

    from dataverse_backup.actions.sites import KeptDumps
    from dataverse_backup.catalogue.dumping import Dumper
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.engine import Stop
    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.outflow import Outflow

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_PLACE = "the Dataverse database"
_ROOMY = "/var/tmp"  # noqa: S108 -- the file has no name there, and its owner alone can read it


class OneDump:
    """The dump of one invocation, in a file without a name: gone with the process, however that ends."""

    def __init__(self, dumper: Dumper, stop: Stop) -> None:
        """Dump nothing yet."""
        self._dumper, self._stop = dumper, stop
        self._file: IO[bytes] | None = None
        self._has_given_up = False
        self.taken: datetime | None = None
        """When it was begun; None before that."""
        self.generation: Generation | None = None
        """What it is called; None until it is whole."""
        self.error: DataverseBackupError | None = None
        """Why there is none."""

    def take(self) -> Iterator[int]:
        """Dump, unless that was tried already; how many bytes there are, meanwhile."""
        if self.taken is not None:
            return
        for delay in (*RETRY_DELAYS, None):
            yield from self._try()
            if delay is None or not isinstance(self.error, DumpInterrupted | CatalogueUnavailable):
                return
            log.warning("the database was not dumped, and is tried again: %s", self.error)
            if not self.wait(delay):
                return

    def _try(self) -> Iterator[int]:
        """Once, from the beginning."""
        self.taken, self.error = datetime.now(UTC), None
        try:
            self._forget()
            self._file = _spool()
            yield from self._dumper.dump(self._file, self._stop.is_set)
            _, checksum = checksum_of(self.open(), ALGORITHM)
            self.generation = Generation.of(self.taken, checksum)
        except (DumpError, CatalogueError, ObjectError) as error:
            self.error = error

    def wait(self, seconds: float) -> bool:
        """Wait before another try; False as soon as there is to be none."""
        end = time.monotonic() + seconds
        while not self._is_over() and (left := end - time.monotonic()) > 0:
            time.sleep(min(_LOOK_SECONDS, left))
        return not self._is_over()

    def open(self) -> ByteStream:
        """Its bytes; several may read them at the same time."""
        if self._file is None:
            raise RuntimeError("a dump is read when it was taken")
        return _Spooled(self._file, self._is_over)

    def _is_over(self) -> bool:
        return self._has_given_up or self._stop.is_set()

    def give_up(self) -> None:
        """Let whoever reads it stop soon."""
        self._has_given_up = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()


def _spool() -> IO[bytes]:
    """A file without a name, mode 0600: below TMPDIR, or where there is more room than in /tmp as a rule."""
    folder = None if "TMPDIR" in os.environ or not os.access(_ROOMY, os.W_OK | os.X_OK) else _ROOMY
    try:
        return tempfile.TemporaryFile(prefix="dataverse-backup-dump-", dir=folder, buffering=0)
    except OSError as error:
        said = f"the dump cannot be kept among the temporary files: {(error.strerror or str(error)).lower()}"
        raise DumpError(said, "make room for it, or let TMPDIR name another folder") from error


class _Spooled:
    """The bytes of a spool, read from its start whoever else reads it; no more of them once it is over."""

    def __init__(self, file: IO[bytes], is_over: Callable[[], bool]) -> None:
        self._descriptor, self._is_over = file.fileno(), is_over
        self._offset = 0
        self.place, self.key = _PLACE, "its dump"
        self.size = os.fstat(self._descriptor).st_size

    def read(self, length: int, /) -> bytes:
        if self._is_over():
            raise SourceUnreadable(self.place, self.key, "the run was stopped", "the next run makes a dump")
        try:
            data = os.pread(self._descriptor, length, self._offset)
        except OSError as error:
            said = f"it cannot be read among the temporary files: {(error.strerror or str(error)).lower()}"
            raise SourceUnreadable(self.place, self.key, said) from error
        self._offset += len(data)
        return data

    def close(self) -> None:
        """The spool stays for the others."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be kept at one destination, and how."""

    name: str
    open_destination: Callable[[], Destination]
    dump: OneDump
    generation: Generation
    rule: KeptDumps
    outflow: Outflow


class DumpOfRun:
    """The dump at one destination: whether one is due, and sent in a thread of its own while files are copied."""

    def __init__(self, name: str, rule: KeptDumps | None, dump: OneDump | None) -> None:
        """*dump* is kept at the destination called *name* by that *rule*; without one of them none is."""
        self._name, self._rule, self._dump = name, rule, dump
        self._is_due = False
        self._pool = ExitStack()
        self._sending: Future[DumpRecord] | None = None

    def take(self, ledger: Ledger) -> Iterator[int]:
        """Take the dump if one is due here; how many bytes there are, meanwhile."""
        if self._rule is not None and self._dump is not None and _is_due(ledger, self._name, self._rule):
            self._is_due = True
            yield from self._dump.take()

    def send(self, open_destination: Callable[[], Destination], outflow: Outflow) -> int:
        """Begin to send it, if there is something to send: how many bytes that are."""
        dump, rule = self._dump, self._rule
        if self._is_due and dump is not None and rule is not None and dump.generation is not None:
            order = _Order(self._name, open_destination, dump, dump.generation, rule, outflow)
            self._sending = self._pool.enter_context(ThreadPoolExecutor(1)).submit(_keep, order)
            return dump.open().size
        return 0

    @property
    def is_sending(self) -> bool:
        """Whether it is on its way."""
        return self._sending is not None and not self._sending.done()

    def result(self) -> DumpRecord | None:
        """What came of it, as soon as that is known; None where none was due."""
        if self._sending is not None:
            return self._sending.result()
        if not self._is_due or self._dump is None or self._dump.taken is None:
            return None
        error = self._dump.error or DumpError("the run ended before the dump was sent", "the next run makes one")
        return _failed(self._name, self._dump.taken, error)

    def close(self) -> None:
        """Wait until nothing is sent any more."""
        self._pool.close()


def _is_due(ledger: Ledger, name: str, rule: KeptDumps) -> bool:
    """Whether the last good one is older than the rule wants, or from the future, or damaged by now."""
    last = ledger.last_good_dump(name)
    if last is None or last.verdict is not None:
        return True
    return not timedelta() <= datetime.now(UTC) - last.taken < rule.every


def _keep(order: _Order) -> DumpRecord:
    """Send the dump, and then remove the generations that are too old; what may pass is tried again."""
    for delay in (*RETRY_DELAYS, None):
        try:
            return _kept(order)
        except (DestinationLost, ObjectError) as error:
            may_pass = isinstance(error, Unavailable | DestinationLost) and not isinstance(error, DestinationRefused)
            if delay is None or not may_pass:
                return _failed(order.name, order.generation.taken, error)
            log.warning("the dump of the database is sent again: %s", error)
            if not order.dump.wait(delay):
                return _failed(order.name, order.generation.taken, error)
    raise RuntimeError("the last try has its end")


def _kept(order: _Order) -> DumpRecord:
    """One try at it. Raises DestinationLost and ObjectError."""
    with order.open_destination() as destination:
        destination.connect()
        copy = _sent(destination, order)
        message, kept = _thinned_out(destination, order)
    return DumpRecord(order.name, order.generation.taken, copy, message, kept=kept)


def _failed(name: str, taken: datetime, error: DataverseBackupError) -> DumpRecord:
    return DumpRecord(name, taken, None, error.message, error.hint)


def _sent(destination: Destination, order: _Order) -> Copy:
    """The dump as a proven copy. Raises ObjectError."""
    generation = order.generation
    upload = Upload(
        generation.key,
        lambda: order.outflow.stream(order.dump.open()),
        ALGORITHM,
        generation.checksum,
        is_private=True,
    )
    (result,) = destination.put([upload])
    if not isinstance(result, Receipt):
        raise result.error
    return Copy(
        key=result.key,
        size=result.size,
        checksum=result.checksum,
        registered=None,
        verified_by=result.verified_by,
        durable=result.durable,
        proven=datetime.now(UTC),
    )


def _thinned_out(destination: Destination, order: _Order) -> tuple[str, int | None]:
    """Remove what is too old; what went wrong with that, and how many dumps are left."""
    if not isinstance(destination, Listable):
        return "old dumps are not removed: a destination of this kind cannot be listed", None
    try:
        found = generations(entry.key for entry in destination.entries(DATABASE_PREFIX))
        old = [one for one in order.rule.retention.superfluous(found, datetime.now(UTC)) if one != order.generation]
        destination.remove([one.key for one in old])
    except (DestinationLost, ObjectError) as error:
        return f"old dumps are not removed: {error.message}", None
    return "", len(found) - len(old)


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def dumps_to_audit(ledger: Ledger, name: str, destination: Listable, *, must_be_there: bool) -> dict[str, Copy]:
    """The dumps at *destination*, called *name*, by their keys: what their names promise, and when they were proven.

    The ledger's last good one is among them, whether it lies there or not, if dumps *must_be_there*. Raises
    DestinationLost.
    """
    known = {record.copy.key: record.copy for record in ledger.dumps(name) if record.copy is not None}
    last = ledger.last_good_dump(name) if must_be_there else None
    found = {} if last is None or last.copy is None else {last.copy.key: last.copy}
    for entry in destination.entries(DATABASE_PREFIX):
        generation = Generation.from_key(entry.key)
        if generation is not None:
            found[entry.key] = known.get(entry.key) or _unknown(generation, entry.size)
    return found


def _unknown(generation: Generation, size: int) -> Copy:
    """One that this ledger has not proven yet."""
    return Copy(
        key=generation.key,
        size=size,
        checksum=generation.checksum,
        registered=None,
        verified_by=VerifiedBy.READ_BACK,
        durable=Durability.NOT_OFFERED,
        proven=_NEVER,
    )
