"""What one run must do at one destination, and what is planned for: the nouns of planning; `planner` does it."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.errors import DataverseBackupError
from dataverse_backup.work import Spool, Why, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from dataverse_backup.brake import Thresholds
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import BrakePulled, ObjectError, Reason, StoreLost
    from dataverse_backup.logos import LogoAnswers
    from dataverse_backup.stores.base import Store


@dataclass(frozen=True, slots=True)
class Refused:
    """A datafile of which no key or object name can be made: failed without being tried."""

    datafile: Datafile
    error: ObjectError


@dataclass(slots=True)
class Share:
    """Files and bytes (as registered) of a part of the plan."""

    files: int = 0
    size: int = 0

    def add(self, datafile: Datafile) -> None:
        """Count *datafile* in."""
        self.files += 1
        self.size += datafile.size or 0


@dataclass(slots=True)
class Plan:
    """What one run must do at one destination."""

    catalogue: Share = field(default_factory=Share)
    """All datafiles that the catalogue has."""
    work: Share = field(default_factory=Share)
    """Datafiles and companions that must be copied or proven."""
    companions: int = 0
    """How many of these are companions."""
    by_store: defaultdict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    by_reason: Counter[Why] = field(default_factory=Counter)
    settled: int = 0
    """Datafiles whose copy is proven and fits."""
    not_here: Counter[Reason] = field(default_factory=Counter)
    gone: int = 0
    """Datafiles that were in the catalogue before and are not now."""
    beside: list[tuple[int, str]] = field(default_factory=list)
    """Datafiles that got another key because theirs belongs to a different one: id and key, the first hundred."""
    unknown_stores: Counter[str] = field(default_factory=Counter)
    """Store ids that the catalogue names and the configuration does not (design, rule 11)."""
    stores_seen: set[str] = field(default_factory=set)
    """Configured stores that the catalogue has datafiles in."""
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    """Stores that could not be read at the start; nothing of theirs is planned or noted (design, rule 12)."""
    unasked: Counter[str] = field(default_factory=Counter)
    """How many datasets could not be asked for a logo, by the reason."""
    refused: list[Refused] = field(default_factory=list)
    unusual: BrakePulled | None = None
    """Why a run would stop here, where this is only a dry run."""
    _spool: Spool[Work] = field(default_factory=Spool)
    _logos: Spool[Work] | None = None
    """Logos are known last, and the ids of their datasets are among the others."""

    def add(self, works: Iterable[Work]) -> None:
        """Plan *works*, by ascending `Datafile.place`."""
        for work in works:
            self._spool.append(work)

    def add_logos(self, works: Sequence[Work]) -> None:
        """Plan *works* on logos, by ascending `Datafile.place` too."""
        for work in works:
            self._logos = self._logos or Spool()
            self._logos.append(work)

    def works(self) -> Iterator[Work]:
        """The work, by ascending `Datafile.place`; to be asked for once."""
        if self._logos is None:
            return iter(self._spool)
        return heapq.merge(self._spool, self._logos, key=lambda work: work.datafile.place)

    @property
    def not_asked(self) -> list[DataverseBackupError]:
        """What there is to say of datasets that could not be asked for a logo."""
        hint = "may we list what lies in that store? they are asked again when it is their turn"
        told = ((why, f"{count:,} dataset{'s were' if count > 1 else ' was'}") for why, count in self.unasked.items())
        return [DataverseBackupError(f"{datasets} not asked for a logo: {why}", hint) for why, datasets in sorted(told)]

    def close(self) -> None:
        """Give back the spools."""
        self._spool.close()
        if self._logos is not None:
            self._logos.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Scope:
    """What is planned for: one destination, and how."""

    destination: str
    stores: Mapping[str, Store]
    folded: Callable[[str], str] | None = None
    """How the destination sees keys, where it folds case."""
    limit: int | None = None
    """Plan at most so many datafiles."""
    only: Container[int] | None = None
    """Plan none but these datafile ids."""
    dry_run: bool = False
    """Write nothing down."""
    brake: Thresholds | None = None
    """How much may vanish; None where that is not looked at."""
    logos: LogoAnswers | None = None
    """Whom the plan asks for logos, if others ask the same; None: it asks for itself."""
    get_ready: Callable[[], None] = lambda: None
    """Called when there is something to do, as soon as that is known; perhaps again and again."""
