"""Every exception that this project raises.

::

    DataverseBackupError
    ├── ConfigurationError        what the administrator wrote cannot be used
    ├── NotificationError         nobody could be told how a run ended
    ├── NoWorkSpace               this machine cannot keep what a run notes for itself
    ├── ReportError               the report cannot be written
    ├── RestoreError              nothing, or nothing more, can be restored
    ├── PruneRefused              nothing is deleted: the plan does not hold, or is too much
    ├── ManifestError             what a destination says of itself cannot be used
    ├── BrakePulled               so much is wrong at once that a run stopped
    ├── DumpError                 the Dataverse database was not dumped
    │   └── DumpInterrupted       … this time; it may be the next
    ├── CatalogueError            the Dataverse database cannot be read
    │   └── CatalogueUnavailable  … now; it may be later
    ├── LedgerError               the ledger cannot be used
    │   ├── LedgerUnavailable     … now; it may be later
    │   └── LockHeld              another run works on the same destination
    ├── WorkerDied                a task ended its worker process, alone too
    ├── WorkersLost               no worker process lives long enough to do anything
    ├── WorkerUnfit               a worker elsewhere would not do what we would do
    ├── StoreLost                 a whole store cannot be read
    ├── DestinationLost           a whole destination cannot be used
    │   └── DestinationRefused    … until somebody decides: identity, host key
    └── ObjectError               one object; the others go on
        ├── SourceError           it could not be read            (FAIL_READ)
        │   ├── SourceMissing         missing
        │   ├── SourceRefused         refused
        │   ├── SourceUnavailable     unreachable
        │   ├── SourceUnreadable      unreadable
        │   ├── SourceArchived        archived
        │   ├── SourceChanged         source-changed
        │   └── SourceDiffers         source-differs
        └── CopyError             it could not be stored or proven (FAIL_WRITE)
            ├── KeyRefused            key-refused
            ├── KeyOccupied           key-occupied
            ├── CopyRefused           refused
            ├── CopyMissing           copy-missing
            ├── CopyDiffers           copy-differs
            ├── NoSpace               no-space
            ├── Unavailable           unreachable
            ├── CopyKilledWorker      worker-died
            └── CopyFailed            copy-failed

Messages are lower case and name the place and the key. A hint says what to check or which command helps.
Exceptions cross process borders, so each can be pickled with everything that it says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Why a datafile stands where it stands: stable words, for people and for programs."""

    # FAIL_READ
    MISSING = "missing"
    REFUSED = "refused"  # FAIL_WRITE too: permission denied on either side
    UNREACHABLE = "unreachable"  # FAIL_WRITE too
    UNREADABLE = "unreadable"
    ARCHIVED = "archived"
    SOURCE_CHANGED = "source-changed"
    SOURCE_DIFFERS = "source-differs"
    # FAIL_WRITE
    KEY_REFUSED = "key-refused"
    KEY_OCCUPIED = "key-occupied"
    COPY_MISSING = "copy-missing"
    COPY_DIFFERS = "copy-differs"
    COPY_FAILED = "copy-failed"
    NO_SPACE = "no-space"
    WORKER_DIED = "worker-died"
    # OK, with something worth knowing
    NO_CHECKSUM = "no-checksum"
    SIZE_DIFFERS = "size-differs"
    CONTENT_CHANGED = "content-changed"
    # NOT_HERE
    NO_DATASET = "no-dataset"
    NO_IDENTIFIER = "no-identifier"
    PREFIX_ONLY = "prefix-only"
    TEMPORARY = "temporary"
    REMOTE = "remote"
    GLOBUS = "globus"
    IGNORED = "ignored"
    PACKAGE = "package"
    # PENDING
    STORE_UNKNOWN = "store-unknown"


