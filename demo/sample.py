"""The sample Dataverse: built in a database and in folders, together with what a backup must make of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.ledger.base import Status
from demo import database
from demo.rows import DEFAULT_STORE, datafile_rows, dataset_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.errors import Reason
    from demo.rows import DatafileRow, DatasetRow

SEED = 2026
STORES = ("file", "local")
"""The ids of its stores that are folders; ``file`` is the default one."""


@dataclass(frozen=True, slots=True)
class ExpectedCompanion:
    """What a backup must make of an object beside a Datafile, or of a dataset's."""

    id: int
    """Of the Datafile, or of the dataset."""
    tag: str
    key: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What a backup must make of one Datafile."""

    datafile_id: int
    what: str
    """What is awkward about it; ``''`` for an ordinary one."""
    status: Status
    reason: Reason | None
    key: str | None
    """Where its copy lies, or would lie had it not failed; None where there can be none."""
    size: int | None
    """Bytes of its copy; None where there must be no copy."""
    sha256: str | None
    """Of the copy's bytes."""
    companions: tuple[ExpectedCompanion, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample as it was built."""

    stores: dict[str, Path]
    """The directory of each store that is a folder."""
    expected: tuple[Expected, ...]
    """By ascending datafile id; harvested ones are not among them."""
    harvested: frozenset[int]
    """Datafile ids that must not turn up anywhere."""
    datasets: int
    logos: tuple[ExpectedCompanion, ...] = ()
    """Of datasets."""

    @property
    def companions(self) -> list[ExpectedCompanion]:
        """Everything that must be backed up beside Datafiles."""
        return [*self.logos, *(companion for expected in self.expected for companion in expected.companions)]

    @property
    def copied_bytes(self) -> int:
        """Of all copies."""
        return sum(expected.size or 0 for expected in self.expected) + sum(one.size for one in self.companions)

    def with_status(self, status: Status) -> list[Expected]:
        """Those that must have *status*."""
        return [expected for expected in self.expected if expected.status is status]


def build(folder: Path, dsn: str, *, seed: int = SEED) -> Sample:
    """Write the sample's objects below *folder*, and its rows into the empty database of *dsn*.

    Equal seeds build equal samples. Everybody may read what is written: databases and servers run as other users.
    """
    return build_from(folder, dsn, list(dataset_rows(seed).values()), list(datafile_rows(seed)))


def build_from(folder: Path, dsn: str, datasets: list[DatasetRow], datafiles: list[DatafileRow]) -> Sample:
    """As `build`, for a Dataverse of just these rows."""
    stores = {store: folder / store for store in STORES}
    for directory in stores.values():
        directory.mkdir(parents=True)
    _link_folders(folder / "another-disk", stores["file"], datasets)
    for row in datafiles:
        for path, content in row.objects().items():
            _write(stores[row.store_id] / path, content)
    for dataset in datasets:
        for path, content in dataset.logos().values():
            _write(stores[DEFAULT_STORE] / path, content)
    database.write(dsn, datasets, datafiles)
    return Sample(
        stores=stores,
        expected=tuple(_expected(row) for row in datafiles if not _is_harvested(row)),
        harvested=frozenset(row.id for row in datafiles if _is_harvested(row)),
        datasets=len(datasets),
        logos=tuple(one for row in datasets for one in _beside(row.id, row.logos())),
    )


def _is_harvested(row: DatafileRow) -> bool:
    return row.dataset is not None and row.dataset.dataset.is_harvested


def _link_folders(elsewhere: Path, store: Path, datasets: list[DatasetRow]) -> None:
    """Make the folders that are links to another disk, as administrators do when one is full."""
    for row in datasets:
        if row.dataset.is_on_another_disk:
            pid = row.dataset.storage_pid
            link, target = store / pid.authority / pid.identifier, elsewhere / pid.identifier
            target.mkdir(parents=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target, target_is_directory=True)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _expected(row: DatafileRow) -> Expected:
    has_copy = row.file.status is Status.OK
    return Expected(
        datafile_id=row.id,
        what=row.file.what,
        status=row.file.status,
        reason=row.file.reason,
        key=None if row.file.status is Status.NOT_HERE else row.key,
        size=len(row.registered_bytes) if has_copy else None,
        sha256=hashlib.sha256(row.registered_bytes).hexdigest() if has_copy else None,
        companions=tuple(_beside(row.id, row.companions())),
    )


def _beside(its_id: int, found: dict[str, tuple[str, bytes]]) -> Iterator[ExpectedCompanion]:
    for tag, (key, content) in found.items():
        yield ExpectedCompanion(its_id, tag, key, len(content), hashlib.sha256(content).hexdigest())
