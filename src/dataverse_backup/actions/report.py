"""How things stand and how they came to stand so: gathered from the ledger alone, also when Dataverse is down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from dataverse_backup import __version__
from dataverse_backup.actions.events import Ending
from dataverse_backup.ledger.audits import AUDIT_VERB, PRIMARY
from dataverse_backup.ledger.base import BACKUP_VERB, Status
from dataverse_backup.verdict import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.ledger.audits import Damage
    from dataverse_backup.ledger.base import Ledger, RunRecord, Takeover, Tally
    from dataverse_backup.ledger.drills import DrillRecord
    from dataverse_backup.ledger.dumps import DumpRecord
    from dataverse_backup.ledger.history import Band, DatasetTally, Growth, Holding

MOST_DRILLS = 50
"""So many drills are in a report, the newest ones."""
MOST_RUNS = 1_000
"""So many runs are in a report, the newest ones."""
MOST_DATASETS = 1_000
"""So many datasets are in a report, those with most problems."""

SIZE_EDGES = (1, *(10**power for power in range(3, 13)))
"""Bytes at which the bands of sizes begin: empty files are one, then up to 1 kB, 10 kB, … 1 TB, and above."""
PROOF_AGES = tuple(timedelta(days=days) for days in (365, 180, 90, 30, 7, 1))
"""Ages that part the bands of last proofs, oldest first."""

IN_DANGER = (Status.FAIL_READ, Status.FAIL_WRITE, Status.PENDING)
"""What is not safe though its bytes are in a store of ours."""


@dataclass(frozen=True, slots=True)
class Place:
    """How things stand at one destination."""

    name: str
    is_configured: bool
    """False where only the ledger knows it: nothing is backed up to it any more."""
    tallies: tuple[Tally, ...]
    holdings: tuple[Holding, ...]
    last_run: RunRecord | None
    last_success: RunRecord | None
    """The newest run that ended well."""
    oldest_failure: datetime | None
    growth: tuple[Growth, ...]
    sizes: tuple[Band, ...]
    """By SIZE_EDGES."""
    proofs: tuple[Band, ...]
    """By PROOF_AGES, counted from when the report was made."""
    last_audit: RunRecord | None
    """The newest audit that read copies there and ended."""
    last_dump: DumpRecord | None
    """The newest try to dump the Dataverse database to there; this and the next are None where none ever was."""
    last_good_dump: DumpRecord | None
    """The newest that brought a dump."""
    last_drill: DrillRecord | None
    """The newest rehearsal of a restore from there."""

    def files(self, *statuses: Status) -> int:
        """How many datafiles stand there so."""
        return sum(tally.files for tally in self.tallies if tally.status in statuses)

    @property
    def expected(self) -> int:
        """How many datafiles a copy can be expected of."""
        return self.files(Status.OK, *IN_DANGER)

    @property
    def lacking(self) -> int:
        """How many datafiles should have a proven copy and are failing or not copied yet."""
        return self.files(*IN_DANGER)

    @property
    def is_safe(self) -> bool:
        """Whether each datafile that can have a copy has one, proven; nobody knows that where the brake is pulled."""
        return self.last_run is not None and not self.is_braked and not self.lacking

    @property
    def is_braked(self) -> bool:
        """Whether the newest run stopped because so much was wrong at once."""
        return self.last_run is not None and self.last_run.outcome == Ending.BRAKE

    @property
    def size(self) -> int:
        """Bytes of the copies that are OK."""
        return sum(tally.size for tally in self.tallies if tally.status is Status.OK)

    @property
    def oldest_proof(self) -> datetime | None:
        """When the copy that was not proven for longest was proven."""
        return min((h.oldest_proof for h in self._present() if h.oldest_proof), default=None)

    @property
    def newest_proof(self) -> datetime | None:
        """When a copy was proven last."""
        return max((h.newest_proof for h in self._present() if h.newest_proof), default=None)

    @property
    def oldest_unproven(self) -> datetime | None:
        """When Dataverse made the oldest datafile that should have a copy and has none."""
        found = (h.oldest_unproven for h in self.holdings if h.status in IN_DANGER)
        return min((when for when in found if when), default=None)

    def _present(self) -> list[Holding]:
        return [holding for holding in self.holdings if holding.status is not Status.GONE]


@dataclass(frozen=True, slots=True)
class Report:
    """How things stand at every destination."""

    made: datetime
    version: str
    """Of this tool."""
    ledger: str
    """The ledger's id."""
    places: tuple[Place, ...]
    drills: tuple[DrillRecord, ...]
    """Newest first, at most MOST_DRILLS."""
    runs: tuple[RunRecord, ...]
    """Newest first, at most MOST_RUNS."""
    datasets: tuple[DatasetTally, ...]
    """Those with problems first, at most MOST_DATASETS."""
    takeover: Takeover | None
    damage: tuple[Damage, ...]
    """What audits found and nobody has mended, by place; what is merely unreadable or unreachable too."""
    last_audit_of_primaries: RunRecord | None
    """The newest one that ended."""

    @property
    def in_use(self) -> list[Place]:
        """The destinations that are backed up to."""
        return [place for place in self.places if place.is_configured]

    @property
    def is_braked(self) -> bool:
        """Whether the brake is pulled at a destination that is backed up to."""
        return any(place.is_braked for place in self.in_use)

    @property
    def lost_primaries(self) -> int:
        """How many of Dataverse's own files audits found missing or altered."""
        return sum(found.files for found in self.damage if found.destination == PRIMARY and found.verdict in DAMAGE)

    @property
    def is_safe(self) -> bool:
        """Whether every datafile is safe everywhere where it should be."""
        return bool(self.in_use) and all(place.is_safe for place in self.in_use)


