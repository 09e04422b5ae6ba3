"""Logging in to one machine, perhaps through another: options for asyncssh, and what its refusals mean."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import asyncssh

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.host_keys import HostKeys
from dataverse_backup.destinations.ssh.remarks import words
from dataverse_backup.destinations.ssh.route import DEFAULTS, written
from dataverse_backup.errors import ConfigurationError, DestinationLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.ssh.route import Hop
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.destinations.ssh.ssh_config import Directive

_LOGIN_ERRORS: tuple[type[Exception], ...] = (*VENDOR_ERRORS, asyncssh.KeyImportError)


class Client(asyncssh.SSHClient):
    """What asyncssh asks and tells us about one connection."""

    def __init__(self, host_keys: HostKeys) -> None:
        self._host_keys = host_keys
        self.lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost = True

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        del addr
        return self._host_keys.judge(host, port, key)


@dataclass(frozen=True, slots=True)
class Login:
    """One machine to log in to, for the destination *place*."""

    place: str
    settings: SshSettings
    hop: Hop
    is_last: bool
    """Whether this is the destination's machine, and not one on the way to it."""

    async def connect(
        self, through: asyncssh.SSHClientConnection | None
    ) -> tuple[asyncssh.SSHClientConnection, Client]:
        """Log in. Raises ConfigurationError, DestinationRefused for a host key, DestinationLost for all else."""
        host_keys = self._host_keys()
        client = Client(host_keys)
        directives = self.hop.honoured_elsewhere()
        with _written_down(directives) as path:
            try:
                connection = await asyncssh.connect(
                    **self._options(),
                    config=[path],
                    tunnel=through or (),
                    known_hosts=host_keys.trusted,
                    client_factory=lambda: client,
                )
            except _LOGIN_ERRORS as error:
                raise self._refusal(host_keys, error) from error
            except ValueError as error:
                said = _with_places(words(error), path, directives)
                raise ConfigurationError(f"{self.place}: the ssh configuration cannot be used: {said}") from error
        return connection, client

    def _host_keys(self) -> HostKeys:
        files = self.hop.known_hosts(self.settings.known_hosts)
        return HostKeys(files, self.settings.accept_new_host_keys, has_alias=bool(self.hop.first("hostkeyalias")))

    def _options(self) -> dict[str, Any]:
        """Keyword arguments of ``asyncssh.connect``; ours win over the files, and nothing ever prompts."""
        settings, hop = self.settings, self.hop
        options: dict[str, Any] = {
            "host": hop.host,
            "connect_timeout": settings.connect_timeout,
            "login_timeout": settings.connect_timeout,
            "keepalive_interval": settings.keepalive_interval,
            "keepalive_count_max": 3,
            "password_auth": False,
            "kbdint_auth": False,
            "ignore_encrypted": True,  # the agent may have them
        }
        if hop.port is not None:
            options["port"] = hop.port
        if hop.username is not None:
            options["username"] = hop.username
        if (identity := self._identity_file) is not None:
            options["client_keys"] = [str(identity)]
        return options

    @property
    def _identity_file(self) -> Path | None:
        """The key of our own settings, which is for the destination's machine alone, as with ``ssh -i``."""
        named = self.settings.identity_file
        return Path(named).expanduser() if named is not None and self.is_last else None

    def _refusal(self, host_keys: HostKeys, error: Exception) -> DestinationLost:
        """Why there is no connection, with what to do about it."""
        said, host = words(error), self.hop.host if self.is_last else f"the jump host {self.hop.host}"
        if isinstance(error, asyncssh.HostKeyNotVerifiable) or "host key" in said.lower():
            refused = host_keys.refused(self.hop.host, said)
            return type(refused)(f"{self.place}: {refused.message}", refused.hint)
        if isinstance(error, asyncssh.PermissionDenied):
            return DestinationLost(f"{self.place}: {host} refuses the login: {said}", self._login_hint())
        if isinstance(error, asyncssh.KeyImportError | FileNotFoundError):
            return DestinationLost(f"{self.place}: the private key cannot be used: {said}", f"try: ssh {self.hop.host}")
        return DestinationLost(f"{self.place}: {host} cannot be reached: {said}", f"try: ssh {self.hop.host}")

    def _login_hint(self) -> str:
        locked = [path for path in self._own_keys() if _is_encrypted(path)]
        if locked:
            return f"{locked[0]} is encrypted and nobody is asked for its passphrase: ssh-add {locked[0]}"
        return "put the public key of this account into authorized_keys over there"

    def _own_keys(self) -> list[Path]:
        if self._identity_file is not None:
            return [self._identity_file]
        named = [Path(d.arguments[0]) for d in self.hop.directives if d.keyword == "identityfile"]
        defaults = [Path("~/.ssh") / name for name in ("id_ed25519", "id_ecdsa", "id_rsa")]
        return [path.expanduser() for path in named or defaults]


@contextmanager
def _written_down(directives: Sequence[Directive]) -> Iterator[str]:
    """A file with *directives*, one on each line: what applies is decided by us, for asyncssh reads files otherwise."""
    with NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape", suffix=".ssh_config") as file:
        file.writelines(f"{written(directive)}\n" for directive in directives)
        file.write(DEFAULTS)
        file.flush()
        yield file.name


def _with_places(said: str, path: str, directives: Sequence[Directive]) -> str:
    """*said* about a line of our file, as about the line that it was made from."""
    return re.sub(f"{re.escape(path)} line (\\d+)", lambda found: directives[int(found[1]) - 1].place, said)


def _is_encrypted(path: Path) -> bool:
    try:
        asyncssh.read_private_key(path)
    except asyncssh.KeyImportError as error:
        return str(error).startswith("Passphrase")
    except OSError:
        return False
    return False
