"""Bytes into open files, and from the disk out of them."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.fixity import Checksum

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.fixity import Algorithm

CHUNK = 1 << 20


def write_all(descriptor: int, data: bytes) -> None:
    """Write *data*, however many calls that takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def stored_checksum(
    descriptor: int, algorithm: Algorithm, read: Callable[[int], bytes] | None = None
) -> tuple[int, Checksum]:
    """The size and checksum of an open file, read from the disk where the system lets us ask for that.

    *read* reads from the descriptor, where somebody is in between.
    """
    if hasattr(os, "posix_fadvise"):  # not on macOS
        # What the page cache remembers proves nothing; only synced pages are dropped.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    size, digest = 0, algorithm.new()
    read = read or partial(os.read, descriptor)
    while data := read(CHUNK):
        digest.update(data)
        size += len(data)
    return size, Checksum(algorithm, digest.hexdigest())
