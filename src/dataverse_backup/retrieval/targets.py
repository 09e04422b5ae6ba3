"""Where datafiles are brought: a folder, or the stores of a Dataverse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, Upload
from dataverse_backup.errors import CopyFailed, CopyRefused, KeyOccupied, ObjectError, StoreLost
from dataverse_backup.retrieval.orders import Landed, Missed
from dataverse_backup.stores.restorable import Restorable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dataverse_backup.destinations.base import Destination, StoredDigest
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.retrieval.orders import Order
    from dataverse_backup.stores.base import Store


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
