"""The bytes of one object on their way to several readers."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, KeysView

    from dataverse_backup.fixity import ByteStream

R = TypeVar("R", bound="Hashable")


@dataclass(slots=True)
class Memory:
    """How many bytes may be kept for readers that have yet to take them, and how many are."""

    limit: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader left off: so many bytes, which have this CRC-32."""

    position: int
    crc: int


@dataclass(frozen=True, slots=True)
class _Piece:
    data: bytes
    begins: Place

    @property
    def end(self) -> int:
        return self.begins.position + len(self.data)

    def place(self, position: int) -> Place:
        return Place(position, zlib.crc32(self.data[: position - self.begins.position], self.begins.crc))


class Tee(Generic[R]):
    """One object that is read once: bytes are kept from where its last reader is to where its first one is.

    It knows no lock: its Sharing has one.
    """

    def __init__(self, stream: ByteStream, readers: Iterable[R], memory: Memory) -> None:
        """Give the bytes of *stream* to each of *readers*, which are at its beginning."""
        self.stream = stream
        self.has_ended = False
        """Its last byte has been read."""
        self.error: BaseException | None = None
        """What reading it ended with."""
        self.being_read_by: R | None = None
        """The reader that is fetching further bytes from the store."""
        self._memory = memory
        self._positions = dict.fromkeys(readers, 0)
        self._left: dict[R, Place] = {}
        self._pieces: deque[_Piece] = deque()
        self._end = Place(0, 0)

    @property
    def readers(self) -> KeysView[R]:
        """Those for whom bytes are kept."""
        return self._positions.keys()

    @property
    def behind(self) -> list[R]:
        """Those who have yet to take bytes that are kept."""
        return [reader for reader, position in self._positions.items() if position < self._end.position]

    @property
    def is_readable(self) -> bool:
        """Whether there may be more to read from the store."""
        return not self.has_ended and self.error is None

    def is_wanting(self, reader: R) -> bool:
        """Whether nothing is there for *reader* until somebody reads on."""
        return self.is_readable and self._positions.get(reader) == self._end.position

    def take(self, reader: R, length: int) -> bytes:
        """Up to *length* further bytes of what is kept for *reader*; ``b''`` where it has taken all of it."""
        position = self._positions[reader]
        if position == self._end.position:
            return b""
        piece = next(piece for piece in self._pieces if piece.end > position)
        offset = position - piece.begins.position
        data = piece.data[offset : offset + length]
        self._positions[reader] += len(data)
        self._forget()
        return data

    def add(self, data: bytes, reader: R) -> None:
        """Keep what *reader*, the foremost one, has read from the store; ``b''`` is the end."""
        self.has_ended = not data
        piece = _Piece(data, self._end)
        self._pieces.append(piece)
        self._memory.held += len(data)
        self._end = piece.place(piece.end)
        self._positions[reader] = self._end.position
        self._forget()

    def leave(self, reader: R) -> None:
        """Keep nothing more for *reader*."""
        position = self._positions.pop(reader)
        piece = next((piece for piece in self._pieces if piece.end > position), None)
        self._left[reader] = self._end if piece is None else piece.place(position)
        self._forget()

    def left_at(self, reader: R) -> Place | None:
        """Where *reader* left; None while it is one of the readers."""
        return self._left.get(reader)

    def _forget(self) -> None:
        """Drop what everybody has taken."""
        needed = min(self._positions.values(), default=self._end.position)
        while self._pieces and self._pieces[0].end <= needed:
            self._memory.held -= len(self._pieces.popleft().data)
