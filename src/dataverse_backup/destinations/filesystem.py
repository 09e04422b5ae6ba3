"""A destination that is a folder of this machine: a second disk, or a mounted share."""

from __future__ import annotations

import os
import secrets
import shlex
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.destinations.attempt import (
    Attempt,
    check_movable,
    folders_above,
    parent,
)
from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    SCRATCH_PREFIX,
    Destination,
    Entry,
    Explainable,
    Failure,
    Listable,
    StoredDigest,
    Traits,
    checked_notes,
    checked_path_key,
    checked_removable,
)
from dataverse_backup.destinations.folder_notes import FolderNotes
from dataverse_backup.destinations.folder_partials import FolderPartials
from dataverse_backup.destinations.folder_prune import removed
from dataverse_backup.destinations.folder_trial import NOT_WRITABLE, tried_out
from dataverse_backup.destinations.partials import RESUMES_FROM, Resumable
from dataverse_backup.destinations.prunable import Doomed, Prunable, Pruned, checked_doomed
from dataverse_backup.errors import CopyMissing, DestinationLost, KeyRefused, ObjectError, Unavailable
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.outflow import paced
from dataverse_backup.services.files import stored_checksum, write_all
from dataverse_backup.services.system_errors import READING, copy_errors
from dataverse_backup.services.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from dataverse_backup.destinations.base import Receipt, Staging, Upload
    from dataverse_backup.fixity import Algorithm