def gather(ledger: Ledger, configured: Iterable[str]) -> Report:
    """The report as the ledger has it now; *configured* names the destinations that are backed up to."""
    made, configured = datetime.now(UTC), frozenset(configured)
    holdings = ledger.holdings()
    names = sorted({*configured, *ledger.destinations()})
    return Report(
        made=made,
        version=__version__,
        ledger=ledger.id,
        places=tuple(_place(ledger, name, made, holdings, is_configured=name in configured) for name in names),
        drills=tuple(islice(ledger.drills(), MOST_DRILLS)),
        runs=tuple(islice(ledger.runs(), MOST_RUNS)),
        datasets=tuple(ledger.datasets(MOST_DATASETS)),
        takeover=ledger.takeover(),
        damage=tuple(ledger.damage()),
        last_audit_of_primaries=_last_audit(ledger, PRIMARY),
    )


def _place(ledger: Ledger, name: str, made: datetime, holdings: list[Holding], *, is_configured: bool) -> Place:
    backups = (run for run in ledger.runs(name) if run.verb == BACKUP_VERB)
    return Place(
        name=name,
        is_configured=is_configured,
        tallies=tuple(ledger.tallies_of_all(name)),
        holdings=tuple(holding for holding in holdings if holding.destination == name),
        last_run=ledger.last_run(name),
        last_success=next((run for run in backups if run.outcome == "ok"), None),
        oldest_failure=ledger.oldest_failure(name),
        growth=tuple(ledger.growth(name)),
        sizes=tuple(ledger.sizes(name, SIZE_EDGES)),
        proofs=tuple(ledger.proofs(name, [made - age for age in PROOF_AGES])),
        last_audit=_last_audit(ledger, name),
        last_dump=ledger.last_dump(name),
        last_good_dump=ledger.last_good_dump(name),
        last_drill=ledger.last_drill(name),
    )


def _last_audit(ledger: Ledger, place: str) -> RunRecord | None:
    audits = (run for run in ledger.runs(place) if run.verb == AUDIT_VERB and run.ended is not None)
    return next(audits, None)
