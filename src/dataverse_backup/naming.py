"""Names for people: what Dataverse calls datasets, folders and files, made safe for a file system.

Names come from a catalogue or a manifest, so they are hostile until they have passed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import OWN_PREFIX, SUPERSEDED_PREFIX, folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from dataverse_backup.datafile import Datafile

LONGEST = 240
"""Bytes of a name: 255 are possible (NAME_MAX), a number may have to be added."""
_LONGEST_EXTENSION = 20
_OURS = (OWN_PREFIX, SUPERSEDED_PREFIX)


def safe_name(text: str) -> str:
    """*text* as the name of one file or folder: it leads nowhere, hides nothing from a terminal and is not too long.

    Slashes and what cannot be printed become ``_``; the end of a file's name that says its type is kept where the rest
    is cut. Names that are equal afterwards are numbered by ``Names``.
    """
    name = "".join(c if c.isprintable() and c != "/" else "_" for c in text)
    if name in ("", ".", "..", *_OURS):
        name = f"_{name.lstrip('.')}"
    return _shortened(name)


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, extension = _split(name)
    return _cut(stem, LONGEST - len(extension.encode())) + extension


def _cut(text: str, length: int) -> str:
    """The first *length* bytes of *text*, or a few less: no character is cut in two."""
    return text.encode()[:length].decode(errors="ignore")


def _split(name: str) -> tuple[str, str]:
    """Stem and extension with its dot; what is too long for one, or all of the name, is none."""
    stem, dot, extension = name.rpartition(".")
    is_one = stem and 0 < len(extension.encode()) <= _LONGEST_EXTENSION
    return (stem, dot + extension) if is_one else (name, "")


class Names:
    """Gives out names of which no two are equal, however a file system compares them: by case, by Unicode form."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """None of *taken* is given out, nor what cannot be told from it."""
        self._taken = {folded(name) for name in taken}
        self._last_numbers: dict[str, int] = {}

    def take(self, name: str) -> str:
        """*name*, or ``name (2)``, ``name (3)`` …: the first that is free."""
        wanted = folded(name)
        chosen, number = name, self._last_numbers.get(wanted, 1)
        while folded(chosen) in self._taken:
            number += 1
            chosen = _numbered(name, number)
        self._last_numbers[wanted] = number
        self._taken.add(folded(chosen))
        return chosen


def _numbered(name: str, number: int) -> str:
    folder, slash, last = name.rpartition("/")
    stem, extension = _split(last)
    return f"{folder}{slash}{stem} ({number}){extension}"


class DatasetNames(Names):
    """Names of the folders of datasets."""

    def folder_of(self, persistent_id: str, storage_path: str) -> str:
        """One folder for the dataset: its PID with ``_`` for its colon and slashes."""
        text = persistent_id or storage_path
        return self.take(safe_name(text.replace(":", "_").replace("/", "_")))


def file_paths(datafiles: Sequence[Datafile]) -> dict[tuple[int, str], str]:
    """``<folder>/<file name>`` of each datafile and companion of one dataset, by `Datafile.place`.

    None is equal to another or a folder of it. The lower id keeps its name, a datafile before its companions. Folders
    that differ only in case are one. An ingested file has the name of its original, whose bytes a copy has.
    """
    folders = _Folders()
    places = [
        (datafile, folders.path(datafile.directory_label)) for datafile in sorted(datafiles, key=lambda d: d.place)
    ]
    names = Names(folders.all)
    return {datafile.place: names.take(_joined(folder, file_name(datafile))) for datafile, folder in places}


def file_name(datafile: Datafile) -> str:
    """What the registered bytes of *datafile* are called, made safe."""
    return safe_name(datafile.original_name or datafile.label or str(datafile.id))


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


class _Folders:
    """The folders of one dataset, each in the spelling that came first."""

    def __init__(self) -> None:
        self._spelling: dict[str, str] = {}

    @property
    def all(self) -> AbstractSet[str]:
        return set(self._spelling.values())

    def path(self, directory_label: str) -> str:
        """The safe path of a folder label; ``''`` is the top."""
        path = ""
        for part in filter(None, directory_label.split("/")):
            path = _joined(path, safe_name(part))
            path = self._spelling.setdefault(folded(path), path)
        return path
