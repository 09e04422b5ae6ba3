"""Bytes on their way to one destination: held to a bandwidth and counted, over all worker processes of a run."""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from multiprocessing.connection import Pipe
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from typing import TYPE_CHECKING, Any

from dataverse_backup.errors import NoWorkSpace
from dataverse_backup.services.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

    from dataverse_backup.bandwidth import Timetable
    from dataverse_backup.fixity import ByteStream

SECONDS_OF_PIECE = 0.1
"""So much is read at a time under a limit: then it flows evenly, and no connection waits until it times out."""
LEAST_PIECE = 256
SECONDS_BETWEEN_NOTES = 0.5
_TIME = struct.Struct("d")
_NOTE = struct.Struct("qq")
"""The first datafile of a batch, and how many bytes of the batch were read to be sent."""


class Outflow:
    """What is sent to one destination, by the worker process that has this, and what all of them send together."""

    def __init__(self, pace: Pace | None = None, notes: Notes | None = None) -> None:
        """Send at *pace*, or as fast as can be, and write *notes*."""
        self.pace, self.notes = pace, notes or Notes()

    def stream(self, stream: ByteStream) -> ByteStream:
        """*stream*, which is read to be sent."""
        return _Outgoing(stream, self.pace, self.notes)


class _Outgoing:
    """The bytes of one object that are sent as they are read."""

    def __init__(self, stream: ByteStream, pace: Pace | None, notes: Notes) -> None:
        self._stream, self._notes = stream, notes
        self._read = paced(stream.read, pace)
        self.place, self.key, self.size = stream.place, stream.key, stream.size
        self.origin = origin_of(stream)

    def read(self, length: int, /) -> bytes:
        data = self._read(length)
        self._notes.add(len(data))
        return data

    def read_unsent(self, length: int, /) -> bytes:
        data = self._stream.read(length)
        self._notes.add(len(data))
        return data

    def close(self) -> None:
        self._stream.close()


def paced(read: Callable[[int], bytes], pace: Pace | None) -> Callable[[int], bytes]:
    """*read*, which gives at most as many bytes as it is asked for, at *pace*; or as fast as it can."""
    if pace is None:
        return read

    def held_back(length: int, /) -> bytes:
        data = read(pace.piece(length))
        pace.wait(len(data))
        return data

    return held_back


class Pace:
    """Lets bytes pass as a timetable says, together with those that were pickled from it into new worker processes.

    There is one line for all, and who comes takes the next place in it: one alone may have the whole rate. Pickled in
    any other way (to another machine) it has a line of its own, and must be told of the others by `share`.
    """

    def __init__(self, timetable: Timetable, *, line: int | None = None) -> None:
        """Hold to what *timetable* allows, in a *line* of one's own or that of others. Raises NoWorkSpace."""
        self._timetable, self._sharers = timetable, 1
        self._line = _Line(line)

    def __reduce__(self) -> Any:
        return _joined, (self._timetable, self._line.to_send())

    def close(self) -> None:
        """Leave the line."""
        self._line.close()

    def share(self, sharers: int) -> None:
        """From now on hold to one of *sharers* equal parts: they know nothing of each other."""
        self._sharers = sharers

    def piece(self, length: int) -> int:
        """How much of *length* bytes is to be read at a time."""
        rate = self._rate()
        return length if rate is None else max(1, min(length, max(LEAST_PIECE, int(rate * SECONDS_OF_PIECE))))

    def wait(self, count: int) -> None:
        """Wait until *count* bytes have had the time that they take."""
        if seconds := self.delay(count):
            time.sleep(seconds)

    def delay(self, count: int) -> float:
        """Let *count* bytes take their place: in so many seconds they have had their time."""
        rate = self._rate()
        return 0.0 if rate is None or not count else self._line.place(count / rate)

    def _rate(self) -> float | None:
        rate = self._timetable.rate(_now())
        return None if rate is None else rate / self._sharers


def _joined(timetable: Timetable, line: Any) -> Pace:
    return Pace(timetable, line=None if line is None else line.detach())


