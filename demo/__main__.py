"""Back up the sample Dataverse with the real command, twice, and judge what came of it: ``scripts/demo [--keep]``.

Ends with 0 if everything came out as it must, faults included, and with 1 and a list of what did not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.markup import escape

from dataverse_backup.ledger.base import Status
from demo import proof, sample
from tests.servers.postgresql import NoPostgres, PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = Path(sys.executable).with_name("dataverse-backup")
DATABASE, ROLE, PASSWORD = "dvndb", "dvbackup", "demo"
SOME_FILES_FAILED = 3
INTERRUPTED = 130
SHOWN_DIFFERENCES = 20

CONFIGURATION = """\
; The sample's configuration; a real one looks the same.
[Database]
Host: {host}
Port: {port}
Database: {database}
Username: {role}
Password: {password}

[Repository]
FileSystemDirectory: {file}

[Store local]
type: file
directory: {local}

[Store trsa]
type: remote

[Store globusm]
type: globus

[Backup]
StorageType: filesystem
Directory: {backup}
"""

console = Console(highlight=False)


class Demo:
    """One run of the demo in a folder of its own."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder = folder
        self.server = server
        self.backup = folder / "backup"
        self.configuration = folder / "config.ini"
        self.problems: list[str] = []

    def play(self) -> list[str]:
        """Tell the whole story; what did not come out as it must is returned."""
        self.build()
        self.back_up()
        if not self.problems:
            self.explain_faults()
            self.back_up_again()
        self.prove()
        return self.problems

    def build(self) -> None:
        """Make the Dataverse that is going to be backed up."""
        heading("A sample Dataverse")
        self.server.create_database(DATABASE)
        self.sample = sample.build(self.folder / "dataverse", self.server.dsn(DATABASE))
        self.server.create_role(ROLE, PASSWORD)
        self.server.execute(DATABASE, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}")
        self.backup.mkdir()
        self.configuration.touch(mode=0o600)
        self.configuration.write_text(self._configuration_text(), "utf-8")
        say(
            f"{len(self.sample.expected)} Datafiles in {self.sample.datasets} datasets: a PostgreSQL database, and two "
            f"stores in {escape(str(self.folder / 'dataverse'))}. The tool may read the database and no more."
        )

    def back_up(self) -> None:
        """The main job."""
        heading("The first backup")
        if self._run("backup", expected=SOME_FILES_FAILED):
            say("It ended with 3, because some files failed: that was the plan.")

    def explain_faults(self) -> None:
        """Show what became of the rows that have something wrong."""
        faults = self.sample.with_status(Status.FAIL_READ)
        heading("What the planted faults became")
        say(f"{len(faults)} objects were spoilt on purpose ({_joined(faults)}):")
        self._run("list", "--status", Status.FAIL_READ)
        elsewhere = self.sample.with_status(Status.NOT_HERE)
        say(f"\n{len(elsewhere)} rows have no bytes that could be copied; they are counted, and fail nothing:")
        self._run("list", "--status", Status.NOT_HERE)
        awkward = [expected for expected in self.sample.with_status(Status.OK) if expected.what]
        some = _joined(awkward[::4])
        say(f"\n{len(awkward)} more are awkward, and OK all the same, such as: {some}; see demo/contents.py.")

    def back_up_again(self) -> None:
        """A second run has nothing to copy."""
        heading("The second backup")
        say("Nothing is copied again; what failed is tried again.")
        before = proof.stamps(self.backup), proof.stamps(self.folder / "dataverse")
        self._run("backup", expected=SOME_FILES_FAILED)
        after = proof.stamps(self.backup), proof.stamps(self.folder / "dataverse")
        if after[0] != before[0]:
            self.problems.append("the second backup wrote copies again")
        if after[1] != before[1]:
            self.problems.append("the second backup changed what it should only read")

    def prove(self) -> None:
        """Compare everything with what it must be, without asking the tool whether it is right."""
        heading("The proof, by other means")
        self.problems += proof.differences(self.sample, self._listed(), self.backup)
        for problem in self.problems[:SHOWN_DIFFERENCES]:
            say(f"[red]not as it must be:[/] {escape(problem)}")
        if len(self.problems) > SHOWN_DIFFERENCES:
            say(f"… and {len(self.problems) - SHOWN_DIFFERENCES} more")
        if not self.problems:
            copies = len(self.sample.with_status(Status.OK))
            say(
                f"[green]All is as it must be:[/] {copies} copies have the bytes of their originals (SHA-256), the "
                "second run wrote none of them again, and each planted fault was found and named."
            )

    def _run(self, *arguments: str, expected: int = 0) -> bool:
        """Run the real command, with the terminal handed through; whether it ended as *expected*."""
        say(f"[bold]$ dataverse-backup --config config.ini {' '.join(arguments)}[/]")
        code = subprocess.run(self._command(*arguments), env=_environment(), check=False).returncode  # noqa: S603 -- ours
        if code != expected:
            self.problems.append(f"'{arguments[0]}' ended with {code}, not with {expected}")
        return code == expected

    def _listed(self) -> list[proof.Listing]:
        result = subprocess.run(  # noqa: S603 -- ours
            self._command("list", "--json"), env=_environment(), check=False, stdout=subprocess.PIPE
        )
        return [json.loads(line) for line in result.stdout.splitlines()]

    def _command(self, *arguments: str) -> list[str | Path]:
        return [COMMAND, "--config", self.configuration, *arguments]

    def _configuration_text(self) -> str:
        server = conninfo_to_dict(self.server.dsn(DATABASE))
        return CONFIGURATION.format(
            host=server["host"],
            port=server["port"],
            database=DATABASE,
            role=ROLE,
            password=PASSWORD,
            backup=self.backup,
            **self.sample.stores,
        )


def main() -> int:
    """Play the demo; 0 when everything came out as it must."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Back up a sample Dataverse, twice.")
    parser.add_argument("--keep", action="store_true", help="leave the folder with everything in it")
    arguments = parser.parse_args()
    try:
        with ExitStack() as stack:
            folder = stack.enter_context(_work_folder(keep=arguments.keep))
            problems = Demo(folder, stack.enter_context(PostgresServer())).play()
    except NoPostgres as missing:
        say(f"[red]{escape(str(missing))}[/]")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 1 if problems else 0


@contextmanager
def _work_folder(*, keep: bool) -> Iterator[Path]:
    """A folder that is there until the end, or longer."""
    folder = Path(tempfile.mkdtemp(prefix="dataverse-backup-demo-"))
    try:
        yield folder
    finally:
        if keep:
            say(f"\nKept in {folder}: config.ini, ledger.db, dataverse/ and backup/. PostgreSQL has been stopped.")
        else:
            shutil.rmtree(folder)
            say("\nEverything was in a temporary folder, which is gone; --keep would have left it there.")


def _environment() -> dict[str, str]:
    """Ours, without settings of the tool that a user may have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DATAVERSE_BACKUP_")}


def _joined(expectations: list[sample.Expected]) -> str:
    return escape("; ".join(expected.what for expected in expectations))


def heading(text: str) -> None:
    """Begin a chapter."""
    console.print(f"\n[bold cyan]== {text}[/]")


def say(text: str) -> None:
    """A line of the story."""
    console.print(text)


if __name__ == "__main__":
    sys.exit(main())
