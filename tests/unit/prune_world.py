"""An installation in memory with ten copies, some of which are not needed any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dataverse_backup.actions.prune import PruneEnded, plan_of, prune
from dataverse_backup.actions.prune_plan import Item, Rules
from dataverse_backup.datafile import MAIN
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import DestinationLost
from tests.contract.ledger_cases import HERE
from tests.unit.audit_world import AuditWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.actions.prune import PruneEvent
    from dataverse_backup.destinations.base import Failure
    from dataverse_backup.destinations.prunable import Doomed, Pruned


FOLDER = "10.5072/FK2/ABCDEF"
YEAR = timedelta(days=365)
RULES = Rules(YEAR, 1.0)
MANIFEST = f"{FOLDER}/.dataverse-backup/manifest.json"


def key(number: int) -> str:
    return f"{FOLDER}/18b-{number}"


def aside(number: int, when: str = "20200101T000000.000000Z") -> str:
    return f".superseded/{key(number)}/{when}-0123456789ab"


class Breaking(MemoryDestination):
    """Something happens when the first object is to be deleted."""

    breaks: Callable[[], object] | None = None
    stops_after: int | None = None

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        if self.breaks is not None:
            self.breaks()
        for number, result in enumerate(super().prune(doomed)):
            if number == self.stops_after:
                raise DestinationLost("default: nobody answers any more")
            yield result


@dataclass
class PruneWorld(AuditWorld):
    """Ten copies."""

    destination: MemoryDestination = field(default_factory=lambda: Breaking(HERE))

    @property
    def breaking(self) -> Breaking:
        assert isinstance(self.destination, Breaking)
        return self.destination

    def lose(self, *numbers: int, days: int = 400) -> None:
        """These left the catalogue so long ago, and a backup has seen that."""
        for number in numbers:
            del self.catalogue.rows_now[number]
        self.run()
        for number in numbers:
            self.ledger._rows[HERE, number, MAIN].gone_since = datetime.now(UTC) - timedelta(days=days)

    def shown(self, rules: Rules = RULES) -> tuple[str, list[Item]]:
        with plan_of(self.installation, self.site, rules) as plan:
            return plan.name, list(plan.items())

    def prune(self, name: str | None = None, rules: Rules = RULES) -> PruneEnded:
        (*_, ended) = self.pruned(name, rules)
        assert isinstance(ended, PruneEnded)
        return ended

    def pruned(self, name: str | None = None, rules: Rules = RULES) -> list[PruneEvent]:
        return list(prune(self.installation, self.site, name or self.shown(rules)[0], rules, self.stop))

    @property
    def believed(self) -> set[str]:
        return {kept.copy.key for kept in self.ledger.kept(destinations=[HERE])}

    @property
    def there(self) -> set[str]:
        return {name for name in self.copies if ".dataverse-backup" not in name and "/" in name}


def planned(world: PruneWorld, rules: Rules = RULES) -> list[str]:
    return [item.key for item in world.shown(rules)[1]]


EVERYTHING = {key(number) for number in range(1, 11)}
