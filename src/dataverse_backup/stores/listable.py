"""The contract of a store that tells everything that lies in it, and what Dataverse keeps beside the datafiles."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.stores.base import ORIGINAL_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object that lies in a store."""

    name: str
    """As ``Store.names`` and ``Store.open`` have it."""
    size: int
    """Bytes, as the listing tells them: of what Swift puts together from segments that may be 0."""
    modified: datetime | None
    """When it was written last; None where the store does not say."""


class ListableStore(ABC):
    """A store that tells everything that lies in it. A store may lack it: ask ``isinstance(store, ListableStore)``.

    Promises, each a test of the suite ``testing.listable_stores``:

    1. every object is told once, with its size, in any order, whoever put it there; of what comes or goes meanwhile
       nothing is promised;
    2. the name of an object is that by which the store opens it;
    3. constant memory, however many objects there are; a folder of a file system is read as a whole;
    4. a name that is not UTF-8 comes with lone surrogates (PEP 383);
    5. what is a link is what it leads to, as where it is opened; a loop of links is no endless one; what leads nowhere,
       and what is no file, is no object;
    6. never a part for the whole: a folder or page that cannot be read raises StoreLost, and so does an empty store.
    """

    id: str

    @property
    @abstractmethod
    def place(self) -> Hashable:
        """Equal for stores that have the same objects: several may share a directory or a bucket (facts 2.2, 2.3)."""

    def folder_in(self, other: ListableStore) -> str | None:
        """The beginning of the names that *other* has for the objects of this store; None where it has none of them.

        A store may lie in the directory of another one.
        """
        del other
        return None

    @abstractmethod
    def entries(self) -> Iterator[StoredObject]:
        """Everything that lies there. Raises StoreLost."""


class Beside(StrEnum):
    """What lies in a store without being the object of a datafile, and is in its place there: the words of a report."""

    ORIGINAL = "original"
    THUMBNAIL = "thumbnail"
    PROVENANCE = "provenance"
    AUXILIARY = "auxiliary"
    LOGO = "logo"
    EXPORT = "export"
    PACKAGE = "package"
    ELSEWHERE = "elsewhere"
    KEPT_ASIDE = "kept-aside"
    FOLDER = "folder"
    TEMPORARY = "temporary"
    RECENT = "recent"


SAID = {
    Beside.ORIGINAL: "the original of an ingested file",
    Beside.THUMBNAIL: "a thumbnail; Dataverse makes it again",
    Beside.PROVENANCE: "uploaded provenance",
    Beside.AUXILIARY: "an auxiliary file, or another format of the datafile",
    Beside.LOGO: "the logo of a dataset",
    Beside.EXPORT: "exported metadata; Dataverse makes it again",
    Beside.PACKAGE: "a file of a package",
    Beside.ELSEWHERE: "of a datafile of a store that the backup does not read",
    Beside.KEPT_ASIDE: "what `repair` or `restore` kept aside, or did not finish",
    Beside.FOLDER: "an empty object that stands for a folder",
    Beside.TEMPORARY: "a temporary file, or a part of something",
    Beside.RECENT: "so new that it may be an upload that is not registered yet",
}
"""A sentence about each."""

_OF_DATASET = (
    (re.compile(r"dataset_logo(_original)?(\.thumb[0-9]+)?"), Beside.LOGO),
    (re.compile(r"export_.+\.cached"), Beside.EXPORT),
)
_OF_DATAFILE = (
    (re.compile(re.escape(ORIGINAL_SUFFIX)), Beside.ORIGINAL),
    (re.compile(r"\.thumb[0-9]+"), Beside.THUMBNAIL),
    (re.compile(r"\.prov-json\.json"), Beside.PROVENANCE),
    (re.compile(r"\.damaged-.+"), Beside.KEPT_ASIDE),
    (re.compile(r"\.segments-.+"), Beside.TEMPORARY),
)
_TEMPORARY_FOLDERS = ("temp", ".uploads")
"""Where Dataverse keeps what is being uploaded or ingested (facts 4)."""
UNFINISHED = ".put-back-"
"""What the name of a file begins with that we write back and that is not complete yet."""
_MOST_DOTS = 16


def beside_dataset(name: str) -> Beside | None:
    """What *name* says by itself: something of a dataset, or nothing that lasts (facts 2.9, 4); None for all others."""
    *folders, last = name.split("/")
    last = last if folders else last.rpartition(":")[2]
    if last.startswith(UNFINISHED):
        return Beside.KEPT_ASIDE
    if folders and folders[0] in _TEMPORARY_FOLDERS:
        return Beside.TEMPORARY
    return next((kind for pattern, kind in _OF_DATASET if pattern.fullmatch(last)), None)


def beside_datafiles(name: str) -> Iterator[tuple[str, Beside]]:
    """The main objects that *name* may lie beside, and what it would be: main object, a dot, tag (facts 2.9).

    Longest first. What has a tag that nobody knows is auxiliary: external tools name theirs as they like. A segment of
    a large object in Swift has a number below the name of the object.
    """
    folder, slash, last = name.rpartition("/")
    at = len(last)
    for _ in range(_MOST_DOTS):
        at = last.rfind(".", 0, at)
        if at <= 0:
            break
        tag = last[at:]
        kind = next((kind for pattern, kind in _OF_DATAFILE if pattern.fullmatch(tag)), Beside.AUXILIARY)
        yield f"{folder}{slash}{last[:at]}", kind
    if last.isascii() and last.isdigit():
        yield folder, Beside.TEMPORARY
        if ".segments-" in folder:
            yield folder.rpartition(".segments-")[0], Beside.TEMPORARY
