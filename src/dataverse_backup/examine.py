"""Looks at copies and primaries, in a worker process: what an audit asks of the places where bytes are.

It looks and concludes nothing. What is unavailable is tried again here, as `transfer` does when it copies.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure
from dataverse_backup.errors import (
    CopyMissing,
    DestinationLost,
    DestinationRefused,
    SourceError,
    SourceMissing,
    SourceUnavailable,
    StoreLost,
    Unavailable,
)
from dataverse_backup.fixity import OWN_ALGORITHM, VerifiedBy, checksum_of
from dataverse_backup.pause import pause
from dataverse_backup.transfer import RETRY_DELAYS
from dataverse_backup.verdict import NOT_LOOKED, Seen, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.destinations.base import Destination, StoredDigest
    from dataverse_backup.errors import ObjectError
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.ledger.base import Copy, Kept
    from dataverse_backup.outflow import Pace
    from dataverse_backup.stores.base import Store


@dataclass(frozen=True, slots=True)
class CopiesTask:
    """Look at copies of one destination."""

    destination: str
    copies: tuple[Copy, ...]
    is_listing: bool = False
    """Existence and size are enough; what is not as expected is read all the same."""

    @property
    def size(self) -> int:
        """Bytes that are read for it, as far as they are known."""
        return 0 if self.is_listing else sum(copy.size for copy in self.copies)


@dataclass(frozen=True, slots=True)
class PrimariesTask:
    """Look at the registered bytes of datafiles, with the algorithms that are named beside each."""

    primaries: tuple[tuple[Datafile, tuple[Algorithm, ...]], ...]

    @property
    def size(self) -> int:
        """Bytes that are read for it, as far as they are known."""
        return sum(datafile.size or 0 for datafile, _ in self.primaries)


@dataclass(frozen=True, slots=True)
class WitnessesTask:
    """Look at one datafile's primary and at copies of it, with the same algorithms."""

    datafile: Datafile | None
    """None where Dataverse does not have it any more."""
    copies: tuple[tuple[str, Copy], ...]
    """Each with its destination."""
    algorithms: tuple[Algorithm, ...]

    @classmethod
    def of(cls, datafile: Datafile | None, copies: Sequence[Kept]) -> WitnessesTask:
        """Look at these with every algorithm by which they are registered or recorded."""
        recorded = [kept.copy.checksum for kept in copies]
        checksums = [datafile.checksum, *recorded] if datafile and datafile.checksum else recorded
        algorithms = dict.fromkeys(checksum.algorithm for checksum in checksums)
        where = tuple((kept.destination, kept.copy) for kept in copies)
        return cls(datafile, where, tuple(algorithms) or (OWN_ALGORITHM,))

    @property
    def size(self) -> int:
        """Bytes that are read for it, as far as they are known."""
        return sum(copy.size for _, copy in self.copies) * 2


Task = CopiesTask | PrimariesTask | WitnessesTask


@dataclass(frozen=True, slots=True)
class Examined:
    """What was seen. What was not looked at, because its place was lost, is in none of these."""

    copies: dict[tuple[str, str], Seen] = field(default_factory=dict)
    """By destination and key."""
    primaries: dict[tuple[int, str], Seen] = field(default_factory=dict)
    """By `Datafile.place`."""
    lost: dict[str, DestinationLost] = field(default_factory=dict)
    """By destination."""
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    bytes_read: int = 0
    """Bytes that were hashed, here or over there."""


