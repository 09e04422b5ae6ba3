"""An audit of copies, in memory: what is found, what is recorded, how it ends, who does the work."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataverse_backup.actions.audit import audit
from dataverse_backup.actions.audit_events import AuditEnded, AuditRequest, Looked
from dataverse_backup.actions.events import Ending
from dataverse_backup.allowance import Limit, Limits
from dataverse_backup.bandwidth import Timetable
from dataverse_backup.config.values import size_from
from dataverse_backup.datafile import Dataset
from dataverse_backup.engine import Stop
from dataverse_backup.errors import CatalogueUnavailable, Reason
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.verdict import Verdict
from dataverse_backup.workers import processes
from tests.contract.ledger_cases import HERE, key_of, succeeded
from tests.unit.audit_world import EVERYTHING, AuditWorld, backed_up

OTHER = Dataset("hdl:1902.1/7", "1902.1", "7")


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.examine.RETRY_DELAYS", (0.0,))


@pytest.fixture
def world() -> AuditWorld:
    return AuditWorld()


def old(world: AuditWorld, number: int, days: float) -> None:
    """Datafile *number*'s copy was proven so long ago."""
    (kept,) = world.ledger.kept(datafile_id=number)
    when = datetime.now(UTC) - timedelta(days=days)
    attempt = succeeded(kept.datafile, copy=replace(kept.copy, proven=when), key=kept.copy.key)
    world.ledger.record(world.ledger.begin_run("backup", HERE), [attempt])


# Copies


def test_what_is_intact_is_counted_and_proven_anew(world: AuditWorld) -> None:
    backed_up(world)
    before = world.line(1).proven
    found = world.audit()
    assert (found.findings, found.ended.ending, found.ended.intact) == ([], Ending.OK, 5)
    assert found.plan.amount.files == 5
    after = world.line(1).proven
    assert before is not None
    assert after is not None
    assert after > before
    assert found.ended.record is not None
    assert (found.ended.record.verb, found.ended.record.outcome) == ("audit", "ok")
    assert found.ended.record.bytes_read == 5 * len(b"data 1")


DAMAGES = {"missing": None, "one bit": b"dAta 3", "another's": b"data 2", "truncated": b"data", "empty": b""}
LISTED = ("missing", "truncated", "empty")
"""What a listing can see."""


@pytest.mark.parametrize(
    ("damage", "is_listing"),
    [(damage, False) for damage in DAMAGES] + [(damage, True) for damage in LISTED],
)
def test_a_damaged_copy_is_found_alone_and_the_next_backup_makes_it_good(
    world: AuditWorld, damage: str, *, is_listing: bool
) -> None:
    data = DAMAGES[damage]
    verdict = Verdict.COPY_MISSING if data is None else Verdict.COPY_ALTERED
    reason = Reason.COPY_MISSING if data is None else Reason.COPY_DIFFERS
    files = backed_up(world)
    key = key_of(files[2])
    del world.copies[key]
    if data is not None:
        world.copies[key] = data
    found = world.audit(replace(EVERYTHING, is_listing=is_listing))
    assert found.verdicts == [(HERE, 3, verdict)]
    assert (found.ended.ending, found.ended.damaged, found.ended.intact) == (Ending.DAMAGE, 1, 4)
    assert "the primary is intact" in found.findings[0].message
    line = world.line(3)
    assert (line.status, line.reason, line.verdict) == (Status.FAIL_WRITE, reason, verdict)
    world.run()
    assert world.copies[key] == b"data 3"
    assert (world.line(3).status, world.line(3).verdict) == (Status.OK, None)
    aside = [lying for name, lying in world.copies.items() if name.startswith(f".superseded/{key}/")]
    assert aside == ([] if data is None else [data])
    assert world.audit().findings == []


def test_two_objects_that_were_swapped_are_both_found(world: AuditWorld) -> None:
    one, two = map(key_of, backed_up(world)[:2])
    world.copies[one], world.copies[two] = world.copies[two], world.copies[one]
    assert world.audit().verdicts == [(HERE, 1, "copy-altered"), (HERE, 2, "copy-altered")]


def test_a_listing_proves_nothing_and_is_called_one(world: AuditWorld) -> None:
    backed_up(world)
    old(world, 1, 90)
    before = world.line(1).proven
    found = world.audit(replace(EVERYTHING, is_listing=True))
    assert (found.ended.intact, world.line(1).proven) == (5, before)
    assert found.ended.record is not None
    assert (found.ended.record.verb, found.ended.record.bytes_read) == ("listing", 0)


