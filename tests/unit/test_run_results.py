"""What a run came to, as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.actions.audit_events import AuditEnded
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.brake import pulled_by, vanishing
from dataverse_backup.cli.summary import result_of
from dataverse_backup.errors import DestinationLost, StoreLost
from dataverse_backup.ledger.dumps import DumpRecord
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import gather
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, NOON, datafile
from tests.contract.test_ledger_dumps import dump
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from dataverse_backup.notify.base import Message


def test_whatever_makes_a_run_not_well_is_told_with_what_to_do() -> None:
    world = World()
    world.catalogue.rows_now[1] = datafile(1, store_id="forgotten")
    with world.plan() as plan:
        ended = Ended(HERE, Ending.FAILURES, plan, lost=DestinationLost("the server went away"), unconfirmed=7)
        ended.lost_stores["file"] = StoreLost("its folder is empty")
        result = result_of(ended)
    assert [str(trouble) for trouble in result.troubles] == [
        "the server went away",
        "its folder is empty",
        "store forgotten: 1 datafiles are in it, and the configuration does not know it",
        "7 failures are not recorded: their rows could not be read again",
    ]
    message = compose(gather(world.ledger, [result], "h"), is_attached=True)
    for form in (message.text, message.html):
        assert "[Store forgotten]" in form
        assert "dataverse-backup check" in form
        assert "nothing: every file" not in form


def test_a_pulled_brake_is_told_with_what_to_do() -> None:
    ended = Ended(HERE, Ending.BRAKE, brake=pulled_by([vanishing("file", 120, 200, [])]))
    message = compose(gather(MemoryLedger(), [result_of(ended)], "h"), is_attached=True)
    assert message.subject.startswith("Dataverse backup STOPPED BY THE BRAKE: ")
    for form in (message.text, message.html):
        assert "120 of the 200 datafiles that the ledger knows are gone from the Dataverse database (60 %)" in form
        assert "dataverse-backup backup --release-brake" in form
        assert "\\n" not in form


def told(ended: Ended | AuditEnded) -> Message:
    return compose(gather(MemoryLedger(), [result_of(ended)], "h"), is_attached=True)


def test_a_dump_that_is_kept_is_told_in_every_form() -> None:
    ledger = MemoryLedger()
    record = ledger.end_run(ledger.begin_run("backup", HERE), "ok")
    message = told(Ended(HERE, Ending.OK, record=record, dump=dump(3)))
    for form in (message.text, message.html):
        assert "database: dumped 2026-01-05 12:00 UTC, 5 B, proven by remote-hash; 4 dumps there" in form


def test_a_dump_that_failed_is_in_the_subject_and_told_with_what_to_do() -> None:
    failed = DumpRecord(HERE, NOON, None, "pg_dump 9.4 is older than the server", "install postgresql-client-15")
    message = told(Ended(HERE, Ending.FAILURES, dump=failed))
    assert message.subject == "Dataverse backup FAILED: 0 files backed up, 0 failed, the database was not dumped (h)"
    for form in (message.text, message.html):
        assert "the database was not dumped: pg_dump 9.4 is older than the server" in form
        assert "install postgresql-client-15" in form


def test_a_dump_that_an_audit_finds_damaged_is_told_as_damage() -> None:
    ledger = MemoryLedger()
    record = ledger.end_run(ledger.begin_run("audit", HERE), "damage")
    ended = AuditEnded(HERE, Ending.DAMAGE, record, bad_dumps=[("the key of it", Verdict.COPY_ALTERED)])
    message = told(ended)
    assert message.subject.startswith("Dataverse audit DAMAGE FOUND: 0 files intact, 0 not, 1 of the database's dumps")
    for form in (message.text, message.html):
        assert "a dump of the database is copy-altered, and the next backup makes another: the key of it" in form
        assert "restore --database-dump --dry-run" in form
        assert "dataverse-backup repair" not in form
