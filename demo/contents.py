"""What the sample Dataverse holds: every awkward row once, by hand, and ordinary ones around them.

This is the one place to look at or to add to: a line here becomes rows in the database, objects on disk, and what a
backup is expected to make of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from dataverse_backup.datafile import PACKAGE_CONTENT_TYPE
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import Algorithm
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class OnDisk(Enum):
    """What lies in the store for a row of the database."""

    MAIN = auto()  # the registered bytes, under the row's own name
    ORIGINAL = auto()  # the registered bytes as <name>.orig, and a generated .tab under the name (facts 1.7)
    OLD_ORIGINAL = auto()  # the same, as Dataverse 4.0 named originals: _<name>
    PACKAGE = auto()  # a folder with a manifest, whose checksum is the registered one (facts 2.8)
    CORRUPTED = auto()  # one bit of the registered bytes is another
    TRUNCATED = auto()  # the last bytes are not there
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class PersistentId:
    """A PID in its parts."""

    protocol: str
    authority: str
    identifier: str
    separator: str = "/"

    def __str__(self) -> str:
        return f"{self.protocol}:{self.authority}{self.separator}{self.identifier}"


@dataclass(frozen=True, slots=True)
class SampleDataset:
    """A dataset of the sample."""

    pid: PersistentId
    alternative: PersistentId | None = None
    """An alternative PID."""
    is_stored_under_alternative: bool = False
    """Whether the alternative PID is the one that names its folder (facts 2.1, rule 4)."""
    versions: tuple[str, ...] = ("RELEASED",)
    is_harvested: bool = False
    is_on_another_disk: bool = False
    """Whether its folder is a symbolic link to somewhere else."""
    has_logo: bool = False
    """Whether somebody uploaded one, of which no column tells (facts 2.9)."""

    @property
    def storage_pid(self) -> PersistentId:
        """The PID that names its folder."""
        return self.alternative if self.alternative and self.is_stored_under_alternative else self.pid


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A Datafile of the sample, and what a backup is expected to make of it."""

    what: str
    """What is awkward about it, in words; ``''`` for an ordinary one."""
    dataset: str
    """Its dataset's name below; ``''``: it has none."""
    storageidentifier: str | None = "file://{name}"
    """As registered; ``{name}`` becomes a name as Dataverse generates them."""
    on_disk: OnDisk = OnDisk.MAIN
    size: int = 2_000
    """Bytes of the registered object."""
    size_error: int = 0
    """How many bytes too many the database says."""
    algorithm: Algorithm = Algorithm.MD5
    registered: str = "{hex}"
    """The registered checksum; ``{hex}`` and ``{HEX}`` become the right one."""
    is_tabular: bool = False
    label: str = "data.bin"
    earlier_label: str = ""
    """Its name in the dataset's earlier versions, where it was another one."""
    directory_label: str | None = None
    content_type: str = "application/octet-stream"
    provenance: str = ""
    """What its uploaded provenance is about; ``''``: it has none."""
    auxiliary: tuple[str, str] | None = None
    """Format tag and version of a registered auxiliary file."""
    is_replaced: bool = False
    """Whether the next file of this list replaces it: it is in the dataset's first version only."""
    status: Status = Status.OK
    reason: Reason | None = None
    yields_key: bool = False
    """Whether a datafile with a lower id has its key (design, rule 7)."""


DATASETS = {
    "plain": SampleDataset(PersistentId("doi", "10.5072", "FK2/AWKWRD"), has_logo=True),
    "moved": SampleDataset(
        PersistentId("doi", "10.7910", "DVN/XYZ123"),
        alternative=PersistentId("hdl", "1902.1", "12345"),
        is_stored_under_alternative=True,
        has_logo=True,
    ),
    "renamed": SampleDataset(
        PersistentId("doi", "10.7910", "DVN/XYZ124"), alternative=PersistentId("hdl", "1902.1", "99999")
    ),
    "handle": SampleDataset(PersistentId("hdl", "1902.1", "11111")),
    "permalink": SampleDataset(PersistentId("perma", "DANSLINK", "ABCDEF", separator="-")),
    "no authority": SampleDataset(PersistentId("perma", "", "PERMA1", separator="")),
    "nested": SampleDataset(PersistentId("doi", "10.5072", "FK2/A/B")),
    "odd name": SampleDataset(PersistentId("doi", "10.18710", "AB C/ééé")),
    "draft": SampleDataset(PersistentId("doi", "10.5072", "FK2/DRAFT1"), versions=("DRAFT",)),
    "deaccessioned": SampleDataset(PersistentId("doi", "10.5072", "FK2/DEACC1"), versions=("DEACCESSIONED",)),
    "versions": SampleDataset(
        PersistentId("doi", "10.5072", "FK2/VERSNS"), versions=("RELEASED", "DEACCESSIONED", "RELEASED", "DRAFT")
    ),
    "linked": SampleDataset(PersistentId("doi", "10.5072", "FK2/LINKED"), is_on_another_disk=True),
    "harvested": SampleDataset(PersistentId("doi", "10.9999", "ELSEWHERE/1"), is_harvested=True),
}

