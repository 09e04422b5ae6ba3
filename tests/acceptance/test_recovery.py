"""Everything but a destination is lost, and the page about that is typed as it stands. And dumps that fail."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

from dataverse_backup.datafile import TAB
from dataverse_backup.destinations.base import DATABASE_PREFIX
from dataverse_backup.generations import generations
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.base import ORIGINAL_SUFFIX
from demo.rows import DEFAULT_STORE, datafile_rows, dataset_rows
from demo.sample import SEED
from tests.acceptance.installation import COMMAND
from tests.acceptance.small import small_files, unequal_copies

if TYPE_CHECKING:
    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation
    from tests.servers.postgresql import PostgresServer
    from tests.servers.sshd import SshServer

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "recover.md"
SECTION = re.compile(r"^## Everything is gone.*?(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SOME_FILES_FAILED, DAMAGE = 3, 4
"""Three files of the sample are spoilt on purpose: no copy could ever be made of them."""


def commands() -> list[str]:
    """What the page says is to be typed, line by line."""
    (section,) = SECTION.findall(PAGE.read_text("utf-8"))
    return [line.strip() for block in BLOCK.findall(section) for line in block.splitlines()]


class Administrator:
    """Types what the page says, on machines that are not called as on the page."""

    def __init__(self, site: Installation, programs: Path) -> None:
        """*programs* is the folder of PostgreSQL's."""
        self._site = site
        found = conninfo_to_dict(site.dsn)
        stores = " ".join(str(folder) for folder in site.sample.stores.values())
        self._names = {
            "/srv/recovered": str(site.folder / "recovered"),
            "/usr/local/dvn/data": stores,
            "dvndb": str(found["dbname"]),
        }
        self._environment = {
            "PATH": os.pathsep.join([str(COMMAND.parent), str(programs), os.defpath]),
            "HOME": str(site.folder),
            "DATAVERSE_BACKUP_CONFIG": str(site.configure()),
            **{f"PG{key.upper()}": str(found[key]) for key in ("host", "port", "user", "password")},
        }

    def type(self, text: str) -> subprocess.CompletedProcess[str]:
        for written, ours in self._names.items():
            text = text.replace(written, ours)
        return subprocess.run(
            ["/bin/sh", "-c", text],
            cwd=self._site.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def looked_for(stores: dict[str, Path]) -> dict[Path, str]:
    """Where Dataverse looks for each object that could be copied (facts 1.7, 2.9), and what its bytes must be."""
    found: dict[Path, str] = {}
    for row in datafile_rows(SEED):
        if row.file.status is Status.OK and row.store_id in stores:
            store, suffix = stores[row.store_id], ORIGINAL_SUFFIX if row.file.is_tabular else ""
            found[store / f"{row.path}{suffix}"] = sha256(row.registered_bytes)
            for tag, (key, content) in row.companions().items():
                found[store / (row.path if tag == TAB else key)] = sha256(content)
    for dataset in dataset_rows(SEED).values():
        found |= {stores[DEFAULT_STORE] / path: sha256(content) for path, content in dataset.logos().values()}
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_everything_is_lost_but_a_destination_and_the_page_brings_it_back(
    installation: Installation, ssh_server: SshServer, postgres: PostgresServer
) -> None:
    site, copies = installation, ssh_server.sandbox()
    site.back_up_over_ssh(ssh_server, copies, "DatabaseDump: yes")
    site.database = {"PgDump": str(postgres.program("pg_dump"))}
    assert site.run("backup").returncode == SOME_FILES_FAILED
    (dump,) = (copies / DATABASE_PREFIX).iterdir()
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    (named,) = generations([str(dump.relative_to(copies))])
    assert sha256(dump.read_bytes()) == named.digest

    lost = conninfo_to_dict(site.dsn)["dbname"]
    assert isinstance(lost, str)
    postgres.drop(lost)
    shutil.rmtree(site.folder / "dataverse")
    for path in site.folder.glob("ledger.db*"):
        path.unlink()

    administrator = Administrator(site, postgres.program("pg_restore").parent)
    codes, said = {}, {}
    for line in commands():
        answer = administrator.type(line)
        codes[line], said[line] = answer.returncode, answer.stdout + answer.stderr
        assert answer.returncode in (0, SOME_FILES_FAILED, DAMAGE), f"{line}\n{said[line]}"
    assert codes.pop("dataverse-backup backup") == SOME_FILES_FAILED
    assert codes.pop("dataverse-backup audit --stores") == DAMAGE
    assert set(codes.values()) == {0}, said

    wanted = looked_for(site.sample.stores)
    assert {path: sha256(path.read_bytes()) if path.is_file() else "" for path in wanted} == wanted
    assert len(wanted) == len(site.sample.with_status(Status.OK)) + len(site.sample.companions)
    judged = [json.loads(line) for line in administrator.type("dataverse-backup list --json").stdout.splitlines()]
    not_intact = {line["datafile_id"] for line in judged if line["primary_verdict"] not in (None, "intact")}
    spoilt = {one.datafile_id for one in site.sample.expected if one.status is Status.FAIL_READ}
    assert not_intact <= spoilt
    assert {line["datafile_id"] for line in judged if line["status"] == "OK"} == {
        *(one.datafile_id for one in site.sample.with_status(Status.OK)),
        *(logo.id for logo in site.sample.logos),
    }


def test_a_pg_dump_that_is_too_old_or_dies_is_told_and_the_files_are_copied(small: Small) -> None:
    site = small(small_files(1))
    program = site.folder / "pg_dump"
    site.database = {"PgDump": str(program)}
    site.back_up_to_folder("DatabaseDump: yes", "Workers: 1")
    write_program(program, "9.4.1", "exit 0")
    answer = site.run("check")
    assert answer.returncode == SOME_FILES_FAILED
    assert f"database dump: FAILED (pg_dump 9.4 ({program}) is older than the server" in unfolded(answer.stdout)
    assert "postgresql-client-" in answer.stdout
    write_program(program, "99.0", "echo PGDMP, and so on; kill -9 $$")
    answer = site.run("backup")
    assert answer.returncode == SOME_FILES_FAILED
    assert "pg_dump was ended by SIGKILL" in unfolded(answer.stderr)
    assert unequal_copies(site.sample, site.backup) == []
    assert not (site.backup / DATABASE_PREFIX).exists()
    told = site.status()
    assert (told["OK"], told["last_dump"]["is_ok"], told["last_good_dump"]) == (1, False, None)


def write_program(path: Path, version: str, body: str) -> None:
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) {version}" && exit\n{body}\n')
    path.chmod(0o755)


def unfolded(text: str) -> str:
    """*text* in one line: a terminal folds it."""
    return " ".join(text.split())
