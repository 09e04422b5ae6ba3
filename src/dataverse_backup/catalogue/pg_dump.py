"""The Dataverse database dumped by PostgreSQL's own pg_dump, in its custom format, which pg_restore reads.

A pg_dump dumps servers of its own release and of older ones, never of a newer one (its manual, "Notes"). Several may be
installed; the oldest that fits is taken, because its archives can be read by most releases of pg_restore.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from dataverse_backup.catalogue.connection import session
from dataverse_backup.catalogue.dumping import Dumper
from dataverse_backup.errors import DumpError, DumpInterrupted, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from typing import IO

    from dataverse_backup.catalogue.connection import DatabaseAddress

log = logging.getLogger(__name__)

PROGRAM = "pg_dump"
FOLDERS = (("/usr/lib/postgresql", "*/bin"), ("/usr", "pgsql-*/bin"))
"""Where the packages of Debian's and of Red Hat's families put each release."""
MAGIC = b"PGDMP"
"""What an archive in the custom format begins with."""
LOCK_SECONDS = 300
"""So long a table may be held exclusively by somebody else."""
_SECONDS_BETWEEN_LOOKS = 0.25
_SECONDS_TO_END = 5
_TAIL = 4096
_LONGEST_SAID = 600
_VERSION = re.compile(r"\(PostgreSQL\) ([0-9]{1,3})(?:\.([0-9]{1,3}))?")
_TWO_PARTS_UNTIL = 10
"""Up to here the first two numbers of a version make a release: 9.6."""

_UNREADABLE = """
SELECT format('%I.%I', space.nspname, class.relname)
FROM pg_catalog.pg_class class JOIN pg_catalog.pg_namespace space ON space.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p', 'S') AND space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = class.oid AND d.deptype = 'e')
  AND NOT (pg_catalog.has_schema_privilege(space.oid, 'USAGE') AND CASE class.relkind
    WHEN 'S' THEN pg_catalog.has_sequence_privilege(class.oid, 'SELECT')
    ELSE pg_catalog.has_table_privilege(class.oid, 'SELECT') END)
