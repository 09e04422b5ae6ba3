"""The system's own ``ssh`` program: whether it can take us to the destination, and what it is told.

It encrypts in a process of its own, beside ours that reads and hashes, and for less than asyncssh needs. Only
what has been reached before is reached with it: it asks nobody anything, and stores no host key.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.route import DEFAULTS, route_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.ssh.route import Hop
    from dataverse_backup.destinations.ssh.settings import SshSettings

_PLAIN = re.compile(r"[\w@%+=:,./^*~!?-]+", re.ASCII)
_VERSION_TIMEOUT = 10.0
_ALWAYS = """\
BatchMode yes
CheckHostIP no
ClearAllForwardings yes
ConnectionAttempts 1
ControlMaster no
ControlPath none
EscapeChar none
ForwardAgent no
ForwardX11 no
GlobalKnownHostsFile none
KbdInteractiveAuthentication no
LogLevel ERROR
PasswordAuthentication no
PermitLocalCommand no
RequestTTY no
ServerAliveCountMax 3
StrictHostKeyChecking yes
UpdateHostKeys no
"""


class NoProgram(Exception):
    """There is no way to the destination with the ``ssh`` program, and why."""


@contextmanager
def command_to(settings: SshSettings, command: str) -> Iterator[list[str]]:
    """The arguments of a process that runs the remote *command*; its configuration is there as long as the context.

    Raises NoProgram, and ConfigurationError as `route_to` does.
    """
    hop = _only_hop(settings)
    program = _openssh()
    with NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape", suffix=".ssh_config") as file:
        file.write(_configuration(settings, hop))
        file.flush()
        yield [program, "-F", file.name, "--", hop.host, command]


def _openssh() -> str:
    program = shutil.which("ssh")
    if program is None:
        raise NoProgram("there is no ssh program")
    asked = [program, "-V"]
    try:
        said = subprocess.run(  # noqa: S603 -- the program that the administrator uses, too
            asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoProgram(f"{program} cannot be run: {error}") from error
    if not said.stderr.startswith(b"OpenSSH_"):  # others do not know these options, and might pass over one of them
        raise NoProgram(f"{program} is not OpenSSH's")
    return program


def _only_hop(settings: SshSettings) -> Hop:
    if not settings.uses_program:
        raise NoProgram("SshProgram is no")
    *jumps, hop = route_to(settings)
    if jumps or any(directive.keyword == "proxycommand" for directive in hop.honoured_elsewhere()):
        raise NoProgram("the way leads through another machine")
    return hop


def _configuration(settings: SshSettings, hop: Hop) -> str:
    """What applies, one directive on each line; the first that names something counts."""
    ours = {
        "ConnectTimeout": [str(max(1, round(settings.connect_timeout)))],
        "ServerAliveInterval": [str(max(1, round(settings.keepalive_interval)))],
        "UserKnownHostsFile": [_name(path) for path in hop.known_hosts(settings.known_hosts)] or ["none"],
    }
    if hop.port is not None:
        ours["Port"] = [str(hop.port)]
    if hop.username is not None:
        ours["User"] = [hop.username]
    theirs = [(directive.keyword, directive.arguments) for directive in hop.honoured_elsewhere()]
    if settings.identity_file is not None:
        ours |= {"IdentityFile": [_name(Path(settings.identity_file).expanduser())], "IdentitiesOnly": ["yes"]}
        theirs = [directive for directive in theirs if directive[0] != "identityfile"]
    return _ALWAYS + "".join(f"{_line(*directive)}\n" for directive in (*ours.items(), *theirs)) + DEFAULTS


def _name(path: Path) -> str:
    """*path* where ``%`` begins a token."""
    return str(path).replace("%", "%%")


def _line(keyword: str, arguments: Sequence[str]) -> str:
    return " ".join((keyword, *map(_quoted, arguments)))


def _quoted(argument: str) -> str:
    """*argument* as every OpenSSH reads it. Raises NoProgram for what older ones cannot be told."""
    if _PLAIN.fullmatch(argument):
        return argument
    if not argument.isprintable() or '"' in argument or "\\" in argument:
        raise NoProgram(f"{argument!r} cannot be written down for ssh")
    return f'"{argument}"'