class _Line:
    """When those who stand in it may go: a time in a file without a name, whose lock the system takes from the dead."""

    def __init__(self, descriptor: int | None) -> None:
        with _work_space():
            if descriptor is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by close()
                os.pwrite(self._file.fileno(), _TIME.pack(0.0), 0)  # it has its place on the disk from now on
            else:
                self._file = os.fdopen(descriptor, "r+b")
        self._in_process = threading.Lock()  # the file's lock is the process's

    def to_send(self) -> Any:
        """The file, for a process that is being started; None for any other, which cannot have it."""
        return None if get_spawning_popen() is None else DupFd(self._file.fileno())

    def place(self, seconds: float) -> float:
        """Take the next place, of so many *seconds*: in how many seconds it is over.

        The clock is the system's, the same for all processes of a machine (CLOCK_MONOTONIC).
        """
        descriptor = self._file.fileno()
        with self._in_process:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            try:
                now = time.monotonic()
                free_at: float
                (free_at,) = _TIME.unpack(os.pread(descriptor, _TIME.size, 0))
                over_at = max(free_at, now - SECONDS_OF_PIECE) + seconds
                os.pwrite(descriptor, _TIME.pack(over_at), 0)
            finally:
                fcntl.lockf(descriptor, fcntl.LOCK_UN)
        return max(0.0, over_at - now)

    def close(self) -> None:
        self._file.close()


@contextmanager
def _work_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoWorkSpace(
            f"the bandwidth cannot be kept among the temporary files: {(error.strerror or str(error)).lower()}",
            "make room for them, or let TMPDIR name another folder",
        ) from error


class Notes:
    """What a worker process notes of how far it has come with a batch.

    A note is written at once or not at all: a process that dies leaves no half of one, and nobody waits for who looks
    on. Pickled in any other way than into a process that is being started, it notes nothing until somebody is to `tell`
    of it.
    """

    def __init__(self, writer: Connection | None = None) -> None:
        """Write to *writer*, if there is one."""
        self._writer = writer
        self._write: Callable[[int, int], object] | None = None if writer is None else partial(_written, writer)
        self._first = self._count = 0
        self._noted_at = 0.0

    def __reduce__(self) -> Any:
        return Notes, () if get_spawning_popen() is None else (self._writer,)

    def tell(self, hear: Callable[[int, int], object]) -> None:
        """From now on let *hear* have each note: the first datafile of a batch, and how many of its bytes were read."""
        self._write = hear

    def begin(self, first: int) -> None:
        """The batch whose first datafile is *first* begins."""
        self._first, self._count, self._noted_at = first, 0, time.monotonic()

    def add(self, count: int) -> None:
        """So many bytes more of it were read to be sent."""
        self._count += count
        now = time.monotonic()
        if self._write is not None and now - self._noted_at >= SECONDS_BETWEEN_NOTES:
            self._noted_at = now
            self._write(self._first, self._count)

    def pass_on(self, first: int, count: int) -> None:
        """Write a note that was made elsewhere."""
        if self._write is not None:
            self._write(first, count)


def _written(writer: Connection, first: int, count: int) -> None:
    with suppress(OSError):  # nobody reads them just now
        writer.send_bytes(_NOTE.pack(first, count))


class Meter:
    """Reads what the workers of one destination note."""

    def __init__(self) -> None:
        self._reader, self._writer = Pipe(duplex=False)
        os.set_blocking(self._writer.fileno(), False)
        self.notes = Notes(self._writer)
        """For the workers."""
        self._known: dict[int, int] = {}

    def read(self, in_flight: Mapping[int, int]) -> int:
        """How many bytes were read to be sent of the batches *in_flight*: the first datafile of each, and its size."""
        while self._reader.poll():
            first, count = _NOTE.unpack(self._reader.recv_bytes())
            self._known[first] = count
        self._known = {first: count for first, count in self._known.items() if first in in_flight}
        return sum(min(count, in_flight[first]) for first, count in self._known.items())

    def close(self) -> None:
        """Listen no more."""
        self._reader.close()
        self._writer.close()


def _now() -> datetime:
    return datetime.now()  # noqa: DTZ005 -- the clock on the wall, as people plan
