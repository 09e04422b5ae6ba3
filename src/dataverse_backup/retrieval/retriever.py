"""Batches of datafiles brought back: from the first place that has a good copy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.errors import NoSpace, ObjectError, SourceChanged, SourceDiffers, Unavailable
from dataverse_backup.pause import pause
from dataverse_backup.retrieval.orders import Landed, Order
from dataverse_backup.retrieval.places import Places, Watched
from dataverse_backup.transfer import RETRY_DELAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.errors import DestinationLost
    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.retrieval.orders import Retrieval, Source
    from dataverse_backup.retrieval.targets import Target


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
        self._places = Places(places, identity)
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
            return Watched(self._places.open(source), note)
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


@dataclass(frozen=True, slots=True)
class RetrieverFactory:
    """Makes what brings batches back in a worker process; as picklable as its parts."""

    places: Mapping[str, Callable[[], Destination]]
    make_target: Callable[[], Target]
    identity: str | None

    def __call__(self) -> Callable[[Sequence[Retrieval]], Haul]:
        """With connections of its own."""
        return Retriever(self.places, self.make_target(), identity=self.identity).fetch