class Examiner:
    """Does the tasks of an audit. Used by one thread at a time."""

    def __init__(
        self,
        stores: Mapping[str, Store],
        make_destinations: Mapping[str, Callable[[], Destination]],
        identity: str,
        *,
        paces: Mapping[str, Pace] | None = None,
        sleep: Callable[[float], None] = pause,
        delays: Sequence[float] | None = None,
    ) -> None:
        """Look into *stores*, and at destinations that are connected when they are needed and carry *identity*.

        What is read back from a destination is held to that of *paces* that has its name.
        *delays*, RETRY_DELAYS if they are not given, are the seconds before each further try at what is unavailable.
        """
        self._stores, self._make_destinations, self._identity = stores, make_destinations, identity
        self._reached: dict[str, Destination] = {}
        self._paces = paces or {}
        self._sleep, self._delays = sleep, RETRY_DELAYS if delays is None else delays

    def take_over(self, destination: Destination) -> None:
        """Look at this one, which is connected and known to be ours, instead of making another one."""
        destination.pace = self._paces.get(destination.name)
        self._reached[destination.name] = destination

    def examine(self, task: Task) -> Examined:
        """Look at everything that *task* names."""
        examined = Examined()
        match task:
            case CopiesTask():
                self._see_copies(task, examined)
            case PrimariesTask():
                for datafile, algorithms in task.primaries:
                    self._see_primary(datafile, algorithms, examined)
            case WitnessesTask():
                self._see_witnesses(task, examined)
        size = sum(seen.size or 0 for seen in (*examined.copies.values(), *examined.primaries.values()) if seen.how)
        return Examined(examined.copies, examined.primaries, examined.lost, examined.lost_stores, size)

    def share(self, sharers: int) -> None:
        """Read as one of *sharers* on different machines, which together hold to the bandwidth of a destination."""
        for pace in self._paces.values():
            pace.share(sharers)

    def __call__(self, task: Task) -> Examined:
        """As ``examine``."""
        return self.examine(task)

    def close(self) -> None:
        """Give back the destinations; may be called twice."""
        while self._reached:
            self._reached.popitem()[1].close()

    # Copies

    def _see_copies(self, task: CopiesTask, examined: Examined) -> None:
        try:
            destination = self._at(task.destination)
            unsettled = self._unlisted(destination, task, examined) if task.is_listing else task.copies
            by_algorithm: dict[Algorithm, list[str]] = defaultdict(list)
            for copy in unsettled:
                by_algorithm[copy.checksum.algorithm].append(copy.key)
            seen: dict[str, Seen] = {}
            for algorithm, keys in by_algorithm.items():
                seen |= self._digests(destination, keys, algorithm)
            self._make_sure_of(destination, seen.values())
        except DestinationLost as lost:
            examined.lost[task.destination] = lost
        else:
            examined.copies.update({(task.destination, key): one for key, one in seen.items()})

    def _unlisted(self, destination: Destination, task: CopiesTask, examined: Examined) -> list[Copy]:
        """What listing does not settle."""
        sizes = destination.sizes([copy.key for copy in task.copies])
        settled = [copy for copy in task.copies if sizes.get(copy.key) == copy.size]
        for copy in settled:
            seen = Seen(Sight.BYTES, (copy.checksum,), copy.size, copy.key)
            examined.copies[task.destination, copy.key] = seen
        return [copy for copy in task.copies if sizes.get(copy.key) != copy.size]

    def _digests(self, destination: Destination, keys: Sequence[str], algorithm: Algorithm) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        for delay in (*self._delays, None):
            seen |= {found.key: _seen_copy(found) for found in destination.digests(keys, algorithm)}
            keys = [key for key in keys if seen[key].sight is Sight.UNREACHABLE]
            if not keys or delay is None:
                break
            self._sleep(delay)
        if keys:
            destination.connect()  # raises DestinationLost: then it is not the copies
        return seen

    def _make_sure_of(self, destination: Destination, seen: Iterable[Seen]) -> None:
        """On a disk that was unmounted everything is missing, which says nothing about the copies (design, rule 9)."""
        if any(one.sight is Sight.MISSING for one in seen):
            self._check_identity(destination)

    def _at(self, name: str) -> Destination:
        if name not in self._reached:
            destination = self._make_destinations[name]()
            destination.pace = self._paces.get(name)
            destination.connect()
            self._check_identity(destination)
            self._reached[name] = destination
        return self._reached[name]

    def _check_identity(self, destination: Destination) -> None:
        if destination.read_identity() != self._identity:
            said = f"{destination.name}: it does not carry our identity any more: is its disk mounted?"
            raise DestinationRefused(said, "run `dataverse-backup check`")

    # Primaries

    def _see_primary(self, datafile: Datafile, algorithms: Sequence[Algorithm], examined: Examined) -> None:
        store = self._stores.get(datafile.store_id)
        if store is None or store.excludes(datafile) is not None:
            examined.primaries[datafile.place] = NOT_LOOKED
        elif datafile.store_id not in examined.lost_stores:
            try:
                examined.primaries[datafile.place] = self._primary(store, datafile, algorithms)
            except StoreLost as lost:
                examined.lost_stores[datafile.store_id] = lost

    def _primary(self, store: Store, datafile: Datafile, algorithms: Sequence[Algorithm]) -> Seen:
        """The first object that has the registered bytes; where none has, the likeliest that is there."""
        try:
            names = store.names(datafile)
        except SourceError as error:
            return _without_bytes(error, datafile.storageidentifier)
        found: list[Seen] = []
        for name in names:
            found.append(self._object(store, name, algorithms))
            if found[-1].has(datafile.checksum):
                return found[-1]
            if datafile.checksum is None and found[-1].sight is not Sight.MISSING:
                return found[-1]  # nothing tells which of them it is
        return found[0]

    def _object(self, store: Store, name: str, algorithms: Sequence[Algorithm]) -> Seen:
        for delay in (*self._delays, None):
            try:
                read = [checksum_of(store.open(name), algorithm) for algorithm in algorithms]
            except SourceUnavailable as error:
                seen = _without_bytes(error, name)
            except SourceError as error:
                return _without_bytes(error, name)
            else:
                checksums = tuple(checksum for _, checksum in read)
                return Seen(Sight.BYTES, checksums, read[0][0], name, VerifiedBy.READ_BACK)
            if delay is not None:
                self._sleep(delay)
        return seen

    # All three

    def _see_witnesses(self, task: WitnessesTask, examined: Examined) -> None:
        if task.datafile is not None:
            self._see_primary(task.datafile, task.algorithms, examined)
        for destination, copy in task.copies:
            try:
                examined.copies[destination, copy.key] = self._copy(self._at(destination), copy.key, task.algorithms)
            except DestinationLost as lost:
                examined.lost[destination] = lost

    def _copy(self, destination: Destination, key: str, algorithms: Sequence[Algorithm]) -> Seen:
        looks = [self._digests(destination, [key], algorithm)[key] for algorithm in algorithms]
        self._make_sure_of(destination, looks)
        without = next((look for look in looks if look.sight is not Sight.BYTES), None)
        if without is not None:
            return without
        checksums = tuple(checksum for look in looks for checksum in look.checksums)
        return Seen(Sight.BYTES, checksums, looks[0].size, key, looks[0].how)