def test_only_what_was_not_proven_for_long_is_read(world: AuditWorld) -> None:
    backed_up(world)
    old(world, 2, 31)
    old(world, 3, 29)
    found = world.audit(replace(EVERYTHING, every=timedelta(days=30)))
    assert found.ended.intact == 1
    promise = found.ended.promise
    assert promise is not None
    assert promise.is_kept
    assert promise.due.files == 0


def test_a_proof_from_a_clock_that_was_ahead_counts_as_none(world: AuditWorld) -> None:
    backed_up(world)
    old(world, 4, -30)
    assert world.audit(replace(EVERYTHING, every=timedelta(days=30))).ended.intact == 1
    assert world.audit(replace(EVERYTHING, every=timedelta(days=30))).ended.intact == 0


def test_one_dataset_is_read(world: AuditWorld) -> None:
    world.has(1)
    world.has(2, dataset=OTHER)
    world.run()
    assert world.audit(replace(EVERYTHING, dataset=OTHER.persistent_id)).ended.intact == 1


def test_a_share_is_chosen_by_chance(world: AuditWorld) -> None:
    backed_up(world, 200)
    found = world.audit(replace(EVERYTHING, share=0.1))
    assert 1 <= found.ended.intact <= 60
    assert found.plan.amount.files == 20


def test_what_is_left_at_a_limit_comes_first_the_next_time(world: AuditWorld) -> None:
    backed_up(world, 7)
    for number in range(1, 8):
        old(world, number, 100 - number)
    half = replace(EVERYTHING, limits=Limits(size=4 * len(b"data 1")))
    found = world.audit(half)
    assert (found.ended.ending, found.ended.limit, found.ended.intact) == (Ending.LIMIT, Limit.BYTES, 6)
    del world.copies[key_of(world.has(7, b"data 7"))]
    assert world.audit(half).verdicts == [(HERE, 7, "copy-missing")]
    found = world.audit(replace(EVERYTHING, limits=Limits(seconds=0)))
    assert (found.ended.ending, found.ended.limit, found.ended.intact) == (Ending.LIMIT, Limit.DURATION, 0)


def test_a_promise_that_cannot_be_kept_is_told_with_numbers(world: AuditWorld) -> None:
    backed_up(world, 9)
    for number in range(1, 10):
        old(world, number, 100)
    request = AuditRequest(Limits(size=10), every=timedelta(days=3))
    promise = world.audit(request).ended.promise
    assert promise is not None
    assert not promise.is_kept
    said = str(promise)
    assert "9 files, 54 B, 18 B a day" in said
    assert said.startswith("everything proven every 3 d: ")
    assert "by --max-bytes one run a day proves 10 B, which takes 5 d 9 h for all: the promise cannot be kept" in said
    assert re.search(r"6 files, 36 B are overdue$", said)


def test_what_is_gone_is_judged_by_what_it_was(world: AuditWorld) -> None:
    files = backed_up(world)
    del world.catalogue.rows_now[3], world.catalogue.rows_now[4]
    del world.copies[key_of(files[2])]
    found = world.audit()
    assert found.verdicts == [(HERE, 3, "copy-missing")]
    assert "no longer in Dataverse" in found.findings[0].message
    assert (world.line(3).status, world.line(3).verdict) == (Status.GONE, Verdict.COPY_MISSING)


