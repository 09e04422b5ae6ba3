"""Remote commands: constant texts, so that no name ever passes through a shell.

Each command is one line for any login shell. It reads the directory to work in as the first line of its input; what
follows is for the program that it becomes: a tar stream, or names that end with NUL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.fixity import Algorithm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataverse_backup.destinations.ssh.connection import Answer, Connection

_THERE = 'LC_ALL=C; export LC_ALL; IFS= read -r d && cd "$d" && '
"""In English, for complaints are read (`spoken_error`), and ssh configurations send the user's language along."""
SYNCED = "synced"
PROBE_TIMEOUT = 30.0
"""Seconds that a probe of the shell may take; an account without one may never answer."""


def _command(constant: str) -> str:
    return f"/bin/sh -c '{_THERE}{constant}'"


_SYNCS = ("sync -f .", "sync")
_HASHES = {
    Algorithm.MD5: ("md5sum", "md5 -r", "openssl dgst -md5 -r"),
    Algorithm.SHA1: ("sha1sum", "sha1 -r", "shasum -a 1", "openssl dgst -sha1 -r"),
    Algorithm.SHA256: ("sha256sum", "sha256 -r", "shasum -a 256", "openssl dgst -sha256 -r"),
    Algorithm.SHA512: ("sha512sum", "sha512 -r", "shasum -a 512", "openssl dgst -sha512 -r"),
}


@dataclass(frozen=True, slots=True)
class Shell:
    """What the account's shell can do, as probed."""

    sync: str
    hashes: Mapping[Algorithm, str] = field(default_factory=dict)

    @property
    def extract(self) -> str:
        """The command that unpacks a tar stream and brings it to the disk, also what arrived of a broken one.

        It ends as ``tar`` ended; that everything is on the disk it says with SYNCED, the last line of its output.
        """
        return _command(f"tar -x -p -o -f -; s=$?; {self.sync} && echo {SYNCED}; exit $s")

    async def synced(self, connection: Connection, directory: bytes) -> Answer:
        """Bring everything on the file system of *directory* to the disk."""
        return await connection.run(_command(self.sync), directory + b"\n")

    async def digests(
        self, connection: Connection, directory: bytes, names: Sequence[bytes], algorithm: Algorithm
    ) -> dict[bytes, str]:
        """The digests of those of *names* below *directory* that could be hashed."""
        return await _hashed(connection, directory, names, self.hashes[algorithm])


async def probed_shell(connection: Connection, directory: bytes, content: bytes) -> Shell | None:
    """The shell, if there is one that sees the file ``probe`` in *directory*, with its *content*, as SFTP does."""
    try:
        answer = await connection.run(_PROBE, directory + b"\n", PROBE_TIMEOUT)
    except VENDOR_ERRORS:
        if connection.lost:
            raise
        return None
    sections = _sections(answer.output)
    sync = next((command for command in _SYNCS if sections.get(command) == b"done"), None)
    if sync is None or sections.get("cat") != content:
        return None
    found = {algorithm: _proven_hash(sections, algorithm, content) for algorithm in Algorithm}
    return Shell(sync, {algorithm: command for algorithm, command in found.items() if command})


def _probe() -> str:
    """One command that tries everything, since a login shell can be slow to start: a line ``> what``, its output."""
    said = 'command -v tar >/dev/null && command -v xargs >/dev/null || exit 1; echo "> cat"; cat probe; echo; '
    syncs = " || ".join(f'{{ {command} && echo "> {command}" && echo done; }}' for command in _SYNCS)
    hashes = [command for commands in _HASHES.values() for command in commands]
    return _command(
        "{ " + said + syncs + "; " + "".join(f'echo "> {c}"; {c} probe; ' for c in hashes) + "} 2>/dev/null"
    )


_PROBE = _probe()


def _sections(output: bytes) -> dict[str, bytes]:
    """What stands below each line ``> what``."""
    found: dict[str, bytes] = {}
    for section in output.removeprefix(b"> ").split(b"\n> "):
        title, _, text = section.partition(b"\n")
        found[title.decode("ascii", "replace")] = text.strip()
    return found


def _proven_hash(sections: Mapping[str, bytes], algorithm: Algorithm, content: bytes) -> str | None:
    """The first command whose answer for a known content is right."""
    digest = algorithm.new()
    digest.update(content)
    right = (b"probe", digest.hexdigest())
    return next((c for c in _HASHES[algorithm] if _parsed(sections.get(c, b"")) == right), None)


async def _hashed(connection: Connection, directory: bytes, names: Sequence[bytes], command: str) -> dict[bytes, str]:
    """Hash *names*, which hold no control characters, no backslash and no leading ``-``."""
    given = directory + b"\n" + b"".join(name + b"\0" for name in names)
    answer = await connection.run(_command(f"exec xargs -0 {command}"), given)
    return dict(_parsed(line) for line in answer.output.splitlines() if b" " in line)


def _parsed(line: bytes) -> tuple[bytes, str]:
    """``digest  name`` of coreutils and shasum, ``digest name`` of BSD, ``digest *name`` of openssl."""
    digest, _, name = line.partition(b" ")
    return name[1:] if name[:1] in (b" ", b"*") else name, digest.decode("ascii", "replace").lower()
