"""For which objects beside datafiles a copy can speak, though nothing is registered for them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dataverse_backup.datafile import LOGOS, Datafile, fingerprint
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.ledger.base import Ledger


class Proofs:
    """Where companions have a proven copy, and what Dataverse said of them then."""

    def __init__(self, ledger: Ledger, destinations: Iterable[str], ids: Sequence[int]) -> None:
        """Of the companions of these datafiles, and the logos of these datasets. Raises LedgerError."""
        self._proven: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
        for name in destinations if ids else ():
            for one in ledger.standings(name, ids):
                if one.status is Status.OK:
                    self._proven[one.datafile_id, one.tag][name] = one.fingerprint

    def places_of(self, companion: Datafile) -> set[str]:
        """The destinations whose copy was proven when Dataverse said of *companion* what it says now.

        Of a logo that its store does not have any more, those that have it: nothing else tells of it.
        """
        known = self._proven.get((companion.id, companion.tag), {})
        is_lost_logo = companion.is_logo and not companion.version
        return {name for name, told in known.items() if is_lost_logo or told == fingerprint(companion)}

    def logos_of(self, dataset: Datafile) -> list[str]:
        """The tags of the logos of *dataset* that have one."""
        return [tag for tag in LOGOS if (dataset.id, tag) in self._proven]


def datasets_with_logos(ledger: Ledger, destinations: Iterable[str], dataset: str | None = None) -> list[int]:
    """The ids of those of which a logo is known, at any of *destinations*: all, or the one with the PID *dataset*."""
    names = sorted(destinations)
    if dataset is None:
        return sorted({number for name in names for number in ledger.with_logos(name)})
    known = ledger.kept(destinations=names, dataset=dataset)
    return sorted({kept.datafile.id for kept in known if kept.datafile.is_logo})


def left_behind(ledger: Ledger, destinations: Iterable[str], catalogue: Catalogue) -> list[tuple[int, str]]:
    """Companions that were not intact when they were looked at last, and are not Dataverse's any more.

    Raises LedgerError and CatalogueError.
    """
    doubtful = ledger.doubtful_companions()
    ids = sorted({number for number, _ in doubtful})
    rows, proofs = catalogue.read(ids), Proofs(ledger, destinations, ids)
    return [(number, tag) for number, tag in doubtful if not _is_there(rows.get(number), tag, proofs)]


def _is_there(row: Datafile | NotHere | None, tag: str, proofs: Proofs) -> bool:
    if not isinstance(row, Datafile):
        return False
    return tag in proofs.logos_of(row) if row.is_dataset else row.object_of(tag) is not None
