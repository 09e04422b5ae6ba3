"""What the administrator says about an SSH destination."""

from __future__ import annotations

from dataclasses import dataclass

from dataverse_backup.destinations.partials import RESUMES_FROM

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Where to connect and how; holds no secret. What is None here is what ``ssh`` itself would take."""

    host: str
    """A host name, or a ``Host`` of the ssh configuration."""
    directory: str
    """The root of all keys: absolute, relative to the remote home, or below ``~/``. Never made by us."""
    port: int | None = None
    username: str | None = None
    config_file: str | None = None
    """Read instead of ``~/.ssh/config`` and ``/etc/ssh/ssh_config``, as ``ssh -F`` does."""
    identity_file: str | None = None
    """The private key to log in with, instead of those of the ssh configuration."""
    known_hosts: str | None = None
    """Read instead of every known_hosts file; new host keys are added here."""
    accept_new_host_keys: bool = False
    """Accept the key of a host that was never seen; a changed key is refused always."""
    uses_program: bool = True
    """Whether workers may reach it with the ``ssh`` program, which costs them less than what is built in."""
    file_mode: int = 0o640
    dir_mode: int = 0o750
    connect_timeout: float = 30.0
    """Seconds for the connection and for the login, each."""
    keepalive_interval: float = 15.0
    """Seconds of silence before a sign of life is asked for; the third unanswered one ends the connection."""
    stall_timeout: float = 1800.0
    """Seconds after which a server that is there, but neither takes nor answers anything, counts as gone: its disk
    hangs. Bringing to the disk what others wrote there may take many minutes.
    """
    big_file: int = 4 * MEBIBYTE
    """Bytes from which an object travels alone; smaller ones are bundled."""
    resumes_from: int = RESUMES_FROM
    """Bytes from which one that was broken off is continued; at least ``big_file``."""

    @property
    def where(self) -> str:
        """The place that it names, for telling whether two mean the same one."""
        return f"{self.username or ''}@{self.host}:{self.port or ''}:{self.directory}"