_TAB = "text/tab-separated-values"

AWKWARD = [
    # ingested files: the registered checksum is the original's (facts 1.7)
    SampleFile(
        "tabular",
        "plain",
        on_disk=OnDisk.ORIGINAL,
        is_tabular=True,
        label="survey.tab",
        content_type=_TAB,
        provenance="survey.sav",  # beside it lies what else cannot be made again (facts 2.9)
        auxiliary=("dpJson", "v1"),
    ),
    SampleFile(
        "tabular, original under its name of Dataverse 4.0",
        "plain",
        on_disk=OnDisk.OLD_ORIGINAL,
        is_tabular=True,
        label="census.tab",
        content_type=_TAB,
    ),
    SampleFile("tabular, ingest half done", "plain", is_tabular=True, label="panel.tab", content_type=_TAB),
    SampleFile("not tabular, ingest half undone", "plain", on_disk=OnDisk.ORIGINAL, label="panel.sav"),
    # checksums (facts 5.1, 5.2)
    SampleFile("SHA-1", "plain", algorithm=Algorithm.SHA1),
    SampleFile("SHA-256", "plain", algorithm=Algorithm.SHA256),
    SampleFile("SHA-512", "plain", algorithm=Algorithm.SHA512),
    SampleFile("checksum in upper case", "plain", registered="{HEX}", algorithm=Algorithm.SHA256),
    SampleFile("empty checksum", "plain", registered="", reason=Reason.NO_CHECKSUM),
    SampleFile("checksum 'Unknown'", "plain", registered="Unknown", reason=Reason.NO_CHECKSUM),
    SampleFile(
        "checksum 'Not available in Dataverse'",
        "plain",
        registered="Not available in Dataverse",
        reason=Reason.NO_CHECKSUM,
    ),
    SampleFile(
        "checksum of another algorithm's length",
        "plain",
        registered="d41d8cd98f00b204e9800998ecf8427e",
        algorithm=Algorithm.SHA256,
        reason=Reason.NO_CHECKSUM,
    ),
    # damage (design, rule 4)
    SampleFile("object is missing", "plain", on_disk=OnDisk.NOTHING, status=Status.FAIL_READ, reason=Reason.MISSING),
    SampleFile(
        "one bit is wrong", "plain", on_disk=OnDisk.CORRUPTED, status=Status.FAIL_READ, reason=Reason.SOURCE_DIFFERS
    ),
    SampleFile(
        "end is cut off", "plain", on_disk=OnDisk.TRUNCATED, status=Status.FAIL_READ, reason=Reason.SOURCE_DIFFERS
    ),
    SampleFile("size wrong, checksum right", "plain", size_error=7, reason=Reason.SIZE_DIFFERS),
    SampleFile("no bytes at all", "plain", size=0),
    # bytes that no store of ours holds (facts 1.8)
    SampleFile(
        "remote overlay",
        "plain",
        "trsa://{name}//themes/custom/qdr.png",
        OnDisk.NOTHING,
        status=Status.NOT_HERE,
        reason=Reason.REMOTE,
    ),
    SampleFile(
        "Globus store",
        "plain",
        "globusm://{name}",
        OnDisk.NOTHING,
        registered="Not available in Dataverse",
        status=Status.NOT_HERE,
        reason=Reason.GLOBUS,
    ),
    SampleFile(
        "upload never finished",
        "plain",
        "tmp://{name}",
        OnDisk.NOTHING,
        status=Status.NOT_HERE,
        reason=Reason.TEMPORARY,
    ),
    SampleFile(
        "store without a name",
        "plain",
        "file://",
        OnDisk.NOTHING,
        status=Status.NOT_HERE,
        reason=Reason.PREFIX_ONLY,
    ),
    SampleFile("identifier NULL", "plain", None, OnDisk.NOTHING, status=Status.NOT_HERE, reason=Reason.NO_IDENTIFIER),
    SampleFile("identifier empty", "plain", "", OnDisk.NOTHING, status=Status.NOT_HERE, reason=Reason.NO_IDENTIFIER),
    SampleFile("dataset is NULL", "", on_disk=OnDisk.NOTHING, status=Status.NOT_HERE, reason=Reason.NO_DATASET),
    SampleFile(
        "package folder",
        "plain",
        "file://package_FK2AWK",
        OnDisk.PACKAGE,
        algorithm=Algorithm.SHA1,
        content_type=PACKAGE_CONTENT_TYPE,
        status=Status.NOT_HERE,
        reason=Reason.PACKAGE,
    ),
    SampleFile("", "harvested", "https://elsewhere.example.edu/api/access/datafile/7", OnDisk.NOTHING),
    SampleFile("", "harvested", "http://elsewhere.example.edu/api/access/datafile/8", OnDisk.NOTHING, registered=""),
    SampleFile("", "harvested", "http://", OnDisk.NOTHING, registered="unknown"),
    # stores and names (facts 2.1, 2.2, 2.10)
    SampleFile("default store, by no prefix", "plain", "{name}"),
    SampleFile("second store", "plain", "local://{name}"),
    SampleFile("name with spaces", "plain", "file://x y  z.txt"),
    SampleFile("name not in ASCII", "plain", "file://Übersicht_概要.txt", label="Übersicht_概要.txt"),
    SampleFile("name with quotes", "plain", 'file://it\'s "quoted".txt', label='it\'s "quoted".txt'),
    SampleFile("name that a shell would run", "plain", "file://$(touch pwned);`touch pwned`&.txt", label="$(id).txt"),
    SampleFile("name that looks like an option", "plain", "file://-rf"),
    SampleFile("name with a line break", "plain", "file://two\nlines.txt"),
    SampleFile("name with a backslash", "plain", "file://back\\slash*.txt"),
    SampleFile("name in sub-folders", "plain", "local://raw/2019/{name}", directory_label="raw/2019"),
    SampleFile("key that two stores give, first", "plain", "file://same.txt"),
    SampleFile("key that two stores give, second", "plain", "local://same.txt", yields_key=True),
    SampleFile("key whose folder is another's key, first", "plain", "local://part/one.txt"),
    SampleFile("key whose folder is another's key, second", "plain", "file://part", yields_key=True),
    # datasets
    SampleFile("storage PID is an alternative PID", "moved"),
    SampleFile("tabular under an alternative PID", "moved", "local://{name}", OnDisk.ORIGINAL, is_tabular=True),
    SampleFile("alternative PID that names no folder", "renamed"),
    SampleFile("Handle, old numeric name", "handle", "file://42"),
    SampleFile("PermaLink", "permalink", "file://18b3-1"),
    SampleFile("PermaLink without authority", "no authority", "file://18b3-1"),
    SampleFile("identifier with slashes", "nested"),
    SampleFile("dataset folder with spaces and accents", "odd name", "file://x y.txt"),
    SampleFile("draft", "draft", label="draft notes.txt"),
    SampleFile("deaccessioned", "deaccessioned"),
    SampleFile("renamed between versions", "versions", label="final.csv", earlier_label="draft.csv"),
    SampleFile("replaced, still in an old version", "versions", label="replaced.csv", is_replaced=True),
    SampleFile("replacement", "versions", label="replacement.csv"),
    SampleFile("dataset folder on another disk", "linked"),
]

