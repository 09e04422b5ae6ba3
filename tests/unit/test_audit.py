"""An audit of copies and of primaries, in memory: what is found, what is recorded, how it ends."""

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
from dataverse_backup.actions.promise import Promise, measured_speed
from dataverse_backup.allowance import NO_LIMITS, Limit, Limits
from dataverse_backup.bandwidth import Timetable
from dataverse_backup.config.values import share_from, size_from
from dataverse_backup.datafile import Dataset
from dataverse_backup.engine import Stop
from dataverse_backup.errors import CatalogueUnavailable, Reason, SourceUnavailable, SourceUnreadable
from dataverse_backup.fixity import Algorithm
from dataverse_backup.ledger.audits import PRIMARY, Amount
from dataverse_backup.ledger.base import RunRecord, Status
from dataverse_backup.stores.memory import Fault, MemoryStore
from dataverse_backup.verdict import Verdict
from dataverse_backup.workers import processes
from tests.contract.ledger_cases import HERE, NOON, key_of, succeeded
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


# What is promised


@pytest.mark.parametrize(
    ("limits", "speed", "is_kept"),
    [
        (NO_LIMITS, None, True),
        (NO_LIMITS, 1.0, False),
        (NO_LIMITS, 1e6, True),
        (Limits(size=10 << 30), None, True),
        (Limits(size=1 << 30), None, False),
        (Limits(seconds=3600), None, True),
        (Limits(seconds=3600), 1e5, False),
        (Limits(seconds=3600), 1e7, True),
        (Limits(seconds=3600, size=1 << 30), 1e9, False),
    ],
)
def test_a_promise_is_reckoned_from_sizes_limits_and_the_last_speed(
    limits: Limits, speed: float | None, *, is_kept: bool
) -> None:
    total = Amount(1000, 60 << 30, None)
    promise = Promise(timedelta(days=30), total, Amount(10, 1 << 30, None), limits, speed)
    assert promise.needed == 2 << 30
    assert promise.is_kept is is_kept
    assert ("cannot be kept" in str(promise)) is not is_kept


def test_a_speed_is_that_of_the_newest_audit_that_took_its_time() -> None:
    def run(seconds: float, size: int, *, has_ended: bool = True) -> RunRecord:
        end = NOON + timedelta(seconds=seconds)
        return RunRecord("r", "audit", HERE, NOON, end if has_ended else None, "", 0, 0, 0, size)

    assert measured_speed([]) is None
    assert measured_speed([run(0.1, 100), run(5, 0), run(9, 9, has_ended=False), run(10, 500), run(1, 1)]) == 50.0


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("100 %", 1.0), ("0.5%", 0.005)])
def test_a_share_is_given_in_percent(text: str, share: float) -> None:
    assert share_from(text) == share


@pytest.mark.parametrize("text", ["", "1", "0%", "101%", "-1%", "x%", "1.%"])
def test_other_shares_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 1%"):
        share_from(text)


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
    assert len(closed) == 2  # the run's own connection, and its worker's


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