class DataverseBackupError(Exception):
    """The root of the tree: a message, and a hint that says what to check or do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigurationError(DataverseBackupError):
    """What the administrator wrote cannot be used."""


class NotificationError(DataverseBackupError):
    """Nobody could be told how a run ended; the run itself is not touched by that."""


class NoWorkSpace(DataverseBackupError):
    """This machine cannot keep what a run notes for itself: its folder for temporary files is full or missing."""


class ReportError(DataverseBackupError):
    """The report cannot be written where it was wanted; nothing else is touched by that."""


class RestoreError(DataverseBackupError):
    """Nothing, or nothing more, can be restored to where it was wanted; what is there already is kept."""


class PruneRefused(DataverseBackupError):
    """Nothing is deleted: a plan does not hold any more, would delete too much, or nothing can be deleted there."""


class ManifestError(DataverseBackupError):
    """A manifest cannot be used: damaged, or of something else; copies are not touched by that."""


class BrakePulled(DataverseBackupError):
    """So much of a store vanished, or is missing or altered, that a run stopped until a person has looked."""


class DumpError(DataverseBackupError):
    """The Dataverse database was not dumped, or not whole; files are backed up all the same."""


class DumpInterrupted(DumpError):
    """The database went away in the middle, or somebody held a table; the same call may succeed later."""


class CatalogueError(DataverseBackupError):
    """The Dataverse database cannot be read: an unknown form, or a missing grant."""


class CatalogueUnavailable(CatalogueError):
    """The Dataverse database cannot be reached now; the same call may succeed later."""


class LedgerError(DataverseBackupError):
    """The ledger cannot be used."""


class LedgerUnavailable(LedgerError):
    """The ledger cannot be reached or is locked now; the same call may succeed later."""


class LockHeld(LedgerError):
    """Another run works on the same destination, or our own lock was lost."""


class WorkerDied(DataverseBackupError):
    """A task ended its worker process, and did so again when nothing else was running."""


class WorkersLost(DataverseBackupError):
    """Worker processes die, one after the other, before they can do anything: there will be no other."""


class WorkerUnfit(DataverseBackupError):
    """A worker elsewhere has another configuration than we have, or lacks what its tasks need."""


class StoreLost(DataverseBackupError):
    """A whole store cannot be read: its root is missing or empty, or nobody answers."""


class DestinationLost(DataverseBackupError):
    """A whole destination cannot be used: its root is missing, or nobody answers."""


class DestinationRefused(DestinationLost):
    """We will not use this destination until somebody decides: another ledger's folder, a changed host key."""


class ObjectError(DataverseBackupError):
    """Something went wrong with one object; every other object goes on."""

    reason: ClassVar[Reason]
    retry_after: float = 0.0
    """For how many seconds the service asked not to be asked again."""

    def __init__(self, place: str, key: str, message: str, hint: str = "") -> None:
        """Say what happened to *key* in *place* (the name of a store or destination)."""
        super().__init__(f"{place}: {printable(key)}: {message}", hint)
        self.args = (place, key, message, hint)
        self.place = place
        self.key = key


class SourceError(ObjectError):
    """The bytes could not be read, or are not as registered: FAIL_READ."""


class SourceMissing(SourceError):
    """There is no object of that name in the store."""

    reason = Reason.MISSING


class SourceRefused(SourceError):
    """We may not read the object, or its name would lead out of the store."""

    reason = Reason.REFUSED


class SourceUnavailable(SourceError):
    """The store does not answer; the same call may succeed later."""

    reason = Reason.UNREACHABLE


class SourceUnreadable(SourceError):
    """The object is there and its bytes cannot be read: an I/O error, or not a regular file."""

    reason = Reason.UNREADABLE


class SourceArchived(SourceError):
    """The object is in cold storage: somebody must have it restored before anybody can read it."""

    reason = Reason.ARCHIVED


class SourceChanged(SourceError):
    """The object grew or shrank while it was read."""

    reason = Reason.SOURCE_CHANGED


class SourceDiffers(SourceError):
    """The bytes read are not those that Dataverse registered."""

    reason = Reason.SOURCE_DIFFERS


class CopyError(ObjectError):
    """The copy could not be stored or not be proven: FAIL_WRITE."""


class KeyRefused(CopyError):
    """No object of this name can be stored here: too long, hostile, or not representable."""

    reason = Reason.KEY_REFUSED


class KeyOccupied(CopyError):
    """Something lies under the key already, and nothing is ever overwritten."""

    reason = Reason.KEY_OCCUPIED


class CopyRefused(CopyError):
    """We may not write or read there: permission denied, read-only."""

    reason = Reason.REFUSED


class CopyMissing(CopyError):
    """There is no object under the key."""

    reason = Reason.COPY_MISSING


class CopyDiffers(CopyError):
    """The stored bytes are not those that were sent."""

    reason = Reason.COPY_DIFFERS


class NoSpace(CopyError):
    """The destination is full, or a quota is used up."""

    reason = Reason.NO_SPACE


class Unavailable(CopyError):
    """The destination does not answer; the same call may succeed later. No other error means that."""

    reason = Reason.UNREACHABLE


class CopyKilledWorker(CopyError):
    """Whatever process copies it dies of that."""

    reason = Reason.WORKER_DIED


class CopyFailed(CopyError):
    """The destination failed in a way that no other class names; its own words are in the message."""

    reason = Reason.COPY_FAILED


def printable(text: str) -> str:
    """*text* with control characters and lone surrogates shown as escapes: safe in a log, a terminal or a mail."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
