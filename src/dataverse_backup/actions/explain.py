"""The whole life of one file: what Dataverse says of it now, where its bytes are, and what became of every attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.datafile import Datafile
from dataverse_backup.errors import CatalogueError, DataverseBackupError, ObjectError, printable
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.ledger.audits import VerdictRecord
    from dataverse_backup.ledger.base import Ledger, Listed
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.ledger.removals import Removal
    from dataverse_backup.stores.base import Store

MOST_FILES = 20
"""So many files are explained at once: a dataset may have thousands."""
_LONGEST_NUMBER = 18
"""Digits of the greatest id that databases have."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of one datafile."""

    datafile_id: int
    row: Datafile | NotHere | None
    """What Dataverse says now; None where it has no such datafile, or could not be asked."""
    objects: tuple[str, ...]
    """Names of the objects in its store that may have its bytes."""
    places: tuple[Listed, ...]
    """Where it stands, by destination."""
    attempts: tuple[AttemptRecord, ...]
    """Oldest first."""
    verdicts: tuple[VerdictRecord, ...]
    """What audits said of its copies and its primary, oldest first; *intact* only where it was not before."""
    removals: tuple[Removal, ...] = ()
    """Copies of it that were deleted, or were to be, oldest first."""

    @property
    def is_dataset(self) -> bool:
        """Whether it is a dataset, with its logos."""
        return isinstance(self.row, Datafile) and self.row.is_dataset

    @property
    def is_something(self) -> bool:
        """Whether anything is known of it; a dataset by itself is not what is backed up."""
        return bool(self.places) or (self.row is not None and not self.is_dataset)

    def advice(self, listed: Listed) -> str:
        """What to do about where it stands; '' where there is nothing to do."""
        if listed.reason is not None:
            return HINTS[listed.reason]
        if listed.status is Status.PENDING:
            return "the next run copies it, or proves what is there"
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The files that were meant."""

    files: tuple[Explanation, ...]
    are_more: bool
    """Whether more than MOST_FILES go by that name."""
    trouble: CatalogueError | None = field(default=None)
    """Why Dataverse could not be asked."""


def explain(name: str, ledger: Ledger, catalogue: Callable[[], Catalogue], stores: Mapping[str, Store]) -> Answer:
    """Explain the files that go by *name*: datafile id, storage identifier, PID, key, or name with or without folder.

    Raises DataverseBackupError where there is none; a Dataverse that does not answer is part of the answer.
    """
    known, trouble = _known_ids(name, ledger), None
    rows: Mapping[int, Datafile | NotHere] = {}
    try:
        with catalogue() as opened:
            known = known or opened.named(name, MOST_FILES + 1)
            rows = opened.read(known[:MOST_FILES])
    except CatalogueError as error:
        trouble = error
    explained = [_explanation(ledger, number, rows.get(number), stores) for number in known[:MOST_FILES]]
    files = tuple(file for file in explained if file.is_something)
    if not files:
        raise _unknown(name, trouble)
    return Answer(files, are_more=len(known) > MOST_FILES, trouble=trouble)


def _known_ids(name: str, ledger: Ledger) -> list[int]:
    if name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER:
        return [int(name)]
    return ledger.named(name, MOST_FILES + 1)


def _explanation(
    ledger: Ledger, number: int, row: Datafile | NotHere | None, stores: Mapping[str, Store]
) -> Explanation:
    return Explanation(
        datafile_id=number,
        row=row,
        objects=_objects(row, stores) if isinstance(row, Datafile) else (),
        places=tuple(ledger.listed(datafile_id=number)),
        attempts=tuple(ledger.attempts(datafile_id=number)),
        verdicts=tuple(ledger.verdicts(datafile_id=number)),
        removals=tuple(ledger.removals(datafile_id=number)),
    )


def _objects(datafile: Datafile, stores: Mapping[str, Store]) -> tuple[str, ...]:
    store = stores.get(datafile.store_id)
    if store is None or datafile.is_dataset:
        return ()
    try:
        return store.names(datafile)
    except ObjectError:  # a name that would lead out of the store; the attempts say so
        return ()


def _unknown(name: str, trouble: CatalogueError | None) -> DataverseBackupError:
    said = f"nothing is known of {printable(name)}"
    if trouble is not None:
        said += f", and Dataverse cannot be asked: {trouble}"
    hint = (
        "give a datafile id, a storage identifier, a PID, a key, or a file name with its folder; "
        "a file newer than the last run is found by its id or its PID"
    )
    return DataverseBackupError(said, hint)
