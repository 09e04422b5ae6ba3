"""Where the time of one of our runs over ssh goes: ``scripts/bench timeline``.

When the first bytes are in staging over there, when the ledger has the first file and the last one, when all ends; and
what each kind of process took of the processors, as sampled: what it took after the last look is missing.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contents import KIBIBYTE, Content
from benchmarks.far_server import far_server
from benchmarks.measuring import CommandFailed
from tests.acceptance.installation import COMMAND, Installation

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKING_SECONDS = 0.03
TICKS = os.sysconf("SC_CLK_TCK")
SENT, FIRST, LAST, END = "first bytes over there", "first file recorded", "last file recorded", "end"


def run(files: int, round_trip: float, settings: Sequence[str], scratch: Path) -> str:
    """Build and look on, below *scratch*; a table of what was seen."""
    content = Content("timeline", f"{files:,} files of 16 KiB", [16 * KIBIBYTE] * files, max(1, files // 20))
    with far_server(content, round_trip, scratch) as far:
        folder, source, server, link = far.folder, far.source, far.server, far.link
        (copies := folder / "copies").mkdir()
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(f"[127.0.0.1]:{link.port} {(server.folder / 'host_key.pub').read_text()}")
        its = server.settings(copies)
        lines = ["StorageType: ssh", f"SshHost: {its.host}", f"SshPort: {link.port}", f"SshUsername: {its.username}"]
        lines += [f"SshIdentityFile: {its.identity_file}", f"SshKnownHosts: {known_hosts}"]
        lines += [f"SshConfigFile: {its.config_file}", f"BackupDirectory: {copies}", *settings]
        site = Installation(folder, source.dsn, source.sample, destination="\n".join(lines))
        command: list[str | Path] = [COMMAND, "--config", site.configure(), "backup", "--quiet"]
        moments, used = _watched(command, copies, folder / "ledger.db", server.processes()[0], files)
    return _table(content.what, round_trip, moments, used)


def _watched(
    command: Sequence[str | Path], copies: Path, ledger: Path, server: int, files: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds after the start at which each thing was seen, and seconds of processors by role."""
    moments: dict[str, float] = {}
    used: dict[int, tuple[str, float]] = {}
    began = time.monotonic()
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            _look(moments, time.monotonic() - began, copies, ledger, files)
            for pid, role in [*_roles(process.pid, "coordinator"), *_roles(server, "sshd")]:
                with suppress(OSError):
                    used[pid] = role, _processor(pid)
            time.sleep(LOOKING_SECONDS)
        moments[END] = time.monotonic() - began
    if process.returncode:
        raise CommandFailed(f"the run ended with {process.returncode}")
    by_role: dict[str, float] = defaultdict(float)
    for role, seconds in used.values():
        by_role[role] += seconds
    return moments, by_role


def _look(moments: dict[str, float], now: float, copies: Path, ledger: Path, files: int) -> None:
    if SENT not in moments and any((copies / ".dataverse-backup" / "staging").glob("*/*/*/*")):
        moments[SENT] = now
    if SENT in moments and LAST not in moments:
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
            (recorded,) = connection.execute("SELECT count(*) FROM copies").fetchone()
            connection.close()
            if recorded:
                moments.setdefault(FIRST, now)
            if recorded >= files:
                moments[LAST] = now


def _roles(pid: int, role: str) -> list[tuple[int, str]]:
    """*pid*, which has that *role*, and its descendants, each with its own."""
    found = [(pid, role)]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += _roles(child, _role_of(child, role))
    return found


def _role_of(pid: int, parent: str) -> str:
    """What the child of a process with the role *parent* is."""
    name = ""
    with suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    if name in ("ssh", "sshd"):
        return name
    if parent in ("sshd", "remote program"):
        return "remote program"
    return "worker" if parent in ("fork server", "worker") else "fork server"


def _processor(pid: int) -> float:
    """User and system time, from proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _table(what: str, round_trip: float, moments: dict[str, float], used: dict[str, float]) -> str:
    head = f"{what} over ssh, round trip {round_trip:g} ms, one run\n\n| | seconds |\n| --- | ---: |\n"
    seen = "".join(f"| {name} | {seconds:.2f} |\n" for name, seconds in moments.items())
    return head + seen + "".join(f"| processor: {role} | {seconds:.2f} |\n" for role, seconds in sorted(used.items()))
