"""A whole installation in memory: what exists, its bytes, a place for copies, and a ledger; and one run over it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.feed import Feed
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.plan import Plan, Scope
from dataverse_backup.planner import make_plan
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.transfer import Transfer
from tests.contract.ledger_cases import HERE, datafile, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.conclusion import Outcome
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Attempt, Listed
    from dataverse_backup.work import Batch


def checksum_of(data: bytes, algorithm: Algorithm = Algorithm.MD5) -> Checksum:
    return Checksum(algorithm, hashlib.new(algorithm.replace("-", "").lower(), data).hexdigest())


@dataclass(frozen=True)
class Ran:
    """What one run did."""

    plan: Plan
    outcomes: list[Outcome]

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt for outcome in self.outcomes for attempt in outcome.attempts]

    @property
    def only(self) -> Attempt:
        (attempt,) = self.attempts
        return attempt


def _never(seconds: float) -> None:
    raise AssertionError(f"nothing here is worth waiting {seconds} seconds for")


def batches_of(plan: Plan) -> Iterator[Batch]:
    """The work of *plan* as the engine would hand it out."""
    with Feed({HERE: plan.works()}, files=10, size=1 << 20) as feed:
        while joint := feed.next_batch():
            yield from joint.batches


@dataclass
class World:
    """Change anything between runs."""

    stores: dict[str, MemoryStore] = field(default_factory=lambda: {"file": MemoryStore()})
    catalogue: MemoryCatalogue = field(default_factory=MemoryCatalogue)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    destination: MemoryDestination = field(default_factory=lambda: MemoryDestination(HERE))
    folded: Callable[[str], str] | None = None
    sleep: Callable[[float], None] = _never

    @property
    def store(self) -> MemoryStore:
        return self.stores["file"]

    @property
    def copies(self) -> dict[str, bytes]:
        return self.destination.objects

    def has(self, number: int, data: bytes = b"data", **changes: Any) -> Datafile:
        """Datafile *number* exists: its bytes are *data*, and so it is registered unless *changes* say otherwise."""
        file = datafile(number, **{"size": len(data), "checksum": checksum_of(data), **changes})
        self.catalogue.rows_now[number] = file
        self.stores[file.store_id].objects[key_of(file)] = data
        return file

    def plan(self, *, limit: int | None = None, dry_run: bool = False) -> Plan:
        scope = Scope(HERE, self.stores, folded=self.folded, limit=limit, dry_run=dry_run)
        return make_plan(self.catalogue, self.ledger, scope)

    def run(self, *, limit: int | None = None) -> Ran:
        transfer = Transfer(self.stores, self.destination, sleep=self.sleep, delays=(1.0, 2.0))
        run = self.ledger.begin_run("backup", HERE)
        with self.plan(limit=limit) as plan:
            outcomes = [transfer.copy(batch) for batch in batches_of(plan)]
        for outcome in outcomes:
            self.ledger.record(run, outcome.attempts)
        return Ran(plan, outcomes)

    def line(self, number: int) -> Listed:
        """What `list` says of one datafile."""
        (line,) = (line for line in self.ledger.listed(destination=HERE) if line.datafile_id == number)
        return line
