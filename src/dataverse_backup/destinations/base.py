"""The contract of a destination: where copies go.

Keys are relative to the destination's root, with ``/`` between their parts: ``10.5072/FK2/ABCDEF/18b3-1``. Everything
of our own lies under ``.dataverse-backup/`` (staging, identity) and ``.superseded/`` (copies moved aside); what is
tried out before there is such a folder lies beside it for a moment.
"""

from __future__ import annotations

import secrets
import time
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from dataverse_backup.errors import KeyRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.errors import ObjectError
    from dataverse_backup.fixity import Algorithm, ByteStream, Checksum, Durability, VerifiedBy
    from dataverse_backup.outflow import Pace

OWN_PREFIX = ".dataverse-backup"
SUPERSEDED_PREFIX = ".superseded"
IDENTITY_KEY = f"{OWN_PREFIX}/identity"
STAGING_PREFIX = f"{OWN_PREFIX}/staging"
SCRATCH_PREFIX = f"{OWN_PREFIX}/scratch"
"""Where `check` tries things out."""
DATABASE_PREFIX = f"{OWN_PREFIX}/database"
"""Where dumps of the Dataverse database lie, the newest generations of them."""
PRIVATE_MODE = 0o600
"""Of what nobody but the owner may read, where a destination has modes."""
README_KEY = "README.txt"
VERIFY_KEY = "verify.sh"
ROOT_NOTES = (README_KEY, VERIFY_KEY)
"""The notes at the root, where a person looks first."""

_OWN_ROOTS = frozenset((SUPERSEDED_PREFIX, *ROOT_NOTES))
TRIAL_PREFIX = f"{OWN_PREFIX}-trial-"
ABANDONED_SECONDS = 3600.0
"""After so long nobody is at it any more: whoever tried something out without a lock was killed."""
_CHECKING = "check-"


def trial_folder(*, is_new: bool = True) -> str:
    """The key of a folder, nobody else's, to try a destination out in; whoever makes it removes it.

    In a place that *is_new*, where there is no OWN_PREFIX yet, the folder lies at the root: nothing may be left of the
    trial there, and who removed a common folder above it would take that away from under whoever is just about to use
    it, be it another trial or the run that makes the place ours. A later trial clears what a killed one left.
    """
    token = secrets.token_hex(8)
    return f"{TRIAL_PREFIX}{token}" if is_new else f"{SCRATCH_PREFIX}/{token}"


def is_own(key: str) -> bool:
    """Whether *key* is for something of our own: no copy gets it. Copies that were moved aside have such keys."""
    if OWN_PREFIX in key and OWN_PREFIX in key.split("/"):
        return True
    root = key.partition("/")[0]
    return root in _OWN_ROOTS or root.startswith(TRIAL_PREFIX)


def is_note(key: str) -> bool:
    """Whether *key* is that of a note: at the root, or ``<folder>/.dataverse-backup/<name>``."""
    *folders, _ = key.split("/")
    return key in ROOT_NOTES or (len(folders) > 1 and folders[-1] == OWN_PREFIX and OWN_PREFIX not in folders[:-1])


def checked_removable(keys: Sequence[str]) -> None:
    """Raise ValueError unless all of *keys* are what ``remove`` takes: scratch objects and dumps of the database."""
    places = (f"{SCRATCH_PREFIX}/", f"{DATABASE_PREFIX}/")
    if other := [key for key in keys if not key.startswith(places) or {".", "..", ""} & set(key.split("/"))]:
        raise ValueError(f"only scratch objects and dumps of the database are removed, not {other[0]!r}")


def note_key(folder: str, name: str) -> str:
    """The key of the note *name* about the copies in *folder*."""
    return f"{folder}/{OWN_PREFIX}/{name}"


@dataclass(frozen=True, slots=True)
class Upload:
    """One object to store: where it goes, where its bytes come from, and what they must be."""

    key: str
    open: Callable[[], ByteStream]
    """Opens the bytes; may be called again by a retry. Raises SourceError or StoreLost."""
    algorithm: Algorithm
    """What to hash with: the registered algorithm, or our own where nothing usable is registered."""
    promised: Checksum | None
    """The registered checksum: nothing else may become visible. None: what was read is what must be stored."""
    supersede_to: str | None = None
    """Where an object that lies under ``key`` is moved in the same breath; None: the key must be free."""
    is_private: bool = False
    """Whether nobody but its owner may read it, where the destination has modes: PRIVATE_MODE, whatever copies get."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an object is stored, whole, under its key."""

    key: str
    size: int
    checksum: Checksum
    """Computed from the stored bytes, equal to what was read and to what was promised."""
    verified_by: VerifiedBy
    durable: Durability
    kept: int = 0
    """How many of its bytes lay there already, of a try that was broken off: they were proven, and not sent again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One object for which the call did not succeed; its key reads as before."""

    key: str
    error: ObjectError