ORDINARY_DATASETS = 18
ORDINARY_FILES = 250
BIG_FILES = 8
_SUBJECTS = ("interview", "survey", "image", "sequence", "spectrum", "codebook", "script", "field notes")
_ENDINGS = (".csv", ".txt", ".pdf", ".jpg", ".fasta", ".R", ".docx", ".zip")
_ALGORITHMS = [Algorithm.MD5] * 6 + [Algorithm.SHA1] * 2 + [Algorithm.SHA256, Algorithm.SHA512]
_IDENTIFIERS = ["file://{name}"] * 6 + ["local://{name}"] * 3 + ["{name}"]


def ordinary_datasets(random: Random) -> dict[str, SampleDataset]:
    """Published datasets with DOIs such as Dataverse makes them."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
    shoulders = ("FK2/" + "".join(random.choices(letters, k=6)) for _ in range(ORDINARY_DATASETS))
    return {
        f"ordinary {number}": SampleDataset(PersistentId("doi", "10.5072", shoulder))
        for number, shoulder in enumerate(shoulders, 1)
    }


def ordinary_files(random: Random) -> Iterator[SampleFile]:
    """Datafiles as most are: small ones, a few big ones, a fifth of them tabular."""
    for number in range(ORDINARY_FILES):
        is_tabular = random.random() < 0.2  # noqa: PLR2004 -- a fifth
        name = f"{random.choice(_SUBJECTS)} {number:03}"
        is_big = number % (ORDINARY_FILES // BIG_FILES) == 0
        yield SampleFile(
            what="",
            dataset=f"ordinary {random.randint(1, ORDINARY_DATASETS)}",
            storageidentifier=random.choice(_IDENTIFIERS),
            on_disk=OnDisk.ORIGINAL if is_tabular else OnDisk.MAIN,
            size=random.randint(1_000_000, 6_000_000) if is_big else int(10 ** random.uniform(3, 5)),
            algorithm=random.choice(_ALGORITHMS),
            is_tabular=is_tabular,
            label=name + (".tab" if is_tabular else random.choice(_ENDINGS)),
            directory_label=random.choice([None, None, "data", "documents/2024"]),
            content_type=_TAB if is_tabular else "application/octet-stream",
        )
