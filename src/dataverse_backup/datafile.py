"""What Dataverse says about one file, and about the objects beside it that cannot be made again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.errors import Reason
    from dataverse_backup.fixity import Checksum

PACKAGE_CONTENT_TYPE = "application/vnd.dataverse.file-package"
"""The content type of a package: in a file store a folder, in an S3 store a zip file (facts 2.8)."""


MAIN = "main"
"""The tag of the object that the registered checksum describes."""
TAB = "tab"
"""Of what Dataverse made of an ingested file and keeps under the file's own name; no checksum is registered for it."""
PROVENANCE = "prov"
AUXILIARY = "aux:"
"""What the tags of registered auxiliary files begin with."""
LOGO = "logo"
"""Of the image that was uploaded as the logo of a dataset, whose id is the dataset's; others begin with it."""
LOGOS = {
    LOGO: "dataset_logo_original",
    f"{LOGO}:thumb140": "dataset_logo.thumb140",
    f"{LOGO}:thumb48": "dataset_logo.thumb48",
}
"""What Dataverse calls the logo of a dataset, by tag. It makes the small ones when it takes the logo and never again,
and most releases show nothing else (DatasetUtil.getThumbnail): all of them are needed."""
LOGO_PREFIX = "dataset_logo"
"""What all of these begin with."""
DATASET = "dataset"
"""Of a row that is a dataset's: no object of its own, and where its logos would lie."""

LONGEST_TAG = 255
"""Characters."""


class Kind(StrEnum):
    """Kinds of companions: objects beside a datafile, or of a dataset, that nobody can make again (facts 2.9)."""

    TAB = "tab"
    AUXILIARY = "auxiliary"
    PROVENANCE = "provenance"
    LOGO = "logos"


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
    """One row of the catalogue whose bytes some store should hold; or a companion of one, which has another tag."""

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
    tag: str = field(default=MAIN, repr=False)
    """Which of the datafile's objects this is; ``storageidentifier`` and all that follows are that object's."""
    version: str = field(default="", repr=False)
    """Of a companion, what the catalogue tells of its content: while that stays the same, so should the bytes."""
    companions: tuple[Datafile, ...] = field(default=(), repr=False)
    """The objects beside it that must be backed up too, each with a tag of its own."""

    @property
    def is_companion(self) -> bool:
        """Whether it is an object beside the one that the registered checksum describes."""
        return self.tag != MAIN

    @property
    def is_dataset(self) -> bool:
        """Whether it is the row of a dataset, which alone is no object."""
        return self.tag == DATASET

    @property
    def is_logo(self) -> bool:
        """Whether it is an image of a dataset; ``storageidentifier`` is the dataset's."""
        return self.tag in LOGOS

    @property
    def place(self) -> tuple[int, str]:
        """What no other object has, and sorts by: its id and tag, a datafile before its companions."""
        return self.id, self.tag if self.is_companion else ""

    def beside(self, tag: str, suffix: str = "", **known: Any) -> Datafile:
        """The companion *tag* of this datafile, called as it is with *suffix* after it; *known* is what is known."""
        return replace(
            self,
            tag=tag if tag.isprintable() and len(tag) <= LONGEST_TAG else f"{AUXILIARY}~{_digest(tag)}",
            storageidentifier=self.storageidentifier + suffix,
            label=self.label + suffix,
            **{"size": None, "checksum": None, "is_tabular": False, "original_name": "", "companions": ()} | known,
        )

    def logo(self, tag: str, version: str = "") -> Datafile:
        """The logo *tag* of this dataset; a store tells the *version* (`Store.logos`)."""
        return replace(self, tag=tag, label=LOGOS[tag], version=version)

    def object_of(self, tag: str) -> Datafile | None:
        """This datafile where *tag* is its own, or its companion of that tag; None where it has none.

        Of a dataset the logo of that tag, for a store alone knows whether it has one.
        """
        if self.is_dataset and tag in LOGOS:
            return self.logo(tag)
        return next((one for one in (self, *self.companions) if one.tag == tag), None)

    @property
    def location(self) -> str:
        """Everything after the first ``://``, or all of it where there is none (facts 2.2); a logo's name."""
        return LOGOS[self.tag] if self.tag in LOGOS else after_store(self.storageidentifier)


def after_store(storageidentifier: str) -> str:
    """What it says after the store, or all of it where it names none."""
    prefix, separator, rest = storageidentifier.partition("://")
    return rest if separator and prefix else storageidentifier


Mark = tuple[int, int]
"""A datafile's id, and a number that changes with its row."""

Row = TypeVar("Row", bound="Datafile | NotHere")

_FINGERPRINT = "_fingerprint"
"""Where a row keeps its own."""


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


def marked(row: Row, mark: int | None) -> Row:
    """*row* with another mark: what `dataclasses.replace` gives, in a tenth of its time, as it is done for each row."""
    made = object.__new__(type(row))
    made.__dict__.update(row.__dict__, mark=mark)
    return made


def fingerprint(row: Datafile | NotHere) -> str:
    """A short digest of everything that the catalogue says in *row*: equal rows, equal fingerprints.

    It is made once for each object, which takes it along where it is pickled: a row is compared, noted when it is
    planned, and noted again when it was tried.
    """
    known: str | None = row.__dict__.get(_FINGERPRINT)
    if known is None:
        known = row.__dict__[_FINGERPRINT] = _digest(_told(row))
    return known


def _told(row: Datafile | NotHere) -> str:
    if isinstance(row, Datafile) and (row.is_companion or row.companions):
        return repr(row) + repr((row.tag, row.version, [fingerprint(one) for one in row.companions]))
    return repr(row)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
