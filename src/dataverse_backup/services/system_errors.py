"""What the errors of the operating system mean for one object of a folder that we write into."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.errors import (
    CopyError,
    CopyFailed,
    CopyMissing,
    CopyRefused,
    KeyOccupied,
    KeyRefused,
    NoSpace,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WRITING: Mapping[int, type[CopyError]] = {
    errno.EEXIST: KeyOccupied,
    errno.ENOTDIR: KeyOccupied,  # a file, or a link, where the key needs a folder
    errno.EISDIR: KeyOccupied,
    errno.ELOOP: KeyOccupied,
    errno.ENOENT: Unavailable,  # folders that were there a moment ago are gone: so is the disk
    errno.ENAMETOOLONG: KeyRefused,
    errno.EILSEQ: KeyRefused,  # file systems that take only some of Unicode
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
    errno.EACCES: CopyRefused,
    errno.EPERM: CopyRefused,
    errno.EROFS: CopyRefused,
    errno.ESTALE: Unavailable,
    errno.ENOTCONN: Unavailable,
    errno.ENODEV: Unavailable,
    errno.ETIMEDOUT: Unavailable,
    errno.EHOSTDOWN: Unavailable,
    errno.EHOSTUNREACH: Unavailable,
    errno.ENETDOWN: Unavailable,
    errno.ENETUNREACH: Unavailable,
    errno.ECONNREFUSED: Unavailable,
    errno.ECONNRESET: Unavailable,
    errno.EMFILE: Unavailable,
    errno.ENFILE: Unavailable,
}
"""For writing; every error that is not named is CopyFailed."""

READING: Mapping[int, type[CopyError]] = {
    **WRITING,
    errno.ENOENT: CopyMissing,
    errno.ENOTDIR: CopyMissing,
    errno.ELOOP: CopyRefused,  # a link that somebody planted; no link is followed
}
"""For reading what should be there."""


@contextmanager
def copy_errors(place: str, key: str, meaning: Mapping[int, type[CopyError]] = WRITING) -> Iterator[None]:
    """Say in this project's words what the system says about *key*."""
    try:
        yield
    except OSError as error:
        raise copy_error(place, key, error, meaning) from error


def copy_error(place: str, key: str, error: OSError, meaning: Mapping[int, type[CopyError]] = WRITING) -> CopyError:
    """What *error* means for *key*."""
    return meaning.get(error.errno or 0, CopyFailed)(place, key, (error.strerror or str(error)).lower())
