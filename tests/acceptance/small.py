"""A Dataverse of a few datafiles, made for one test; and what may never be true of a backup of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.base import is_note
from demo.contents import DATASETS, SampleFile
from demo.rows import FIRST_DATASET_ID, DatasetRow, rows_of
from demo.sample import SEED, build_from
from tests.acceptance.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from demo.contents import SampleDataset
    from demo.proof import Listing
    from demo.sample import Sample


def small_file(**changes: Any) -> SampleFile:
    """An ordinary datafile in an ordinary dataset, but for *changes*."""
    return SampleFile(**{"what": "", "dataset": "plain", **changes})


def small_files(number: int, **changes: Any) -> list[SampleFile]:
    """So many of them."""
    return [small_file(**changes) for _ in range(number)]


def small_installation(
    folder: Path, dsn: str, files: Iterable[SampleFile], datasets: Mapping[str, SampleDataset] = DATASETS
) -> Installation:
    """A Dataverse of these *files* and nothing else in the database of *dsn*, and an empty folder to back it up to."""
    rows = {
        name: DatasetRow(number, replace(dataset, has_logo=False))
        for number, (name, dataset) in enumerate(datasets.items(), FIRST_DATASET_ID)
    }
    datafiles = list(rows_of(files, rows, Random(SEED), SEED))
    site = Installation(folder, dsn, build_from(folder / "dataverse", dsn, list(rows.values()), datafiles))
    site.backup.mkdir()
    site.back_up_to_folder("Workers: 1")
    return site


def unequal_copies(sample: Sample, backup: Path) -> list[str]:
    """The keys of what should be copied and is not there with the bytes of its original."""
    return [one.key for one in sample.expected if one.key and one.sha256 and _sha256(backup / one.key) != one.sha256]


def untruths(sample: Sample, listed: Sequence[Listing], backup: Path) -> list[str]:
    """What may never be, however a run ends: OK without an equal copy, or half a copy under its name."""
    return [*_not_ok(sample, listed, backup), *_not_whole(sample, backup)]


def _not_ok(sample: Sample, listed: Sequence[Listing], backup: Path) -> Iterator[str]:
    expected = {one.datafile_id: one.sha256 for one in sample.expected}
    for line in listed:
        if line["status"] == "OK" and _sha256(backup / line["key"]) != expected[line["datafile_id"]]:
            yield f"datafile {line['datafile_id']} is OK, and its copy is not"


def _not_whole(sample: Sample, backup: Path) -> Iterator[str]:
    whole = {one.key: one.sha256 for one in sample.expected} | {one.key: one.sha256 for one in sample.companions}
    for path in backup.rglob("*"):
        key = str(path.relative_to(backup))
        ours = is_note(key) or key.startswith(".dataverse-backup/")
        if path.is_file() and not ours and _sha256(path) != whole.get(key):
            yield f"{key} is not as it must be"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "not there"


def standing(listed: Sequence[Listing]) -> set[tuple[str, str | None]]:
    """The statuses and reasons that there are."""
    return {(line["status"], line["reason"] or None) for line in listed}
