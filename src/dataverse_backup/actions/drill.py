"""Rehearse a restore: what a drill brings back, and what it came to."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.actions.restore_plan import Wanted
from dataverse_backup.errors import CopyMissing, SourceChanged, SourceDiffers
from dataverse_backup.ledger.base import Kept, Status
from dataverse_backup.retrieval import Came

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.retrieval import Retrieved

SAMPLE = 20
MAX_BYTES = 10 << 30

_DAMAGE = (CopyMissing, SourceDiffers, SourceChanged)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is to be restored."""

    files: tuple[int, ...]
    dataset: str | None
    """PID of the one that is restored as a whole; None where there is none that is small enough."""
    newest_proof: datetime

    @property
    def wanted(self) -> Wanted:
        """The same as a restore asks for it."""
        return Wanted(self.files, () if self.dataset is None else (self.dataset,))


def choose(ledger: Ledger, destination: str, *, sample: int, max_bytes: int) -> Rehearsal | None:
    """A random sample of what is OK at *destination*, and a dataset; about *max_bytes*. None where nothing is there."""
    chosen, sizes, newest = _sampled(ledger, destination, sample)
    if newest is None:
        return None
    random.shuffle(chosen)
    dataset = next(
        (one.datafile.dataset for one in chosen if sizes[one.datafile.dataset.storage_path] <= max_bytes), None
    )
    left = max_bytes - (sizes[dataset.storage_path] if dataset else 0)
    files: list[int] = []
    for one in chosen:
        if one.copy.size <= left:
            files.append(one.datafile.id)
            left -= one.copy.size
    return Rehearsal(tuple(files), dataset.persistent_id if dataset else None, newest)


def _sampled(ledger: Ledger, destination: str, sample: int) -> tuple[list[Kept], dict[str, int], datetime | None]:
    """A fair sample of one pass, the bytes of each dataset, and when the newest proof is of."""
    chosen: list[Kept] = []
    sizes: dict[str, int] = {}
    newest: datetime | None = None
    good = (kept for kept in ledger.kept(destinations=[destination]) if kept.status is Status.OK)
    for number, kept in enumerate(good):
        path = kept.datafile.dataset.storage_path
        sizes[path] = sizes.get(path, 0) + kept.copy.size
        newest = max(newest or kept.copy.proven, kept.copy.proven)
        if len(chosen) < sample:
            chosen.append(kept)
        elif (place := random.randrange(number + 1)) < sample:  # noqa: S311 -- a sample, no secret
            chosen[place] = kept
    return chosen, sizes, newest


def is_damage(results: Iterable[Retrieved]) -> bool:
    """Whether a copy was missing or other than it was when it was proven."""
    failed = (result for result in results if result.came is Came.FAILED)
    return any(isinstance(error, _DAMAGE) for result in failed for error in result.errors)
