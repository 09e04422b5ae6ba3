"""An audit of primaries, in memory; and every line of the truth table, played by audits of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dataverse_backup.actions.events import Ending
from dataverse_backup.allowance import Limits
from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import SourceUnavailable, SourceUnreadable
from dataverse_backup.fixity import Algorithm
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import Fault, MemoryStore
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, key_of
from tests.unit.audit_world import EVERYTHING, AuditWorld, backed_up
from tests.unit.memory_world import checksum_of
from tests.unit.test_verdicts import Line, lines

OTHER = Dataset("hdl:1902.1/7", "1902.1", "7")


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.examine.RETRY_DELAYS", (0.0,))


@pytest.fixture
def world() -> AuditWorld:
    return AuditWorld()


# Primaries


def test_primaries_are_compared_with_what_is_registered(world: AuditWorld) -> None:
    files = backed_up(world)
    world.store.objects[key_of(files[1])] = b"rotten"
    del world.store.objects[key_of(files[3])]
    found = world.audit_stores()
    assert found.verdicts == [(PRIMARY, 2, "primary-altered"), (PRIMARY, 4, "primary-missing")]
    assert (found.ended.ending, found.ended.intact) == (Ending.DAMAGE, 3)
    assert all(f"the copy at {HERE} is intact" in one.message for one in found.findings)
    assert {line.status for line in world.ledger.listed()} == {Status.OK}
    assert world.line(2).primary_verdict is Verdict.PRIMARY_ALTERED


def test_files_that_were_never_copied_are_looked_at_too(world: AuditWorld) -> None:
    world.has(1)
    world.has(2, checksum=None)
    found = world.audit_stores()
    assert found.verdicts == [(PRIMARY, 2, "no-reference")]
    assert found.ended.ending is Ending.FAILURES


def test_the_oldest_proof_of_a_primary_comes_first(world: AuditWorld) -> None:
    backed_up(world, 6)
    first = world.audit_stores(replace(EVERYTHING, limits=Limits(size=1)))
    assert (first.ended.intact, first.ended.ending) == (3, Ending.LIMIT)
    second = world.audit_stores(replace(EVERYTHING, every=timedelta(days=1)))
    assert second.ended.intact == 3
    assert world.audit_stores(replace(EVERYTHING, every=timedelta(days=1))).ended.intact == 0


def test_of_an_ingested_file_the_original_is_the_primary(world: AuditWorld) -> None:
    file = world.has(1, b"original", is_tabular=True)
    objects = world.store.objects
    objects[f"{key_of(file)}.orig"], objects[key_of(file)] = objects[key_of(file)], b"generated"
    assert world.audit_stores().findings == []
    del objects[f"{key_of(file)}.orig"]
    (missing,) = world.audit_stores().findings
    assert (missing.verdict, missing.key) == (Verdict.PRIMARY_MISSING, f"{key_of(file)}.orig")


def test_a_checksum_that_was_changed_over_good_bytes_is_suspect(world: AuditWorld) -> None:
    file = backed_up(world)[0]
    world.catalogue.rows_now[1] = replace(file, checksum=checksum_of(b"nobody's"))
    assert world.audit_stores().verdicts == [(PRIMARY, 1, "checksum-suspect")]
    world.run()  # notes it, and fails: the source differs
    found = world.audit()
    assert found.verdicts == [(HERE, 1, "checksum-suspect")]
    assert "was the registered checksum changed" in found.findings[0].message
    assert world.line(1).status is Status.FAIL_READ


def test_a_file_that_was_replaced_is_no_damage(world: AuditWorld) -> None:
    backed_up(world)
    world.has(1, b"new content")
    world.ledger.note(HERE, refreshed=[world.catalogue.rows_now[1]])  # type: ignore[list-item]
    assert world.audit().findings == []
    assert world.audit_stores().findings == []


def test_a_checksum_of_another_algorithm_is_no_damage(world: AuditWorld) -> None:
    file = backed_up(world)[0]
    world.catalogue.rows_now[1] = replace(file, checksum=checksum_of(b"data 1", Algorithm.SHA512))
    world.ledger.note(HERE, refreshed=[world.catalogue.rows_now[1]])  # type: ignore[list-item]
    assert world.audit().findings == []
    assert world.audit_stores().findings == []
    world.copies[key_of(file)] = b"rotten"
    assert world.audit().verdicts == [(HERE, 1, "copy-altered")]


def test_a_lost_store_is_no_verdict(world: AuditWorld) -> None:
    world.stores["s3"] = MemoryStore("s3", {"x": b"x"})
    world.has(1)
    world.has(2, store_id="s3", storageidentifier="s3://b:18b-2")
    world.stores["s3"].lost = True
    found = world.audit_stores()
    assert (found.findings, found.ended.intact, found.ended.ending) == ([], 1, Ending.FAILURES)
    assert list(found.ended.lost_stores) == ["s3"]


def test_a_store_that_nobody_described_is_told(world: AuditWorld) -> None:
    world.has(1)
    world.catalogue.rows_now[2] = replace(world.has(2), store_id="forgotten")
    found = world.audit_stores()
    assert (found.ended.unknown_stores, found.ended.ending) == ({"forgotten": 1}, Ending.FAILURES)


def test_what_is_no_longer_in_dataverse_is_forgotten(world: AuditWorld) -> None:
    backed_up(world, 4)
    world.audit_stores()
    del world.catalogue.rows_now[2]
    assert world.audit_stores().ended.intact == 3
    assert world.audit_stores().plan.amount.files == 3


def test_the_primaries_of_one_dataset_are_read(world: AuditWorld) -> None:
    world.has(1)
    world.has(2, dataset=OTHER)
    found = world.audit_stores(replace(EVERYTHING, dataset=OTHER.persistent_id))
    assert (found.plan.amount.files, found.ended.intact) == (1, 1)


# The whole truth table


def data_of(word: str) -> bytes | None:
    return None if word in ("missing", "unreadable", "unreachable", "none") else word.encode()


@pytest.mark.parametrize("line", lines(), ids=lambda line: ", ".join(line[:3]))
def test_a_line_of_the_truth_table_is_what_an_audit_finds(world: AuditWorld, line: Line) -> None:
    """The line is played, in as many ways as it has: by an audit of the copies, and by one of the primaries."""
    is_usable = line.registered == "usable" or (line.registered == "any" and line.copy != "as proven")
    file = world.has(1, b"as proven", checksum=checksum_of(b"as proven") if is_usable else None, size=None)
    key = key_of(file)
    if line.copy != "none":
        world.run()
    if is_usable and not (line.registered == "any" and line.copy == "as proven"):
        file = world.has(1, b"as registered", size=None)
        if line.copy == "as registered":
            world.run()  # then it is what was proven
        world.ledger.note(HERE, refreshed=[file])
    world.copies.pop(key, None)
    _lay(world.copies, key, line.copy, line.copy)
    if line.copy == "unreadable":
        world.destination.faults.refuses = {key}
    if line.copy == "unreachable":
        world.destination.faults.silent = {key}
    del world.store.objects[key]
    world.store.objects["neighbour"] = b"x"
    _lay(world.store.objects, key, line.primary, line.copy)
    faults = {"unreadable": SourceUnreadable, "unreachable": SourceUnavailable}
    if line.primary in faults:
        world.store.faults[key] = Fault(on_open=faults[line.primary])
    on_primary = next((one.verdict.value for one in world.audit_stores().findings), "intact")
    expected = line.on_primary
    if (line.copy, line.primary) == ("as registered", "as proven"):
        expected = "primary-altered"  # here the copy was proven as registered: nothing remembers what was before
    assert on_primary == expected
    if line.copy != "none":
        on_copy = [one.verdict.value for one in world.audit().findings if one.destination == HERE]
        assert on_copy == [each for each in [line.on_copy] if each != "intact"]


def _lay(objects: dict[str, bytes], key: str, word: str, copy: str) -> None:
    """Put there what *word* says."""
    if word in ("missing", "none"):
        return
    objects[key] = f"{copy} copy".encode() if word == "as the copy" else word.encode()
    if word == "other" and objects[key] == b"other":
        objects[key] = b"other copy" if objects.get(".dataverse-backup/identity") else b"another primary"
