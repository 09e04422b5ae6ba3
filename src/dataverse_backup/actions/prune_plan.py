"""What may be deleted at a destination, and the name of a plan, which says exactly what it is.

Nothing is kept of a plan: it is made again from its name, which has the moment for which it was made and a digest of
everything in it. Why it is decided so: docs/decisions/0013-prune.md.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

from dataverse_backup.actions.inventory import Inventory
from dataverse_backup.actions.reconcile_events import Amounts
from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import Datafile
from dataverse_backup.destinations.base import SUPERSEDED_PREFIX, Listable
from dataverse_backup.destinations.prunable import is_prunable
from dataverse_backup.errors import PruneRefused, printable
from dataverse_backup.ledger.audits import Choice
from dataverse_backup.ledger.base import Status
from dataverse_backup.logos import LogoAnswers
from dataverse_backup.work import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.sites import Installation
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.ledger.base import Kept, Ledger

TOGETHER = 500
"""Copies about which the databases are asked together."""
HOLDS_FOR = timedelta(days=7)
"""So long a plan may be carried out after it was shown."""

_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{12}")
_TIME = "%Y%m%dT%H%M%SZ"
_ASIDE_NAME = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{6})Z-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator allows."""

    grace: timedelta
    """So long ago a file must have left the catalogue, or a copy have been moved aside."""
    share: float
    """The most of the copies at a destination that one plan may delete, of their number and of their bytes."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object that may be deleted."""

    key: str
    size: int
    since: datetime
    """When its datafile was first missed in the catalogue, or it was moved aside."""
    kept: Kept | None
    """The copy of a datafile that left the catalogue; None of what was moved aside."""