@dataclass(frozen=True, slots=True)
class StoredDigest:
    """What the stored bytes of an object are now."""

    key: str
    size: int
    checksum: Checksum
    verified_by: VerifiedBy


@dataclass(frozen=True, slots=True)
class Traits:
    """What a destination can do and has, as probed on this connection; shown by `check`."""

    folds_case: bool
    """It cannot tell ``A`` and ``a`` apart."""
    hashes: tuple[str, ...]
    """How stored bytes are proven: remote hash commands, or ``read-back``."""
    durable: Durability
    free_bytes: int | None
    """None where the destination does not say."""
    clock_skew: float | None
    """Seconds that its clock is ahead of ours; None where it does not say."""
    remarks: tuple[str, ...] = ()
    """What else is worth knowing, as far as it has shown; a sentence each."""


class Destination(ABC):
    """A place that keeps copies.

    Promises, each a test of the contract suite with that name:

    1. all or nothing: until an object is complete and its bytes are as promised, its key reads as before;
    2. a source that fails or lies stores nothing; the registered digest is compared before the object is visible;
    3. the receipt says how durable the copy is, and ``yes`` means that bytes and name survive a crash over there;
    4. the receipt's digest was computed from the stored bytes, and says how;
    5. ``digests`` reads the stored bytes again;
    6. a key comes back as it went in, or is refused; hostile ones never leave the root or reach a shell;
    7. every error carries destination and key; Unavailable if and only if the same call may succeed later;
    8. ``put`` never deletes or overwrites: what lies under a key stays, or is moved aside when the upload says so.

    ``connect`` is called first. Connections that are lost are made again by the next call. A destination that is lost
    as a whole raises DestinationLost from any method but ``put`` and ``digests``, which give one Failure with
    Unavailable for each object that was not finished; what waits for somebody's decision (DestinationRefused) may be
    raised by those two as well. Used by one thread at a time.
    """

    name: str
    method: str
    """The storage type as configured (``ssh``, ``filesystem``): the ledger's ``lastbackupmethod``, 16 characters."""

    pace: Pace | None = None
    """What ``digests`` reads back to this machine is held to it, where somebody gives one (`outflow.paced`)."""

    @abstractmethod
    def connect(self) -> Traits:
        """Reach the destination and find out what it can do. Raises DestinationLost; makes no root."""

    def prepare(self) -> None:  # noqa: B027 -- what takes no time to reach needs no preparation
        """Begin to connect, for what will be asked soon. Waits for nothing, sends nothing, and raises nothing."""

    def assume(self, abilities: str) -> None:  # noqa: B027 -- who tells no abilities assumes none
        """Take it that it has these `abilities`, which somebody else was told, where none are known here yet."""

    def abilities(self) -> str:
        """What it can do, as text that the ledger keeps for `Staging.abilities`; '' where nothing is worth keeping.

        What is assumed by that and no longer holds is probed again by the implementation, and fails nothing.
        """
        return ""

    @abstractmethod
    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        """Store a batch: one Receipt or Failure for each upload, in any order."""

    @abstractmethod
    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        """Hash the stored bytes of each key again: one StoredDigest or Failure each, in any order."""

    @abstractmethod
    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """The size of each object that exists; keys without an object, and refused keys, are absent."""

    @abstractmethod
    def open(self, key: str) -> ByteStream:
        """The stored bytes of one object, for reading. Raises CopyError."""

    @abstractmethod
    def supersede(self, key: str, to: str) -> None:
        """Move an object aside, never onto another one. Raises CopyError."""

    @abstractmethod
    def read_identity(self) -> str | None:
        """Which ledger this destination belongs to: the text of IDENTITY_KEY, or None where there is none."""

    @abstractmethod
    def write_identity(self, ledger_id: str) -> None:
        """Make this destination *ledger_id*'s, whosever it was; durable on return."""

    @abstractmethod
    def sweep(self) -> None:
        """Remove what earlier runs of our ledger left in staging. Only under the lock: nobody else is writing."""

    @abstractmethod
    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects below SCRATCH_PREFIX and DATABASE_PREFIX; raises ValueError for any other key.

        One that is not there is removed already. Raises DestinationLost; some may be removed then.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back connections; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Streaming(ABC):
    """A destination that needs no end of a batch to prove it. One may lack it: ask ``isinstance(it, Streaming)``.

    Its ``put`` takes uploads one by one, each when it can send it: further ones travel while the last ones are proven,
    and a receipt comes when its object is proven, not when no upload is left.
    """

    @property
    @abstractmethod
    def streams(self) -> bool:
        """Whether ``put`` does that as things are now; else it takes all uploads before it sends the first."""

    @abstractmethod
    def put(self, uploads: Iterable[Upload]) -> Iterator[Receipt | Failure]:
        """As that of a destination; what *uploads* raises comes through."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object that lies at a destination."""

    key: str
    size: int


