"""What a destination says of itself: beside the copies of each dataset, for people and their tools, and for us.

In ``<folder>/.dataverse-backup/`` of each folder of a dataset: ``manifest.json``, which maps each object to what it is,
and for each algorithm a list that its tool checks, ``md5sum.txt``, ``sha1sum.txt`` and so on. At the root a README and
a script that checks everything. The format: docs/reference/manifest.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from dataverse_backup.datafile import LONGEST_TAG, MAIN, Datafile, Dataset
from dataverse_backup.destinations.base import (
    OWN_PREFIX,
    README_KEY,
    VERIFY_KEY,
    checked_path_key,
    is_note,
    is_own,
    note_key,
)
from dataverse_backup.errors import KeyRefused, ManifestError, printable
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.ledger.base import Copy, Kept, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MANIFEST = "manifest.json"
FORMAT = "dataverse-backup manifest"
VERSION = 1
SUMS = {
    Algorithm.MD5: "md5sum",
    Algorithm.SHA1: "sha1sum",
    Algorithm.SHA256: "sha256sum",
    Algorithm.SHA512: "sha512sum",
}
"""What checks each algorithm, and what the list for it is called."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"}
"""How coreutils write names; a line with one of these begins with a backslash."""


def folder_of(kept: Kept) -> str:
    """The folder that has the manifest for this copy: its dataset's, or where it lies if that is somewhere else."""
    folder = "/".join(part for part in kept.datafile.dataset.storage_path.split("/") if part)
    key = kept.copy.key
    return folder if key.startswith(f"{folder}/") else key.rpartition("/")[0]


def notes_of(dataset: Iterable[Kept], ledger_id: str) -> dict[str, bytes | None]:
    """All notes about the copies of one dataset at one destination; None for lists that there must not be.

    What is known of a copy is not kept once its lines are made: a dataset may have a hundred thousand files.
    """
    folders: dict[str, _Folder] = {}
    for kept in dataset:
        name = folder_of(kept)
        if name not in folders:
            folders[name] = _Folder(name, kept.datafile.dataset)
        folders[name].add(kept)
    return {key: data for folder in folders.values() for key, data in folder.notes(ledger_id).items()}


class _Folder:
    """The notes of one folder, a line for each object, so that they can be searched and compared by lines."""

    def __init__(self, name: str, dataset: Dataset) -> None:
        self._name, self._dataset = name, dataset
        self._entries: list[bytes] = []
        self._sums: dict[Algorithm, list[str]] = {algorithm: [] for algorithm in SUMS}

    def add(self, kept: Kept) -> None:
        """One more object."""
        self._entries.append(_bytes(_ENCODER.encode(_entry(kept))))
        if (lines := self._sums.get(kept.copy.checksum.algorithm)) is not None:
            lines.append(_sum_line(self._name, kept.copy))

    def notes(self, ledger_id: str) -> dict[str, bytes | None]:
        """All of them, by key."""
        notes: dict[str, bytes | None] = {note_key(self._name, MANIFEST): self._manifest(ledger_id)}
        for algorithm, lines in self._sums.items():
            notes[note_key(self._name, f"{SUMS[algorithm]}.txt")] = "".join(lines).encode() if lines else None
        return notes

    def _manifest(self, ledger_id: str) -> bytes:
        files = b",\n".join(self._entries)
        head = {
            "format": FORMAT,
            "version": VERSION,
            "folder": self._name,
            "dataset": self._dataset.persistent_id,
            "storage_path": self._dataset.storage_path,
            "ledger": ledger_id,
            "sha256_of_files": hashlib.sha256(files).hexdigest(),
        }
        text = json.dumps(head, ensure_ascii=False, indent=0)[:-2]
        return b"".join((_bytes(text), b',\n"files": [\n', files, b"\n]\n}\n"))


def no_notes_of(storage_path: str) -> dict[str, bytes | None]:
    """That there be no notes about a dataset: no copy of it is left."""
    return no_notes_in("/".join(part for part in storage_path.split("/") if part))


def no_notes_in(folder: str) -> dict[str, bytes | None]:
    """That there be no notes in *folder*; nothing for one in which no destination can have any."""
    try:
        checked_path_key("notes", folder)
    except KeyRefused:
        return {}
    keys = (note_key(folder, name) for name in (MANIFEST, *(f"{tool}.txt" for tool in SUMS.values())))
    return {key: None for key in keys if is_note(key)}


def _sum_line(folder: str, copy: Copy) -> str:
    name = f"./{copy.key.removeprefix(f'{folder}/')}"
    escaped = name.translate(_ESCAPES)
    return f"{'' if escaped == name else chr(92)}{copy.checksum.value}  {escaped}\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _entry(kept: Kept) -> dict[str, Any]:
    datafile, copy = kept.datafile, kept.copy
    return {
        "key": copy.key,
        "datafile_id": datafile.id,
        "object": datafile.tag,
        "label": datafile.label,
        "directory_label": datafile.directory_label,
        "original_name": datafile.original_name,
        "size": copy.size,
        "checksum": str(copy.checksum),
        "registered_then": _text(copy.registered),
        "registered": _text(datafile.checksum),
        "registered_size": datafile.size,
        "store": datafile.store_id,
        "storageidentifier": datafile.storageidentifier,
        "content_type": datafile.content_type,
        "is_tabular": datafile.is_tabular,
        "created": datafile.created.isoformat(),
        "in_dataverse": kept.status is not Status.GONE,
        "proven": copy.proven.isoformat(),
        "verified_by": str(copy.verified_by),
        "durable": str(copy.durable),
    }


