"""The installed command on the sample Dataverse, with a folder as destination."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.sql import open_ledger
from demo.proof import differences, stamps
from tests.acceptance.freezing import frozen, some_copy_in
from tests.acceptance.small import small_files, unequal_copies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation
    from tests.servers.postgresql import PostgresServer

SOME_FAILED = 3


def test_a_first_run_copies_and_proves_everything_and_a_second_one_copies_nothing(installation: Installation) -> None:
    assert installation.run("backup").returncode == SOME_FAILED
    assert differences(installation.sample, installation.listed_with_companions(), installation.backup) == []
    before = stamps(installation.backup)
    assert installation.run("backup", "--rerun").returncode == SOME_FAILED
    assert stamps(installation.backup) == before


def test_status_counts_what_list_lists(installation: Installation) -> None:
    installation.run("backup")
    status, listed = installation.status(), installation.listed()
    assert {s: status[s] for s in Status} == {s: sum(line["status"] == s for line in listed) for s in Status}
    assert status["bytes"] == sum(line["size"] for line in listed if line["status"] == "OK")
    assert status["reasons"]["source-differs"] == 2
    assert status["last_run"]["outcome"] == "failures"


def test_a_dry_run_writes_nothing_and_says_how_much_there_is(installation: Installation) -> None:
    answer = installation.run("backup", "--dry-run")
    assert answer.returncode == 0
    assert "295 files" in answer.stdout
    assert list(installation.backup.iterdir()) == []
    assert installation.listed() == []


def test_a_limit_copies_so_many_and_the_rest_is_pending(installation: Installation) -> None:
    assert installation.run("backup", "--limit", "20").returncode == 0
    status = installation.status()
    assert status["OK"] == 20
    assert status["PENDING"] == 275


def test_a_run_that_reaches_its_limit_ends_well_with_a_code_of_its_own(installation: Installation) -> None:
    installation.destination = (
        f"StorageType: filesystem\nDirectory: {installation.backup}\nWorkers: 1\nBatchFiles: 10\nMaxBytes: 1"
    )
    answer = installation.run("backup")
    assert answer.returncode == 12
    said = re.search(r"default: limit; this run: (\d+) copied or proven and (\d+) beside them, 0 failed", answer.stdout)
    assert said is not None, answer.stdout
    assert int(said[1]) + int(said[2]) == 10
    left = 295 + len(installation.sample.companions) - 10
    assert f"MaxBytes reached: {left} files" in answer.stdout
    assert installation.run("backup", "--max-duration", "6 weeks").returncode == 2
    assert installation.run("backup", "--max-bytes", "1T", "--quiet").returncode == SOME_FAILED
    assert installation.status()["PENDING"] == 0


def test_a_destination_whose_folder_is_missing_records_nothing(installation: Installation) -> None:
    installation.backup.rmdir()
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "mkdir" in answer.stderr
    assert not installation.backup.exists()
    assert installation.listed() == []


def test_a_destination_whose_disk_is_not_mounted_any_more_is_refused(installation: Installation) -> None:
    installation.run("backup", "--limit", "5")
    copies = len(installation.listed_with_companions("--status", "OK"))
    shutil.rmtree(installation.backup)
    installation.backup.mkdir()
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "dataverse-backup accept default" in answer.stderr
    assert list(installation.backup.iterdir()) == []
    accepted = installation.run("accept", "default")
    assert accepted.returncode == 0
    assert f"the next backup proves {copies} copies" in accepted.stdout
    assert installation.run("backup").returncode == SOME_FAILED
    copied = [str(line["key"]) for line in installation.listed() if line["status"] == "OK"]
    assert len(copied) > 200
    assert [key for key in copied if not (installation.backup / key).is_file()] == []


def test_another_ledgers_destination_is_refused(installation: Installation) -> None:
    installation.run("backup", "--limit", "5")
    (installation.folder / "ledger.db").unlink()
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "another ledger" in answer.stderr


def test_a_store_that_is_not_mounted_makes_no_file_missing(installation: Installation) -> None:
    store = installation.sample.stores["local"]
    store.rename(store.with_name("away"))
    store.mkdir()
    assert installation.run("backup").returncode == SOME_FAILED
    assert not [line for line in installation.listed() if line["store"] == "local" and line["status"] != "PENDING"]
    store.rmdir()
    store.with_name("away").rename(store)
    assert installation.run("backup").returncode == SOME_FAILED
    # Keys that two stores give belong to whom came first, so keys may be others than in one go; statuses may not.
    expected = {e.datafile_id: e.status for e in installation.sample.expected}
    assert {line["datafile_id"]: line["status"] for line in installation.listed()} == expected


def test_a_store_that_the_configuration_does_not_know_is_loud(installation: Installation) -> None:
    config = installation.configure()
    text = config.read_text()
    start = text.index("[Store local]")
    end = text.index("[Store trsa]")
    config.write_text(text[:start] + text[end:])
    installation.configure = lambda: config  # type: ignore[method-assign]  # this one configuration, as it is now
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED
    assert "[Store local]" in answer.stderr
    assert installation.status()["reasons"]["store-unknown"] > 0
    assert installation.run("check").returncode != 0


def test_changed_content_is_copied_and_the_former_copy_is_kept(installation: Installation) -> None:
    installation.run("backup")
    copied = (e for e in installation.sample.expected if e.status is Status.OK and e.reason is None and e.key)
    line = next(e for e in copied if not e.companions)
    assert line.key is not None
    kept = (installation.backup / line.key).read_bytes()
    source = next(p for root in installation.sample.stores.values() if (p := root / line.key).is_file())
    source.write_bytes(b"other bytes")
    with psycopg.connect(installation.dsn) as connection:
        connection.execute(
            "UPDATE datafile SET checksumtype = 'MD5', checksumvalue = md5('other bytes'), filesize = 11 WHERE id = %s",
            (line.datafile_id,),
        )
    installation.run("backup")
    (listed,) = [found for found in installation.listed() if found["datafile_id"] == line.datafile_id]
    assert (listed["status"], listed["reason"]) == ("OK", "content-changed")
    assert (installation.backup / line.key).read_bytes() == b"other bytes"
    (aside,) = [p for p in (installation.backup / ".superseded").rglob("*") if p.is_file()]
    assert aside.read_bytes() == kept


def test_a_datafile_that_left_the_catalogue_is_gone_and_its_copy_stays(installation: Installation) -> None:
    installation.run("backup")
    line = next(e for e in installation.sample.expected if e.status is Status.OK and e.key)
    with psycopg.connect(installation.dsn) as connection:
        for table, column in (("datatable", "datafile_id"), ("filemetadata", "datafile_id"), ("datafile", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = {line.datafile_id}".encode())
        connection.execute("DELETE FROM dvobject WHERE id = %s", (line.datafile_id,))
    installation.run("backup")
    assert [gone["datafile_id"] for gone in installation.listed("--status", "GONE")] == [line.datafile_id]
    assert (installation.backup / str(line.key)).exists()


def test_a_run_that_was_killed_is_made_good_by_the_next(installation: Installation) -> None:
    for seconds in (0.8, 1.2, 1.6):
        run = installation.start("backup")
        time.sleep(seconds)
        run.kill()
        run.communicate(timeout=30)
    assert installation.run("backup").returncode == SOME_FAILED
    assert differences(installation.sample, installation.listed_with_companions(), installation.backup) == []


def test_an_interrupted_run_says_so_and_loses_nothing(installation: Installation) -> None:
    run = installation.start("backup")
    identity = installation.backup / ".dataverse-backup" / "identity"
    while not identity.exists() and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=60)
    assert run.returncode in (130, SOME_FAILED), output  # it may have been done already
    assert installation.run("backup").returncode == SOME_FAILED
    assert differences(installation.sample, installation.listed_with_companions(), installation.backup) == []


def test_the_ledger_can_live_in_postgresql(installation: Installation, postgres: PostgresServer) -> None:
    installation.database["BackupDatabase"] = "backupdb"
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "createdb" in answer.stderr
    postgres.create_database("backupdb")
    try:
        assert installation.run("backup").returncode == SOME_FAILED
        assert differences(installation.sample, installation.listed_with_companions(), installation.backup) == []
        with psycopg.connect(postgres.dsn("backupdb")) as connection:
            rows = connection.execute("SELECT DISTINCT status FROM datafilestatus WHERE status IS NOT NULL").fetchall()
        assert {row[0] for row in rows} == {"OK", "FAIL_READ"}
    finally:
        postgres.drop("backupdb")


def test_a_database_that_does_not_answer_is_said_in_words(installation: Installation) -> None:
    installation.dsn = "host=127.0.0.1 port=1 dbname=dvndb user=dvnapp password=secret-word"
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "127.0.0.1" in answer.stderr
    assert "secret-word" not in answer.stderr + answer.stdout


def test_a_mistake_in_the_configuration_ends_with_2_and_its_line(installation: Installation) -> None:
    installation.extra = "[Backup second]\nStorageTyp: filesystem"
    answer = installation.run("config", "validate")
    assert answer.returncode == 2
    assert "StorageType" in answer.stderr
    assert "line " in answer.stderr


def test_check_says_of_each_thing_that_it_is_ok(installation: Installation) -> None:
    answer = installation.run("check")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert all(": OK" in line for line in answer.stdout.splitlines())
    assert not [
        p for p in (installation.backup / ".dataverse-backup").rglob("*") if p.is_file() and p.name != "identity"
    ]


@pytest.mark.parametrize("command", [["status"], ["list"], ["list", "--csv"]])
def test_a_ledger_answers_when_dataverse_is_gone(installation: Installation, command: list[str]) -> None:
    installation.run("backup", "--limit", "3")
    installation.dsn = "host=127.0.0.1 port=1 dbname=dvndb user=dvnapp"
    answer = installation.run(*command)
    assert answer.returncode == 0
    assert "OK" in answer.stdout


def test_two_destinations_each_have_their_own_status(installation: Installation) -> None:
    second = installation.folder / "second"
    second.mkdir()
    installation.extra = f"[Backup second]\nStorageType: filesystem\nDirectory: {second}"
    installation.run("backup")
    answer = json.loads(installation.run("status", "--json").stdout)
    assert answer["destinations"]["default"]["OK"] == answer["destinations"]["second"]["OK"] == 292
    assert answer["catalogue"]["datafiles"] == 303


def test_the_table_of_the_original_script_is_taken_over_and_nothing_is_copied_again(
    installation: Installation, postgres: PostgresServer
) -> None:
    installation.run("backup")
    shutil.rmtree(installation.backup / ".dataverse-backup")  # as the original script left such a folder
    known = [line for line in installation.listed("--status", "OK") if line["key"].count("/") == 3]
    installation.database["BackupDatabase"] = "originaldb"
    postgres.create_database("originaldb")
    try:
        with psycopg.connect(postgres.dsn("originaldb")) as connection:
            connection.execute("""
                CREATE TABLE datafilestatus (id serial PRIMARY KEY, datasetidentifier varchar(255),
                    storageidentifier varchar(255) UNIQUE, status varchar(16), createdate timestamp,
                    lastbackuptime timestamp, lastbackupmethod varchar(16))""")
            for line in known:
                connection.execute(
                    "INSERT INTO datafilestatus (datasetidentifier, storageidentifier, status, lastbackuptime)"
                    " VALUES (%s, %s, 'OK', now()) ON CONFLICT DO NOTHING",
                    (line["key"].rpartition("/")[0], line["storageidentifier"]),
                )
        before = stamps(installation.backup)
        assert installation.run("backup").returncode == SOME_FAILED
        assert stamps(installation.backup) == before
        assert differences(installation.sample, installation.listed_with_companions(), installation.backup) == []
        assert {line["verified_by"] for line in installation.listed("--status", "OK")} == {"adopted"}
        assert "original script's table" in installation.run("status").stdout
    finally:
        postgres.drop("originaldb")


def test_a_second_run_says_who_holds_the_lock_and_since_when(installation: Installation) -> None:
    installation.run("backup", "--limit", "1")
    with open_ledger(f"sqlite:///{installation.folder / 'ledger.db'}") as ledger, ledger.lock("default"):
        answer = installation.run("backup")
    assert answer.returncode == 11
    assert f"process {os.getpid()}" in answer.stderr
    assert "since" in answer.stderr
    assert installation.run("backup").returncode == SOME_FAILED


def test_a_worker_that_is_killed_costs_nothing_but_time(small: Small) -> None:
    installation = small(small_files(60, size=100_000))
    installation.back_up_to_folder("Workers: 2", "BatchFiles: 5", "BandwidthLimit: 2M")
    run = installation.start("backup")
    with frozen(run, some_copy_in(installation.backup)):
        os.kill(next(workers_of(run.pid)), signal.SIGKILL)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert "a worker process died (SIGKILL); what it worked on is tried again, alone" in output
    assert unequal_copies(installation.sample, installation.backup) == []
    assert installation.status()["OK"] == 60


def workers_of(pid: int) -> Iterator[int]:
    """The worker processes of the run *pid*: what the fork server has made that it has started."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            _, parent, *_ = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(parent)
    return (child for child, parent in parents.items() if parents.get(parent) == pid)
