"""One batch on its way into a folder: staged, synced, read back, and only then visible."""

from __future__ import annotations

import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, Self, TypeVar

from dataverse_backup.destinations.base import PRIVATE_MODE, Failure, Receipt, checked_path_key
from dataverse_backup.destinations.folder_partials import FolderPartials, continued
from dataverse_backup.destinations.partials import may_pass, partial_name
from dataverse_backup.errors import CopyDiffers, KeyOccupied, ObjectError
from dataverse_backup.fixity import Checksum, Durability, HashingReader, VerifiedBy
from dataverse_backup.services.files import stored_checksum
from dataverse_backup.services.system_errors import copy_error, copy_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.destinations.base import Staging, Upload
    from dataverse_backup.services.tree import Tree

_SYNCS = 8
"""How many files are synced and read back at once: a file system commits them together."""

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Staged:
    """One object that lies in staging, whole."""

    upload: Upload
    name: str
    size: int
    checksum: Checksum
    """Of what was read from the source."""
    kept: int
    """How many of its bytes lay there already."""


class _Held:
    """A folder of a tree that is held open while many of its files are worked on, or none."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self._resources = tree, ExitStack()
        self.key: str | None = None

    def hold(self, key: str) -> None:
        """Hold the folder *key*, which is there, instead of the last one. Raises OSError."""
        self.let_go()
        self._resources.enter_context(self._tree.holding(key))
        self.key = key

    def let_go(self) -> None:
        """Hold none."""
        self.key = None
        self._resources.close()


class Attempt:
    """Stores one batch below *tree*; leaving it removes what it staged, but for what may be continued.

    An object that fails is set aside as a Failure and the others go on; StoreLost leaves at once, before anything
    became visible.
    """

    def __init__(self, place: str, tree: Tree, staging: Staging, resumes_from: int) -> None:
        """Stage below *staging* under a name of this attempt's own; *place* names the destination in errors."""
        self._place, self._tree, self._resumes_from = place, tree, resumes_from
        self._partials = FolderPartials(tree, staging)
        self._folder = f"{staging.prefix}/{secrets.token_hex(8)}"
        self._staging, self._parent = _Held(tree), _Held(tree)
        self._changed: set[str] = set()
        self._failures: list[Failure] = []

    def run(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        """Every step for the whole batch before the next one: the syncs are what takes time."""
        staged = [
            one
            for number, upload in enumerate(uploads)
            if (one := self._tried(upload.key, partial(self._stage, upload, str(number))))
        ]
        with ThreadPoolExecutor(_SYNCS) as pool:
            proofs = pool.map(lambda one: self._tried(one.upload.key, partial(self._prove, one)), staged)
            proven = [one for one in proofs if one]
        visible = [one for one in proven if self._tried(one.upload.key, partial(self._reveal, one))]
        yield from self._failures
        yield from self._synced(visible)

    def _tried(self, key: str, step: Callable[[], Outcome]) -> Outcome | None:
        """What *step* gives, or None where it failed, which is kept as a Failure."""
        try:
            with copy_errors(self._place, key):
                return step()
        except ObjectError as error:
            self._failures.append(Failure(key, error))
            return None

    def _stage(self, upload: Upload, number: str) -> Staged:
        key = checked_path_key(self._place, upload.key)
        if upload.supersede_to is not None:
            checked_path_key(self._place, upload.supersede_to)
        elif self._tree.status(key) is not None:
            raise KeyOccupied(self._place, key, "something lies there already")
        with HashingReader(upload.open(), upload.algorithm) as reader:
            big = partial_name(upload, reader.size, self._resumes_from)
            name = f"{self._folder}/{big or number}"
            with self._opened(name, big) as file:
                if upload.is_private:
                    os.fchmod(file.fileno(), PRIVATE_MODE)
                try:
                    kept = continued(file.fileno(), reader)
                    return Staged(upload, name, reader.size, reader.finish(upload.promised), kept)
                except BaseException as error:
                    with suppress(OSError):
                        if big is not None and may_pass(error):
                            self._partials.give_back(self._folder, big)
                        else:
                            self._tree.unlink(name)  # now, not at the end: it may be what fills the disk
                    raise

    def _opened(self, name: str, big: str | None) -> FileIO:
        """The file *name*: a new one, or what was broken off of a big one."""
        if self._staging.key is None:
            self._tree.make_folder(self._folder)
            self._staging.hold(self._folder)
        descriptor = self._tree.create(name) if big is None else self._partials.take(self._folder, big)
        return FileIO(descriptor, "r+b")

    def _prove(self, staged: Staged) -> Staged:
        """*staged*, if its bytes are on the disk and there as they were sent; otherwise raises CopyDiffers."""
        descriptor = self._tree.open(staged.name)
        try:
            os.fsync(descriptor)
            size, checksum = stored_checksum(descriptor, staged.checksum.algorithm)
        finally:
            os.close(descriptor)
        if (size, checksum) != (staged.size, staged.checksum):
            message = f"{size} bytes, {checksum} are stored; {staged.size} bytes, {staged.checksum} were sent"
            raise CopyDiffers(self._place, staged.upload.key, message, "is the destination's disk failing?")
        return staged

    def _reveal(self, staged: Staged) -> Staged:
        key, aside = staged.upload.key, staged.upload.supersede_to
        if self._parent.key != parent(key):
            self._make_parent(key)
            self._parent.hold(parent(key))
        if aside is None or self._tree.status(key) is None:
            self._tree.move(staged.name, key)
        else:
            self._replace(staged.name, key, aside)
        return staged

    def _replace(self, name: str, key: str, aside: str) -> None:
        """Let *name* take *key*, whose object lies under *aside* from before that on: the key is never absent."""
        check_movable(self._place, key, self._tree)
        self._make_parent(aside)
        self._tree.keep_as(key, aside)
        try:
            for folder in folders_above(aside):
                self._tree.sync(folder)
            self._tree.replace(name, key)
        except OSError:
            self._tree.take_back(key, aside)
            raise

    def _make_parent(self, key: str) -> None:
        # All of them, not only those made here: another worker may have made one and not have synced it yet.
        self._tree.make_folder(parent(key))
        self._changed |= set(folders_above(key))

    def _synced(self, visible: Sequence[Staged]) -> Iterator[Receipt | Failure]:
        """Receipts for what is visible, once the folders' names are on the disk too."""
        try:
            offered = [self._tree.sync(folder) for folder in self._changed]
        except OSError as error:
            for one in visible:
                yield Failure(one.upload.key, copy_error(self._place, one.upload.key, error))
            return
        durable = Durability.YES if all(offered) else Durability.DATA_ONLY
        for one in visible:
            yield Receipt(one.upload.key, one.size, one.checksum, VerifiedBy.READ_BACK, durable, one.kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._parent.let_go()
        self._staging.let_go()
        with suppress(OSError):  # a later sweep does it
            if may_pass(error):
                self._partials.give_back_all(self._folder)
            self._tree.remove_folder(self._folder)


def parent(key: str) -> str:
    """The folder that *key* lies in; ``''`` is the root."""
    return key.rpartition("/")[0]


def folders_above(key: str) -> list[str]:
    """Every folder on the way to *key*, the root (``''``) last."""
    above = []
    while key:
        key = parent(key)
        above.append(key)
    return above


def check_movable(place: str, key: str, tree: Tree) -> None:
    """Raise KeyOccupied where something other than a file lies under *key*: that is not ours to move."""
    status = tree.status(key)
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise KeyOccupied(place, key, "what lies there is not a file")
