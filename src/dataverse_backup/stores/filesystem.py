"""A store of type ``file``: folders on this machine, local or mounted (facts 2.2)."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from dataverse_backup.datafile import LOGO, LOGOS, PACKAGE_CONTENT_TYPE
from dataverse_backup.errors import (
    Reason,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
)
from dataverse_backup.stores.base import Store
from dataverse_backup.stores.filesystem_listing import FileListing
from dataverse_backup.stores.filesystem_put_back import FilePutBack
from dataverse_backup.stores.listable import ListableStore
from dataverse_backup.stores.paths import checked_path, dataset_folder, path_names
from dataverse_backup.stores.restorable import Restorable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import SourceError
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.stores.listable import StoredObject
    from dataverse_backup.stores.restorable import Opening, PutBack

_PACKAGE = "packages are folders in a file store, and folders of packages are not yet backed up"

_READ_AHEAD = 128 * 1024
"""What systems read ahead by themselves; of less nothing is to be said to them."""

_ERRORS: dict[int, type[SourceError]] = {
    errno.ENOENT: SourceMissing,
    errno.ENOTDIR: SourceMissing,
    errno.ENAMETOOLONG: SourceMissing,
    errno.EACCES: SourceRefused,
    errno.EPERM: SourceRefused,
    errno.ELOOP: SourceRefused,
    errno.ESTALE: SourceUnavailable,
    errno.ENOTCONN: SourceUnavailable,
    errno.ETIMEDOUT: SourceUnavailable,
    errno.EHOSTDOWN: SourceUnavailable,
    errno.EHOSTUNREACH: SourceUnavailable,
    errno.ENETDOWN: SourceUnavailable,
    errno.ENETUNREACH: SourceUnavailable,
    errno.ECONNREFUSED: SourceUnavailable,
    errno.ECONNRESET: SourceUnavailable,
    errno.ENFILE: SourceUnavailable,
    errno.EMFILE: SourceUnavailable,
}
"""What the system's errors mean for one object; every other one is SourceUnreadable."""


_LOGO_OR_SMALLEST = (LOGO, f"{LOGO}:thumb48")
"""One of these is there where there is a logo at all: of what is no image that Java knows, the first alone."""


class FilesystemStore(Store, Restorable, ListableStore):
    """Objects below one directory.

    Symbolic links are followed: administrators move datasets to other disks and leave a link behind. Names that lead
    out of the directory by themselves (``..``, absolute ones) are refused.
    """

    logos_a_run = 10_000

    def __init__(self, store_id: str, directory: Path) -> None:
        """Read what Dataverse keeps below *directory*, its ``dataverse.files.<id>.directory``."""
        self.id = store_id
        self._directory = os.fsencode(directory)

    def names(self, datafile: Datafile) -> tuple[str, ...]:
        return path_names(self.id, datafile)

    def object_name(self, datafile: Datafile) -> str:
        return datafile.location

    def excludes(self, datafile: Datafile) -> tuple[Reason, str] | None:
        return (Reason.PACKAGE, _PACKAGE) if datafile.content_type == PACKAGE_CONTENT_TYPE else None

    def open(self, name: str) -> FileStream:
        path = os.path.join(self._directory, checked_path(self.id, name).encode())  # noqa: PTH118 -- paths are bytes here
        try:
            return FileStream(path, place=self.id, key=name)
        except SourceMissing:
            self.probe()  # on an unmounted disk everything is missing, which says nothing about this object
            raise

    def logos(self, dataset: Datafile) -> dict[str, str]:
        """As ``Store.logos``: the sizes that were made of a logo are looked for where it is, or the smallest."""
        folder = os.path.join(self._directory, dataset_folder(self.id, dataset.dataset).encode())  # noqa: PTH118 -- paths are bytes here
        found = {tag: version for tag in _LOGO_OR_SMALLEST if (version := self._version(folder, LOGOS[tag]))}
        if found:
            others = LOGOS.keys() - _LOGO_OR_SMALLEST
            found |= {tag: version for tag in others if (version := self._version(folder, LOGOS[tag]))}
        return found

    def _version(self, folder: bytes, name: str) -> str:
        try:
            status = os.stat(b"%b/%b" % (folder, name.encode()))  # noqa: PTH116 -- paths are bytes here
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            raise _source_error(self.id, name, error) from error
        return f"{status.st_size} bytes, {status.st_mtime_ns}" if stat.S_ISREG(status.st_mode) else ""

    def put_back(self, name: str, opening: Opening, checksum: Checksum) -> PutBack:
        one = FilePutBack(self.id, checked_path(self.id, name), self._directory)
        if not os.path.isdir(self._directory):  # noqa: PTH112 -- paths are bytes here
            raise self._lost("is not there")
        return one.put(opening, checksum)

    @property
    def place(self) -> tuple[str, bytes]:
        return "file", os.path.realpath(self._directory)

    def folder_in(self, other: ListableStore) -> str | None:
        if not isinstance(other, FilesystemStore):
            return None
        (_, own), (_, around) = self.place, other.place
        folder = own.removeprefix(around.rstrip(b"/") + b"/")
        return None if folder == own else os.fsdecode(folder) + "/"

    def entries(self) -> Iterator[StoredObject]:
        self.probe()
        try:
            yield from FileListing(self._directory).entries()
        except OSError as error:
            what = os.fsdecode(error.filename) if error.filename else "a folder"
            said = f"{self.id}: {what} cannot be listed: {(error.strerror or str(error)).lower()}"
            hint = "may we read every folder below the store's directory, and is every disk mounted?"
            raise StoreLost(said, hint) from error

    def probe(self) -> None:
        try:
            with os.scandir(self._directory) as entries:
                empty = next(entries, None) is None
        except OSError as error:
            raise self._lost(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
        if empty:
            raise self._lost("is empty")

    def _lost(self, problem: str) -> StoreLost:
        return StoreLost(
            f"{self.id}: the directory {os.fsdecode(self._directory)} {problem}",
            f"is its disk mounted, may we read it, and is it the 'directory' configured for store {self.id}?",
        )


class FileStream:
    """The bytes of one regular file."""

    def __init__(self, path: bytes, *, place: str, key: str) -> None:
        """Open *path*; *place* and *key* name it in errors. Raises SourceError."""
        self.place, self.key = place, key
        self._closed = False
        try:  # no context manager: this is called for the smallest of files
            # O_NONBLOCK: opening a FIFO would wait for a writer for ever; regular files do not know the flag.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _source_error(place, key, error) from error
        try:
            self.size = self._regular_size()
        except OSError as error:
            self.close()
            raise _source_error(place, key, error) from error
        except BaseException:
            self.close()
            raise

    def _regular_size(self) -> int:
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceUnreadable(self.place, self.key, "it is not a regular file")
        if status.st_size > _READ_AHEAD and hasattr(os, "posix_fadvise"):  # not on macOS
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return status.st_size

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises SourceError."""
        try:
            return os.read(self._descriptor, length)
        except OSError as error:
            raise _source_error(self.place, self.key, error) from error

    def close(self) -> None:
        """Give back the descriptor; may be called twice."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)


def _source_error(place: str, key: str, error: OSError) -> SourceError:
    kind = _ERRORS.get(error.errno or 0, SourceUnreadable)
    return kind(place, key, (error.strerror or str(error)).lower())
