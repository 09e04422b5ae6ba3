"""Finding out what the account's shell can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.shell import HASHES, PYTHON, SYNCS, Shell, command, parsed
from dataverse_backup.fixity import Algorithm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.destinations.ssh.connection import Connection

PROBE_TIMEOUT = 30.0
"""Seconds that a probe of the shell may take; an account without one may never answer."""


async def probed_shell(connection: Connection, directory: bytes, content: bytes) -> Shell | None:
    """The shell, if there is one that sees the file ``probe`` in *directory*, with its *content*, as SFTP does."""
    if connection.is_mute:
        return None
    try:
        answer = await connection.run(command(PROBE), directory + b"\n", PROBE_TIMEOUT)
    except VENDOR_ERRORS:
        if connection.lost:
            raise
        return None
    return known_by_probe(answer.output, content)


def known_by_probe(output: bytes, content: bytes) -> Shell | None:
    """What `PROBE` found out where it ran beside a file ``probe`` with this *content*; None for no shell of use."""
    sections = _sections(output)
    sync = next((command for command in SYNCS if sections.get(command) == b"done"), None)
    if sync is None or sections.get("cat") != content:
        return None
    found = {algorithm: _proven_hash(sections, algorithm, content) for algorithm in Algorithm}
    hashes = {algorithm: command for algorithm, command in found.items() if command}
    return Shell(sync, hashes, has_python=sections.get(PYTHON) == b"3")


def _probe() -> str:
    """One command that tries everything, since a login shell can be slow to start: a line ``> what``, its output."""
    said = 'command -v tar >/dev/null && command -v xargs >/dev/null || exit 1; echo "> cat"; cat probe; echo; '
    syncs = " || ".join(f'{{ {command} && echo "> {command}" && echo done; }}' for command in SYNCS)
    python = f'echo "> {PYTHON}"; {PYTHON} "import sys; print(3 if sys.version_info >= (3, 6) else 0)"; '
    hashing = "".join(f"{' || '.join(map(_hashing, commands))}; " for commands in HASHES.values())
    return "{ " + said + syncs + "; " + python + hashing + "} 2>/dev/null"


def _hashing(command: str) -> str:
    """Tried where the commands before it are not there: some of them are programs in Perl, which take long to start."""
    return f'{{ echo "> {command}"; {command} probe; }}'


PROBE = _probe()
"""The command for a shell in a directory with a file ``probe``."""


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
    return next((c for c in HASHES[algorithm] if parsed(sections.get(c, b"")) == right), None)
