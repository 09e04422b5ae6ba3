"""How long an audit of small copies over ssh takes, beside `md5sum` run by hand over there: ``scripts/bench audit``.

Backs up so many small files to an OpenSSH server, then lets both read all copies, in turns. `md5sum` is started by ssh,
too, hashes what `find` finds with one process, and compares nothing.
"""

from __future__ import annotations

import shlex
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contents import KIBIBYTE, Content
from benchmarks.measuring import Command, cost_of
from benchmarks.source import Source
from tests.acceptance.installation import COMMAND, Installation
from tests.servers.postgresql import PostgresServer
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.ssh import SshSettings

LONGEST_SECONDS = 600
BY_HAND = "find . -type f -not -path './.dataverse-backup/*' -print0 | xargs -0 md5sum | wc -l"


def run(files: int, rounds: int, settings: Sequence[str], scratch: Path) -> str:
    """Build and measure in a new folder below *scratch*; what is to be said of it."""
    name = tempfile.mkdtemp(dir=scratch)
    with PostgresServer() as database, SshServer() as server:
        database.create_database("dvndb")
        content = Content("audit", f"{files:,} files of 16 KiB", [16 * KIBIBYTE] * files, datasets=100)
        source = Source(content, Path(name) / "source", database.dsn("dvndb"))
        source.make()
        site = Installation(Path(name), source.dsn, source.sample)
        site.back_up_over_ssh(server, sandbox := server.sandbox(), *settings)
        config = site.configure()
        cost_of(Command([COMMAND, "--config", config, "backup", "--quiet"]), LONGEST_SECONDS)
        ours = Command([COMMAND, "--config", config, "audit", "--all", "--quiet"])
        theirs = Command(_by_hand(server.settings(sandbox)))
        costs = [(cost_of(ours, LONGEST_SECONDS), cost_of(theirs, LONGEST_SECONDS)) for _ in range(rounds)]
    our_time, their_time = (statistics.median(cost.seconds for cost in each) for each in zip(*costs, strict=True))
    return (
        f"{files:,} copies of 16 KiB over ssh: audit {our_time:.1f} s, md5sum by hand {their_time:.1f} s, "
        f"ratio {our_time / their_time:.2f} (medians of {rounds} rounds)"
    )


def _by_hand(there: SshSettings) -> list[str | Path]:
    """What an administrator would type."""
    options = [f"-oIdentityFile={there.identity_file}", f"-oUserKnownHostsFile={there.known_hosts}", "-oBatchMode=yes"]
    place = [*options, "-F", there.config_file or "none", "-p", str(there.port), "-l", there.username or "", there.host]
    return ["ssh", *place, f"cd {shlex.quote(there.directory)} && {BY_HAND}"]
