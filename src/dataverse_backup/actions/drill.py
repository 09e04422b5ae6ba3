"""Rehearse a restore: what a drill brings back, and what it came to."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.actions.restore_plan import Wanted
from dataverse_backup.errors import CopyMissing, SourceChanged, SourceDiffers
from dataverse_backup.ledger.base import Kept, Status
from dataverse_backup.ledger.drills import MOST_FAILURES, DrillFailure, DrillRecord
from dataverse_backup.retrieval import Came

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from dataverse_backup.actions.restore import Restored
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.retrieval import Retrieved

DAMAGE = "damage"
"""The outcome of a drill that found a copy missing or other than it was when it was proven."""

_DAMAGE = (CopyMissing, SourceDiffers, SourceChanged)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is to be restored."""

    files: tuple[int, ...]
    dataset: str | None
    """PID of the one that is restored as a whole; None where there is none that is small enough."""
    oldest_proof: datetime
    newest_proof: datetime
    """Of all copies that are OK there."""

    @property
    def wanted(self) -> Wanted:
        """The same as a restore asks for it."""
        return Wanted(self.files, () if self.dataset is None else (self.dataset,))


def choose(ledger: Ledger, destination: str, *, sample: int, max_bytes: int) -> Rehearsal | None:
    """A random sample of what is OK at *destination*, and a dataset; about *max_bytes*. None where nothing is there."""
    chosen, sizes, proofs = _sampled(ledger, destination, sample)
    if not proofs:
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
    return Rehearsal(tuple(files), dataset.persistent_id if dataset else None, *proofs)


def _sampled(ledger: Ledger, destination: str, sample: int) -> tuple[list[Kept], dict[str, int], tuple[datetime, ...]]:
    """A fair sample of one pass, the bytes of each dataset, and the oldest and the newest proof, if there is any."""
    chosen: list[Kept] = []
    sizes: dict[str, int] = {}
    proofs: tuple[datetime, ...] = ()
    good = (kept for kept in ledger.kept(destinations=[destination]) if kept.status is Status.OK)
    for number, kept in enumerate(good):
        path = kept.datafile.dataset.storage_path
        sizes[path] = sizes.get(path, 0) + kept.copy.size
        known = (*proofs, kept.copy.proven)
        proofs = min(known), max(known)
        if len(chosen) < sample:
            chosen.append(kept)
        elif (place := random.randrange(number + 1)) < sample:  # noqa: S311 -- a sample, no secret
            chosen[place] = kept
    return chosen, sizes, proofs


@dataclass(frozen=True, slots=True)
class Drill:
    """One that goes on, and what is known of it already."""

    run: str
    destination: str
    rehearsal: Rehearsal
    started: datetime

    def conclude(self, results: Sequence[Retrieved], restored: Restored, seconds: float) -> DrillRecord:
        """What the ledger keeps of it, now that it has come to *restored*."""
        failed = [result for result in results if result.came is Came.FAILED]
        return DrillRecord(
            run=self.run,
            destination=self.destination,
            started=self.started,
            seconds=seconds,
            outcome=DAMAGE if _is_damage(failed) else restored.ending,
            files=restored.files[Came.RESTORED] + restored.files[Came.RIGHT],
            size=restored.bytes_restored,
            failed=len(failed),
            dataset=self.rehearsal.dataset or "",
            oldest_proof=self.rehearsal.oldest_proof,
            newest_proof=self.rehearsal.newest_proof,
            message="; ".join(str(trouble) for trouble in (*restored.lost.values(), restored.trouble) if trouble),
            failures=tuple(_failure(result) for result in failed[:MOST_FAILURES]),
        )


def _failure(result: Retrieved) -> DrillFailure:
    said = "; ".join(str(error) for error in result.errors)
    return DrillFailure(result.retrieval.datafile.id, result.retrieval.sources[0].key, said)


def _is_damage(failed: Iterable[Retrieved]) -> bool:
    """Whether a copy was missing or other than it was when it was proven."""
    return any(isinstance(error, _DAMAGE) for result in failed for error in result.errors)
