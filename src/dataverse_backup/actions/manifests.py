"""Let a destination say what lies in it: manifests beside the copies, a README and a script at its root."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import TYPE_CHECKING

from dataverse_backup.chunks import beginning, chunks
from dataverse_backup.destinations.base import Explainable
from dataverse_backup.errors import CopyMissing, DataverseBackupError, KeyOccupied, ObjectError
from dataverse_backup.manifest import no_notes_of, notes_of, root_notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.engine import Stop
    from dataverse_backup.ledger.base import Ledger

log = logging.getLogger(__name__)

ASKED_TOGETHER = 100
"""The datasets whose copies are asked for together."""
TOGETHER = 500
"""The most datasets whose manifests are written together; over a slow line that costs a few round trips."""
BYTES_TOGETHER = 16 << 20

_SAME_LENGTH = 60
"""So many bytes at their beginning tell our notes at the root from somebody else's of the same name."""


def write_manifests(ledger: Ledger, destination: Destination, stop: Stop) -> list[DataverseBackupError]:
    """Write every manifest that is not up to date; what went wrong. What failed is made good the next time."""
    if not isinstance(destination, Explainable):
        return []
    troubles: list[DataverseBackupError] = []
    at_the_root: Mapping[str, bytes | None] | None = None
    for batch in _batches(ledger, destination.name):
        if stop.is_set():
            break
        notes = {key: data for its in batch.values() for key, data in its.items()}
        if at_the_root is None:
            at_the_root = _missing_root_notes(destination)
            notes.update(at_the_root)
        failed = {failure.key: failure.error for failure in destination.write_notes(notes)}
        for key in at_the_root.keys() & failed.keys():
            if isinstance(failed[key], KeyOccupied):
                _leave(destination, key)
                del failed[key]
        troubles += failed.values()
        ledger.manifests_written(
            destination.name, [path for path, its in batch.items() if not its.keys() & failed.keys()]
        )
    return troubles


def _batches(ledger: Ledger, destination: str) -> Iterator[Mapping[str, Mapping[str, bytes | None]]]:
    """The notes of datasets, by storage path, in portions."""
    batch: dict[str, dict[str, bytes | None]] = {}
    size = 0
    for path, notes in _notes(ledger, destination):
        batch[path] = notes
        size += sum(len(data) for data in notes.values() if data)
        if len(batch) >= TOGETHER or size >= BYTES_TOGETHER:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _notes(ledger: Ledger, destination: str) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """Each dataset whose manifest is not up to date, and its notes: none where no copy of it is left."""
    for paths in chunks(ledger.stale_manifests(destination), ASKED_TOGETHER):
        notes = {path: no_notes_of(path) for path in paths}
        kept = ledger.kept(destinations=[destination], storage_paths=paths)
        for path, its in groupby(kept, lambda one: one.datafile.dataset.storage_path):
            notes[path] = notes_of(its, ledger.id)
        yield from notes.items()


def _missing_root_notes(destination: Destination) -> dict[str, bytes | None]:
    """Those that are not there as they should be; what somebody else put there under the same name stays."""
    wanted: dict[str, bytes | None] = {}
    notes = root_notes()
    known = destination.sizes(list(notes))  # one question for all: most of the time none is there, or all are
    for key, data in notes.items():
        there = _read(destination, key) if key in known else None
        if there is not None and there[:_SAME_LENGTH] != data[:_SAME_LENGTH]:
            _leave(destination, key)
        elif there != data:
            wanted[key] = data
    return wanted


def _leave(destination: Destination, key: str) -> None:
    log.warning("%s: %s is not ours; it stays, and ours is not written", destination.name, key)


def _read(destination: Destination, key: str) -> bytes | None:
    try:
        stream = destination.open(key)
    except CopyMissing:
        return None
    except ObjectError:
        return b""
    try:
        return beginning(stream.read, 1 << 16)
    except ObjectError:
        return b""
    finally:
        stream.close()