class FilesystemDestination(Destination, Listable, Explainable, Resumable, Prunable):
    """Keeps copies as files below one folder.

    Every object is written to staging, brought to the disk, read back from there and only then linked to its key: a
    link never overwrites. Where the file system has no hard links the key is looked at and then renamed to, which is
    as safe as long as nobody but us writes there.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        staging: Staging,
        file_mode: int = 0o640,
        dir_mode: int = 0o750,
        *,
        resumes_from: int = RESUMES_FROM,
    ) -> None:
        """Keep copies below *directory*, which exists; what we make gets the modes, whatever the umask is."""
        self.resumes_from = resumes_from
        self.name, self.method = name, "filesystem"
        self._directory, self._staging = directory, staging
        self._file_mode, self._dir_mode = file_mode, dir_mode
        self._tree: Tree | None = None
        self._identity: str | None = None

    def connect(self) -> Traits:
        tree = self._reach()
        with self._lost_errors():
            return tried_out(tree)

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        try:
            tree = self._reach()
        except DestinationLost as lost:
            yield from self._unavailable([upload.key for upload in uploads], lost)
            return
        with Attempt(self.name, tree, self._staging, self.resumes_from) as attempt:
            yield from attempt.run(uploads)

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        try:
            tree = self._reach()
        except DestinationLost as lost:
            yield from self._unavailable(keys, lost)
            return
        for key in keys:
            try:
                yield self._digest(tree, key, algorithm)
            except ObjectError as error:
                yield Failure(key, error)

    def _digest(self, tree: Tree, key: str, algorithm: Algorithm) -> StoredDigest:
        with copy_errors(self.name, checked_path_key(self.name, key), READING):
            descriptor = tree.open(key)
            try:
                size, checksum = stored_checksum(descriptor, algorithm, paced(partial(os.read, descriptor), self.pace))
            finally:
                os.close(descriptor)
        return StoredDigest(key, size, checksum, VerifiedBy.READ_BACK)

    def _unavailable(self, keys: Sequence[str], lost: DestinationLost) -> Iterator[Failure]:
        message = lost.message.removeprefix(f"{self.name}: ")
        return (Failure(key, Unavailable(self.name, key, message, lost.hint)) for key in keys)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        tree = self._reach()
        with self._lost_errors():
            found = {key: tree.file_size(key) for key in keys if self._storable(key)}
        return {key: size for key, size in found.items() if size is not None}

    def _storable(self, key: str) -> bool:
        try:
            checked_path_key(self.name, key)
        except KeyRefused:
            return False
        return True

    def open(self, key: str) -> StoredFile:
        tree = self._reach()
        with copy_errors(self.name, checked_path_key(self.name, key), READING):
            return StoredFile(tree.open(key), place=self.name, key=key)

    def supersede(self, key: str, to: str) -> None:
        tree = self._reach()
        with copy_errors(self.name, key, READING):
            if tree.status(checked_path_key(self.name, key)) is None:
                raise CopyMissing(self.name, key, "there is no such object")
            check_movable(self.name, key, tree)
        with copy_errors(self.name, checked_path_key(self.name, to)):
            tree.make_folder(parent(to))
            tree.keep_as(key, to)
            for folder in folders_above(to):
                tree.sync(folder)
            tree.unlink(key)  # only now that the other name is on the disk
            tree.sync(parent(key))

    def read_identity(self) -> str | None:
        tree = self._reach()
        with self._lost_errors():
            self._identity = _read_text(tree, IDENTITY_KEY)
        return self._identity

    def write_identity(self, ledger_id: str) -> None:
        tree = self._reach()
        fresh = f"{SCRATCH_PREFIX}/identity-{secrets.token_hex(8)}"
        with self._lost_errors():
            tree.make_folder(SCRATCH_PREFIX)
            with os.fdopen(tree.create(fresh), "wb", buffering=0) as file:
                write_all(file.fileno(), ledger_id.encode())
                os.fsync(file.fileno())
            tree.replace(fresh, IDENTITY_KEY)
            for folder in folders_above(IDENTITY_KEY):
                tree.sync(folder)
        self._identity = ledger_id

    def entries(self, folder: str = "") -> Iterator[Entry]:
        tree = self._reach()
        with self._lost_errors():
            for key, size in tree.files(folder):
                yield Entry(key, size)

    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        checked_notes(notes)
        tree = self._reach()
        with self._lost_errors():
            return FolderNotes(self.name, tree, self._staging).write(notes)

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        checked_doomed(doomed)
        for one in doomed:
            tree = self._reach()
            try:
                with copy_errors(self.name, checked_path_key(self.name, one.key)):
                    pruned = removed(tree, one)
            except ObjectError as error:
                yield Failure(one.key, error)
            else:
                yield pruned

    def sweep(self) -> None:
        tree = self._reach()
        with self._lost_errors():
            FolderPartials(tree, self._staging).sweep()

    def remove(self, keys: Sequence[str]) -> None:
        checked_removable(keys)
        tree = self._reach()
        with self._lost_errors():
            for key in filter(self._storable, keys):
                tree.unlink(key)

    def close(self) -> None:
        tree, self._tree = self._tree, None
        if tree is not None:
            tree.close()

    def _reach(self) -> Tree:
        """The folder that the path leads to now; raises DestinationLost where it is not the one that it was."""
        if self._tree is not None and self._tree.in_place():
            return self._tree
        self.close()
        with self._lost_errors():
            tree = Tree(self._directory, self._file_mode, self._dir_mode)
        try:
            self._check_same(tree)
        except DestinationLost:
            tree.close()
            raise
        self._tree = tree
        return tree

    def _check_same(self, tree: Tree) -> None:
        """Never write into the empty folder that a disk leaves behind when it is unmounted in the middle of a run."""
        with self._lost_errors():
            identity = _read_text(tree, IDENTITY_KEY)
        if self._identity not in (None, identity):
            raise DestinationLost(f"{self.name}: {self._directory} is not the folder that it was", self._hint())

    @contextmanager
    def _lost_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = (error.strerror or str(error)).lower()
            raise DestinationLost(f"{self.name}: {self._directory}: {problem}", self._hint(error.errno)) from error

    def _hint(self, code: int | None = None) -> str:
        if code in NOT_WRITABLE:
            return "may we write there, and is there room? look at its owner, its mode and how its disk is mounted"
        return f"is its disk mounted? if this is its first use: mkdir -p {shlex.quote(str(self._directory))}"


class StoredFile:
    """The stored bytes of one object, for reading."""

    def __init__(self, descriptor: int, *, place: str, key: str) -> None:
        """Read *descriptor* and close it in the end; *place* and *key* name it in errors."""
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self.place, self.key = place, key
        self.size = os.fstat(descriptor).st_size

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises CopyError."""
        with copy_errors(self.place, self.key, READING):
            return self._file.read(length)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()


def _read_text(tree: Tree, key: str) -> str | None:
    try:
        descriptor = tree.open(key)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode(errors="replace")
