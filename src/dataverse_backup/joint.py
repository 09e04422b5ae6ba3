"""Several transfers, one for each destination, at work on the same datafiles: each object is read once for all."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.conclusion import Crowded, Outcome, shortened
from dataverse_backup.errors import DestinationLost, SourceError
from dataverse_backup.stores.sharing import MEMORY, Sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dataverse_backup.outflow import Outflow
    from dataverse_backup.stores.base import Store
    from dataverse_backup.stores.sharing import Reader
    from dataverse_backup.transfer import Transfer
    from dataverse_backup.work import Batch, JointBatch

Outcomes = dict[str, Outcome]
"""What became of a joint batch, by destination."""


class JointTransfer:
    """Copies joint batches, the parts of one in a thread each. Used by one thread at a time; closes its stores."""

    def __init__(
        self,
        stores: Mapping[str, Store],
        make_transfers: Mapping[str, Callable[[Mapping[str, Store]], Transfer]],
        outflows: Mapping[str, Outflow] | None = None,
        *,
        memory: int = MEMORY,
    ) -> None:
        """Copy from *stores* by a transfer for each destination; at most about *memory* bytes wait to be taken.

        What is sent to a destination goes through that of *outflows* that has its name.
        """
        self._stores = stores
        sharing = Sharing(stores, memory=memory)
        self._readers = {name: sharing.reader() for name in make_transfers}
        self._transfers = {name: make(self._readers[name].stores) for name, make in make_transfers.items()}
        self._outflows = outflows or {}
        self._lost: dict[str, DestinationLost] = {}

    def copy(self, joint: JointBatch) -> Outcomes:
        """Copy every part of *joint*; nothing more is tried at a destination that was lost before.

        Raises Crowded where one of the destinations, which other workers may have reached, could never be reached from
        here: then those do it all, and find what was copied to the others.
        """
        self._begin(joint)
        outcomes = self._copied_together(joint)
        self._note_lost(outcomes)
        return outcomes

    def __call__(self, joint: JointBatch) -> Outcomes:
        """As `copy`, for whoever is far away and has *joint*: what that tells already is left out."""
        outcomes = self.copy(joint)
        return {batch.destination: shortened(outcomes[batch.destination], batch) for batch in joint.batches}

    def all(self, joint: JointBatch, more: Callable[[], JointBatch | None]) -> Iterator[Outcomes]:
        """As a call for *joint* and for each that *more* gives, one after the other; asked before the last is over.

        Then what comes next travels while what was sent is proven, if there is one destination. Raises Crowded.
        """
        if len(self._transfers) > 1 or self._lost:
            yield self(joint)
            return
        ((name, transfer),) = self._transfers.items()
        under_way = deque([joint])

        def further() -> Batch | None:
            if (joint := more()) is None:
                return None
            under_way.append(joint)
            return joint.batches[0]

        self._begin(joint)
        reader = self._readers[name]
        for told in transfer.copy_all(joint.batches[0], further, self._outflows.get(name)):
            outcome = replace(told, seconds=reader.seconds, bytes_read=reader.bytes_read)
            reader.begin()
            self._note_lost({name: outcome})
            yield {name: shortened(outcome, under_way.popleft().batches[0])}

    def _begin(self, joint: JointBatch) -> None:
        for name, told in joint.abilities.items():
            self._transfers[name].assume(told)
        for batch in joint.batches:
            self._readers[batch.destination].begin()

    def _note_lost(self, outcomes: Outcomes) -> None:
        """Raise Crowded where one was lost that could never be reached from here."""
        lost = {name: outcome.lost_destination for name, outcome in outcomes.items() if outcome.lost_destination}
        self._lost |= lost
        if not all(self._transfers[name].is_reached for name in lost):
            raise Crowded(outcomes)

    def _copied_together(self, joint: JointBatch) -> Outcomes:
        if len(joint.batches) < 2:  # noqa: PLR2004 -- alone
            return {batch.destination: self._copied(batch) for batch in joint.batches}
        self._expect(joint)
        with ThreadPoolExecutor(len(joint.batches), thread_name_prefix="transfer") as threads:
            futures = {batch.destination: threads.submit(self._copied, batch) for batch in joint.batches}
        return {destination: future.result() for destination, future in futures.items()}

    def prepare(self) -> None:
        """Begin to connect; there will be something to copy soon."""
        for transfer in self._transfers.values():
            transfer.prepare()

    def share(self, sharers: int) -> None:
        """Send as one of *sharers* on different machines, which together hold to the bandwidth of a destination."""
        for outflow in self._outflows.values():
            if outflow.pace is not None:
                outflow.pace.share(sharers)

    def tell(self, hear: Callable[[str, int, int], object]) -> None:
        """Let *hear* know how far a batch has come: destination, first datafile, bytes read to be sent."""
        for name, outflow in self._outflows.items():
            outflow.notes.tell(partial(hear, name))

    def close(self) -> None:
        """Give back all connections; may be called twice."""
        for transfer in self._transfers.values():
            transfer.close()
        for store in self._stores.values():
            store.close()
        for outflow in self._outflows.values():
            if outflow.pace is not None:
                outflow.pace.close()

    def _expect(self, joint: JointBatch) -> None:
        for batch in joint.batches:
            if batch.destination not in self._lost:
                _expect(batch, self._readers[batch.destination])

    def _copied(self, batch: Batch) -> Outcome:
        reader = self._readers[batch.destination]
        try:
            outcome = self._tried(batch)
        finally:
            reader.sharing.leave(reader)
        return replace(outcome, seconds=reader.seconds, bytes_read=reader.bytes_read)

    def _tried(self, batch: Batch) -> Outcome:
        if (lost := self._lost.get(batch.destination)) is not None:
            return Outcome(lost_destination=lost)
        return self._transfers[batch.destination].copy(batch, self._outflows.get(batch.destination))


def _expect(batch: Batch, reader: Reader) -> None:
    for work in batch.works:
        try:
            reader.expect(work.datafile)
        except SourceError:
            continue  # it will not be opened: the transfer says why


@dataclass(frozen=True, slots=True)
class JointTransferFactory:
    """Makes what copies joint batches in a worker process; as picklable as its parts."""

    make_stores: Callable[[], Mapping[str, Store]]
    make_transfers: Mapping[str, Callable[[Mapping[str, Store]], Transfer]]
    outflows: Mapping[str, Outflow] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What this work is called where many see it, as in Dask's dashboard."""
        return f"backup-{'-'.join(sorted(self.make_transfers))}"

    def heard(self, name: str, first: int, count: int) -> None:
        """Note what a transfer far away told (`JointTransfer.tell`)."""
        if (outflow := self.outflows.get(name)) is not None:
            outflow.notes.pass_on(first, count)

    def __call__(self) -> JointTransfer:
        """From stores of its own; it connects while it waits for its first batch."""
        transfer = JointTransfer(self.make_stores(), self.make_transfers, self.outflows)
        transfer.prepare()
        return transfer
