"""A store as one of several readers sees it: what they read together is read from the real store once."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from dataverse_backup.errors import SourceChanged
from dataverse_backup.services.origin import origin_of
from dataverse_backup.stores.base import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import Reason
    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.stores.sharing import Reader
    from dataverse_backup.stores.tee import Place, Tee

_READ_LENGTH = 1 << 20


class SharedStore(Store):
    """One reader's view of a store that belongs to whoever made it."""

    def __init__(self, store: Store, reader: Reader) -> None:
        """Let *reader* read from *store*."""
        self.id = store.id
        self._store, self._reader = store, reader

    def names(self, datafile: Datafile) -> tuple[str, ...]:
        return self._store.names(datafile)

    def object_name(self, datafile: Datafile) -> str:
        return self._store.object_name(datafile)

    def excludes(self, datafile: Datafile) -> tuple[Reason, str] | None:
        return self._store.excludes(datafile)

    def logos(self, dataset: Datafile) -> Mapping[str, str]:
        return self._store.logos(dataset)

    def probe(self) -> None:
        self._store.probe()

    def open(self, name: str) -> ByteStream:
        tee = self._reader.sharing.open(self._reader, self, name)
        return self.open_alone(name) if tee is None else SharedStream(self, name, tee, self._reader)

    def open_alone(self, name: str) -> ByteStream:
        """The object from the real store, for this reader only; what it reads is counted."""
        return _CountedStream(self.open_really(name), self._reader)

    def open_really(self, name: str) -> ByteStream:
        """The object from the real store, as it is."""
        return self._store.open(name)


class SharedStream:
    """The bytes of an object that is read together with others, as one reader sees them."""

    def __init__(self, store: SharedStore, name: str, tee: Tee[Reader], reader: Reader) -> None:
        """Take the bytes of *tee*; where *reader* must go on alone they come from *store*, by their *name* there."""
        self._store, self._name, self._tee, self._reader = store, name, tee, reader
        self._alone: ByteStream | None = None
        self.place, self.key, self.size = tee.stream.place, tee.stream.key, tee.stream.size
        self.origin = origin_of(tee.stream)

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises SourceError."""
        if self._alone is None:
            found = self._reader.sharing.read(self._reader, self._tee, length)
            if isinstance(found, bytes):
                return found
            self._alone = self._resumed(found)
        return self._alone.read(length)

    def _resumed(self, before: Place) -> ByteStream:
        """The object opened again, after what was read *before*, which must be there as it was."""
        stream = self._store.open_alone(self._name)
        try:
            self._refuse_other_bytes(stream, before)
        except BaseException:
            stream.close()
            raise
        return stream

    def _refuse_other_bytes(self, stream: ByteStream, before: Place) -> None:
        if stream.size != self.size or _crc(stream, before.position) != before.crc:
            raise SourceChanged(self.place, self.key, "other bytes were read from it a moment ago")

    def close(self) -> None:
        """Let go of it; may be called twice."""
        self._reader.sharing.close(self._reader, (self._store.id, self._name), self._tee)
        if self._alone is not None:
            self._alone.close()


def _crc(stream: ByteStream, length: int) -> int | None:
    """The CRC-32 of the next *length* bytes; None where there are not so many."""
    crc = 0
    while length and (data := stream.read(min(length, _READ_LENGTH))):
        crc = zlib.crc32(data, crc)
        length -= len(data)
    return None if length else crc


class _CountedStream:
    """A stream that one reader reads alone."""

    def __init__(self, stream: ByteStream, reader: Reader) -> None:
        self._stream, self._reader = stream, reader
        self.place, self.key, self.size = stream.place, stream.key, stream.size
        self.origin = origin_of(stream)

    def read(self, length: int, /) -> bytes:
        return self._reader.sharing.count(self._reader, self._stream.read(length))

    def close(self) -> None:
        self._stream.close()