class Listable(ABC):
    """A destination that tells everything that lies in it. One may lack it: ask ``isinstance(it, Listable)``.

    Promises, each a test of the suite ``testing.listable``:

    1. every object is told once, with its size, our own and those moved aside too, in any order; of what comes or goes
       meanwhile nothing is promised;
    2. constant memory, however many objects there are; a folder of a file system is read as a whole;
    3. a name comes as it lies there; one that is not UTF-8 comes with lone surrogates (PEP 383), and is no key;
    4. links are not followed, and neither they nor devices and the like are objects;
    5. never a part for the whole: what cannot be read raises DestinationLost.
    """

    @abstractmethod
    def entries(self, folder: str = "") -> Iterator[Entry]:
        """The objects below *folder*; ``''`` is everything. A folder that is not there has none."""


class Explainable(ABC):
    """A destination that keeps notes of ours beside the copies. One may lack it: ask ``isinstance(it, Explainable)``.

    Promises, each a test of the suite ``testing.explainable``:

    1. all or nothing: until a note is whole and on the disk, its key reads as before;
    2. notes replace notes, and nothing else: other keys raise ValueError, and what is no object stays;
    3. what was written survives a crash of the remote machine, as far as a copy does;
    4. one that fails stops no other.
    """

    @abstractmethod
    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        """Let each key, for which ``is_note`` holds, have these bytes; None takes the note away.

        Those that did not succeed. Raises DestinationLost.
        """


def checked_notes(notes: Iterable[str]) -> None:
    """Raise ValueError unless all of *notes* are keys of notes."""
    if other := [key for key in notes if not is_note(key)]:
        raise ValueError(f"only notes are written over, not {other[0]!r}")


@dataclass(frozen=True, slots=True)
class Staging:
    """Whose uncommitted objects these are: the first parts of every staging name (design, rule 6)."""

    ledger_id: str
    run: str
    abilities: str = ""
    """What the destination told of its ``abilities`` before; '' where nobody knows."""

    @property
    def ledger_prefix(self) -> str:
        """Where this ledger's runs stage."""
        return f"{STAGING_PREFIX}/{self.ledger_id}"

    @property
    def prefix(self) -> str:
        """Where this run stages; attempts go below, each under a name of its own."""
        return f"{self.ledger_prefix}/{self.run}"

    @classmethod
    def of_check(cls, ledger_id: str) -> Self:
        """That of a check, which holds no lock, and may be at it while a run sweeps."""
        return cls(ledger_id, f"{_CHECKING}{secrets.token_hex(16)}")


def is_over(run: str, modified: float | None) -> bool:
    """Whether nobody stages as *run* any more, where ours holds the lock; *modified* is the time of its folder."""
    if modified is None or not run.startswith(_CHECKING):
        return True
    return time.time() - modified > ABANDONED_SECONDS


MAX_NAME_BYTES = 255
"""The longest name of one part of a path on the file systems that matter (NAME_MAX of ext4, XFS, ZFS, APFS)."""


_NO_NAMES = frozenset([b"", b".", b".."])


def checked_path_key(place: str, key: str) -> str:
    """*key*, if a path on a file system can carry it exactly; otherwise raises KeyRefused.

    Refused: an empty key, an absolute one, empty parts, ``.`` and ``..``, NUL, text that is not UTF-8 (lone surrogates)
    and parts longer than 255 bytes. Everything else goes in as it is and comes back as it was.
    """
    if problem := _path_problem(key):
        raise KeyRefused(place, key, f"cannot be stored under this name: {problem}")
    return key


def _path_problem(key: str) -> str | None:
    try:
        path = key.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if b"\0" in path:
        return "it holds a NUL character"
    parts = path.split(b"/")
    if not _NO_NAMES.isdisjoint(parts):
        return "it has an empty, '.' or '..' part"
    if max(map(len, parts)) > MAX_NAME_BYTES:
        return f"a part of it is longer than {MAX_NAME_BYTES} bytes"
    return None


def folded(key: str) -> str:
    """*key* as a destination that folds case sees it."""
    return unicodedata.normalize("NFC", key).casefold()
