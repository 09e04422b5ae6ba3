"""An installation in memory that is backed up and audited: what was found, by place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataverse_backup.actions.audit import audit, audit_primaries
from dataverse_backup.actions.audit_events import AuditEnded, AuditPlan, AuditRequest, Looked
from dataverse_backup.actions.sites import Installation, Site
from dataverse_backup.allowance import NO_LIMITS
from dataverse_backup.engine import Capacity, Stop
from dataverse_backup.threads import threads
from dataverse_backup.transfer import Transfer
from tests.contract.ledger_cases import HERE
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dataverse_backup.actions.audit_events import AuditEvent
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.ledger.audits import Judged
    from dataverse_backup.stores.base import Store

EVERYTHING = AuditRequest(NO_LIMITS)


@dataclass(frozen=True)
class Found:
    """What one audit said."""

    events: list[AuditEvent]

    @property
    def ended(self) -> AuditEnded:
        (ended,) = (event for event in self.events if isinstance(event, AuditEnded))
        return ended

    @property
    def plan(self) -> AuditPlan:
        (plan,) = (event for event in self.events if isinstance(event, AuditPlan))
        return plan

    @property
    def findings(self) -> list[Judged]:
        return [one for event in self.events if isinstance(event, Looked) for one in event.findings]

    @property
    def verdicts(self) -> list[tuple[str, int, str]]:
        """Place, datafile and verdict of what is not intact."""
        return sorted((one.destination, one.datafile.id, one.verdict.value) for one in self.findings)


@dataclass
class AuditWorld(World):
    """Its destination is ours from the start."""

    capacity: Capacity = field(default_factory=lambda: Capacity(1, 3, 1 << 20))
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self.destination.write_identity(self.ledger.id)
        self.ledger.claim_destination(HERE)

    @property
    def installation(self) -> Installation:
        return Installation(self.catalogue, self.ledger, self.stores, lambda: self.stores)

    @property
    def site(self) -> Site:
        def make_transfer(_: Staging) -> Callable[[Mapping[str, Store]], Transfer]:
            return lambda stores: Transfer(stores, self.destination)

        def open_destination(_: Staging) -> Destination:
            return self.destination

        return Site(HERE, "memory", open_destination, make_transfer, self.capacity, open_workers=threads)

    def audit(self, request: AuditRequest = EVERYTHING) -> Found:
        return Found(list(self.begun(request)))

    def begun(self, request: AuditRequest = EVERYTHING) -> Iterator[AuditEvent]:
        return audit(self.installation, [self.site], request, self.stop)

    def audit_stores(self, request: AuditRequest = EVERYTHING) -> Found:
        events = audit_primaries(self.installation, [self.site], request, self.stop)
        return Found(list(events))


def backed_up(world: AuditWorld, count: int = 5, **changes: Any) -> list[Datafile]:
    files = [world.has(number, b"data %d" % number, **changes) for number in range(1, count + 1)]
    world.run()
    return files
