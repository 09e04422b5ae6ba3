"""Writing a file back into a store of type ``file``, so that Dataverse finds it as its own."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup.errors import CopyDiffers, CopyRefused, KeyOccupied, SourceRefused, printable
from dataverse_backup.fixity import HashingReader
from dataverse_backup.services.files import CHUNK, stored_checksum, write_all
from dataverse_backup.services.system_errors import copy_errors
from dataverse_backup.services.tree import Tree
from dataverse_backup.stores.listable import UNFINISHED
from dataverse_backup.stores.restorable import CHANGED_MEANWHILE, PutBack, aside_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.fixity import Checksum
    from dataverse_backup.stores.restorable import Opening

_RIGHTS = 0o777
"""What is taken over of a mode: never set-uid and the like."""
_OF_FILES = 0o666
"""What is taken over of a folder's mode for a file."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a new file or folder is to be, and what may be done with it."""

    user: int
    group: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result, mask: int = _RIGHTS) -> _Owner:
        return cls(status.st_uid, status.st_gid, status.st_mode & mask)


class FilePutBack:
    """One file that is written back.

    Links to folders are followed, as when a file is read: administrators move datasets to other disks. A link that
    leads nowhere is refused, because its disk may not be mounted; so is a file that is a link itself.
    """

    def __init__(self, place: str, name: str, root: bytes) -> None:
        """Put back what the store *place*, whose files lie below *root*, calls *name*, which has been checked."""
        self._place, self._name = place, name
        self._root = Path(os.fsdecode(root))
        self._path = self._root / os.fsdecode(name.encode())

    def put(self, opening: Opening, checksum: Checksum) -> PutBack:
        """Write it and prove it. Raises ObjectError and what *opening* raises."""
        with copy_errors(self._place, self._name):
            folder = self._folder()
            self._make_folder(folder)
            with closing(Tree(folder, file_mode=0o600, dir_mode=0o700)) as tree:
                return self._put(tree, folder, opening, checksum)

    def _put(self, tree: Tree, folder: Path, opening: Opening, checksum: Checksum) -> PutBack:
        """Write the file into *folder*, which *tree* holds open."""
        name = self._name.rpartition("/")[2]
        present = tree.status(name)
        if present is not None and not stat.S_ISREG(present.st_mode):
            hint = "if it is a link, look at what it leads to"
            raise KeyOccupied(self._place, self._name, "what lies there is not a file", hint)
        if present is not None and self._has(tree, name, checksum):
            return PutBack(self._name, present.st_size, checksum, was_right=True)
        owner = _owner_for(folder, present)
        with _staged(tree) as staged:
            size = self._write(tree, staged, opening, checksum, owner)
            self._prove(tree, staged, size, checksum)
            aside = self._reveal(tree, staged, name, present)
        return PutBack(self._name, size, checksum, aside)

    def _folder(self) -> Path:
        """Where the file is, or would be, once all links are followed."""
        above = list(self._path.parents)
        for path in above[: above.index(self._root)]:
            if path.is_symlink() and not path.exists():
                said = f"the link {printable(str(path))} leads to what is not there"
                raise CopyRefused(self._place, self._name, said, "is the disk mounted that it leads to?")
        return self._path.parent.resolve()

    def _make_folder(self, folder: Path) -> None:
        """Make *folder* and what is missing above it, each like the one that it lies in; the root must be there."""
        if folder.is_dir() or folder == self._root.resolve():
            return
        self._make_folder(folder.parent)
        above = folder.parent.stat()
        with suppress(FileExistsError):  # another worker made it
            folder.mkdir(0o700)
            with _opened_folder(folder) as descriptor:
                self._hand_over(descriptor, _Owner.of(above))
            with _opened_folder(folder.parent) as descriptor:
                os.fsync(descriptor)

    def _has(self, tree: Tree, name: str, checksum: Checksum) -> bool:
        """Whether the file has these bytes; a disk that rots may not even give them."""
        try:
            descriptor = tree.open(name)
        except PermissionError as error:
            raise SourceRefused(self._place, self._name, "we may not read what lies there") from error
        try:
            return stored_checksum(descriptor, checksum.algorithm)[1] == checksum
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def _write(self, tree: Tree, staged: str, opening: Opening, checksum: Checksum, owner: _Owner) -> int:
        """How many bytes were written, which are on the disk then."""
        with os.fdopen(tree.create(staged), "wb", buffering=0) as file:
            self._hand_over(file.fileno(), owner)  # before the first byte: it is quick to fail
            with HashingReader(opening(), checksum.algorithm) as reader:
                while data := reader.read(min(CHUNK, reader.size - reader.bytes_read)):
                    write_all(file.fileno(), data)
                reader.finish(checksum)
            os.fsync(file.fileno())
            return reader.size

    def _hand_over(self, descriptor: int, owner: _Owner) -> None:
        """Let it be *owner*'s. Raises CopyRefused where we may not give things away."""
        now = os.fstat(descriptor)
        if (now.st_uid, now.st_gid) != (owner.user, owner.group):
            try:
                os.fchown(descriptor, owner.user, owner.group)
            except PermissionError as error:
                said = f"it must belong to user {owner.user} and group {owner.group}, and we may not give it to them"
                hint = "run the command as root, or as the user that Dataverse runs as"
                raise CopyRefused(self._place, self._name, said, hint) from error
        os.fchmod(descriptor, owner.mode)

    def _prove(self, tree: Tree, staged: str, size: int, checksum: Checksum) -> None:
        descriptor = tree.open(staged)
        try:
            stored = stored_checksum(descriptor, checksum.algorithm)
        finally:
            os.close(descriptor)
        if stored != (size, checksum):
            said = f"{stored[0]} bytes, {stored[1]} are stored; {size} bytes, {checksum} were written"
            raise CopyDiffers(self._place, self._name, said, "is the store's disk failing?")

    def _reveal(self, tree: Tree, staged: str, name: str, present: os.stat_result | None) -> str | None:
        """Let *staged* be called *name*; the name in the store of what was called so before."""
        aside = None
        if present is None:
            tree.move(staged, name)
        else:
            self._check_unchanged(present, tree.status(name))
            aside = aside_name(self._name)
            tree.keep_as(name, aside.rpartition("/")[2])
            tree.sync("")
            tree.replace(staged, name)
        tree.sync("")
        return aside

    def _check_unchanged(self, before: os.stat_result, now: os.stat_result | None) -> None:
        seen = [one and (one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, now)]
        if seen[0] != seen[1]:
            raise KeyOccupied(self._place, self._name, CHANGED_MEANWHILE, "look at it, and try again")


@contextmanager
def _staged(tree: Tree) -> Iterator[str]:
    """A name for a new file; it is gone in the end."""
    staged = f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        yield staged
    finally:
        with suppress(OSError):
            tree.unlink(staged)


@contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _owner_for(folder: Path, present: os.stat_result | None) -> _Owner:
    """Who owns what lay there, else a file beside it, else the folder."""
    if present is not None:
        return _Owner.of(present)
    with os.scandir(folder) as entries:
        files = (one for one in entries if one.is_file(follow_symlinks=False) and not one.name.startswith(UNFINISHED))
        neighbour = next(files, None)
        if neighbour is not None:
            return _Owner.of(neighbour.stat(follow_symlinks=False))
    return _Owner.of(folder.stat(), _OF_FILES)
