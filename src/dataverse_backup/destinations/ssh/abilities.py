"""What the account over there can do, as probed; as text for the ledger, so that not every connection probes again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from dataverse_backup.destinations.base import Traits
from dataverse_backup.destinations.ssh.shell import Shell
from dataverse_backup.fixity import Algorithm, Durability, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHANNELS = 2
"""One for SFTP and one for our program, or for a command."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """The same for every connection of an account, until somebody changes the machine."""

    where: str
    """The place that it was found out of: account, machine, directory."""
    root: str
    """The absolute path of the directory."""
    server: str
    """The server's name and version, as it says them."""
    can_fsync: bool
    rename_overwrites: bool
    """Whether a plain rename takes a name away from what has it; OpenSSH's does not."""
    folds_case: bool
    shell: Shell | None
    """As it can be used where a connection has a channel for it."""
    channels: int = MOST_CHANNELS
    """How many channels of one connection were accepted at once, when as many were tried as are of use."""

    def to_text(self) -> str:
        """For `from_text`."""
        return json.dumps(asdict(self), sort_keys=True)

    def traits(self, free_bytes: int | None = None, clock_skew: float | None = None) -> Traits:
        """What they mean, with what was found out besides."""
        shell = self.shell
        hashes = tuple(shell.hashes.values()) if shell else ()
        by_fsync = Durability.DATA_ONLY if self.can_fsync else Durability.NOT_OFFERED
        return Traits(
            folds_case=self.folds_case,
            hashes=hashes if len(hashes) == len(Algorithm) else (*hashes, VerifiedBy.READ_BACK),
            durable=Durability.YES if shell else by_fsync,
            free_bytes=free_bytes,
            clock_skew=clock_skew,
            remarks=_remarks(shell, self.channels),
        )

    @classmethod
    def from_text(cls, text: str, where: str) -> Self | None:
        """What *text* says of *where*; None where it says nothing of it, or is not ours: then everything is probed.

        A shell's commands are taken from it only where they are among those that are probed for: nothing that somebody
        wrote into a database is ever run over there.
        """
        try:
            told = json.loads(text)
            if told["where"] != where:
                return None
            flags = {name: _flag(told, name) for name in ("can_fsync", "rename_overwrites", "folds_case")}
            shell = None if told["shell"] is None else Shell.known(told["shell"])
            return cls(where, _path(told), str(told["server"]), **flags, shell=shell, channels=_channels(told))
        except (ValueError, TypeError, KeyError):
            return None


def _path(told: Mapping[str, Any]) -> str:
    value = str(told["root"])
    if not value.startswith("/") or "\n" in value or "\0" in value:
        raise ValueError("root is no absolute path")
    return value


def _remarks(shell: Shell | None, channels: int) -> tuple[str, ...]:
    """How copies travel, for people."""
    if channels < MOST_CHANNELS:
        return _remarks_on_one_channel(shell)
    enough = f"channels accepted on one connection: {channels}, no more are needed"
    if shell is None:
        return (
            "copies travel file by file over SFTP: the account has no shell that could unpack and hash them",
            enough,
        )
    how = "by one command" if shell.has_python else "file by file, for there is no python3"
    return (f"small files travel as one tar stream, and a batch gets its names {how}", enough)


def _remarks_on_one_channel(shell: Shell | None) -> tuple[str, ...]:
    said = "channels accepted on one connection: 1 (MaxSessions in its sshd_config)"
    if shell is not None and shell.has_python:
        return (f"{said}; the ssh program of a worker needs no more; what goes over SFTP has none for commands",)
    return (f"{said}, which SFTP takes: copies travel file by file, and are read back to be proven",)


def _channels(told: Mapping[str, Any]) -> int:
    value = int(told["channels"])
    if not 1 <= value <= MOST_CHANNELS:
        raise ValueError("not so many were tried")
    return value


def _flag(told: Mapping[str, Any], name: str) -> bool:
    value = told[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is not a boolean")
    return value