def _text(checksum: Checksum | None) -> str | None:
    return None if checksum is None else str(checksum)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read."""

    folder: str
    storage_path: str
    kept: tuple[Kept, ...]
    complaints: tuple[str, ...]
    """What is wrong with it, though it can be used."""


def parse(data: bytes, folder: str, destination: str) -> Manifest:
    """The manifest that lies in *folder* of *destination*; nothing in it is believed further than that it can be read.

    Raises ManifestError for one that cannot be used at all: no manifest, of a newer version, or of another folder.
    """
    try:
        found = json.loads(data)
        fields = {name: found[name] for name in ("format", "version", "folder", "storage_path", "dataset", "files")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(f"{printable(folder)}: its manifest cannot be read: {error}") from error
    if fields["format"] != FORMAT or fields["version"] != VERSION:
        raise ManifestError(f"{printable(folder)}: its manifest is of another version or kind")
    if fields["folder"] != folder:
        said = f"{printable(folder)}: the manifest there is of another dataset, {printable(str(fields['folder']))}"
        raise ManifestError(said, "it is not used; was it copied there?")
    return _read(found, folder, destination, data)


def _read(found: Mapping[str, Any], folder: str, destination: str, data: bytes) -> Manifest:
    kept: list[Kept] = []
    complaints: list[str] = []
    files = found["files"] if isinstance(found["files"], list) else []
    dataset = Dataset.at(str(found["dataset"]), str(found["storage_path"]))
    for number, entry in enumerate(files, 1):
        try:
            kept.append(_kept(entry, dataset, folder, destination))
        except (KeyError, TypeError, ValueError, KeyRefused) as error:
            complaints.append(f"its entry {number} cannot be used: {printable(str(error))}")
    written = data.decode("utf-8", "replace").partition('"files": [\n')[2].rpartition("\n]\n}")[0]
    if found.get("sha256_of_files") != hashlib.sha256(_bytes(written)).hexdigest():
        complaints.append("it was edited since it was written")
    return Manifest(folder, dataset.storage_path, tuple(kept), tuple(complaints))


def _kept(entry: Any, dataset: Dataset, folder: str, destination: str) -> Kept:
    key = checked_path_key(destination, _str(entry["key"]))
    if is_own(key) or not key.startswith(f"{folder}/"):
        raise KeyRefused(destination, key, "it does not lie in this folder")
    checksum = Checksum.from_text(_str(entry["checksum"]))
    if checksum is None:
        raise ValueError("it has no checksum")
    copy = Copy(
        key=key,
        size=_int(entry["size"]),
        checksum=checksum,
        registered=Checksum.from_text(entry["registered_then"]),
        verified_by=VerifiedBy(entry["verified_by"]),
        durable=Durability(entry["durable"]),
        proven=_time(entry["proven"]),
    )
    datafile = Datafile(
        id=_int(entry["datafile_id"]),
        dataset=dataset,
        store_id=_str(entry["store"]),
        storageidentifier=_str(entry["storageidentifier"]),
        size=None if entry["registered_size"] is None else _int(entry["registered_size"]),
        checksum=Checksum.from_text(entry["registered"]),
        is_tabular=entry["is_tabular"] is True,
        content_type=_str(entry["content_type"]),
        created=_time(entry["created"]),
        label=_str(entry["label"]),
        directory_label=_str(entry["directory_label"]),
        original_name=_str(entry["original_name"]),
        tag=_tag(entry.get("object", MAIN)),
    )
    return Kept(datafile, destination, Status.PENDING if entry["in_dataverse"] else Status.GONE, copy)


_MOST = 2**63 - 1


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r} is no number")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _tag(value: Any) -> str:
    tag = _str(value)
    if not tag or len(tag) > LONGEST_TAG:
        raise ValueError(f"{tag!r} is no object of a datafile")
    return tag


def _time(value: Any) -> datetime:
    time = datetime.fromisoformat(_str(value))
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return time


def root_notes() -> dict[str, bytes]:
    """The README and the script at the root of a destination."""
    texts = resources.files("dataverse_backup") / "explained"
    return {key: (texts / key).read_bytes() for key in (README_KEY, VERIFY_KEY)}


def manifest_folder(key: str) -> str | None:
    """The folder whose manifest lies under *key*; None where *key* is that of something else."""
    suffix = f"/{OWN_PREFIX}/{MANIFEST}"
    return key.removesuffix(suffix) if key.endswith(suffix) else None