def test_without_its_database_copies_are_judged_and_no_primary(
    world: AuditWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = backed_up(world)
    del world.copies[key_of(files[0])], world.store.objects[key_of(files[0])]

    def down(_: object) -> None:
        raise CatalogueUnavailable("nobody answers")

    monkeypatch.setattr(world.catalogue, "read", down)
    assert world.audit().verdicts == [(HERE, 1, "copy-missing")]
    monkeypatch.undo()
    monkeypatch.setattr("dataverse_backup.examine.RETRY_DELAYS", ())
    assert world.audit().verdicts == [(PRIMARY, 1, "primary-missing"), (HERE, 1, "copy-missing")]


def test_a_row_that_changes_while_it_is_looked_at_decides_nothing(
    world: AuditWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backed_up(world)[1]
    world.copies[key_of(file)] = b"other"
    opening = MemoryStore.open

    def meanwhile(store: MemoryStore, name: str) -> Any:
        world.catalogue.rows_now[2] = replace(file, label="renamed")
        return opening(store, name)

    monkeypatch.setattr(MemoryStore, "open", meanwhile)
    found = world.audit()
    assert (found.findings, found.ended.undecided, found.ended.ending) == ([], 1, Ending.FAILURES)


def test_a_copy_that_is_replaced_during_the_audit_is_judged_as_it_is_then(
    world: AuditWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backed_up(world)[1]
    world.copies[key_of(file)] = b"rotten"
    reading = world.catalogue.read

    def repaired(ids: Any) -> Any:
        world.copies[key_of(file)] = b"data 2"
        return reading(ids)

    monkeypatch.setattr(world.catalogue, "read", repaired)
    found = world.audit()
    assert (found.findings, found.ended.intact, found.ended.ending) == ([], 5, Ending.OK)


def test_a_destination_that_is_lost_at_the_start_is_no_verdict(world: AuditWorld) -> None:
    backed_up(world)
    world.destination.faults.down_after = 0
    found = world.audit()
    assert (found.ended.ending, found.ended.verdicts) == (Ending.LOST, {})


def test_a_disk_that_is_unmounted_in_the_middle_is_no_verdict(
    world: AuditWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(world)
    taking = world.destination.read_identity
    asked = []

    def unmounted() -> str | None:
        asked.append(taking())
        if len(asked) == 2:  # the run has begun, and its worker has connected
            world.copies.clear()
        return asked[-1]

    monkeypatch.setattr(world.destination, "read_identity", unmounted)
    found = world.audit()
    assert found.findings == []
    assert (found.ended.ending, found.ended.intact) == (Ending.FAILURES, 0)
    assert "mounted" in str(found.ended.lost)
    assert world.line(1).status is Status.OK


def test_what_is_unreachable_or_unreadable_changes_no_status(world: AuditWorld) -> None:
    one, two, *_ = map(key_of, backed_up(world))
    world.destination.faults.silent, world.destination.faults.refuses = {one}, {two}
    found = world.audit()
    assert found.verdicts == [(HERE, 1, "unreachable"), (HERE, 2, "unreadable")]
    assert (found.ended.ending, found.ended.intact) == (Ending.FAILURES, 3)
    assert [(line.status, line.verdict) for line in world.ledger.listed()][:2] == [
        (Status.OK, Verdict.UNREACHABLE),
        (Status.OK, Verdict.UNREADABLE),
    ]


def test_beside_a_backup_nothing_is_looked_at(world: AuditWorld) -> None:
    backed_up(world)
    with world.ledger.lock(HERE):
        found = world.audit()
    assert (found.ended.ending, found.ended.verdicts, found.ended.record) == (Ending.BUSY, {}, None)


def test_a_stop_ends_it_and_what_was_seen_is_kept(world: AuditWorld) -> None:
    backed_up(world, 30)
    ended = None
    for event in world.begun():
        if isinstance(event, Looked):
            world.stop.set()
        if isinstance(event, AuditEnded):
            ended = event
    assert ended is not None
    assert ended.ending is Ending.INTERRUPTED
    assert 0 < ended.intact < 30
    assert ended.record is not None
    assert ended.record.outcome == "interrupted"


def test_where_nothing_was_copied_nothing_is_looked_at() -> None:
    world = AuditWorld()
    world.ledger._destinations.clear()
    world.destination.objects.clear()
    found = world.audit()
    assert (found.ended.ending, found.plan.amount.files, world.copies) == (Ending.OK, 0, {})


def test_several_destinations_are_looked_at_in_the_order_of_their_names(world: AuditWorld) -> None:
    sites = [replace(world.site, name=name) for name in ("b", "a")]
    events = audit(world.installation, sites, EVERYTHING, world.stop)
    assert [event.place for event in events if isinstance(event, AuditEnded)] == ["a", "b"]


# Who does the work


def test_for_little_work_no_process_is_started_and_every_connection_is_given_back(
    world: AuditWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(world)
    closed = []
    monkeypatch.setattr(world.destination, "close", lambda: closed.append(1))
    site = replace(world.site, open_workers=processes)
    events = list(audit(world.installation, [site], EVERYTHING, world.stop))
    (ended,) = (event for event in events if isinstance(event, AuditEnded))
    assert ended.intact == 5
    assert len(closed) == 1  # the run's own connection, which its worker took over


def test_for_much_work_there_are_the_workers_of_the_site(world: AuditWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    backed_up(world)
    monkeypatch.setattr("dataverse_backup.actions.audit_workers.LITTLE_FILES", 4)
    site = replace(world.site, open_workers=processes)
    with pytest.raises(AttributeError, match="pickle"):  # what is in memory cannot be seen by another process
        list(audit(world.installation, [site], EVERYTHING, world.stop))


def test_what_is_read_back_is_held_to_the_bandwidth_of_its_destination() -> None:
    world = AuditWorld()
    for number in range(1, 6):
        world.has(number, b"0123456789" * 1_000)
    world.run()
    slow = replace(world.site, bandwidth=Timetable.parse("100K", size_from))
    began = time.monotonic()
    events = list(audit(world.installation, [slow], EVERYTHING, Stop()))
    assert time.monotonic() - began > 0.35  # 50,000 bytes, but for a tenth of a second that are let through at once
    assert [event.intact for event in events if isinstance(event, AuditEnded)] == [5]