@dataclass(slots=True)
class PrunePlan:
    """What may be deleted at one destination."""

    destination: str
    made: datetime
    """For this moment; whole seconds."""
    rules: Rules
    gone: Amounts = field(default_factory=Amounts)
    """Copies of files that left the catalogue."""
    aside: Amounts = field(default_factory=Amounts)
    """Copies that were moved aside."""
    total: Amounts = field(default_factory=Amounts)
    """All copies that the ledger knows there."""
    back: int = 0
    """Copies that stay because their file is in the catalogue again, or their logo in its store."""
    unasked: int = 0
    """Copies of logos that stay because their store cannot say whether these are there."""
    unsafe: int = 0
    """Copies that were moved aside and stay, because the file that they are of has no proven copy there now."""
    unfinished: int = 0
    """Removals of an earlier run of which nobody knows what became."""
    name: str = ""
    _spool: Spool[Item] = field(default_factory=Spool)

    def items(self) -> Iterator[Item]:
        """What may be deleted; to be asked for once."""
        return iter(self._spool)

    @property
    def objects(self) -> int:
        """How many."""
        return self.gone.objects + self.aside.objects

    @property
    def share(self) -> float:
        """What part of the copies that is, of their number or of their bytes, whichever is more."""
        if not self.objects:
            return 0.0
        if not self.total.objects:
            return 1.0
        of_bytes = (self.gone.size + self.aside.size) / self.total.size if self.total.size else 0.0
        return max(self.objects / self.total.objects, of_bytes)

    @property
    def is_too_much(self) -> bool:
        """Whether the rules forbid it."""
        return self.share > self.rules.share

    def close(self) -> None:
        """Give back the spool."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def moment_of(name: str, now: datetime) -> datetime:
    """The moment for which the plan of that *name* was made. Raises PruneRefused for one that does not hold."""
    match = _NAME.fullmatch(name)
    try:
        made = datetime.strptime(match[1] if match else "", _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        hint = "`dataverse-backup prune` makes one, and shows it"
        raise PruneRefused(f"{printable(name)!r} is not the name of a plan", hint) from error
    if not made <= now <= made + HOLDS_FOR:
        said = f"the plan {name} was not made within the last {HOLDS_FOR.days} days"
        raise PruneRefused(said, "`dataverse-backup prune` makes a new one, and shows it")
    return made


def make_plan(installation: Installation, destination: Destination, rules: Rules, made: datetime) -> PrunePlan:
    """What may be deleted at *destination*, which is connected, as of *made*. Nothing is written down.

    Raises DestinationLost, LedgerError, CatalogueError, NoWorkSpace.
    """
    plan = PrunePlan(destination.name, made.replace(microsecond=0), rules)
    try:
        _Planner(installation, destination, plan).run()
    except BaseException:
        plan.close()
        raise
    return plan


class _Planner:
    """Fills one plan."""

    def __init__(self, installation: Installation, destination: Destination, plan: PrunePlan) -> None:
        self._catalogue, self._ledger, self._stores = installation.catalogue, installation.ledger, installation.stores
        self._destination, self._plan = destination, plan
        self._before = plan.made - plan.rules.grace
        self._digest = hashlib.blake2b(digest_size=6)
        self._digest.update(repr((self._ledger.id, destination.name, int(plan.rules.grace.total_seconds()))).encode())

    def run(self) -> None:
        plan, name = self._plan, self._destination.name
        everything = self._ledger.amount_to_audit(name, Choice(plan.made))
        plan.total = Amounts(everything.files, everything.size)
        plan.unfinished = sum(1 for _ in self._ledger.removals(destination=name, is_unfinished=True))
        self._find_gone()
        if isinstance(self._destination, Listable):
            self._find_aside(self._destination)
        plan.name = f"{plan.made:{_TIME}}-{self._digest.hexdigest()}"

    def _add(self, item: Item) -> None:
        checksum = item.kept.copy.checksum if item.kept else ""
        self._digest.update(repr((item.key, item.size, str(checksum), item.since.isoformat())).encode())
        self._plan._spool.append(item)  # noqa: SLF001 -- who fills it
        (self._plan.aside if item.kept is None else self._plan.gone).add(item.size)

    def _find_gone(self) -> None:
        """Copies of files that left the catalogue long ago, by the ledger, and are not in it now either."""
        logos = LogoAnswers(self._stores)
        for some in chunks(self._ledger.gone(self._destination.name, self._before), TOGETHER):
            found = whereabouts([one.kept.datafile for one in some], self._catalogue, logos)
            for one, there in zip(some, found, strict=True):
                if there is Whereabouts.GONE:
                    copy = one.kept.copy
                    self._add(Item(copy.key, copy.size, one.since, one.kept))
                self._plan.back += there is Whereabouts.BACK
                self._plan.unasked += there is Whereabouts.UNASKED

    def _find_aside(self, destination: Listable) -> None:
        """Copies that were moved aside long ago, of files that are safe here without them."""
        with Inventory() as inventory:
            inventory.take((entry.key, entry.size, None) for entry in destination.entries(SUPERSEDED_PREFIX))
            inventory.index()
            inventory.settle()
            old = (one for one in inventory.others() if (moved_aside(one.name) or self._before) < self._before)
            for some in chunks(old, TOGETHER):
                unsafe = unsafe_keys(self._ledger, self._destination.name, [original_of(one.name) for one in some])
                for one in some:
                    since = moved_aside(one.name)
                    if original_of(one.name) in unsafe:
                        self._plan.unsafe += 1
                    elif since is not None:
                        self._add(Item(one.name, one.size, since, None))


class Whereabouts(Enum):
    """Where something is that the ledger calls gone."""

    GONE = auto()
    BACK = auto()  # it is there again
    KEPT = auto()  # a companion of a datafile that is there: it goes with that, and not before
    UNASKED = auto()  # a logo, and its store cannot say so


def whereabouts(known: Sequence[Datafile], catalogue: Catalogue, logos: LogoAnswers) -> list[Whereabouts]:
    """Where each of *known* is, by the catalogue now, and for the logos of its datasets by their stores (*logos*).

    Raises CatalogueError.
    """
    rows = catalogue.read(sorted({one.id for one in known}))
    return [_whereabouts(one, rows.get(one.id), logos) for one in known]


def _whereabouts(known: Datafile, row: Datafile | NotHere | None, logos: LogoAnswers) -> Whereabouts:
    if row is None:
        return Whereabouts.GONE
    if not known.is_companion:
        return Whereabouts.BACK
    if not isinstance(row, Datafile) or not row.is_dataset:
        return Whereabouts.KEPT
    now = logos.now(row, known.tag)
    if now is None:
        return Whereabouts.UNASKED
    return Whereabouts.BACK if now.version else Whereabouts.GONE


def moved_aside(key: str) -> datetime | None:
    """When the copy under *key* was moved aside, as its name tells (`layout.superseded_key`); None for other names."""
    match = _ASIDE_NAME.fullmatch(key.rpartition("/")[2])
    if match is None or not key.startswith(f"{SUPERSEDED_PREFIX}/") or not original_of(key) or not is_prunable(key):
        return None
    try:
        key.encode()  # a name that is not UTF-8 is not one of ours
        return datetime.strptime(match[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def original_of(key: str) -> str:
    """Where the copy lay that was moved aside to *key*."""
    return key.removeprefix(f"{SUPERSEDED_PREFIX}/").rpartition("/")[0]


def unsafe_keys(ledger: Ledger, destination: str, keys: Sequence[str]) -> set[str]:
    """Those of *keys* that somebody has, or is to get, who has no proven copy there now."""
    holders = ledger.occupants(destination, sorted(set(keys)), folded=None)
    standings = list(ledger.standings(destination, sorted(set(holders.values()))))
    lacking = {one.datafile_id for one in standings if one.status not in (Status.OK, Status.GONE)}
    safe = {one.datafile_id for one in standings} - lacking
    return {key for key, holder in holders.items() if holder not in safe}