ORDER BY 1
"""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Release:
    """A release of PostgreSQL: 9.6, 15. Those that compare as greater are newer."""

    number: int
    """As the server's own number without its last two digits: 906, 1500."""

    @classmethod
    def of_server(cls, number: int) -> Release:
        """That of a server that says that its version is *number*: 90624, 150018."""
        return cls(number // 100 if number < _TWO_PARTS_UNTIL * 10_000 else number // 10_000 * 100)

    @classmethod
    def of_program(cls, said: str) -> Release | None:
        """That in what ``pg_dump --version`` says; None where it says none."""
        match = _VERSION.search(said)
        if match is None:
            return None
        first, second = int(match[1]), int(match[2] or 0)
        return cls(first * 100 + (second if first < _TWO_PARTS_UNTIL else 0))

    def __str__(self) -> str:
        first, second = divmod(self.number, 100)
        return f"{first}.{second}" if first < _TWO_PARTS_UNTIL else str(first)


@dataclass(frozen=True, slots=True)
class Program:
    """A pg_dump of this machine."""

    path: str
    release: Release


class PgDump(Dumper):
    """Dumps the database at one address."""

    def __init__(self, address: DatabaseAddress, program: str | None = None) -> None:
        """Dump *address* with *program*, or with the one that fits best of those that are installed."""
        self._address, self._program = address, program

    def inspect(self) -> str:
        """As ``Dumper.inspect``: ``pg_dump 15 for PostgreSQL 15 (/usr/lib/postgresql/15/bin/pg_dump)``."""
        server, unreadable = self._look()
        program = self._chosen(server)
        if unreadable:
            raise _ungranted(self._address, unreadable)
        return f"pg_dump {program.release} for PostgreSQL {server} ({program.path})"

    def dump(self, file: IO[bytes], is_stopping: Callable[[], bool]) -> Generator[int]:
        """As ``Dumper.dump``: by a pg_dump that writes to *file* itself."""
        server, _ = self._look()
        command = command_line(self._chosen(server), self._address)
        with _complaints() as complaints, _started(command, file, complaints, self._address.password) as process:
            while process.poll() is None:
                if is_stopping():
                    raise DumpError("the dump of the database was stopped", "the next run makes one")
                yield os.fstat(file.fileno()).st_size
                _wait(process)
            _check(process.returncode, _said(complaints), is_stopping=is_stopping())
        _check_archive(file)
        yield os.fstat(file.fileno()).st_size

    def _look(self) -> tuple[Release, list[str]]:
        """The server's release, and what we may not read there."""
        with session(self._address) as connection:
            unreadable = [name for (name,) in connection.execute(_UNREADABLE)]
            return Release.of_server(connection.info.server_version), unreadable

    def _chosen(self, server: Release) -> Program:
        return chosen(installed([self._program] if self._program else candidates()), server, self._program)


def candidates() -> list[str]:
    """Every pg_dump that may be installed here, those of one release before the one that is called by its name.

    On Debian that one is a wrapper, which takes the release that it thinks right.
    """
    found = [str(path) for folder, pattern in FOLDERS for path in sorted(Path(folder).glob(f"{pattern}/{PROGRAM}"))]
    called = shutil.which(PROGRAM)
    return [*found, *([called] if called else [])]


def installed(paths: Iterable[str]) -> list[Program]:
    """Those that can be run, with what they say of themselves."""
    found = ((path, Release.of_program(_version(path))) for path in paths)
    return [Program(path, release) for path, release in found if release is not None]


def _version(path: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 -- found where PostgreSQL's packages put it, or named by the administrator
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return answer.stdout


def chosen(programs: Sequence[Program], server: Release, named: str | None = None) -> Program:
    """The oldest of *programs* that dumps a *server* of that release. Raises DumpError where none does."""
    fitting = [program for program in programs if program.release.number >= server.number]
    if fitting:
        return min(fitting, key=lambda program: program.release.number)
    hint = f"install the package postgresql-client-{server} or a newer one, or name its pg_dump: [Database] PgDump"
    if programs:
        newest = max(programs, key=lambda program: program.release.number)
        said = f"pg_dump {newest.release} ({newest.path}) is older than the server, PostgreSQL {server}"
        raise DumpError(f"{said}: it cannot dump it", hint)
    missing = f"{printable(named)} is no pg_dump that can be run" if named else "there is no pg_dump here"
    raise DumpError(f"{missing}; the server is PostgreSQL {server}", hint)


def command_line(program: Program, address: DatabaseAddress) -> list[str]:
    """What is run; everybody may see it, so the password is not in it."""
    return [
        program.path,
        "--format=custom",
        "--no-password",
        f"--lock-wait-timeout={LOCK_SECONDS * 1000}",
        f"--dbname={make_conninfo(**address.parameters)}",
    ]


def environment(password: str | None, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What pg_dump finds in its environment, which its user alone may see: the password, if we have one."""
    return {**inherited, "LC_ALL": "C", **({} if password is None else {"PGPASSWORD": password})}


@contextmanager
def _complaints() -> Iterator[IO[bytes]]:
    with _local_errors(), tempfile.TemporaryFile() as file:  # not a pipe, which somebody would have to empty
        yield file


@contextmanager
def _local_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = f"pg_dump cannot be run: {(error.strerror or str(error)).lower()}"
        raise DumpError(said, "run `dataverse-backup check`") from error


@contextmanager
def _started(
    command: Sequence[str], file: IO[bytes], complaints: IO[bytes], password: str | None
) -> Iterator[subprocess.Popen[bytes]]:
    """The running command, which does not outlive the block."""
    process = subprocess.Popen(  # noqa: S603 -- as above, and without a shell
        command, stdin=subprocess.DEVNULL, stdout=file, stderr=complaints, env=environment(password)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # it cancels its query at the server, too
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_SECONDS_BETWEEN_LOOKS)
    except subprocess.TimeoutExpired:
        return


def _said(complaints: IO[bytes]) -> str:
    """The end of what it wrote to its standard error, in one line."""
    size = os.fstat(complaints.fileno()).st_size
    tail = os.pread(complaints.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace")
    lines = [line.strip().removeprefix("pg_dump: ") for line in tail.splitlines()]
    return printable("; ".join(filter(None, lines)))[:_LONGEST_SAID]


def _check(code: int, said: str, *, is_stopping: bool) -> None:
    """Raise DumpError unless the program ended well; its exit code says so, not how much it wrote."""
    if code == 0:
        if said:
            log.warning("pg_dump: %s", said)
        return
    if is_stopping:
        raise DumpError("the dump of the database was stopped", "the next run makes one")
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = "`journalctl -k` says whether it was killed for memory; the next run makes a dump"
        raise DumpError(f"pg_dump was ended by {name}{f': {said}' if said else ''}", hint)
    kind = DumpInterrupted if any(word in said.lower() for word in _PASSING) else DumpError
    raise kind(f"pg_dump failed: {said or f'exit code {code}'}", hint_for(said))


_PASSING = (
    "terminating connection",
    "server closed the connection",
    "connection to server",
    "could not receive data",
    "could not send data",
    "ssl connection has been closed",
    "lock timeout",
    "could not obtain lock",
    "too many clients",
)
"""What pg_dump and libpq say when the same call may succeed later."""


def hint_for(said: str) -> str:
    """What to do about what pg_dump said."""
    lower = said.lower()
    if "permission denied" in lower:
        return _GRANT
    if "version mismatch" in lower:
        return "install a pg_dump of the server's release or a newer one, or name it: [Database] PgDump"
    if "no space left" in lower or "file too large" in lower:
        return "make room among the temporary files, or let TMPDIR name another folder"
    if "lock timeout" in lower or "could not obtain lock" in lower:
        return f"somebody held a table for {LOCK_SECONDS} s, an upgrade perhaps; the next run makes a dump"
    return "`dataverse-backup check` tries out what a dump needs; the next run makes one"


_GRANT = (
    "let the role read everything: GRANT pg_read_all_data TO the role (PostgreSQL 14 or newer), or SELECT on all tables"
    " and sequences; docs/howto/read-only-role.md"
)


def _ungranted(address: DatabaseAddress, unreadable: Sequence[str]) -> DumpError:
    some = ", ".join(printable(name) for name in unreadable[:_SHOWN]) + (" …" if len(unreadable) > _SHOWN else "")
    said = f"{address}: a dump needs to read everything, and {len(unreadable)} tables and sequences may not be read"
    return DumpError(f"{said}: {some}", _GRANT)


def _check_archive(file: IO[bytes]) -> None:
    """Raise DumpError where a program that ended well wrote something else than an archive."""
    if os.pread(file.fileno(), len(MAGIC), 0) != MAGIC:
        raise DumpError("what pg_dump wrote is no archive of its custom format", "is [Database] PgDump a pg_dump?")
