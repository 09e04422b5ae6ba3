"""Bring copies back: from the first place that has a good one, proven before anything appears under its name.

What is unavailable is tried again, as often and as late as in a backup (``transfer.RETRY_DELAYS``); a copy that is
missing, altered or refused is replaced by the next one that is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, StoredDigest, Upload
from dataverse_backup.errors import (
    CopyFailed,
    CopyRefused,
    DestinationLost,
    DestinationRefused,
    KeyOccupied,
    NoSpace,
    ObjectError,
    SourceChanged,
    SourceDiffers,
    StoreLost,
    Unavailable,
)
from dataverse_backup.pause import pause
from dataverse_backup.stores.restorable import Restorable
from dataverse_backup.transfer import RETRY_DELAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.fixity import Algorithm, ByteStream, Checksum
    from dataverse_backup.stores.base import Store


@dataclass(frozen=True, slots=True)
class Source:
    """A copy that may be read, and what its bytes must be."""

    destination: str
    key: str
    size: int
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One datafile to bring back; picklable."""

    datafile: Datafile
    to: str
    """A path below the folder, or the name of an object in the datafile's store."""
    sources: tuple[Source, ...]
    """Best first; at least one."""

    @property
    def size(self) -> int:
        """Bytes of the copy that is read first."""
        return self.sources[0].size


@dataclass(frozen=True, slots=True)
class Order:
    """One try: a datafile from one of its sources."""

    retrieval: Retrieval
    source: Source
    open: Callable[[], ByteStream]
    """Opens the copy. Raises ObjectError."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A datafile lies where it is to be, proven."""

    order: Order
    was_right: bool = False
    """It lay there already: nothing was written."""
    aside: str | None = None
    """Where what lay there before lies now."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One try that did not succeed; what lay there lies there still."""

    order: Order
    error: ObjectError


class Target(ABC):
    """Where datafiles are brought."""

    @abstractmethod
    def bring(self, orders: Sequence[Order]) -> Iterator[Landed | Missed]:
        """What became of each of *orders*, in any sequence.

        Nothing is visible that was not proven, and nothing is overwritten. Raises DestinationLost where nothing at all
        can be brought there.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back connections."""


class FolderTarget(Target):
    """Brings datafiles into a folder: a destination of one restore, with all that a destination promises."""

    def __init__(self, folder: Destination) -> None:
        """Bring them into *folder*, which is connected when it is needed."""
        self._folder = folder
        self._is_reached = False

    def bring(self, orders: Sequence[Order]) -> Iterator[Landed | Missed]:
        if not self._is_reached:
            self._folder.connect()
            self._is_reached = True
        by_place: dict[str, Order] = {}
        again = [order for order in orders if by_place.setdefault(order.retrieval.to, order) is not order]
        yield from self._brought(by_place)
        if again:  # two of one place: the second finds the first one there
            yield from self.bring(again)

    def _brought(self, by_place: dict[str, Order]) -> Iterator[Landed | Missed]:
        for settled in self._present(by_place):
            del by_place[settled.order.retrieval.to]
            yield settled
        uploads = [_upload(order) for order in by_place.values()]
        for result in self._folder.put(uploads):
            order = by_place[result.key]
            yield Missed(order, result.error) if isinstance(result, Failure) else Landed(order)

    def _present(self, by_place: Mapping[str, Order]) -> list[Landed | Missed]:
        """What lies there already: right, or something else."""
        sizes = self._folder.sizes(list(by_place))
        other = [place for place, size in sizes.items() if size != by_place[place].source.size]
        settled: list[Landed | Missed] = [self._occupied(by_place[place]) for place in other]
        groups: dict[Algorithm, list[str]] = defaultdict(list)
        for place in sizes.keys() - set(other):
            groups[by_place[place].source.checksum.algorithm].append(place)
        for algorithm, places in groups.items():
            settled += [self._judged(by_place[found.key], found) for found in self._folder.digests(places, algorithm)]
        return settled

    def _judged(self, order: Order, found: StoredDigest | Failure) -> Landed | Missed:
        if isinstance(found, Failure):
            return Missed(order, found.error)
        return Landed(order, was_right=True) if found.checksum == order.source.checksum else self._occupied(order)

    def _occupied(self, order: Order) -> Missed:
        said = "something else lies there, and nothing is overwritten"
        return Missed(
            order, KeyOccupied(self._folder.name, order.retrieval.to, said, "move it away, or restore elsewhere")
        )

    def close(self) -> None:
        self._folder.close()


def _upload(order: Order) -> Upload:
    checksum = order.source.checksum
    return Upload(order.retrieval.to, order.open, checksum.algorithm, checksum)


class StoreTarget(Target):
    """Brings datafiles into the stores of a Dataverse, exactly where it will look for them."""

    def __init__(self, stores: Mapping[str, Store]) -> None:
        """Bring them into *stores*, by id."""
        self._stores = stores
        self._lost: dict[str, StoreLost] = {}

    def bring(self, orders: Sequence[Order]) -> Iterator[Landed | Missed]:
        for order in orders:
            try:
                yield self._put_back(order)
            except ObjectError as error:
                yield Missed(order, error)

    def _put_back(self, order: Order) -> Landed:
        store_id, name = order.retrieval.datafile.store_id, order.retrieval.to
        store = self._stores[store_id]
        if not isinstance(store, Restorable):
            raise CopyRefused(store_id, name, "nothing can be put back into a store of this kind")
        try:
            if store_id in self._lost:
                raise self._lost[store_id]
            done = store.put_back(name, order.open, order.source.checksum)
        except StoreLost as lost:
            self._lost[store_id] = lost
            raise CopyFailed(store_id, name, lost.message.removeprefix(f"{store_id}: "), lost.hint) from lost
        return Landed(order, was_right=done.was_right, aside=done.aside)

    def close(self) -> None:
        for store in self._stores.values():
            store.close()


