"""Host keys: which are known, and what is said about those that are not."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.errors import ConfigurationError, DestinationRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SSH_PORT = 22


@dataclass(slots=True)
class HostKeys:
    """The known_hosts files that count for one destination; the first one is added to."""

    files: Sequence[Path]
    accept_new: bool
    known: asyncssh.SSHKnownHosts = field(init=False)
    refusal: DestinationRefused | None = None
    """Why the last host key was refused."""

    def __post_init__(self) -> None:
        """Read the files; those that do not exist are empty. Raises ConfigurationError."""
        self.known = asyncssh.SSHKnownHosts()
        for path in self.files:
            self._load(path)

    def _load(self, path: Path) -> None:
        try:
            self.known.load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path}: these known hosts cannot be read: {error}") from error

    def judge(self, host: str, address: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether to go on with *key*, which is in no file for *host*; otherwise ``refusal`` says why not."""
        trusted = self.known.match(host, address, None if port == SSH_PORT else port)[0]
        if trusted:
            self.refusal = self._changed(host, port, key)
        elif self.accept_new:
            self._add(known_name(host, port), key)
            return True
        else:
            self.refusal = self._unknown(host, port, key)
        return False

    def refused(self, host: str, port: int, why: str) -> DestinationRefused:
        """The refusal of a host key for *why*, where nothing better was noted."""
        return self.refusal or DestinationRefused(
            f"the host key of {host}, port {port}, was refused: {why}",
            "compare the server's keys with those in known_hosts; ask its administrator before you change anything",
        )

    def _add(self, name: str, key: asyncssh.SSHKey) -> None:
        line = f"{name} {key.export_public_key().decode().strip()}\n"
        path = self.files[0]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as known_hosts:
            known_hosts.write(line)
            known_hosts.flush()
            os.fsync(known_hosts.fileno())
        self.known.load(line)

    def _unknown(self, host: str, port: int, key: asyncssh.SSHKey) -> DestinationRefused:
        return DestinationRefused(
            f"the host key of {host}, port {port}, is not known: {_shown(key)}",
            "compare this fingerprint with the one that the server's administrator gives you; if they are equal: "
            f"ssh-keyscan -p {port} {shlex.quote(host)} >> {self._file()}",
        )

    def _changed(self, host: str, port: int, key: asyncssh.SSHKey) -> DestinationRefused:
        return DestinationRefused(
            f"the host key of {host}, port {port}, has changed, it is now: {_shown(key)}",
            "somebody may stand between us and the server: ask its administrator; if the new fingerprint is right: "
            f"ssh-keygen -f {self._file()} -R {shlex.quote(known_name(host, port))}, then add the new key",
        )

    def _file(self) -> str:
        return shlex.quote(str(self.files[0])) if self.files else "known_hosts"


def known_name(host: str, port: int) -> str:
    """How known_hosts files name *host*."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def _shown(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"
