"""What asyncssh and the system raise, in our words: one table, one way through it (design, rule 7)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.ssh.remarks import words
from dataverse_backup.errors import (
    CopyError,
    CopyFailed,
    CopyMissing,
    CopyRefused,
    DestinationLost,
    KeyOccupied,
    KeyRefused,
    NoSpace,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION_ERRORS: tuple[type[Exception], ...] = (
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    asyncssh.ChannelListenError,
    asyncssh.SFTPNoConnection,
    asyncssh.SFTPConnectionLost,
    asyncssh.TimeoutError,
    OSError,
)
"""The connection is gone, or was never made: nothing is said about the object."""

_OBJECT_ERRORS: dict[type[asyncssh.Error], type[CopyError]] = {
    asyncssh.SFTPNoSuchFile: CopyMissing,
    asyncssh.SFTPNoSuchPath: CopyMissing,
    asyncssh.SFTPPermissionDenied: CopyRefused,
    asyncssh.SFTPWriteProtect: CopyRefused,
    asyncssh.SFTPCannotDelete: CopyRefused,
    asyncssh.SFTPNoSpaceOnFilesystem: NoSpace,
    asyncssh.SFTPQuotaExceeded: NoSpace,
    asyncssh.SFTPInvalidFilename: KeyRefused,
    asyncssh.SFTPFileAlreadyExists: KeyOccupied,
    asyncssh.SFTPFileIsADirectory: KeyOccupied,
    asyncssh.SFTPNotADirectory: KeyOccupied,
    asyncssh.SFTPError: CopyFailed,
    asyncssh.ProcessError: CopyFailed,
}

VENDOR_ERRORS: tuple[type[Exception], ...] = (*CONNECTION_ERRORS, *_OBJECT_ERRORS)
"""Everything that a call of asyncssh may raise; anything else is a mistake of ours."""


def object_error(place: str, key: str, error: Exception) -> CopyError:
    """*error*, which came up while *key* was worked on."""
    if isinstance(error, CopyError):
        return error
    if isinstance(error, CONNECTION_ERRORS):
        return Unavailable(place, key, f"the connection was lost: {words(error)}")
    ours = next((_OBJECT_ERRORS[kind] for kind in type(error).__mro__ if kind in _OBJECT_ERRORS), CopyFailed)
    return ours(place, key, f"the server said: {words(error)}")


@contextmanager
def calling(place: str, key: str) -> Iterator[None]:
    """Raise what goes wrong inside as a CopyError of *key*, and a lost connection as DestinationLost."""
    try:
        yield
    except CONNECTION_ERRORS as error:
        raise DestinationLost(f"{place}: the connection was lost: {words(error)}") from error
    except (asyncssh.SFTPError, asyncssh.ProcessError) as error:
        raise object_error(place, key, error) from error
