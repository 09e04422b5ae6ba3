"""From our settings and the ssh configuration to a connection's options; whatever cannot be honoured is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.ssh.ssh_config import Directive, Target, applying_directives
from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.ssh.settings import SshSettings

_NOT_HONOURED = {
    "bindinterface": "connections cannot be bound to an interface; use BindAddress",
    "canonicalizehostname": "host names are not canonicalized; write the full name as the destination's host",
    "knownhostscommand": "known hosts are read from files only; use UserKnownHostsFile",
    "pkcs11provider": "PKCS#11 tokens are used through the agent only; use ssh-add -s",
    "proxyusefdpass": "a proxy command must pass bytes, not a socket",
    "refuseconnection": "the configuration forbids this connection",
    "revokedhostkeys": "lists of revoked keys are not read; use @revoked lines in known_hosts",
}
"""Directives that change where or how ``ssh`` connects, which asyncssh would ignore in silence."""

_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """What the files say about our host."""

    files: tuple[Path, ...]
    directives: tuple[Directive, ...]

    @classmethod
    def of(cls, settings: SshSettings) -> ClientConfiguration:
        """Read the files that ``ssh`` would read. Raises ConfigurationError for what cannot be honoured."""
        user = Path("~/.ssh").expanduser()
        system = Path("/etc/ssh")
        places = [(user / "config", user), (system / "ssh_config", system)]
        if settings.config_file is not None:
            places = [(_existing(settings.config_file), user)]
        directives = tuple(applying_directives(places, Target(settings.host, user=settings.username)))
        for directive in directives:
            _refuse_unless_honoured(directive)
            _refuse_unchecked_hops(directive, places)
        return cls(tuple(path for path, _ in places if path.exists()), directives)

    def known_hosts(self, settings: SshSettings) -> list[Path]:
        """The files that host keys are looked up in, the one that new keys are added to first."""
        if settings.known_hosts is not None:
            return [Path(settings.known_hosts).expanduser()]
        user = self._first("userknownhostsfile", _USER_KNOWN_HOSTS)
        system = self._first("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS)
        return [_expanded(name) for name in (*user, *system) if name.lower() != "none"]

    def has(self, keyword: str) -> bool:
        """Whether the files say anything about *keyword*."""
        return any(directive.keyword == keyword for directive in self.directives)

    def _first(self, keyword: str, default: Sequence[str]) -> Sequence[str]:
        return next((found.arguments for found in self.directives if found.keyword == keyword), default)


def connection_options(settings: SshSettings, configuration: ClientConfiguration) -> dict[str, Any]:
    """Keyword arguments of ``asyncssh.connect``; ours win over the files, and nothing ever prompts."""
    options: dict[str, Any] = {
        "host": settings.host,
        "config": list(map(str, configuration.files)),
        "connect_timeout": settings.connect_timeout,
        "login_timeout": settings.connect_timeout,
        "keepalive_interval": settings.keepalive_interval,
        "keepalive_count_max": 3,
        "password_auth": False,
        "kbdint_auth": False,
        "command": None,
        "request_pty": False,
    }
    if settings.port is not None:
        options["port"] = settings.port
    if settings.username is not None:
        options["username"] = settings.username
    if settings.identity_file is not None:
        options["client_keys"] = [os.path.expanduser(settings.identity_file)]  # noqa: PTH111 -- asyncssh takes text
    return options


def _existing(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigurationError(f"{path}: there is no such ssh configuration")
    return path


def _refuse_unless_honoured(directive: Directive) -> None:
    why = _NOT_HONOURED.get(directive.keyword)
    if why is not None and directive.arguments[0].lower() not in ("no", "none"):
        raise ConfigurationError(f"{directive.place}: {directive.keyword} cannot be honoured", why)


def _refuse_unchecked_hops(directive: Directive, places: Sequence[tuple[Path, Path]]) -> None:
    """Nobody would check the host key of a hop whose UserKnownHostsFile is ``none``: then we do not go that way."""
    if directive.keyword != "proxyjump" or directive.arguments[0].lower() == "none":
        return
    for hop in ",".join(directive.arguments).split(","):
        host = hop.removeprefix("ssh://").rpartition("@")[2].partition(":")[0]
        for found in applying_directives(places, Target(host)):
            if found.keyword == "userknownhostsfile" and found.arguments[0].lower() == "none":
                said = f"{found.place}: the host key of {host}, on the way to the destination, would not be checked"
                raise ConfigurationError(said, "name a known_hosts file there, with the key of that host")


def _expanded(name: str) -> Path:
    path = name.replace("%d", str(Path.home())).replace("%%", "%")
    return Path(path).expanduser()
