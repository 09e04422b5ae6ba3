"""Copy a batch to a destination and prove it.

The only place that retries: what is unavailable, a whole object at a time. Everything else is an answer.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.conclusion import Conclusion, Outcome
from dataverse_backup.destinations.base import SCRATCH_PREFIX, Failure, Receipt, Streaming, Upload
from dataverse_backup.errors import (
    CopyError,
    CopyMissing,
    DestinationLost,
    DestinationRefused,
    KeyOccupied,
    ObjectError,
    SourceDiffers,
    SourceError,
    SourceMissing,
    SourceUnavailable,
    StoreLost,
    Unavailable,
)
from dataverse_backup.fixity import OWN_ALGORITHM, Algorithm, BytesStream, Checksum, HashingReader
from dataverse_backup.layout import superseded_key
from dataverse_backup.logs import facts
from dataverse_backup.outflow import Outflow
from dataverse_backup.pause import pause
from dataverse_backup.work import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.destinations.base import Destination, StoredDigest
    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.ledger.base import Attempt
    from dataverse_backup.stores.base import Store
    from dataverse_backup.work import Batch, Work

log = logging.getLogger(__name__)

RETRY_DELAYS = (1.0, 3.0, 10.0)
"""Seconds before each further try at what is unavailable; after the last, objects are tried one by one."""

LONGEST_DELAY = 120.0
"""So long a service may ask us to wait (Retry-After) before we try again."""

PATIENCE_SECONDS = 300.0
"""After so long no further try is made at all of them: each of these tries took minutes until it timed out."""

READ_LENGTH = 1 << 20

MOST_UNDER_WAY = 3
"""So many batches may be sent and not proven: that of which the last receipts are awaited, and those after it."""

_FEW = 20
"""So many new objects of a batch are asked about, all over it, before all of them are."""


@dataclass(slots=True)
class _Item:
    """One piece of work on its way."""

    work: Work
    started: datetime
    names: tuple[str, ...] = ()
    """Names in the store that are still to be tried."""
    supersede_to: str | None = None
    """Where the other bytes go that were found under its key."""
    was_taken: bool = False
    """Its key was found taken after we had seen it free."""
    errors: list[ObjectError] = field(default_factory=list)
    """What the tries gave so far."""
    attempt: Attempt | None = None
    """The conclusion; None while there is none."""

    @property
    def datafile(self) -> Datafile:
        return self.work.datafile

    @property
    def is_new(self) -> bool:
        """Whether nothing is known of its key, and nothing was heard of it."""
        return self.work.why is Why.NEW and self.work.copy is None and not self.was_taken and not self.errors

    @property
    def wanted_delay(self) -> float:
        """How long its last error asks us to wait, in seconds."""
        return self.errors[-1].retry_after if self.errors else 0.0

    @property
    def algorithm(self) -> Algorithm:
        checksum = self.datafile.checksum
        return checksum.algorithm if checksum else OWN_ALGORITHM


def _may_stream(items: Iterable[_Item]) -> bool:
    """Whether nothing has to be done for them but to send them."""
    return all(item.is_new for item in items)


def _must_wait(item: _Item) -> bool:
    """Whether another try at once would be in vain."""
    return item.attempt is None and bool(item.errors) and isinstance(item.errors[-1], Unavailable | SourceUnavailable)


def _has_trouble(items: Iterable[_Item]) -> bool:
    """Whether some of them did not go well, and are not at their end by that."""
    return any(item.errors and item.attempt is None for item in items)


class Transfer:
    """Copies batches from stores to one destination. Used by one thread at a time."""

    def __init__(
        self,
        stores: Mapping[str, Store],
        destination: Destination,
        *,
        identity: str | None = None,
        sleep: Callable[[float], None] = pause,
        delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        """Copy to *destination*, which is connected when it is needed and must carry *identity*, if that is given."""
        self._stores = stores
        self._destination = destination
        self._identity = identity
        self.is_reached = False
        """Whether the destination was ever connected to from here."""
        self._finds_keys_taken = True
        """Whether keys that should be free were taken when we last met some."""
        self._sleep = sleep
        self._delays = delays
        self._lost_stores: dict[str, StoreLost] = {}
        self._outflow = Outflow()

    def copy(self, batch: Batch, outflow: Outflow | None = None) -> Outcome:
        """Make each datafile of *batch* a proven copy, or say why not. What is sent goes through *outflow*.

        What was not tried to its end, because its store or the destination was lost, is in none of the attempts.
        """
        (outcome,) = self.copy_all(batch, lambda: None, outflow)
        return outcome

    def copy_all(
        self, batch: Batch, more: Callable[[], Batch | None], outflow: Outflow | None = None
    ) -> Iterator[Outcome]:
        """Copy *batch*, and those that *more* gives when all before them was sent: an Outcome each, in this order.

        *more* is asked where the destination proves what was sent while more is sent; None ends that.
        """
        self._outflow, self._lost_stores = outflow or Outflow(), {}
        under_way = deque([self._begun(batch)])
        lost: DestinationLost | None = None
        was_tried = True
        try:
            yield from self._streamed(under_way, more)
            was_tried = False
        except DestinationRefused as refused:
            lost = refused
        except DestinationLost:
            pass  # it may be there at the next try
        except StoreLost as error:
            with suppress(StoreLost):  # so may this
                self._find_lost_stores([item for items in under_way for item in items], error)
        for items in under_way:
            try:
                if lost is None:
                    self._conclude(items, was_tried=was_tried)
            except DestinationLost as error:
                lost = error
            yield self._outcome(items, lost)

    def _begun(self, batch: Batch) -> list[_Item]:
        now = datetime.now(UTC)
        items = [_Item(work, now) for work in batch.works]
        self._outflow.notes.begin(batch.works[0].datafile.id)
        self._find_names(items)
        return items

    def _outcome(self, items: Iterable[_Item], lost: DestinationLost | None = None) -> Outcome:
        return Outcome([item.attempt for item in items if item.attempt], lost, dict(self._lost_stores))

    def prepare(self) -> None:
        """Begin to connect; there will be something to copy soon."""
        self._destination.prepare()

    def assume(self, abilities: str) -> None:
        """Take it that the destination can do what somebody else has found out."""
        self._destination.assume(abilities)

    def close(self) -> None:
        """Give back the destination's connections; may be called twice, and nothing is copied afterwards."""
        self._destination.close()

    def _streamed(self, under_way: deque[list[_Item]], more: Callable[[], Batch | None]) -> Iterator[Outcome]:
        """The first try at what is *under_way*, and at what *more* adds to that as long as all goes well.

        What is done with, in this order, is under way no more. Raises DestinationLost and StoreLost.
        """
        destination, first = self._destination, self._open_items(under_way[0])
        if not isinstance(destination, Streaming) or not _may_stream(first):
            return
        self._reach()
        if not destination.streams:
            return
        to_send, by_key = self._prove_occupied(first), dict[str, _Item]()

        def uploads() -> Iterator[Upload]:
            new = to_send
            while new:
                by_key.update((item.work.key, item) for item in new)
                yield from map(self._upload, new)
                new = self._further(under_way, more)

        for result in destination.put(uploads()):
            item = by_key.pop(result.key)
            if not self._is_taken(item, result):
                self._must_be_sent_again(item, result)
            while under_way and not self._open_items(under_way[0]):
                yield self._outcome(under_way.popleft())

    def _further(self, under_way: deque[list[_Item]], more: Callable[[], Batch | None]) -> list[_Item]:
        """What may be sent next of what *more* gives, while all that was sent before does well, and is not too much."""
        batch = more() if len(under_way) < MOST_UNDER_WAY and not any(map(_has_trouble, under_way)) else None
        if batch is None:
            return []
        under_way.append(self._begun(batch))
        items = self._open_items(under_way[-1])
        return items if _may_stream(items) and not self._finds_keys_taken else []

    def _conclude(self, items: Sequence[_Item], *, was_tried: bool) -> None:
        if not was_tried and not any(map(_must_wait, items)):
            self._try_together(items)
        began = time.monotonic()
        for delay in self._delays:
            unsettled = self._open_items(items)
            if not unsettled or time.monotonic() - began > PATIENCE_SECONDS:
                break
            self._sleep(min(LONGEST_DELAY, max(delay, *(item.wanted_delay for item in unsettled))))
            self._try_together(items)
        for item in self._open_items(items):
            self._try_alone(item)

    def _try_together(self, items: Sequence[_Item]) -> None:
        """One try at all that have no conclusion; a destination or store lost now may be there at the next one."""
        try:
            self._try(self._open_items(items))
        except DestinationRefused:
            raise
        except (DestinationLost, StoreLost):
            return

    def _try_alone(self, item: _Item) -> None:
        """The last try: an object that takes its connection down shall not take others with it."""
        try:
            self._try([item])
        except StoreLost as lost:  # it answers when it is probed, and not when this is read
            self._lost_stores[item.datafile.store_id] = lost
        if self._open_items([item]):
            if not (item.errors and isinstance(item.errors[-1], SourceError)):
                self._refuse_lost()  # raises DestinationLost: then it was not tried to its end
            self._fail(item)

    def _refuse_lost(self) -> None:
        """Raise DestinationLost where nothing can be stored any more: else every object would be tried in vain."""
        self._destination.connect()
        key = f"{SCRATCH_PREFIX}/{secrets.token_hex(16)}"
        probe = Upload(key, lambda: BytesStream(b"probe", place="scratch", key=key), OWN_ALGORITHM, None)
        try:
            (result,) = self._destination.put([probe])
        finally:
            with suppress(CopyError, DestinationLost):
                self._destination.remove([key])
        if isinstance(result, Failure) and isinstance(result.error, Unavailable):
            raise DestinationLost(f"it answers, and stores nothing any more: {result.error}", result.error.hint)

    def _open_items(self, items: Iterable[_Item]) -> list[_Item]:
        """Those that have no conclusion yet and may still get one."""
        return [i for i in items if i.attempt is None and i.datafile.store_id not in self._lost_stores]

    def _find_names(self, items: Iterable[_Item]) -> None:
        for item in items:
            try:
                item.names = self._stores[item.datafile.store_id].names(item.datafile)
            except SourceError as error:
                self._fail(item, error)

    def _try(self, items: Sequence[_Item]) -> None:
        self._reach()
        to_send = self._prove_occupied(items)
        while to_send:
            to_send = self._put(to_send)

    def _reach(self) -> None:
        """Connect at the first use, and see that it is the place where the run began (design, rule 9)."""
        if self.is_reached:
            return
        self._destination.connect()
        if self._identity is not None and self._destination.read_identity() != self._identity:
            said = f"{self._destination.name}: it does not carry our identity any more: is its disk mounted?"
            raise DestinationRefused(said, "run `dataverse-backup check`")
        self.is_reached = True

    # What lies under a key already is proven, not overwritten (design, rule 3).

    def _prove_occupied(self, items: Sequence[_Item]) -> list[_Item]:
        """Settle what is there already and fits; the items that must be sent are returned."""
        occupied = self._occupied(items)
        to_send = [item for item in items if item.work.key not in occupied]
        groups: dict[Algorithm, dict[str, _Item]] = defaultdict(dict)
        for item in items:
            if item.work.key in occupied:
                groups[item.algorithm][item.work.key] = item
        for algorithm, by_key in groups.items():
            found = list(self._destination.digests(list(by_key), algorithm))
            to_send += [by_key[result.key] for result in found if self._must_be_sent(by_key[result.key], result)]
        return to_send

    def _occupied(self, items: Sequence[_Item]) -> Container[str]:
        """The keys that were taken when we asked; one that turns out to be taken later is proven all the same.

        Asking costs about as much as sending a small object. New ones are asked about where a few of them are taken:
        after a run that was killed, after a ledger that was lost, or where the original script has been.
        """
        new = [item.work.key for item in items if item.is_new]
        few = new[:: len(new) // _FEW + 1] if self._finds_keys_taken else []
        asked = few + [item.work.key for item in items if not item.is_new]
        if not asked:
            return ()
        occupied = self._destination.sizes(asked)
        self._finds_keys_taken = bool(occupied)
        if len(few) < len(new) and not occupied.keys().isdisjoint(few):
            occupied |= self._destination.sizes(new)
        return occupied

    def _must_be_sent(self, item: _Item, found: StoredDigest | Failure) -> bool:
        """Adopt what was found if it fits; otherwise say that the item must be sent."""
        if isinstance(found, Failure):
            return self._cannot_be_proven(item, found.error)
        try:
            wanted = item.datafile.checksum or self._digest_of_source(item)
        except SourceUnavailable as error:
            item.errors.append(error)
            return False
        except SourceError as error:
            self._fail(item, error)
            return False
        except StoreLost as lost:
            self._find_lost_stores([item], lost)
            return False
        if found.checksum == wanted:
            self._succeed(item, self._conclusion(item).proven(found))
            return False
        item.supersede_to = superseded_key(item.work.key, found.checksum, datetime.now(UTC))
        return True

    def _cannot_be_proven(self, item: _Item, error: ObjectError) -> bool:
        if isinstance(error, CopyMissing):
            return True
        item.errors.append(error)
        if not isinstance(error, Unavailable):
            self._fail(item)
        return False

    def _digest_of_source(self, item: _Item) -> Checksum:
        """What the source's bytes are now: the only reference where nothing usable is registered (design, rule 3)."""
        for name in item.names:
            try:
                stream = self._opened(item, name)
            except SourceMissing:
                continue
            with HashingReader(stream, item.algorithm) as reader:
                while reader.read(READ_LENGTH):
                    pass
                return reader.finish(None)
        raise SourceMissing(item.datafile.store_id, item.names[0], "there is no such object")

    # What is not there yet is sent.

    def _put(self, items: Sequence[_Item]) -> list[_Item]:
        """Send each item under the first of its names; those that must be sent once more are returned."""
        by_key = {item.work.key: item for item in items}
        results: list[Receipt | Failure] = []
        try:
            results.extend(self._destination.put([self._upload(item) for item in items]))
        except StoreLost as lost:
            self._find_lost_stores(items, lost)
        # The destination is done with this batch here: the calls to it below do not interleave with `put`.
        taken = [by_key[result.key] for result in results if self._is_taken(by_key[result.key], result)]
        again = [by_key[result.key] for result in results if self._must_be_sent_again(by_key[result.key], result)]
        unfinished = self._open_items(by_key[key] for key in by_key.keys() - {result.key for result in results})
        return again + unfinished + self._prove_occupied(taken)

    def _upload(self, item: _Item) -> Upload:
        name = item.names[0]
        return Upload(
            key=item.work.key,
            open=lambda: self._outflow.stream(self._opened(item, name)),
            algorithm=item.algorithm,
            promised=item.datafile.checksum,
            supersede_to=item.supersede_to,
        )

    def _opened(self, item: _Item, name: str) -> ByteStream:
        """The bytes under *name*; where nothing else can tell, their number decides (design, rule 4)."""
        datafile, store = item.datafile, self._stores[item.datafile.store_id]
        stream = store.open(name)
        if datafile.checksum is not None or datafile.is_tabular or datafile.size in (None, stream.size):
            return stream
        if name != store.names(datafile)[0]:  # the registered size is not that of the original
            return stream
        stream.close()
        said = f"it has {stream.size} bytes, {datafile.size} are registered, and no checksum that could decide"
        raise SourceDiffers(store.id, name, said)

    def _find_lost_stores(self, items: Iterable[_Item], lost: StoreLost) -> None:
        """Find out which stores are lost. Raises *lost* where all of them answer again: the try is made again later."""
        found: dict[str, StoreLost] = {}
        for store_id in {item.datafile.store_id for item in items}:
            try:
                self._stores[store_id].probe()
            except StoreLost as error:
                found[store_id] = error
        if not found:
            raise lost
        self._lost_stores |= found

    def _is_taken(self, item: _Item, result: Receipt | Failure) -> bool:
        """Whether somebody took the key after we saw it free: then that is proven, once."""
        if item.was_taken or not isinstance(result, Failure) or not isinstance(result.error, KeyOccupied):
            return False
        item.was_taken = self._finds_keys_taken = True
        item.errors.append(result.error)
        return True

    def _must_be_sent_again(self, item: _Item, result: Receipt | Failure) -> bool:
        """Conclude one item if that can be done; otherwise say whether another of its names is to be tried."""
        if isinstance(result, Receipt):
            self._tell_of_resuming(result)
            self._succeed(item, self._conclusion(item).stored(result, item.supersede_to))
            return False
        if item.errors and item.errors[-1] is result.error:
            return False  # taken, and being proven
        item.errors.append(result.error)
        if isinstance(result.error, Unavailable | SourceUnavailable):
            return False
        if isinstance(result.error, SourceMissing | SourceDiffers) and len(item.names) > 1:
            item.names = item.names[1:]
            return True
        self._fail(item)
        return False

    def _tell_of_resuming(self, receipt: Receipt) -> None:
        if receipt.kept:
            told = facts(destination=self._destination.name, key=receipt.key, kept=receipt.kept)
            log.info("%s", f"resumed: {receipt.kept} of {receipt.size} bytes lay there already", extra=told)

    # What is said in the end.

    def _conclusion(self, item: _Item) -> Conclusion:
        return Conclusion(item.work, self._destination.name, self._destination.method, item.started)

    def _fail(self, item: _Item, *errors: ObjectError) -> None:
        item.errors += errors
        item.attempt = self._conclusion(item).failed(item.errors)

    def _succeed(self, item: _Item, attempt: Attempt) -> None:
        item.attempt = attempt
        former = item.work.copy
        if former is not None and former.key != item.work.key:
            self._move_aside(former.key, superseded_key(former.key, former.checksum, datetime.now(UTC)))

    def _move_aside(self, former: str, aside: str) -> None:
        """After a copy is proven under a new key, the one under its former key is moved aside, not lost."""
        try:
            self._destination.supersede(former, aside)
        except CopyMissing:
            return
        except (CopyError, DestinationLost) as error:
            # Nothing is lost by that, and the new copy is proven.
            log.warning("the copy under the former key %s stays there: %s", former, error)