def _seen_copy(found: StoredDigest | Failure) -> Seen:
    if isinstance(found, Failure):
        return _without_bytes(found.error, found.key)
    return Seen(Sight.BYTES, (found.checksum,), found.size, found.key, found.verified_by)


def _without_bytes(error: ObjectError, name: str) -> Seen:
    said = f"{error}; hint: {error.hint}" if error.hint else str(error)
    return Seen(_sight(error), name=name, said=said)


def _sight(error: ObjectError) -> Sight:
    match error:
        case CopyMissing() | SourceMissing():
            return Sight.MISSING
        case Unavailable() | SourceUnavailable():
            return Sight.UNREACHABLE
    return Sight.UNREADABLE


@dataclass(frozen=True, slots=True)
class ExaminerFactory:
    """Makes what does the tasks of an audit in a worker process; as picklable as its parts."""

    make_stores: Callable[[], Mapping[str, Store]]
    make_destinations: Mapping[str, Callable[[], Destination]]
    identity: str
    paces: Mapping[str, Pace] = field(default_factory=dict)
    """How fast may be read back from a destination, by all workers together."""

    def __call__(self) -> Examiner:
        """From stores and destinations of its own; whoever makes it in a process that goes on closes it."""
        return Examiner(self.make_stores(), self.make_destinations, self.identity, paces=self.paces)
