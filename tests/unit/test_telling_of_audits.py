"""What people, pages and machines are told of an audit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.report import gather as gather_report
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.report_object import report_object
from dataverse_backup.cli.summary import result_of
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.notify import prometheus
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import gather
from dataverse_backup.pages import write_pages
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, key_of
from tests.unit.audit_world import EVERYTHING, AuditWorld, backed_up

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.notify.base import Message
    from tests.unit.audit_world import Found

HOSTILE = "<img src=x onerror=alert(1)>\r\nBcc: eve@example.edu"


@pytest.fixture
def world() -> AuditWorld:
    """Three datafiles, a copy of which is altered."""
    made = AuditWorld()
    files = backed_up(made, 3, label=HOSTILE)
    made.copies[key_of(files[1])] = b"rotten"
    return made


def message_of(world: AuditWorld, found: Found) -> Message:
    return compose(gather(world.ledger, [result_of(found.ended)], "archive1"), is_attached=True)


def test_damage_comes_first_in_the_subject_and_is_named_in_the_mail(world: AuditWorld) -> None:
    message = message_of(world, world.audit())
    assert message.subject == "Dataverse audit DAMAGE FOUND: 2 files intact, 1 not (archive1)"
    assert "Not intact: 1 file" in message.text
    assert "copy-altered: datafile 2" in message.text
    assert "repair" in message.text
    assert "2 intact, 1 copy-altered" in message.text
    assert "\nBcc:" not in message.text
    assert message.html is not None
    assert "copy-altered" in message.html
    assert "<img" not in message.html


def test_an_audit_that_is_well_says_so(world: AuditWorld) -> None:
    world.copies[key_of(world.has(2, b"data 2", label=HOSTILE))] = b"data 2"
    summary = gather(world.ledger, [result_of(world.audit().ended)], "archive1")
    assert summary.is_well
    assert compose(summary, is_attached=True).subject == "Dataverse audit OK: 3 files intact, 0 not (archive1)"


def test_the_same_damage_again_is_no_change(world: AuditWorld) -> None:
    first, second = world.audit(), world.audit()
    assert gather(world.ledger, [result_of(first.ended)], "h").has_changed
    assert not gather(world.ledger, [result_of(second.ended)], "h").has_changed


def test_the_primary_storage_is_called_so(world: AuditWorld) -> None:
    del world.store.objects[key_of(world.has(3, b"data 3"))]
    message = message_of(world, world.audit_stores())
    assert "primary storage: damage; 2 intact, 1 primary-missing" in message.text
    assert "repair --stores" in message.text


def test_damage_is_the_exit_code_whatever_else_happened(world: AuditWorld) -> None:
    damage = world.audit().ended
    with world.ledger.lock(HERE):
        busy = world.audit().ended
    assert code_of([damage, busy]) is ExitCode.DAMAGE
    assert code_of([busy]) is ExitCode.BUSY
    world.stop.set()
    assert code_of([world.audit().ended]) is ExitCode.INTERRUPTED
    assert code_of([world.audit().ended, damage]) is ExitCode.DAMAGE
    assert code_of([]) is ExitCode.OK


def test_the_report_knows_what_audits_found(world: AuditWorld, tmp_path: Path) -> None:
    run = world.audit().ended.record
    del world.store.objects[key_of(world.has(3, b"data 3"))]
    world.audit_stores()
    report = gather_report(world.ledger, [HERE])
    assert [(found.destination, found.verdict, found.files) for found in report.damage] == [
        (PRIMARY, Verdict.PRIMARY_MISSING, 1),
        (HERE, Verdict.COPY_ALTERED, 1),
    ]
    assert report.lost_primaries == 1
    (place,) = report.places
    assert place.last_audit == run
    told = json.loads(json.dumps(report_object(report)))
    assert [each["verdict"] for each in told["damage"]] == ["primary-missing", "copy-altered"]
    write_pages(report, world.ledger, tmp_path)
    index = (tmp_path / "index.html").read_text()
    assert "1 file is missing or altered in Dataverse itself" in index
    assert "What audits found" in index
    assert run is not None
    page = (tmp_path / "runs" / f"{run.id}.html").read_text()
    assert "2 intact, 1 not" in page
    assert "copy-altered" in page
    assert "<img src=x" not in page


def test_figures_tell_of_audits_without_a_label_for_each_file(world: AuditWorld, tmp_path: Path) -> None:
    world.audit()
    prometheus.write(tmp_path / "x.prom", world.ledger, [HERE])
    lines = (tmp_path / "x.prom").read_text().splitlines()
    named = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert named[f'dataverse_backup_not_intact_files{{destination="{HERE}",verdict="copy-altered"}}'] == "1.0"
    assert named['dataverse_backup_not_intact_files{destination="",verdict="primary-missing"}'] == "0.0"
    assert float(named[f'dataverse_backup_last_audit_timestamp_seconds{{destination="{HERE}"}}']) > 0
    assert named['dataverse_backup_last_audit_timestamp_seconds{destination=""}'] == "0.0"


def test_a_listing_is_called_what_it_is(world: AuditWorld) -> None:

    message = message_of(world, world.audit(replace(EVERYTHING, is_listing=True)))
    assert "only listed, which proves nothing" in message.text