class Came(StrEnum):
    """How it ended for one datafile."""

    RESTORED = "restored"
    RIGHT = "right already"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What became of one datafile; picklable."""

    retrieval: Retrieval
    came: Came
    source: Source | None = None
    """The copy that was used."""
    errors: tuple[ObjectError, ...] = ()
    """What stood in the way; of a datafile that came, what other copies gave."""
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Haul:
    """What became of a batch."""

    results: list[Retrieved] = field(default_factory=list)
    lost: dict[str, DestinationLost] = field(default_factory=dict)
    """Destinations that could not be read at all."""
    is_full: bool = False
    """There is no room where the datafiles are to be."""


@dataclass(slots=True)
class _Item:
    """One datafile on its way."""

    retrieval: Retrieval
    left: list[Source]
    """Sources that are worth another try."""
    errors: dict[Source, ObjectError] = field(default_factory=dict)
    """What each source gave last."""
    result: Retrieved | None = None

    def land(self, landed: Landed) -> None:
        came = Came.RIGHT if landed.was_right else Came.RESTORED
        others = tuple(error for source, error in self.errors.items() if source != landed.order.source)
        self.result = Retrieved(self.retrieval, came, landed.order.source, others, landed.aside)

    def fail(self, *errors: ObjectError) -> None:
        self.result = Retrieved(self.retrieval, Came.FAILED, errors=errors or tuple(self.errors.values()))


class Retriever:
    """Brings batches of datafiles back, in one worker. Used by one thread at a time."""

    def __init__(
        self,
        places: Mapping[str, Callable[[], Destination]],
        target: Target,
        *,
        identity: str | None = None,
        sleep: Callable[[float], None] = pause,
        delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        """Read from *places*, which are connected when they are needed and must carry *identity*, if that is given."""
        self._places = _Places(places, identity)
        self._target = target
        self._sleep, self._delays = sleep, delays

    def fetch(self, batch: Sequence[Retrieval]) -> Haul:
        """Bring each datafile of *batch* to its place, or say why not.

        Raises DestinationLost where nothing at all can be brought there.
        """
        items = [_Item(retrieval, list(retrieval.sources)) for retrieval in batch]
        self._try_sources(items)
        for delay in self._delays:
            if not _open_items(items):
                break
            self._sleep(delay)
            self._places.try_again()
            self._try_sources(items)
        for item in _open_items(items):
            item.fail()
        results = [item.result for item in items if item.result]
        return Haul(results, dict(self._places.lost), any(_is_full(result) for result in results))

    def _try_sources(self, items: Sequence[_Item]) -> None:
        """Try each source of each item that has no result; what is worth another try later is left."""
        later: dict[int, list[Source]] = defaultdict(list)
        while to_try := [item for item in _open_items(items) if item.left]:
            tries = [(item, item.left.pop(0)) for item in to_try]
            for item, source, error in self._tried(tries):
                item.errors[source] = error
                if isinstance(error, Unavailable):
                    later[id(item)].append(source)
        for item in _open_items(items):
            item.left = later[id(item)]
            if not item.left:
                item.fail()

    def _tried(self, tries: Sequence[tuple[_Item, Source]]) -> Iterator[tuple[_Item, Source, ObjectError]]:
        """One try at each; those whose source was to blame come back with its error, the others are settled."""
        items = {item.retrieval.datafile.place: item for item, _ in tries}
        blame: dict[tuple[int, str], ObjectError] = {}
        orders = [
            Order(item.retrieval, source, partial(self._opened, source, partial(blame.__setitem__, which)))
            for (which, item), (_, source) in zip(items.items(), tries, strict=True)
        ]
        for result in self._target.bring(orders):
            which = result.order.retrieval.datafile.place
            if isinstance(result, Landed):
                items[which].land(result)
            elif which in blame or isinstance(result.error, SourceDiffers | SourceChanged):
                yield items[which], result.order.source, blame.get(which, result.error)
            else:
                items[which].fail(result.error)

    def _opened(self, source: Source, note: Callable[[ObjectError], None]) -> ByteStream:
        try:
            return _Watched(self._places.open(source), note)
        except ObjectError as error:
            note(error)
            raise

    def close(self) -> None:
        """Give back connections."""
        self._places.close()
        self._target.close()


def _open_items(items: Iterable[_Item]) -> list[_Item]:
    return [item for item in items if item.result is None]


def _is_full(result: Retrieved) -> bool:
    return any(isinstance(error, NoSpace) for error in result.errors)


class _Watched:
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


class _Places:
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


def _unavailable(place: str, key: str, lost: DestinationLost) -> Unavailable:
    return Unavailable(place, key, lost.message.removeprefix(f"{place}: "), lost.hint)


@dataclass(frozen=True, slots=True)
class RetrieverFactory:
    """Makes what brings batches back in a worker process; as picklable as its parts."""

    places: Mapping[str, Callable[[], Destination]]
    make_target: Callable[[], Target]
    identity: str | None

    def __call__(self) -> Callable[[Sequence[Retrieval]], Haul]:
        """With connections of its own."""
        return Retriever(self.places, self.make_target(), identity=self.identity).fetch
