"""An installation in memory whose stores and destination are listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.actions.reconcile import reconcile_destinations, reconcile_stores
from dataverse_backup.actions.reconcile_events import Finding, Presence, Reconciled
from dataverse_backup.stores.memory import MemoryStore
from tests.unit.audit_world import AuditWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.actions.reconcile_events import ReconcileEvent
    from dataverse_backup.stores.listable import StoredObject


FOLDER = "10.5072/FK2/ABCDEF"
PID = "doi:10.5072/FK2/ABCDEF"


@dataclass(frozen=True)
class Told:
    """What was said of one place."""

    events: list[ReconcileEvent]

    @property
    def ended(self) -> Reconciled:
        (ended,) = (event for event in self.events if isinstance(event, Reconciled))
        return ended

    def of(self, presence: Presence) -> dict[str, str]:
        """Names with their reasons."""
        return {one.key: one.why for one in self.findings if one.presence is presence}

    @property
    def findings(self) -> list[Finding]:
        return [event for event in self.events if isinstance(event, Finding)]

    @property
    def dark(self) -> dict[str, str]:
        return self.of(Presence.DARK)

    @property
    def lost(self) -> dict[str, str]:
        return self.of(Presence.LOST)


class BusyStore(MemoryStore):
    """Something happens while it is listed."""

    def entries(self) -> Iterator[StoredObject]:
        yield from super().entries()
        self.meanwhile()

    meanwhile: Callable[[], object] = staticmethod(lambda: None)


@dataclass
class ReconcileWorld(AuditWorld):
    stores: dict[str, MemoryStore] = field(default_factory=lambda: {"file": BusyStore()})

    @property
    def busy(self) -> BusyStore:
        store = self.store
        assert isinstance(store, BusyStore)
        return store

    def look(self) -> Told:
        return Told(list(reconcile_stores(self.installation, self.stop)))

    def look_at_copies(self) -> Told:
        return Told(list(reconcile_destinations(self.installation, [self.site], self.stop)))
