"""The machines to log in to, one through the other, and what the ssh configuration says about each."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.directives import PASSED_ON, refuse_what_is_not_honoured
from dataverse_backup.destinations.ssh.ssh_config import RAW, Directive, Target, applying_directives
from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.ssh.settings import SshSettings

_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_PROXIES = ("proxyjump", "proxycommand")
_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>\S+)@)?(?P<host>\[[^]\s]+\]|[^:@/\s]+)(?::(?P<port>\d+))?/?")


DEFAULTS = "Ciphers ^aes128-gcm@openssh.com,aes256-gcm@openssh.com\n"
"""What applies where the configuration says nothing: these ciphers cost less than those that come first by default."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One machine to log in to. What is None here is what its directives say, or what ``ssh`` would take."""

    host: str
    """A host name, or a ``Host`` of the ssh configuration."""
    port: int | None
    username: str | None
    directives: tuple[Directive, ...]

    @property
    def proxy_jump(self) -> Directive | None:
        """Its ProxyJump, if it has one and no ProxyCommand comes first."""
        proxy = self._proxy
        if proxy is None or proxy.keyword != "proxyjump" or proxy.arguments[0].lower() == "none":
            return None
        return proxy

    @property
    def _proxy(self) -> Directive | None:
        return next((found for found in self.directives if found.keyword in _PROXIES), None)

    def honoured_elsewhere(self) -> list[Directive]:
        """The directives that asyncssh is to obey, each once."""
        once: dict[tuple[str, tuple[str, ...]], Directive] = {}
        for found in self.directives:
            if found.keyword in PASSED_ON and (found.keyword not in _PROXIES or found == self._proxy):
                once.setdefault((found.keyword, found.arguments), found)
        return list(once.values())

    def known_hosts(self, instead: str | None = None) -> list[Path]:
        """The files that its host key is looked up in, or the one *instead*; new keys are added to the first."""
        if instead is not None:
            return [Path(instead).expanduser()]
        user = self.first("userknownhostsfile") or _USER_KNOWN_HOSTS
        system = self.first("globalknownhostsfile") or _SYSTEM_KNOWN_HOSTS
        return [_expanded(name) for name in (*user, *system) if name.lower() != "none"]

    def first(self, keyword: str) -> tuple[str, ...]:
        """The arguments of the first directive *keyword*, the one that counts; nothing where there is none."""
        return next((found.arguments for found in self.directives if found.keyword == keyword), ())


def route_to(settings: SshSettings) -> tuple[Hop, ...]:
    """Every machine on the way, in the order of the logins; the destination's is the last.

    Reads the files that ``ssh`` would read, for each of them. Raises ConfigurationError for what cannot be honoured.
    """
    map_ = _Map(_files(settings))
    return map_.way_to(map_.hop(settings.host, settings.port, settings.username))


@dataclass(frozen=True, slots=True)
class _Map:
    files: Sequence[tuple[Path, Path]]

    def hop(self, host: str, port: int | None, username: str | None) -> Hop:
        directives = tuple(applying_directives(self.files, Target(host, user=username)))
        refuse_what_is_not_honoured(directives)
        return Hop(host, port, username, directives)

    def way_to(self, hop: Hop, beyond: tuple[Hop, ...] = ()) -> tuple[Hop, ...]:
        """The first machine of a ProxyJump is reached as its own directives say, the others through the one before."""
        proxy = hop.proxy_jump
        if proxy is None:
            return (hop,)
        if hop in beyond:
            raise ConfigurationError(f"{proxy.place}: the way to {hop.host} leads through {hop.host} itself")
        first, *others = [self._jump(text, proxy) for text in ",".join(proxy.arguments).split(",")]
        return (*self.way_to(first, (hop, *beyond)), *others, hop)

    def _jump(self, text: str, proxy: Directive) -> Hop:
        """``[user@]host[:port]``, or the same as an ssh:// address."""
        found = _JUMP.fullmatch(text)
        if found is None:
            said = f"{proxy.place}: {text!r} is not a machine to jump through"
            raise ConfigurationError(said, "write it as user@host:port")
        port = found["port"]
        return self.hop(found["host"].strip("[]"), int(port) if port else None, found["user"])


def _files(settings: SshSettings) -> list[tuple[Path, Path]]:
    """The files to read, and where the relative includes of each start from."""
    user, system = Path("~/.ssh").expanduser(), Path("/etc/ssh")
    if settings.config_file is not None:
        return [(_existing(settings.config_file), user)]
    return [(user / "config", user), (system / "ssh_config", system)]


def _existing(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigurationError(f"{path}: there is no such ssh configuration")
    return path


def _expanded(name: str) -> Path:
    path = name.replace("%d", str(Path.home())).replace("%%", "%")
    return Path(path).expanduser()


def written(directive: Directive) -> str:
    """*directive* as one line, as asyncssh reads it."""
    arguments = directive.arguments if directive.keyword in RAW else map(shlex.quote, directive.arguments)
    return " ".join((directive.keyword, *arguments))
