"""Host keys: which are known, and what is said about those that are not."""

from __future__ import annotations

import logging
import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.errors import ConfigurationError, DestinationRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

SSH_PORT = 22

Keys = list[asyncssh.SSHKey]


@dataclass(slots=True)
class HostKeys:
    """The known_hosts files that count for one machine; the first one is added to."""

    files: Sequence[Path]
    accept_new: bool
    has_alias: bool = False
    """Whether the machine is looked up under a HostKeyAlias, which has no port."""
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
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigurationError(f"{path}: these known hosts cannot be read: {error}") from error
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                self.known.load(line)
            except ValueError as error:
                log.warning("%s, line %d is ignored, as ssh does: %s", path, number, error)

    def trusted(self, host: str, address: str, port: int | None) -> tuple[Keys, Keys, Keys]:
        """For asyncssh: host keys, keys of authorities and revoked keys of *host* (OpenSSH does not ask by address).

        A machine on another port may be known without it too, as for ``ssh``; what is revoked anywhere is revoked.
        """
        del address
        named, bare = self._lookup(self._name(host, port or SSH_PORT)), self._lookup(host.lower())
        keys, authorities = named[:2] if any(named[:2]) else bare[:2]
        return keys, authorities, [*named[2], *bare[2]]

    def _lookup(self, name: str) -> tuple[Keys, Keys, Keys]:
        keys, authorities, revoked, *_ = self.known.match(name, "", None)
        return list(keys), list(authorities), list(revoked)

    def _name(self, host: str, port: int) -> str:
        return host if self.has_alias else known_name(host, port)

    def judge(self, host: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether to go on with *key*, which is in no file for *host*; otherwise ``refusal`` says why not."""
        name = self._name(host, port)
        if self._lookup(name)[0]:
            self.refusal = self._changed(host, port, key)
        elif self.accept_new and self.files:
            self._add(name, key)
            return True
        else:
            self.refusal = self._unknown(host, port, key)
        return False

    def refused(self, host: str, why: str) -> DestinationRefused:
        """The refusal of a host key for *why*, where nothing better was noted."""
        return self.refusal or DestinationRefused(
            f"the host key of {host} was refused: {why}",
            "compare the server's keys with those in known_hosts; ask its administrator before you change anything",
        )

    def _add(self, name: str, key: asyncssh.SSHKey) -> None:
        line = f"{name} {key.export_public_key().decode().strip()}\n"
        path = self.files[0]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_open = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
        with path.open("a", encoding="utf-8") as known_hosts:
            known_hosts.write(f"\n{line}" if is_open else line)
            known_hosts.flush()
            os.fsync(known_hosts.fileno())
        self.known.load(line)

    def _unknown(self, host: str, port: int, key: asyncssh.SSHKey) -> DestinationRefused:
        asked = "compare this fingerprint with the one that the server's administrator gives you; if they are equal: "
        if self.has_alias:
            done = f"add its key to {self._file()} under the name {host}, its HostKeyAlias"
        else:
            done = f"ssh-keyscan -p {port} {shlex.quote(host)} >> {self._file()}"
        return DestinationRefused(f"the host key of {host}, port {port}, is not known: {_shown(key)}", asked + done)

    def _changed(self, host: str, port: int, key: asyncssh.SSHKey) -> DestinationRefused:
        return DestinationRefused(
            f"the host key of {host}, port {port}, has changed, it is now: {_shown(key)}",
            "somebody may stand between us and the server: ask its administrator; if the new fingerprint is right: "
            f"ssh-keygen -f {self._file()} -R {shlex.quote(self._name(host, port))}, then add the new key",
        )

    def _file(self) -> str:
        return shlex.quote(str(self.files[0])) if self.files else "known_hosts"


def known_name(host: str, port: int) -> str:
    """How known_hosts files name *host*."""
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def _shown(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"
