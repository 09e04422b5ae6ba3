"""Remote commands: constant texts, so that no name ever passes through a shell.

Each command is one line for any login shell. It reads the directory to work in as the first line of its input; what
follows is for the program that it becomes: a tar stream, or names that end with NUL. What a batch needs is asked for
in as few commands as can be: each costs round trips, and a login shell can be slow to start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

from dataverse_backup.fixity import Algorithm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataverse_backup.destinations.ssh.connection import Answer, Connection

ENGLISH = "LC_ALL=C; export LC_ALL; "
_THERE = f'{ENGLISH}IFS= read -r d && cd "$d" && '
"""In English, for complaints are read (`spoken_error`), and ssh configurations send the user's language along."""

SYNCED = "synced"
EXTRACTED = "t"
"""The first letter of every name in a tar stream: what else lies in its directory came another way."""


def command(constant: str) -> str:
    """A command that works in the directory which is the first line of its input."""
    return f"/bin/sh -c '{_THERE}{constant}'"


SYNCS = ("sync -f .", "sync")
HASHES = {
    Algorithm.MD5: ("md5sum", "md5 -r", "openssl dgst -md5 -r"),
    Algorithm.SHA1: ("sha1sum", "sha1 -r", "shasum -a 1", "openssl dgst -sha1 -r"),
    Algorithm.SHA256: ("sha256sum", "sha256 -r", "shasum -a 256", "openssl dgst -sha256 -r"),
    Algorithm.SHA512: ("sha512sum", "sha512 -r", "shasum -a 512", "openssl dgst -sha512 -r"),
}


PYTHON = "python3 -I -S -c"
_RUN = '"import sys; sys.stdin = open(0, buffering=262144); i = sys.stdin.buffer; exec(i.read(int(i.readline())))"'
"""Python that takes its program from its input too: the length of it on a line, the program, what the program reads.

As much of that as there is comes with one call of the system, where Python would take 8 KiB.
"""
_MISSING, _STORED = b"missing", re.compile(rb"[0-9]+ [0-9a-f]+")
_AGENT = resources.files(__package__).joinpath("remote_agent.py").read_bytes()


@dataclass(frozen=True, slots=True)
class Shell:
    """What the account's shell can do, as probed."""

    sync: str
    hashes: Mapping[Algorithm, str] = field(default_factory=dict)
    has_python: bool = False
    """Whether there is a Python for our programs: a batch then needs fewer round trips, and no command of its own."""

    @classmethod
    def known(cls, told: Mapping[str, Any]) -> Self:
        """The shell with these commands; ValueError, TypeError or KeyError for any that is none of ours."""
        hashes = {Algorithm(name): command for name, command in told["hashes"].items()}
        known = told["sync"] in SYNCS and all(command in HASHES[name] for name, command in hashes.items())
        if not known or not isinstance(told["has_python"], bool):
            raise ValueError("not a command of ours")
        return cls(told["sync"], hashes, told["has_python"])

    def extract(self, algorithm: Algorithm | None) -> str:
        """The command that unpacks a tar stream, brings it to the disk, and hashes it where there is a command for it.

        Also what arrived of a broken stream. It ends as ``tar`` ended. The first line of its output is SYNCED if
        everything is on the disk; the others are what `extracted` reads.
        """
        hashes = self.hashes.get(algorithm) if algorithm else None
        proof = f'printf "%s\\0" {EXTRACTED}* | xargs -0 {hashes} 2>/dev/null; ' if hashes else ""
        return command(f"tar -x -p -o -f -; s=$?; {self.sync} && echo {SYNCED}; {proof}exit $s")

    async def synced(self, connection: Connection, directory: bytes) -> Answer:
        """Bring everything on the file system of *directory* to the disk."""
        return await connection.patiently(connection.run(command(self.sync), directory + b"\n"))

    async def digests(
        self, connection: Connection, directory: bytes, names: Sequence[bytes], algorithm: Algorithm
    ) -> dict[bytes, str]:
        """The digests of those of *names* below *directory* that could be hashed."""
        return await _hashed(connection, directory, names, self.hashes[algorithm])


AGENT = command(f"exec {PYTHON} {_RUN}")
"""The command that starts `remote_agent`."""


def beginning(directory: bytes, dir_mode: int, sync: str) -> bytes:
    """The beginning of the input of AGENT: `remote_agent`, in *directory*."""
    return b"%s\n%d\n%s%o\n%s\n" % (directory, len(_AGENT), _AGENT, dir_mode, sync.encode())


def word(algorithm: Algorithm) -> bytes:
    """What Python calls it."""
    return algorithm.lower().replace("-", "").encode()


def about(request: bytes, keys: Sequence[str]) -> bytes:
    """A *request* to `remote_agent` about *keys*."""
    words = b"".join(key.encode() + b"\0" for key in keys)
    return b"%s %d\n%s" % (request, len(words), words)


def believed(keys: Sequence[str], lines: Sequence[bytes]) -> dict[str, Stored | None]:
    """What our program says of *keys*, a line for each; without those of which nothing is said that makes sense."""
    told = zip(keys, lines, strict=False)
    return {key: Stored.parse(line) for key, line in told if line == _MISSING or _STORED.fullmatch(line)}


@dataclass(frozen=True, slots=True)
class Stored:
    """What was read of a stored object."""

    size: int
    digest: str

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """What the program said of one object; None where there is none."""
        if line == _MISSING:
            return None
        size, _, digest = line.decode("ascii", "replace").partition(" ")
        return cls(int(size), digest)


@dataclass(frozen=True, slots=True)
class Revealed:
    """What became of a batch whose objects were given their names over there."""

    names: frozenset[bytes]
    """The staged names of those that have their names now; the others lie where they lay."""
    is_removed: bool
    """Whether the staging directory was left empty, and is gone."""
    is_synced: bool

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> Self:
        """What it said in *lines*."""
        names = frozenset(line[: -len(b" 0")] for line in lines if line.endswith(b" 0"))
        return cls(names, b"removed" in lines, lines[-1:] == [SYNCED.encode()])


def extracted(output: bytes) -> tuple[bool, dict[bytes, str]]:
    """What `Shell.extract` said: whether all is on the disk, and the digests by name."""
    first, _, rest = output.partition(b"\n")
    return first == SYNCED.encode(), _digests(rest)


async def _hashed(connection: Connection, directory: bytes, names: Sequence[bytes], how: str) -> dict[bytes, str]:
    """Hash *names*, which hold no control characters, no backslash and no leading ``-``."""
    given = directory + b"\n" + b"".join(name + b"\0" for name in names)
    answer = await connection.run(command(f"exec xargs -0 {how}"), given)
    return _digests(answer.output)


def _digests(output: bytes) -> dict[bytes, str]:
    return dict(parsed(line) for line in output.splitlines() if b" " in line)


def parsed(line: bytes) -> tuple[bytes, str]:
    """``digest  name`` of coreutils and shasum, ``digest name`` of BSD, ``digest *name`` of openssl."""
    digest, _, name = line.partition(b" ")
    return name[1:] if name[:1] in (b" ", b"*") else name, digest.decode("ascii", "replace").lower()
