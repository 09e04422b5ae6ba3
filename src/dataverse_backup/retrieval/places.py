"""The destinations that copies are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import DestinationLost, DestinationRefused, ObjectError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.retrieval.orders import Source


class Places:
    """The destinations that copies are read from, each connected when it is needed."""

    def __init__(self, makers: Mapping[str, Callable[[], Destination]], identity: str | None) -> None:
        self._makers, self._identity = makers, identity
        self._reached: dict[str, Destination] = {}
        self.lost: dict[str, DestinationLost] = {}

    def open(self, source: Source) -> ByteStream:
        """The bytes of a copy. Raises CopyError."""
        try:
            return self._at(source.destination).open(source.key)
        except DestinationLost as lost:
            self.lost[source.destination] = lost
            raise _unavailable(source.destination, source.key, lost) from lost

    def _at(self, name: str) -> Destination:
        if name in self.lost:
            raise self.lost[name]
        if name not in self._reached:
            destination = self._makers[name]()
            try:
                destination.connect()
                self._check_identity(destination)
            except BaseException:
                destination.close()
                raise
            self._reached[name] = destination
        return self._reached[name]

    def _check_identity(self, destination: Destination) -> None:
        """What is missing on an unmounted disk says nothing about copies (design, rule 9)."""
        if self._identity is not None and destination.read_identity() != self._identity:
            said = f"{destination.name}: it does not carry our identity: is its disk mounted?"
            raise DestinationRefused(said, "run `dataverse-backup check`")

    def try_again(self) -> None:
        """What was lost may be there by now; what waits for somebody's decision is not."""
        self.lost = {name: lost for name, lost in self.lost.items() if isinstance(lost, DestinationRefused)}

    def close(self) -> None:
        for destination in self._reached.values():
            destination.close()


class Watched:
    """The bytes of a copy; what goes wrong while they are read is noted, so that nobody takes it for the target's."""

    def __init__(self, stream: ByteStream, note: Callable[[ObjectError], None]) -> None:
        self._stream, self._note = stream, note
        self.place, self.key, self.size = stream.place, stream.key, stream.size

    def read(self, length: int, /) -> bytes:
        try:
            return self._stream.read(length)
        except ObjectError as error:
            self._note(error)
            raise
        except DestinationLost as lost:
            unavailable = _unavailable(self.place, self.key, lost)
            self._note(unavailable)
            raise unavailable from lost

    def close(self) -> None:
        self._stream.close()


def _unavailable(place: str, key: str, lost: DestinationLost) -> Unavailable:
    return Unavailable(place, key, lost.message.removeprefix(f"{place}: "), lost.hint)
