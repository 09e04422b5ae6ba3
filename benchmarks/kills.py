"""What is left when runs are killed at any moment: ``scripts/bench kills``.

Makes a Dataverse of 1,000 datafiles on a PostgreSQL of its own and backs it up to a real OpenSSH server. Kills runs,
each with SIGKILL at a random moment, most of them while they send; when one is done before its moment came, the ledger
and the copies are judged and all begins anew, so that every kill hits a run that has something to do. Judged is that
every datafile is OK and its copy has the bytes of its original; after each kill, that no half copy is to be seen under
its name, and that no copy which the ledger knew was made again.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from demo.proof import Stamps, differences, stamps
from tests.acceptance.small import small_files, small_installation, untruths
from tests.servers.postgresql import PostgresServer
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    import subprocess

    from tests.acceptance.installation import Installation

SEED = 2026
BIG_FILES = 10
EARLY = 0.2
"""The part of the runs that are killed before they send anything."""


@dataclass(frozen=True)
class Pace:
    """How many seconds a whole run takes that is left alone."""

    until_it_sends: float
    sending: float


@dataclass
class Round:
    """One backup from nothing to all, by runs that are killed and one that is not."""

    installation: Installation
    copies: Path
    kills: int = 0
    known: Stamps = field(default_factory=dict)
    """The copies that the ledger knew after the last kill."""
    problems: list[str] = field(default_factory=list)

    def is_killed(self, pace: Pace, moments: random.Random) -> bool:
        """Whether another run was killed at a random moment; otherwise it came to its end before."""
        run = self.installation.start("backup")
        if moments.random() < EARLY:
            time.sleep(moments.uniform(0, pace.until_it_sends))
        else:
            self.wait_until_it_sends(run)
            time.sleep(moments.uniform(0, pace.sending))
        is_alive = run.poll() is None
        run.kill()
        run.communicate(timeout=60)  # its workers have ended too, as they have its output
        self.kills += is_alive
        self.judge()
        return is_alive

    def wait_until_it_sends(self, run: subprocess.Popen[str]) -> None:
        """Return when something of *run* is in staging, or it has ended: it may adopt all that is left to do."""
        before = self._staged()
        while run.poll() is None and self._staged() <= before:
            time.sleep(0.005)

    def _staged(self) -> set[Path]:
        """The folders of the runs that staged something."""
        return set((self.copies / ".dataverse-backup" / "staging").glob("*/*"))

    def judge(self) -> None:
        """What must be so at any time."""
        listed = self.installation.listed()
        now = stamps(self.copies)
        self.problems += untruths(self.installation.sample, listed, self.copies)
        self.problems += [f"{key} was made again" for key, stamp in self.known.items() if now.get(key) != stamp]
        self.known = {line["key"]: now[line["key"]] for line in listed if line["status"] == "OK" and line["key"] in now}

    def finish(self) -> Pace:
        """One run that is left alone, and what must be so after it."""
        started = time.monotonic()
        run = self.installation.start("backup")
        self.wait_until_it_sends(run)
        sending = time.monotonic()
        output, _ = run.communicate()
        ended = time.monotonic()
        if run.returncode:
            self.problems.append(f"the last run ended with {run.returncode}: {output}")
        self.judge()
        self.problems += differences(self.installation.sample, self.installation.listed(), self.copies)
        return Pace(sending - started, ended - sending)


def run(kills: int, files: int = 1_000) -> int:
    """Kill, judge, say; 1 where something is not as it must be, else 0."""
    started = time.monotonic()
    with PostgresServer() as database, SshServer() as server, tempfile.TemporaryDirectory() as folder:
        database.create_database("dvndb")
        contents = [*small_files(files - BIG_FILES, size=8_000), *small_files(BIG_FILES, size=4_000_000)]
        installation = small_installation(Path(folder), database.dsn("dvndb"), contents)
        rounds = _play(installation, server, kills)
    problems = [problem for one in rounds for problem in one.problems]
    print(*problems[:20], sep="\n")
    done, seconds = sum(one.kills for one in rounds), time.monotonic() - started
    print(f"{done} kills in {len(rounds)} backups of {files:,} datafiles, {seconds:.0f} s: {len(problems)} problems")
    return 1 if problems else 0


def _play(installation: Installation, server: SshServer, kills: int) -> list[Round]:
    """As many backups as it takes for so many kills; the first one is left alone."""
    moments = random.Random(SEED)
    whole = _begin(installation, server)
    pace = whole.finish()
    print(f"a run that is left alone sends after {pace.until_it_sends:.1f} s, for {pace.sending:.1f} s", flush=True)
    rounds, done = [whole], 0
    while done < kills and not rounds[-1].problems:
        one = _begin(installation, server)
        while done < kills and one.is_killed(pace, moments):
            done += 1
            print(f"{done:3} kills: {len(one.known):5,} datafiles are OK", flush=True)
        one.finish()
        rounds.append(one)
        shutil.rmtree(one.copies)
    return rounds


def _begin(installation: Installation, server: SshServer) -> Round:
    """A backup that begins with nothing."""
    for path in installation.folder.glob("ledger.db*"):
        path.unlink()
    copies = server.sandbox()
    installation.back_up_over_ssh(server, copies, "BatchFiles: 20", "Workers: 2")
    return Round(installation, copies)
