"""Whether a backup of the sample came out as it must: asked of the bytes themselves, not only of the ledger."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dataverse_backup.datafile import MAIN
from dataverse_backup.destinations.base import OWN_PREFIX, is_note
from dataverse_backup.errors import printable
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from demo.sample import Expected, Sample

Listing = dict[str, Any]
"""One line of ``dataverse-backup list --json``."""

Stamps = dict[str, tuple[int, int, int]]
"""Inode, size and time of change of every file in a folder, by its path there."""


def differences(sample: Sample, listed: Sequence[Listing], backup: Path) -> list[str]:
    """What did not come out as *sample* says, a sentence each; nothing when all is well."""
    lines = [line for line in listed if line["object"] == MAIN]
    by_id = {line["datafile_id"]: line for line in lines}
    return [
        *_wrong_listing(sample, lines),
        *_wrong_companions(sample, listed, backup),
        *(
            sentence
            for expected in sample.expected
            for sentence in (*_wrong_line(expected, by_id.get(expected.datafile_id)), *_wrong_copy(expected, backup))
        ),
        *_unexpected_copies(sample, backup),
    ]


def stamps(folder: Path) -> Stamps:
    """What would be another if a file in *folder* had been written again; what is our own there is left out."""
    return {
        path: (status.st_ino, status.st_size, status.st_mtime_ns)
        for path, status in ((path, (folder / path).stat()) for path in _files(folder))
    }


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not is_note(str(name)) and not name.parts[0].startswith(OWN_PREFIX):
            yield str(name)


def _wrong_listing(sample: Sample, listed: Sequence[Listing]) -> Iterator[str]:
    """Datafiles that are listed more than once, or should not be listed at all."""
    seen: set[int] = set()
    known = {expected.datafile_id for expected in sample.expected}
    for line in listed:
        datafile_id = line["datafile_id"]
        if datafile_id in seen:
            yield f"datafile {datafile_id} is listed twice"
        if datafile_id not in known:
            kind = "harvested" if datafile_id in sample.harvested else "unknown"
            yield f"datafile {datafile_id} is listed, and it is {kind}"
        seen.add(datafile_id)


def _wrong_line(expected: Expected, line: Listing | None) -> Iterator[str]:
    name = f"datafile {expected.datafile_id} ({expected.what or 'ordinary'})"
    if line is None:
        yield f"{name} is not listed"
        return
    wanted: Mapping[str, str | None] = {"status": expected.status, "reason": expected.reason}
    if expected.key is not None:
        wanted = {**wanted, "key": expected.key}
    for field, value in wanted.items():
        if (line[field] or None) != value:
            yield f"{name}: {field} is {line[field]!r}, not {str(value)!r}"


def _wrong_copy(expected: Expected, backup: Path) -> Iterator[str]:
    if expected.key is None or expected.sha256 is None:
        return
    path = backup / expected.key
    if not path.is_file():
        yield f"there is no copy {printable(expected.key)}"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != expected.sha256:
        yield f"the copy {printable(expected.key)} has other bytes than its original"


def _wrong_companions(sample: Sample, listed: Sequence[Listing], backup: Path) -> Iterator[str]:
    """What lies beside Datafiles and was not backed up as it is, or is listed and does not exist."""
    lines = {(line["datafile_id"], line["object"]): line for line in listed if line["object"] != MAIN}
    for companion in sample.companions:
        name = f"{companion.tag} of {companion.id}"
        line = lines.pop((companion.id, companion.tag), None)
        if line is None or (line["status"], line["key"]) != (Status.OK, companion.key):
            yield f"{name} is listed as {line}"
        path = backup / companion.key
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != companion.sha256:
            yield f"{name} has no copy {printable(companion.key)} of its bytes"
    yield from (f"{tag} of {number} is listed, and there is none" for number, tag in lines)


def _unexpected_copies(sample: Sample, backup: Path) -> Iterator[str]:
    keys = {expected.key for expected in sample.expected if expected.sha256 is not None}
    keys |= {companion.key for companion in sample.companions}
    for path in sorted(set(_files(backup)) - keys):
        yield f"{printable(path)} lies in the backup, and nothing says why"
