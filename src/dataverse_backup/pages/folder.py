"""Writes files into a folder that others read meanwhile: nothing half-written is ever seen."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dataverse_backup.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = ".new-"
_LOCK = ".lock"
_ABANDONED = 86_400.0
"""Seconds after which what a killed run left half-written is removed."""
_STALE = 3_600.0
"""Seconds for which the former data stay: a browser that has just got the former page still asks for them."""

_MEANINGS = {
    errno.ENOENT: ("does not exist", "make it first: mkdir -p"),
    errno.ENOTDIR: ("is no folder", "name another one"),
    errno.EACCES: ("may not be written", "check its owner and mode"),
    errno.EPERM: ("may not be written", "check its owner and mode"),
    errno.EROFS: ("is read-only", "name another one"),
    errno.ENOSPC: ("is on a full disk", "make room there; the former pages are still whole"),
    errno.EDQUOT: ("is on a full disk", "raise the quota there; the former pages are still whole"),
}
"""What the system's errors mean for whoever wanted a report."""


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said, hint = _MEANINGS.get(error.errno or 0, (f"cannot be used ({error.strerror})", ""))
        raise ReportError(f"no report was written: the folder {folder} {said}", hint) from error


class Publication:
    """The new files of a folder, until they take the place of the former ones."""

    def __init__(self, folder: Path, new: Path) -> None:
        self._folder, self._new = folder, new
        self._names: list[str] = []
        self._replaced: list[str] = []
        self._kept: set[str] = set()

    def has(self, name: str, beginning: str) -> bool:
        """Whether the folder has a file *name* already that begins so."""
        try:
            with (self._folder / name).open(encoding="utf-8", newline="") as former:
                return former.read(len(beginning)) == beginning
        except (FileNotFoundError, UnicodeDecodeError):
            return False

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """Write what the file *name*, a path with slashes, shall hold; it is on disk at the end of the block."""
        path = self._new / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        self._names.append(name)

    def write(self, name: str, content: str | bytes) -> None:
        """The file *name* shall have this *content*."""
        with self.file(name) as file:
            file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)

    def replace(self, pattern: str) -> None:
        """Files like *pattern* that are neither written now nor kept are not needed any more, a while later."""
        self._replaced.append(pattern)

    def keep(self, pattern: str) -> None:
        """Former files like *pattern* are still needed."""
        self._kept |= {self._name(path) for path in self._folder.glob(pattern)}

    def publish(self) -> None:
        """Give every file its name, in the order in which they were written; pages come after what they show."""
        for name in self._names:
            target = self._folder / name
            target.parent.mkdir(exist_ok=True)
            (self._new / name).replace(target)

    def remove_former(self) -> None:
        """Remove what was replaced and is not so young that a browser may still ask for it."""
        for path in (path for pattern in self._replaced for path in self._folder.glob(pattern)):
            if self._name(path) not in {*self._names, *self._kept} and _age(path) > _STALE:
                path.unlink(missing_ok=True)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


@contextmanager
def publication(folder: Path) -> Iterator[Publication]:
    """Write new files in the block; at its end they become visible, or after an error none of them.

    Two at once publish one after the other, so that all files are of the same one. *folder* must exist. Raises
    ReportError.
    """
    with _translated(folder), tempfile.TemporaryDirectory(prefix=_NEW, dir=folder) as new:
        result = Publication(folder, Path(new))
        yield result
        with (folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            result.publish()
            result.remove_former()
            _remove_abandoned(folder)


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_NEW}*"):
        if _age(path) > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
