"""What every ledger promises, in memory, in SQLite and in PostgreSQL."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.datafile import Dataset, fingerprint
from dataverse_backup.errors import LedgerError, LockHeld, Reason
from dataverse_backup.fixity import Algorithm, Checksum, VerifiedBy
from dataverse_backup.ledger.base import Copy, Kept, Standing, Status, Tally
from tests.contract.ledger_cases import (
    DATASET,
    HERE,
    MD5,
    NOON,
    copied,
    datafile,
    failed,
    key_of,
    not_here,
    planned,
    recorded,
    succeeded,
)

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Ledger, Listed


def the_only(ledger: Ledger) -> Standing:
    (standing,) = ledger.standings(HERE)
    return standing


def line_of(ledger: Ledger, number: int) -> Listed:
    return next(line for line in ledger.listed() if line.datafile_id == number)


# Standing


def test_what_is_planned_is_pending_with_its_key_and_fingerprint(ledger: Ledger) -> None:
    file = datafile(1)
    ledger.note(HERE, planned=[planned(file)])
    assert the_only(ledger) == Standing(1, Status.PENDING, None, key_of(file), None, fingerprint(file))


def test_a_datafile_of_an_unknown_store_is_pending_and_says_so_until_the_store_is_known(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(1), None, Reason.STORE_UNKNOWN)])
    assert the_only(ledger).reason is Reason.STORE_UNKNOWN
    assert the_only(ledger).key is None
    ledger.note(HERE, planned=[planned(datafile(1))])
    assert (the_only(ledger).status, the_only(ledger).reason) == (Status.PENDING, None)


def test_standings_come_by_ascending_id_and_only_of_their_destination(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(number)) for number in (12, 3, 100, 7)])
    ledger.note("elsewhere", planned=[planned(datafile(5))])
    assert [standing.datafile_id for standing in ledger.standings(HERE)] == [3, 7, 12, 100]


def test_standings_longer_than_a_page_come_whole_and_once(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(number)) for number in range(1, 12_002)])
    assert [standing.datafile_id for standing in ledger.standings(HERE)] == list(range(1, 12_002))


def test_notes_can_be_made_while_standings_are_read(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(number)) for number in range(1, 6_000)])
    seen = 0
    for standing in ledger.standings(HERE):
        seen += 1
        if standing.datafile_id % 1_000 == 0:
            ledger.note(HERE, planned=[planned(datafile(standing.datafile_id))])
    assert seen == 5_999


def test_a_refreshed_datafile_has_new_facts_and_nothing_else(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    new = datafile(1, label="renamed.txt")
    ledger.note(HERE, refreshed=[new])
    assert the_only(ledger) == Standing(1, Status.OK, None, key_of(new), copied(datafile(1)), fingerprint(new))
    assert line_of(ledger, 1).label == "renamed.txt"


def test_planning_again_keeps_the_status_that_a_datafile_has(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)), failed(datafile(2)))
    ledger.note(HERE, planned=[planned(datafile(1), "new/key"), planned(datafile(2), reason=Reason.STORE_UNKNOWN)])
    first, second = ledger.standings(HERE)
    assert (first.status, first.key, first.copy) == (Status.OK, "new/key", copied(datafile(1)))
    assert (second.status, second.reason) == (Status.FAIL_READ, Reason.MISSING)


def test_what_is_in_doubt_is_pending_keeps_its_copy_and_is_ok_when_it_is_proven_again(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1), reason=Reason.NO_CHECKSUM), failed(datafile(2)))
    recorded(ledger, succeeded(datafile(1), destination="elsewhere"))
    assert ledger.doubt(HERE) == 1
    doubted, other = ledger.standings(HERE)
    assert (doubted.status, doubted.reason, doubted.copy) == (Status.PENDING, None, copied(datafile(1)))
    assert (other.status, other.reason) == (Status.FAIL_READ, Reason.MISSING)
    assert next(ledger.standings("elsewhere")).status is Status.OK
    assert line_of(ledger, 1).message == ""
    recorded(ledger, succeeded(datafile(1), minute=5))
    assert next(ledger.standings(HERE)).status is Status.OK
    assert ledger.doubt("nowhere") == 0


def test_gone_and_come_back_has_its_former_status_and_copy(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1), reason=Reason.NO_CHECKSUM))
    ledger.note(HERE, gone=[1, 999])
    assert (the_only(ledger).status, the_only(ledger).reason) == (Status.GONE, None)
    assert the_only(ledger).copy == copied(datafile(1))
    ledger.note(HERE, refreshed=[datafile(1)])
    assert (the_only(ledger).status, the_only(ledger).reason) == (Status.OK, Reason.NO_CHECKSUM)


def test_not_here_and_come_back_has_its_former_status_and_copy(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    ledger.note(HERE, not_here=[not_here(1, Reason.IGNORED)])
    standing = the_only(ledger)
    assert (standing.status, standing.reason) == (Status.NOT_HERE, Reason.IGNORED)
    assert (standing.copy, standing.key) == (copied(datafile(1)), key_of(datafile(1)))
    assert line_of(ledger, 1).message == "kept elsewhere"
    ledger.note(HERE, planned=[planned(datafile(1))])
    assert (the_only(ledger).status, the_only(ledger).reason) == (Status.OK, None)


def test_what_was_never_here_is_recorded_without_a_key(ledger: Ledger) -> None:
    row = not_here(4)
    ledger.note(HERE, not_here=[row])
    assert the_only(ledger) == Standing(4, Status.NOT_HERE, Reason.REMOTE, None, None, fingerprint(row))


def test_gone_goes_before_not_here(ledger: Ledger) -> None:
    ledger.note(HERE, not_here=[not_here(1)])
    ledger.note(HERE, gone=[1])
    assert the_only(ledger).status is Status.GONE
    ledger.note(HERE, not_here=[not_here(1)])
    assert the_only(ledger).status is Status.NOT_HERE


# Attempts


def test_an_attempt_that_succeeded_brings_its_copy(ledger: Ledger) -> None:
    sha512 = Checksum(Algorithm.SHA512, "ab" * 64)
    copy = Copy("k", 7, sha512, None, VerifiedBy.ADOPTED, copied(datafile(1)).durable, NOON)
    recorded(ledger, succeeded(datafile(1, checksum=None), key="k", copy=copy, reason=Reason.NO_CHECKSUM))
    assert the_only(ledger).copy == copy
    assert the_only(ledger).reason is Reason.NO_CHECKSUM


def test_a_failed_attempt_erases_no_copy(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    recorded(ledger, failed(datafile(1), Reason.SOURCE_DIFFERS, key=None))
    standing = the_only(ledger)
    assert (standing.status, standing.reason) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)
    assert (standing.copy, standing.key) == (copied(datafile(1)), key_of(datafile(1)))


def test_a_row_that_vanished_during_the_attempt_is_gone_and_keeps_its_status(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    recorded(ledger, failed(datafile(1), status=Status.GONE, reason=None))
    assert the_only(ledger).status is Status.GONE
    ledger.note(HERE, refreshed=[datafile(1)])
    assert the_only(ledger).status is Status.OK


@pytest.mark.parametrize("was_planned", [True, False])
def test_the_last_attempt_of_a_batch_decides(ledger: Ledger, was_planned: bool) -> None:
    one, other = datafile(1), datafile(2)
    if was_planned:
        ledger.note(HERE, planned=[planned(one), planned(other)])
    attempts = [failed(one), succeeded(one), succeeded(other), failed(other)]
    recorded(ledger, *attempts)
    assert [standing.status for standing in ledger.standings(HERE)] == [Status.OK, Status.FAIL_READ]
    assert [line.attempts for line in ledger.listed()] == [2, 2]


@pytest.mark.parametrize("changes", [{"label": "another.txt"}, {"size": 7}, {}])
def test_what_was_copied_is_as_it_was_tried_whatever_was_noted_before(ledger: Ledger, changes: dict[str, Any]) -> None:
    ledger.note(HERE, planned=[planned(datafile(1)), planned(datafile(2))])
    recorded(ledger, failed(datafile(1)))
    recorded(ledger, succeeded(datafile(1, **changes), "elsewhere"), succeeded(datafile(2)))
    found = line_of(ledger, 1)
    assert (found.status, found.key, found.attempts, found.message) == (Status.OK, "elsewhere", 2, "")
    assert found.label == datafile(1, **changes).label
    assert ledger.oldest_failure(HERE) is None
    assert line_of(ledger, 2).attempts == 1


def test_nothing_is_ok_without_a_copy(ledger: Ledger) -> None:
    run = ledger.begin_run("backup", HERE)
    with pytest.raises(ValueError, match="OK"):
        ledger.record(run, [succeeded(datafile(1), copy=None)])
    with pytest.raises(ValueError, match="FAIL_READ"):
        ledger.record(run, [failed(datafile(1), copy=copied(datafile(1)))])
    assert list(ledger.standings(HERE)) == []


def test_two_copies_never_share_a_key_and_the_whole_record_is_undone(ledger: Ledger) -> None:
    run = ledger.begin_run("backup", HERE)
    with pytest.raises(LedgerError):
        ledger.record(run, [succeeded(datafile(1), key="same"), succeeded(datafile(2), key="same")])
    assert list(ledger.standings(HERE)) == []
    assert ledger.end_run(run, "failures").files_ok == 0


def test_two_destinations_may_use_the_same_key(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)), succeeded(datafile(1), destination="elsewhere"))
    assert [line.destination for line in ledger.listed()] == [HERE, "elsewhere"]
    assert ledger.destinations() == [HERE, "elsewhere"]


def test_a_copy_that_moved_leaves_its_old_key_free(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1), key="old"))
    recorded(ledger, succeeded(datafile(1), key="new"))
    recorded(ledger, succeeded(datafile(2), key="old"))
    assert [s.copy and s.copy.key for s in ledger.standings(HERE)] == ["new", "old"]


def test_a_copy_that_moved_leaves_its_old_key_free_for_those_after_it(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1), key="old"))
    recorded(ledger, succeeded(datafile(1), key="new"), succeeded(datafile(2), key="old"))
    assert [s.copy and s.copy.key for s in ledger.standings(HERE)] == ["new", "old"]


def test_of_two_proofs_that_are_recorded_together_the_last_one_stands(ledger: Ledger) -> None:
    attempts = [succeeded(datafile(1), key="first"), succeeded(datafile(1), key="last"), failed(datafile(1))]
    recorded(ledger, *attempts)
    copy = the_only(ledger).copy
    assert copy is not None
    assert copy.key == "last"


def test_the_oldest_failure_is_when_the_longest_failing_began_to_fail(ledger: Ledger) -> None:
    assert ledger.oldest_failure(HERE) is None
    recorded(ledger, failed(datafile(1), minute=5), failed(datafile(2), minute=3), failed(datafile(3), minute=1))
    recorded(ledger, failed(datafile(2), minute=50), succeeded(datafile(3), minute=51))
    assert ledger.oldest_failure(HERE) == NOON + timedelta(minutes=3, seconds=1.5)
    ledger.note(HERE, gone=[2])
    assert ledger.oldest_failure(HERE) == NOON + timedelta(minutes=5, seconds=1.5)


# Runs


def test_a_run_has_its_counts_even_before_it_ends(ledger: Ledger) -> None:
    run = recorded(ledger, succeeded(datafile(1)), failed(datafile(2)))
    ledger.record(run, [succeeded(datafile(3))])
    running = ledger.last_run()
    assert running is not None
    assert (running.id, running.verb, running.destination, running.ended, running.outcome) == (
        run, "backup", HERE, None, "",
    )  # fmt: skip
    assert (running.files_ok, running.files_failed, running.bytes_sent) == (2, 1, 10)
    ended = ledger.end_run(run, "failures")
    assert ended.ended is not None
    assert ended.started <= ended.ended <= datetime.now(UTC)
    assert ledger.last_run(HERE) == ended
    assert (ended.outcome, ended.message) == ("failures", "")


def test_why_a_run_ended_is_kept_whatever_names_are_in_it(ledger: Ledger) -> None:
    run = ledger.begin_run("backup", HERE)
    ended = ledger.end_run(run, "brake", message="store ä\n  datafile 1, a\0\udcff")
    assert ended.message == "store ä\n  datafile 1, a\\x00\\udcff"
    assert (ledger.last_run(HERE), next(ledger.runs(HERE))) == (ended, ended)


def test_the_last_run_is_the_newest_of_a_destination_or_of_all(ledger: Ledger) -> None:
    assert ledger.last_run() is None
    runs = [ledger.begin_run("backup", name) for name in ("a", "b", "a")]
    assert len(set(runs)) == 3
    assert [run and run.id for run in (ledger.last_run(), ledger.last_run("b"), ledger.last_run("c"))] == [
        runs[2], runs[1], None,
    ]  # fmt: skip


def test_an_unknown_run_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        ledger.end_run("no such run", "ok")
    with pytest.raises(LedgerError):
        ledger.record("no such run", [succeeded(datafile(1))])


def test_a_destination_is_known_once_it_is_claimed(ledger: Ledger) -> None:
    ledger.begin_run("backup", HERE)
    assert not ledger.knows_destination(HERE)
    ledger.claim_destination(HERE)
    ledger.claim_destination(HERE)
    assert ledger.knows_destination(HERE)
    assert not ledger.knows_destination("elsewhere")


def marks_of(ledger: Ledger, layout: str = "plain") -> dict[int, int | None]:
    return {number: mark for number, mark, *_ in ledger.marks(HERE, layout)}


def test_a_mark_is_kept_of_what_is_settled_until_something_unsettles_it(ledger: Ledger) -> None:
    ledger.keep_layout(HERE, "plain")
    files = [replace(datafile(number), mark=number * -(1 << 60)) for number in (1, 2, 3, 4, 5)]
    elsewhere = replace(not_here(6), mark=66)
    ledger.note(HERE, planned=[planned(file) for file in files], not_here=[elsewhere])
    assert marks_of(ledger) == {1: None, 2: None, 3: None, 4: None, 5: None, 6: 66}
    recorded(ledger, *(succeeded(file) for file in files))
    assert marks_of(ledger) == {file.id: file.mark for file in files} | {6: 66}
    recorded(ledger, failed(files[0]))
    ledger.note(HERE, planned=[planned(files[1])], refreshed=[replace(files[2], label="new", mark=33)], gone=[4])
    ledger.note(HERE, marked=[(5, 55)])
    assert marks_of(ledger) == {1: None, 2: None, 3: 33, 5: 55, 6: 66}
    assert [standing.datafile_id for standing in ledger.standings(HERE, [5, 2, 4711])] == [2, 5]
    ledger.doubt(HERE)
    assert marks_of(ledger) == {1: None, 2: None, 3: None, 5: None, 6: 66}


def test_marks_of_another_layout_are_forgotten(ledger: Ledger) -> None:
    ledger.keep_layout(HERE, "plain")
    file = replace(datafile(1), mark=11)
    recorded(ledger, succeeded(file))
    ledger.keep_layout(HERE, "plain")
    assert list(ledger.marks(HERE, "plain")) == [(1, 11, file.store_id, file.size, None)]
    assert marks_of(ledger, "other") == {1: None}
    ledger.keep_layout(HERE, "other")
    ledger.keep_layout(HERE, "plain")
    assert marks_of(ledger) == {1: None}


def test_what_a_destination_can_do_is_remembered(ledger: Ledger) -> None:
    assert ledger.abilities(HERE) == ""
    ledger.keep_abilities(HERE, '{"sync": "sync -f ."}')
    ledger.keep_abilities("elsewhere", "else")
    assert ledger.abilities(HERE) == '{"sync": "sync -f ."}'
    ledger.keep_abilities(HERE, "")
    assert (ledger.abilities(HERE), ledger.abilities("elsewhere")) == ("", "else")


def test_for_how_many_workers_there_is_room_is_remembered(ledger: Ledger) -> None:
    assert ledger.room(HERE) is None
    ledger.keep_room(HERE, 2)
    ledger.keep_room("elsewhere", 1)
    assert (ledger.room(HERE), ledger.room("elsewhere")) == (2, 1)
    ledger.keep_room(HERE, None)
    assert ledger.room(HERE) is None


# List and status


def test_tallies_count_files_and_bytes_by_status_and_reason(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)), succeeded(datafile(2)), failed(datafile(3)))
    ledger.note(HERE, planned=[planned(datafile(4))], not_here=[not_here(5)], gone=[2])
    assert ledger.tallies(HERE) == [
        Tally(Status.OK, None, 1, 5),
        Tally(Status.FAIL_READ, Reason.MISSING, 1, 1003),
        Tally(Status.NOT_HERE, Reason.REMOTE, 1, 0),
        Tally(Status.PENDING, None, 1, 1004),
        Tally(Status.GONE, None, 1, 5),
    ]
    assert ledger.tallies("elsewhere") == []


def test_a_line_tells_everything_that_the_ledger_knows(ledger: Ledger) -> None:
    recorded(ledger, failed(datafile(1)), succeeded(datafile(1), minute=1))
    line = line_of(ledger, 1)
    assert (line.dataset, line.label, line.directory_label) == ("doi:10.5072/FK2/ABCDEF", "data 1.txt", "raw")
    assert (line.storageidentifier, line.store, line.key) == ("file://18b-1", "file", "10.5072/FK2/ABCDEF/18b-1")
    assert (line.status, line.reason, line.message, line.attempts) == (Status.OK, None, "", 2)
    assert (line.size, line.checksum, line.verified_by, line.proven) == (5, MD5, VerifiedBy.REMOTE_HASH, NOON)
    assert line.createdate == datafile(1).created
    assert line.lastbackuptime == NOON + timedelta(minutes=1, seconds=1.5)


def test_lines_can_be_chosen(ledger: Ledger) -> None:
    other = Dataset("hdl:1902.1/7", "1902.1", "7")
    recorded(ledger, succeeded(datafile(1)), failed(datafile(2)), failed(datafile(3, dataset=other), Reason.NO_SPACE))
    recorded(ledger, succeeded(datafile(2), destination="elsewhere"))

    def ids(**wanted: Any) -> list[int]:
        return [line.datafile_id for line in ledger.listed(**wanted)]

    assert ids() == [1, 2, 3, 2]
    assert ids(destination=HERE) == [1, 2, 3]
    assert ids(status=Status.OK) == [1, 2]
    assert ids(status=Status.OK, destination="elsewhere") == [2]
    assert ids(reason=Reason.NO_SPACE) == [3]
    assert ids(dataset="hdl:1902.1/7") == [3]
    assert ids(dataset="nothing") == []


def test_a_list_longer_than_a_page_comes_whole_and_in_order(ledger: Ledger) -> None:
    for name in ("b", "a"):
        ledger.note(name, planned=[planned(datafile(number)) for number in range(1, 5_500)])
    lines = [(line.destination, line.datafile_id) for line in ledger.listed()]
    assert lines == [(name, number) for name in ("a", "b") for number in range(1, 5_500)]


def test_times_are_utc_whatever_zone_they_came_in(ledger: Ledger) -> None:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only here

    winter = datetime(2020, 1, 1, 8, tzinfo=ZoneInfo("America/New_York"))
    ledger.note(HERE, planned=[planned(datafile(1, created=winter))])
    created = line_of(ledger, 1).createdate
    assert created == winter
    assert created is not None
    assert created.utcoffset() is not None


def test_hostile_text_never_fails_a_run(ledger: Ledger) -> None:
    hostile = "a\0b\ud800c'\"$(x)\n%_\\é"
    file = datafile(1, label=hostile, directory_label=hostile, storageidentifier=f"file://{hostile}")
    recorded(ledger, failed(file, message=hostile, key=None))
    ledger.note(HERE, refreshed=[file], not_here=[replace(not_here(2), label=hostile, message=hostile)])
    assert line_of(ledger, 1).label == "a\\x00b\\ud800c'\"$(x)\n%_\\é"
    assert line_of(ledger, 2).message == line_of(ledger, 1).label


# Keys


def test_the_same_key_a_folder_of_it_and_something_below_it_are_in_the_way(ledger: Ledger) -> None:
    ledger.note(
        HERE, planned=[planned(datafile(1), "a/sub"), planned(datafile(2), "b/sub/x"), planned(datafile(3), "c")]
    )
    names = ["a/sub", "a/sub/x/y", "b/sub", "b", "a/sub-", "a/su", "c/d", "free", "b/sub/x0", "b/sub/"]
    assert ledger.occupants(HERE, names, folded=None) == {
        "a/sub": 1, "a/sub/x/y": 1, "b/sub": 2, "b": 2, "c/d": 3,
    }  # fmt: skip
    assert ledger.occupants("elsewhere", names, folded=None) == {}
    assert ledger.occupants(HERE, [], folded=None) == {}


def test_a_copy_under_a_former_key_is_still_in_the_way(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1), key="old/key"))
    ledger.note(HERE, planned=[planned(datafile(1), "new/key")])
    assert ledger.occupants(HERE, ["old/key", "old", "new/key"], folded=None) == {"old/key": 1, "old": 1, "new/key": 1}


def test_names_are_compared_byte_by_byte(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(1), "Dir/100%_a"), planned(datafile(2), "caf\u00e9")])
    near = ["dir/100%_a", "Dir/100xxa", "Dir/100%", "cafe\u0301", "Dir/100%_"]
    assert ledger.occupants(HERE, near, folded=None) == {}
    assert ledger.occupants(HERE, ["Dir/100%_a", "Dir", "caf\u00e9"], folded=None) == {
        "Dir/100%_a": 1, "Dir": 1, "caf\u00e9": 2,
    }  # fmt: skip


def fold(key: str) -> str:
    return unicodedata.normalize("NFC", key).casefold()


def test_a_folding_destination_sees_names_as_it_folds_them(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(1), "Dir/File.TXT"), planned(datafile(2), "cafe\u0301/X")])
    names = ["dir/file.txt", "DIR", "dir/FILE.txt/x", "CAF\u00c9", "dir/other"]
    expected = {"dir/file.txt": 1, "DIR": 1, "dir/FILE.txt/x": 1, "CAF\u00c9": 2}
    assert ledger.occupants(HERE, names, folded=fold) == expected
    assert ledger.occupants(HERE, names, folded=fold) == expected


def test_keys_that_are_claimed_or_change_later_are_folded_too(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(1), "One")])
    assert ledger.occupants(HERE, ["one", "two", "three"], folded=fold) == {"one": 1}
    ledger.note(HERE, planned=[planned(datafile(1), "Two")])
    recorded(ledger, succeeded(datafile(3), key="Three"))
    assert ledger.occupants(HERE, ["one", "two", "three"], folded=fold) == {"two": 1, "three": 3}


def test_another_way_of_folding_is_noticed(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(1), "stra\u00dfe")])
    assert ledger.occupants(HERE, ["STRASSE"], folded=fold) == {"STRASSE": 1}
    assert ledger.occupants(HERE, ["STRASSE", "STRA\u00dfE"], folded=str.lower) == {"STRA\u00dfE": 1}


def test_hundreds_of_names_are_asked_for_at_once(ledger: Ledger) -> None:
    ledger.note(HERE, planned=[planned(datafile(number)) for number in range(1_200)])
    names = [key_of(datafile(number)) for number in range(600, 1_800)]
    assert ledger.occupants(HERE, names, folded=None) == {
        key_of(datafile(number)): number for number in range(600, 1_200)
    }


# Locks


def test_a_lock_is_held_by_one_and_freed_at_the_end(ledger: Ledger) -> None:
    assert ledger.holder(HERE) is None
    with ledger.lock(HERE) as lock:
        lock.confirm()
        holder = ledger.holder(HERE)
        assert holder is not None
        assert "process" in holder.description
        assert holder.since is not None
        assert abs(holder.since - datetime.now(UTC)) < timedelta(minutes=1)
        with pytest.raises(LockHeld, match=f"{holder.description} since {holder.since:%Y}"), ledger.lock(HERE):
            pytest.fail("two hold one lock")
        with ledger.lock("elsewhere"):
            pass
    assert ledger.holder(HERE) is None
    with ledger.lock(HERE):
        pass


def test_a_ledger_has_an_identity(ledger: Ledger) -> None:
    assert len(ledger.id) == 36
    assert ledger.takeover() is None
    assert ledger.match_original([(datafile(1), ["18b-1"])]) == set()


def test_it_may_be_closed_twice(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()


# What is kept


def test_what_is_kept_is_the_datafile_as_it_was_described_and_its_copy(ledger: Ledger) -> None:
    file = datafile(7, is_tabular=True, content_type="text/tab-separated-values", original_name="data.sav")
    recorded(ledger, succeeded(file))
    assert list(ledger.kept()) == [Kept(file, HERE, Status.OK, copied(file))]


def test_what_is_kept_comes_by_dataset_then_id_then_destination(ledger: Ledger) -> None:
    other = Dataset("doi:10.5072/FK2/A", "10.5072", "FK2/A")
    for number, dataset in ((4, DATASET), (2, DATASET), (3, other)):
        for destination in ("there", HERE):
            recorded(ledger, succeeded(datafile(number, dataset=dataset), destination=destination))
    found = [(one.datafile.id, one.destination) for one in ledger.kept()]
    assert found == [(3, HERE), (3, "there"), (2, HERE), (2, "there"), (4, HERE), (4, "there")]


def test_what_is_kept_can_be_asked_for_by_dataset_folder_id_and_destination(ledger: Ledger) -> None:
    other = Dataset("hdl:1902.1/5", "1902.1", "5")
    recorded(ledger, succeeded(datafile(1)), succeeded(datafile(2, dataset=other)))
    recorded(ledger, succeeded(datafile(1), destination="there"))
    ids = {
        "dataset": [one.datafile.id for one in ledger.kept(dataset="hdl:1902.1/5")],
        "folder": [one.datafile.id for one in ledger.kept(storage_paths=["1902.1/5", "no/where"])],
        "id": [one.destination for one in ledger.kept(datafile_id=1)],
        "destination": [one.datafile.id for one in ledger.kept(destinations=["there"])],
        "nowhere": [one.datafile.id for one in ledger.kept(destinations=[])],
    }
    assert ids == {"dataset": [2], "folder": [2], "id": [HERE, "there"], "destination": [1], "nowhere": []}


def test_what_failed_or_left_the_catalogue_is_kept_still(ledger: Ledger) -> None:
    recorded(ledger, *(succeeded(datafile(number)) for number in (1, 2, 3)))
    recorded(ledger, failed(datafile(1)), failed(datafile(9)))
    ledger.note(HERE, gone=[2], not_here=[not_here(3)])
    assert [(one.datafile.id, one.status) for one in ledger.kept()] == [
        (1, Status.FAIL_READ),
        (2, Status.GONE),
        (3, Status.NOT_HERE),
    ]


def test_more_is_kept_than_a_page_and_comes_whole_and_once(ledger: Ledger) -> None:
    recorded(ledger, *(succeeded(datafile(number)) for number in range(1, 5_003)))
    assert [one.datafile.id for one in ledger.kept()] == list(range(1, 5_003))
