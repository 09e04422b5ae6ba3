"""What Dataverse says about one file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.errors import Reason
    from dataverse_backup.fixity import Checksum

PACKAGE_CONTENT_TYPE = "application/vnd.dataverse.file-package"
"""The content type of a package: in a file store a folder, in an S3 store a zip file (facts 2.8)."""


@dataclass(frozen=True)
class Dataset:
    """The dataset that a datafile belongs to."""

    persistent_id: str
    """Its own PID as people write it: ``doi:10.5072/FK2/ABCDEF``."""
    authority: str
    """Authority of its *storage* PID (facts 2.1, rule 4); may be empty for PermaLinks."""
    identifier: str
    """Identifier of its storage PID; may hold slashes."""

    @property
    def storage_path(self) -> str:
        """Where Dataverse keeps its files: authority, a slash, identifier; nothing escaped or stripped."""
        return f"{self.authority}/{self.identifier}"

    @classmethod
    def at(cls, persistent_id: str, storage_path: str) -> Dataset:
        """The dataset whose ``storage_path`` is known: everything that names an object is the same again."""
        authority, _, identifier = storage_path.partition("/")
        return cls(persistent_id, authority, identifier)


@dataclass(frozen=True)
class Datafile:
    """One row of the catalogue whose bytes some store should hold."""

    id: int
    """``datafile.id``: the only thing about it that never changes."""
    dataset: Dataset
    store_id: str
    """The text before ``://``, or the default store where there is none (facts 2.1, rule 1)."""
    storageidentifier: str
    """As registered, whole: ``s3://bucket:18b39722140-50eb7d3c5ece``."""
    size: int | None
    """Bytes of the *main* object, as registered; of an ingested file that is the generated .tab (facts 1.7)."""
    checksum: Checksum | None
    """As registered, of the *original* bytes; None where there is no usable one (facts 5.2)."""
    is_tabular: bool
    """Ingested: the original lies beside the main object (facts 1.7)."""
    content_type: str
    created: datetime
    """Aware; Dataverse's own local time without a zone, put into the configured time zone."""
    label: str
    """File name in the latest version; for people."""
    directory_label: str = ""
    """Folder in the latest version; ``''`` is the top."""
    original_name: str = ""
    """Of an ingested file, what its original was called; ``''`` where nobody knows (facts 1.2, ``datatable``)."""
    mark: int | None = field(default=None, compare=False, repr=False)
    """What its row was marked with when it was listed: while that stays the same, so does the row."""

    @property
    def location(self) -> str:
        """Everything after the first ``://``, or all of it where there is none (facts 2.2)."""
        prefix, separator, rest = self.storageidentifier.partition("://")
        return rest if separator and prefix else self.storageidentifier


Mark = tuple[int, int]
"""A datafile's id, and a number that changes with its row."""


@dataclass(frozen=True)
class NotHere:
    """A row of the catalogue whose bytes no store of ours can hold: recorded and counted, never dropped."""

    id: int
    reason: Reason
    message: str
    persistent_id: str = ""
    """PID of its dataset, where it has one."""
    storageidentifier: str = ""
    label: str = ""
    created: datetime | None = None
    mark: int | None = field(default=None, compare=False, repr=False)
    """What its row was marked with when it was listed: while that stays the same, so does the row."""


def fingerprint(row: Datafile | NotHere) -> str:
    """A short digest of everything that the catalogue says in *row*: equal rows, equal fingerprints."""
    return hashlib.blake2b(repr(row).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
