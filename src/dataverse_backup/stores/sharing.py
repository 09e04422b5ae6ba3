"""Each object of the stores is read once for several readers.

They go through much the same objects at the same time, each in a thread of its own and at its own pace. What one of
them reads is kept in memory until the others have taken it. A reader that falls behind for long, or that opens an
object again, reads alone: it gets the same bytes or an error, never other ones.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING

from dataverse_backup.stores.shared import SharedStore
from dataverse_backup.stores.tee import Memory, Tee

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.stores.base import Store
    from dataverse_backup.stores.tee import Place

MEMORY = 64 * 1024 * 1024
"""Bytes that are kept at most, in each worker process, for readers that have yet to take them."""

PATIENCE_SECONDS = 5.0
"""So long the foremost reader waits, once the memory is full, for one that takes nothing."""

SLOWER = 3
"""Together with others a reader may take so many times as long as it needs by itself."""

ObjectName = tuple[str, str]
"""A store's id, and a name in it."""


class Reader:
    """One of those who read together; ``stores`` are what it reads from, in as many threads as it likes.

    The numbers are since `begin`.
    """

    def __init__(self, sharing: Sharing, stores: Mapping[str, Store]) -> None:
        """`Sharing.reader` makes it."""
        self.sharing = sharing
        self.stores: dict[str, Store] = {store_id: SharedStore(store, self) for store_id, store in stores.items()}
        self.begin()

    def begin(self) -> None:
        """Count from here."""
        self.bytes_read = 0
        """Bytes that this reader has read from stores itself; the others were read by another one."""
        self.bytes_taken = 0
        """Bytes that it got, whoever read them."""
        self._began = time.monotonic()
        self._waited = 0.0
        self._waiting = 0
        self._waiting_since = 0.0

    def expect(self, datafile: Datafile) -> None:
        """Say that it is going to read *datafile*. Raises SourceRefused where no object can be named."""
        for name in self.stores[datafile.store_id].names(datafile):
            self.sharing.expect(self, (datafile.store_id, name))

    @property
    def waited(self) -> float:
        """Seconds in which it waited for other readers, in one thread or several."""
        return self._waited + (time.monotonic() - self._waiting_since if self._waiting else 0.0)

    @property
    def seconds(self) -> float:
        """How long it has been busy: waiting for other readers is none of it."""
        return time.monotonic() - self._began - self.waited

    @property
    def patience(self) -> float:
        """How many seconds it may still wait for others."""
        left = PATIENCE_SECONDS + (SLOWER - 1) * self.seconds - self.waited
        return max(0.0, min(PATIENCE_SECONDS, left))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time as waiting. Only under the lock of its Sharing, as everything that counts."""
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting += 1
        try:
            yield
        finally:
            waited = self.waited
            self._waiting -= 1
            if not self._waiting:
                self._waited = waited


class Sharing:
    """What the readers of one worker process have in common."""

    def __init__(self, stores: Mapping[str, Store], *, memory: int = MEMORY) -> None:
        """Read from *stores*; keep at most about *memory* bytes."""
        self._stores = stores
        self._memory = Memory(memory)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._expected: dict[ObjectName, set[Reader]] = defaultdict(set)
        self._opening: set[ObjectName] = set()
        self._tees: dict[ObjectName, Tee[Reader]] = {}

    def reader(self) -> Reader:
        """One more reader."""
        return Reader(self, self._stores)

    @property
    def held(self) -> int:
        """Bytes that are kept now."""
        return self._memory.held

    def expect(self, reader: Reader, which: ObjectName) -> None:
        """Note that *reader* is going to open that object: until then its bytes are kept for it."""
        with self._changed:
            self._expected[which].add(reader)

    def leave(self, reader: Reader) -> None:
        """Keep nothing more for *reader*: from here on it reads alone, until it expects something again."""
        with self._changed:
            for which in list(self._expected):
                self._stops_expecting(reader, which)
            for which, tee in list(self._tees.items()):
                if reader in tee.readers and tee.being_read_by is not reader:
                    self._leave(which, reader)

    def open(self, reader: Reader, store: SharedStore, name: str) -> Tee[Reader] | None:
        """The object to be read together with others, or None: *reader* reads it alone.

        The first one opens it for all. Raises what *store* raises, and leaves it to the others to try for themselves.
        """
        which = (store.id, name)
        if which not in self._expected:
            return None  # without the lock: what *reader* itself expects is there by now, or it was parted with
        with self._changed:
            self._changed.wait_for(lambda: which not in self._opening)
            if not self._stops_expecting(reader, which):
                return None
            if which in self._tees or which not in self._expected:
                return self._tees.get(which)
            self._opening.add(which)
        try:
            stream = store.open_really(name)
            with self._changed:
                readers = [reader, *self._expected.get(which, ())]
                tee = self._tees[which] = Tee(stream, readers, self._memory)
        finally:
            with self._changed:
                self._opening.discard(which)
                self._changed.notify_all()
        return tee

    def _stops_expecting(self, reader: Reader, which: ObjectName) -> bool:
        """Whether *reader* expected that object; from now on it does not."""
        expected = self._expected.get(which, set())
        if reader not in expected:
            return False
        expected.discard(reader)
        if not expected:
            del self._expected[which]
        return True

    def close(self, reader: Reader, which: ObjectName, tee: Tee[Reader]) -> None:
        """*reader* wants no more of *tee*, which is that object."""
        with self._changed:
            if reader in tee.readers:
                self._leave(which, reader)

    def _leave(self, which: ObjectName, reader: Reader) -> None:
        tee = self._tees[which]
        tee.leave(reader)
        if not tee.readers:
            del self._tees[which]
            tee.stream.close()
        self._changed.notify_all()

    def read(self, reader: Reader, tee: Tee[Reader], length: int) -> bytes | Place:
        """Up to *length* further bytes (``b''`` at the end), or from where *reader* must go on alone.

        Raises what reading from the store ended with, whoever read.
        """
        with self._changed:
            while (place := tee.left_at(reader)) is None:
                if data := tee.take(reader, length):
                    reader.bytes_taken += len(data)
                    self._changed.notify_all()
                    return data
                if tee.error is not None:
                    raise copy(tee.error) from tee.error
                if tee.has_ended or not length:
                    return b""
                if self._may_fetch(reader, tee, length):
                    break
            else:
                return place
        return self._fetch(reader, tee, length)

    def count(self, reader: Reader, data: bytes) -> bytes:
        """*data*, which *reader* has read alone."""
        with self._lock:  # of `_changed`, without the way through Python that a Condition takes
            reader.bytes_read += len(data)
            reader.bytes_taken += len(data)
        return data

    def _may_fetch(self, reader: Reader, tee: Tee[Reader], length: int) -> bool:
        """Whether it is *reader*'s turn to read from the store, as it is from now on; otherwise waits for a change."""
        if tee.being_read_by is not None:
            self._changed.wait()
        elif self._has_room(tee, length):
            tee.being_read_by = reader
        else:
            self._wait_for_room(reader, tee, length)
        return tee.being_read_by is reader

    def _has_room(self, tee: Tee[Reader], length: int) -> bool:
        memory = self._memory
        return len(tee.readers) == 1 or not memory.held or memory.held + length <= memory.limit

    def _wait_for_room(self, reader: Reader, tee: Tee[Reader], length: int) -> None:
        """Wait until others have taken what they have yet to take, or part with the one that is furthest behind."""

        def is_over() -> bool:
            return not tee.is_wanting(reader) or tee.being_read_by is not None or self._has_room(tee, length)

        patience = reader.patience
        with reader.waiting():
            came = self._changed.wait_for(is_over, patience)
        if not came:
            self.leave(self._last(reader))

    def _last(self, reader: Reader) -> Reader:
        """The one that keeps *reader* waiting: itself, where it is nobody else."""
        others = {other for tee in self._tees.values() for other in tee.behind if other is not reader}
        return min(others, key=lambda other: other.bytes_taken, default=reader)

    def _fetch(self, reader: Reader, tee: Tee[Reader], length: int) -> bytes:
        """Read from the store, without the lock: the others take meanwhile what is kept for them."""
        try:
            data = tee.stream.read(length)
        except BaseException as error:
            self._fetched(reader, tee, error)
            raise
        self._fetched(reader, tee, data)
        return data

    def _fetched(self, reader: Reader, tee: Tee[Reader], found: bytes | BaseException) -> None:
        with self._changed:
            tee.being_read_by = None
            if isinstance(found, bytes):
                tee.add(found, reader)
                reader.bytes_read += len(found)
                reader.bytes_taken += len(found)
            else:
                tee.error = found
            if not tee.is_readable:
                tee.stream.close()  # now: it may be kept for others for long, and open files are few
            self._changed.notify_all()
