"""What is run to dump the database, which pg_dump is taken, and what its end means."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from dataverse_backup.catalogue import pg_dump
from dataverse_backup.catalogue.connection import DatabaseAddress
from dataverse_backup.catalogue.pg_dump import (
    PgDump,
    Program,
    Release,
    chosen,
    command_line,
    environment,
    hint_for,
    installed,
)
from dataverse_backup.errors import DumpError

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = DatabaseAddress("db.example.edu", 5432, "dvndb", "dvnapp", "s3cret", "verify-full")
SERVER = Release.of_server(150018)


def program(said: str) -> Program:
    release = Release.of_program(f"pg_dump (PostgreSQL) {said}")
    assert release is not None
    return Program(f"/usr/lib/postgresql/{said}/bin/pg_dump", release)


@pytest.mark.parametrize(
    ("said", "release"),
    [("15.18 (Debian 15.18-0+deb12u1)", "15"), ("9.6.24", "9.6"), ("18beta1", "18"), ("16devel", "16"), ("9.2", "9.2")],
)
def test_a_release_is_understood(said: str, release: str) -> None:
    assert str(program(said).release) == release


@pytest.mark.parametrize(("number", "release"), [(150018, "15"), (90624, "9.6"), (180000, "18"), (100023, "10")])
def test_the_servers_release_is_understood(number: int, release: str) -> None:
    assert str(Release.of_server(number)) == release


def test_the_oldest_that_fits_is_taken() -> None:
    programs = [program(said) for said in ("18.1", "9.6.1", "16.3", "15.2", "14.1")]
    assert str(chosen(programs, SERVER).release) == "15"
    assert str(chosen([programs[0], programs[2]], SERVER).release) == "16"


def test_one_that_is_older_than_the_server_is_refused_and_it_is_said_what_to_install() -> None:
    with pytest.raises(DumpError, match=r"pg_dump 14 \(.*\) is older than the server, PostgreSQL 15") as refused:
        chosen([program("9.6.1"), program("14.9")], SERVER)
    assert "postgresql-client-15" in refused.value.hint


@pytest.mark.parametrize(
    ("named", "said"), [(None, "there is no pg_dump here"), ("/opt/pg_dump", "/opt/pg_dump is no")]
)
def test_where_there_is_none_it_is_said_what_to_install(named: str | None, said: str) -> None:
    with pytest.raises(DumpError, match=said) as refused:
        chosen([], SERVER, named)
    assert "postgresql-client-15" in refused.value.hint


@given(st.integers(9, 40), st.lists(st.integers(9, 40), max_size=8))
def test_what_is_taken_is_never_older_than_the_server(server: int, there: list[int]) -> None:
    wanted = Release(server * 100)
    programs = [Program(str(number), Release(number * 100)) for number in there]
    if any(number >= server for number in there):
        taken = chosen(programs, wanted)
        assert int(taken.path) == min(number for number in there if number >= server)
    else:
        with pytest.raises(DumpError):
            chosen(programs, wanted)


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(words, words.filter(bool), words)
def test_no_name_becomes_an_option_or_another_setting(host: str, dbname: str, user: str) -> None:
    _, *options, target = command_line(program("15"), DatabaseAddress(host, 5432, dbname, user))
    assert options == ["--format=custom", "--no-password", "--lock-wait-timeout=300000"]
    understood = conninfo_to_dict(target.removeprefix("--dbname="))
    assert (understood["host"], understood["dbname"], understood["user"]) == (host, dbname, user)
    assert "sslmode" not in understood


def test_the_password_is_in_the_environment_and_not_on_the_command_line() -> None:
    assert "s3cret" not in " ".join(command_line(program("15"), ADDRESS))
    assert "sslmode=verify-full" in command_line(program("15"), ADDRESS)[-1]
    assert environment("s3cret", {"PGSERVICE": "dv"}) == {"PGSERVICE": "dv", "LC_ALL": "C", "PGPASSWORD": "s3cret"}
    assert "PGPASSWORD" not in environment(None, {})


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("error: query failed: ERROR:  permission denied for table dvobject", "pg_read_all_data"),
        ("error: aborting because of server version mismatch", "PgDump"),
        ("error: could not write to file: No space left on device", "TMPDIR"),
        ("ERROR:  canceling statement due to lock timeout", "held a table"),
        ("error: something nobody knows", "check"),
    ],
)
def test_what_it_says_has_a_hint(said: str, hint: str) -> None:
    assert hint in hint_for(said)


class _Known(PgDump):
    """Asks no server."""

    def _look(self) -> tuple[Release, list[str]]:
        return SERVER, []


def script(folder: Path, body: str) -> str:
    """A pg_dump that does *body*."""
    path = folder / "pg_dump"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 15.1" && exit\n{body}\n')
    path.chmod(0o755)
    return str(path)


def dumped(path: str, *, stops: bool = False) -> bytes:
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in _Known(ADDRESS, path).dump(file, lambda: stops):
            pass
        file.seek(0)
        return file.read()


def test_what_ends_well_is_what_it_wrote(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = script(tmp_path, 'echo "PGDMP $PGPASSWORD"; echo "pg_dump: warning: a circle" >&2')
    assert dumped(path) == b"PGDMP s3cret\n"
    assert "warning: a circle" in caplog.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo PGDMP whole as it seems; echo 'pg_dump: error: connection lost' >&2; exit 1", "error: connection lost"),
        ("echo PGDMP; exit 3", "exit code 3"),
        ("echo PGDMP; kill -9 $$", "ended by SIGKILL"),
        ("echo PGDMP; printf 'x%.0s' $(seq 9000) >&2; printf '\\n\\033[31mlast word' >&2; exit 1", "x+$"),
        ("echo '-- a plain one'", "no archive"),
        ("exit 0", "no archive"),
    ],
)
def test_an_end_that_is_not_well_is_no_dump_however_much_was_written(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(DumpError, match=said) as failed:
        dumped(script(tmp_path, body))
    assert failed.value.message.isprintable()
    assert failed.value.hint


def test_a_dump_that_is_to_stop_is_ended_with_its_process(tmp_path: Path) -> None:
    path = script(tmp_path, f"echo PGDMP; echo $$ > {tmp_path}/pid; exec sleep 60")
    with tempfile.TemporaryFile(buffering=0) as file, pytest.raises(DumpError, match="stopped"):
        list(_Known(ADDRESS, path).dump(file, (tmp_path / "pid").exists))
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_dump_that_nobody_waits_for_is_ended_with_its_process(tmp_path: Path) -> None:
    path = script(tmp_path, f"echo $$ > {tmp_path}/pid; echo PGDMP; exec sleep 60")
    with tempfile.TemporaryFile(buffering=0) as file:
        generator = _Known(ADDRESS, path).dump(file, lambda: False)
        while not next(generator):
            pass
        generator.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_cannot_be_run_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a program")
    (tmp_path / "other").write_text("#!/bin/sh\necho something else\n")
    (tmp_path / "other").chmod(0o755)
    good = script(tmp_path, "")
    found = installed([str(tmp_path / name) for name in ("text", "other", "missing", "pg_dump")])
    assert [one.path for one in found] == [good]


def test_each_release_that_is_installed_is_a_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("14", "16"):
        folder = tmp_path / release / "bin"
        folder.mkdir(parents=True)
        script(folder, "")
    monkeypatch.setattr(pg_dump, "FOLDERS", ((str(tmp_path), "*/bin"),))
    monkeypatch.setenv("PATH", str(tmp_path / "14" / "bin"))
    names = [path.removeprefix(f"{tmp_path}/") for path in pg_dump.candidates()]
    assert names == ["14/bin/pg_dump", "16/bin/pg_dump", "14/bin/pg_dump"]


def test_the_spool_is_for_its_owner_alone_and_has_no_name() -> None:
    from dataverse_backup.actions.database import _spool  # noqa: PLC0415 -- what nobody else may read

    with _spool() as file:
        assert isinstance(file, io.RawIOBase)
        status = os.fstat(file.fileno())
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_nlink == 0
