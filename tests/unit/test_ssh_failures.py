"""Every error of asyncssh has one of ours."""

from __future__ import annotations

import asyncssh
import pytest

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, calling, object_error
from dataverse_backup.destinations.ssh.remarks import spoken_error
from dataverse_backup.errors import (
    CopyError,
    CopyFailed,
    CopyMissing,
    CopyRefused,
    DestinationLost,
    NoSpace,
    Unavailable,
)

NOT_OURS = {
    "BreakReceived",
    "SignalReceived",
    "SoftEOFReceived",
    "TerminalSizeChanged",  # a server's or a terminal's business
    "PasswordChangeRequired",  # passwords are never used
    "KeyEncryptionError",
    "KeyExportError",
    "KeyGenerationError",
    "KeyImportError",
    "ConfigParseError",  # translated where we log in
}


def exported_errors() -> list[type[Exception]]:
    exported = (getattr(asyncssh, name) for name in dir(asyncssh))
    return [kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", exported_errors(), ids=lambda kind: kind.__name__)
def test_every_error_that_asyncssh_exports_is_translated(kind: type[Exception]) -> None:
    if kind.__name__ in NOT_OURS or kind is asyncssh.Error:
        return
    assert issubclass(kind, VENDOR_ERRORS)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (asyncssh.SFTPNoSuchFile("gone"), CopyMissing),
        (asyncssh.SFTPPermissionDenied("no"), CopyRefused),
        (asyncssh.SFTPWriteProtect("no"), CopyRefused),
        (asyncssh.SFTPQuotaExceeded("full"), NoSpace),
        (asyncssh.SFTPFailure("?"), CopyFailed),
        (asyncssh.ConnectionLost("gone"), Unavailable),
        (asyncssh.SFTPConnectionLost("gone"), Unavailable),
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
    ],
)
def test_an_error_becomes_that_of_the_object(error: Exception, ours: type[CopyError]) -> None:
    found = object_error("offsite", "a/b", error)
    assert type(found) is ours
    assert (found.place, found.key) == ("offsite", "a/b")


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("tar: 1: Cannot write: No space left on device", NoSpace),
        ("tar: 1: Cannot write: Disk quota exceeded", NoSpace),
        ("tar: 1: Cannot open: Permission denied", CopyRefused),
        ("tar: 1: Cannot open: Read-only file system", CopyRefused),
        ("tar: something else", CopyFailed),
    ],
)
def test_what_a_remote_command_says_is_understood(said: str, ours: type[CopyError]) -> None:
    assert type(spoken_error("offsite", "a", said)) is ours


def test_a_lost_connection_is_a_lost_destination_where_no_object_is_meant() -> None:
    with pytest.raises(DestinationLost, match="offsite"), calling("offsite", "a"):
        raise asyncssh.ConnectionLost("gone")
