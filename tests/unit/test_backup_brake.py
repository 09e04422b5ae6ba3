"""A run whose brake is pulled keeps every copy, sends nothing more, and does the rest when it is released."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from dataverse_backup.actions.backup import backup, dry_run
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.actions.sites import Installation
from dataverse_backup.brake import DEFAULT_THRESHOLDS, Brake, Thresholds
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.excluded import ExcludedStore
from tests.contract.ledger_cases import key_of, not_here
from tests.unit.test_backup_several import Campus, ended, endings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.actions.sites import Site
    from dataverse_backup.stores.base import Store

ROWS = range(1, 201)
NEW = range(201, 321)


@dataclass
class Archive(Campus):
    """200 datafiles in one store; 120 new ones come."""

    names: tuple[str, ...] = ("a",)
    thresholds: Thresholds = DEFAULT_THRESHOLDS

    def __post_init__(self) -> None:
        super().__post_init__()
        for number in ROWS:
            self.has(number, f"bytes of {number}".encode())

    def sites(self) -> list[Site]:
        return [replace(site, thresholds=self.thresholds) for site in super().sites()]

    def braked(self, *, is_released: bool = False) -> dict[str, Ended]:
        events = backup(self.installation, self.sites(), self.stop, brake=Brake(is_released=is_released))
        return ended(list(events))

    def new(self) -> None:
        for number in NEW:
            self.has(number, f"bytes of {number}".encode())

    def lose(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self.store.objects[key_of(self.has(number))]

    def delete(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self.catalogue.rows_now[number]

    def statuses(self, name: str = "a") -> dict[Status, int]:
        return {tally.status: tally.files for tally in self.ledger.tallies(name)}


def settled(names: tuple[str, ...] = ("a",)) -> Archive:
    archive = Archive(names)
    assert endings(archive.run()) == dict.fromkeys(names, Ending.OK)
    return archive


# What vanished from the catalogue


def test_a_catalogue_that_lost_much_stops_the_run_before_anything_is_noted_or_sent() -> None:
    archive = settled()
    copies = dict(archive.destinations["a"].objects)
    archive.delete(range(1, 121))
    archive.new()
    result = archive.braked()["a"]
    assert result.ending is Ending.BRAKE
    assert result.brake is not None
    assert "store file: 120 of the 200 datafiles that the ledger knows are gone" in result.brake.message
    assert "(60 %)\n  datafile 1, doi:10.5072/FK2/ABCDEF, file://18b-1\n" in result.brake.message
    assert result.record is not None
    assert result.record.outcome == "brake"
    assert archive.statuses() == {Status.OK: 200}
    assert archive.destinations["a"].objects == copies
    assert code_of([result]) is ExitCode.BRAKE


def test_it_is_pulled_again_with_the_same_words_until_it_is_released() -> None:
    archive = settled()
    archive.delete(range(1, 121))
    archive.new()
    first, second = archive.braked()["a"].brake, archive.braked()["a"].brake
    assert first is not None
    assert second is not None
    assert first.message == second.message
    assert endings(archive.braked(is_released=True)) == {"a": Ending.OK}
    assert archive.statuses() == {Status.OK: 200, Status.GONE: 120}
    archive.delete([200])
    assert endings(archive.braked()) == {"a": Ending.OK}  # what was released once is not held against the next run


def test_what_came_back_needs_no_release() -> None:
    archive = settled()
    rows = dict(archive.catalogue.rows_now)
    archive.delete(range(1, 121))
    assert endings(archive.braked()) == {"a": Ending.BRAKE}
    archive.catalogue.rows_now = rows
    assert endings(archive.braked()) == {"a": Ending.OK}


def test_a_few_deleted_datafiles_are_gone_as_ever() -> None:
    archive = settled()
    archive.delete(range(1, 100))
    assert endings(archive.braked()) == {"a": Ending.OK}
    assert archive.statuses() == {Status.OK: 101, Status.GONE: 99}


def test_a_whole_store_that_vanished_stops_the_run_however_small_it_is() -> None:
    campus = Campus(("a",))
    campus.run()
    campus.catalogue.rows_now.clear()
    result = campus.run()["a"]
    assert result.ending is Ending.BRAKE
    assert result.brake is not None
    assert "store file: all 6 datafiles that the ledger knows are gone from the Dataverse database" in (
        result.brake.message
    )


def test_a_store_that_is_left_out_from_now_on_has_not_vanished() -> None:
    archive = settled()
    ignored: dict[str, Store] = {"file": ExcludedStore("file", Reason.IGNORED, "the configuration leaves it out")}
    installation = Installation(archive.catalogue, archive.ledger, ignored, lambda: ignored)
    assert endings(ended(list(backup(installation, archive.sites(), archive.stop)))) == {"a": Ending.OK}
    assert archive.statuses() == {Status.NOT_HERE: 200}


def test_datafiles_that_lost_their_identifiers_stop_the_run_and_stay_what_they_were() -> None:
    archive = settled()
    rows = dict(archive.catalogue.rows_now)
    archive.catalogue.rows_now |= {number: not_here(number, Reason.NO_IDENTIFIER) for number in range(1, 121)}
    first, second = archive.braked()["a"], archive.braked()["a"]
    assert first.ending is second.ending is Ending.BRAKE
    assert "100 of the 200 datafiles that the ledger knows (50 %) name no file any more\n" in str(first.brake)
    assert "datafile 1, doi:10.5072/FK2/ABCDEF, trsa://x: no-identifier" in str(first.brake)
    assert archive.statuses() == {Status.OK: 200}
    with dry_run(archive.installation, archive.sites()[0]) as plan:
        assert plan.unusual is not None
    assert endings(archive.braked(is_released=True)) == {"a": Ending.OK}
    assert archive.statuses() == {Status.OK: 80, Status.NOT_HERE: 120}
    archive.catalogue.rows_now = rows
    assert endings(archive.braked()) == {"a": Ending.OK}
    assert archive.statuses() == {Status.OK: 200}


def test_a_few_that_lost_their_identifiers_are_not_here() -> None:
    archive = settled()
    archive.catalogue.rows_now |= {number: not_here(number, Reason.NO_IDENTIFIER) for number in range(1, 100)}
    assert endings(archive.braked()) == {"a": Ending.OK}
    assert archive.statuses() == {Status.OK: 101, Status.NOT_HERE: 99}


def test_a_dry_run_says_that_the_brake_would_be_pulled() -> None:
    archive = settled()
    archive.delete(range(1, 121))
    with dry_run(archive.installation, archive.sites()[0]) as plan:
        assert plan.unusual is not None
        assert plan.unusual.message.startswith("a run would be stopped by the brake, and every copy is kept\n")
        assert "120 of the 200" in plan.unusual.message
        assert plan.gone == 120


# What is not as it was in the stores


def test_a_small_run_over_new_files_that_are_all_missing_stops_and_records_none_of_them() -> None:
    archive = settled()
    archive.lose(NEW)
    result = archive.braked()["a"]
    assert result.ending is Ending.BRAKE
    assert result.brake is not None
    assert "100 of the first 100 files that this run was to read are missing" in result.brake.message
    assert archive.statuses() == {Status.OK: 200, Status.PENDING: 120}
    again = archive.braked()["a"].brake
    assert again is not None
    assert again.message == result.brake.message


def test_a_released_run_records_them_and_then_they_are_known() -> None:
    archive = settled()
    archive.lose(NEW)
    archive.braked()
    assert endings(archive.braked(is_released=True)) == {"a": Ending.FAILURES}
    assert archive.statuses() == {Status.OK: 200, Status.FAIL_READ: 120}
    assert endings(archive.braked()) == {"a": Ending.FAILURES}
    assert code_of(archive.braked().values()) is ExitCode.FAILURES


def test_files_that_were_lost_before_are_known_to_a_destination_that_is_new() -> None:
    archive = settled()
    archive.lose(NEW)
    archive.braked(is_released=True)
    both = Archive(("a", "b"))
    both.catalogue, both.ledger, both.store = archive.catalogue, archive.ledger, archive.store
    both.destinations["a"] = archive.destinations["a"]
    assert endings(both.braked()) == {"a": Ending.FAILURES, "b": Ending.FAILURES}


def test_a_disk_that_is_mounted_again_needs_no_release() -> None:
    archive = settled()
    archive.lose(NEW)
    assert endings(archive.braked()) == {"a": Ending.BRAKE}
    archive.new()
    assert endings(archive.braked()) == {"a": Ending.OK}
    assert archive.statuses() == {Status.OK: 320}


def test_one_bad_file_in_twenty_is_recorded_and_stops_nothing() -> None:
    archive = settled()
    archive.new()
    archive.lose(range(201, 207))
    assert endings(archive.braked()) == {"a": Ending.FAILURES}
    assert archive.statuses() == {Status.OK: 314, Status.FAIL_READ: 6}


def test_files_that_were_emptied_stop_the_run() -> None:
    archive = settled()
    for number in NEW:
        archive.store.objects[key_of(archive.has(number, b"some bytes"))] = b""
    result = archive.braked()["a"]
    assert result.brake is not None
    assert "100 source-differs" in result.brake.message
    assert ": it is empty: MD5:d41d8cd98f00b204e9800998ecf8427e was read, MD5:" in result.brake.message


def test_it_stops_early_and_what_was_copied_until_then_is_recorded() -> None:
    archive = Archive(thresholds=Thresholds(0.05, 10))
    archive.lose(range(21, 201))
    result = archive.braked()["a"]
    assert result.ending is Ending.BRAKE
    assert archive.statuses() == {Status.OK: 20, Status.PENDING: 180}
    assert result.tried == {Status.OK: 20}
    assert result.left.files == 180
    assert len(archive.store.opened) < 60


def test_all_destinations_stop_at_one_brake() -> None:
    archive = settled(("a", "b", "c"))
    archive.lose(NEW)
    results = archive.braked()
    assert endings(results) == dict.fromkeys("abc", Ending.BRAKE)
    assert len({str(result.brake) for result in results.values()}) == 1
    for name in "abc":
        assert archive.statuses(name) == {Status.OK: 200, Status.PENDING: 120}
    archive.new()
    assert endings(archive.braked()) == dict.fromkeys("abc", Ending.OK)


def test_a_destination_whose_plan_stops_stops_the_others_before_they_are_sent_anything() -> None:
    archive = Archive(("b",))
    archive.braked()
    three = Archive(("a", "b", "c"))
    three.ledger = archive.ledger
    three.destinations["b"] = archive.destinations["b"]
    three.delete(range(1, 121))
    results = three.braked()
    assert endings(results) == dict.fromkeys("abc", Ending.BRAKE)
    assert [three.ledger.last_run(name).outcome for name in "abc"] == ["brake"] * 3  # type: ignore[union-attr]
    assert not [key for name in "ac" for key in three.destinations[name].objects if "/18b-" in key]


NUMBERS = st.sets(st.integers(1, 24))


@settings(max_examples=15, deadline=None)
@given(deleted=NUMBERS, lost=NUMBERS, emptied=NUMBERS, share=st.sampled_from([0.1, 0.5, 1.0]), count=st.integers(1, 8))
def test_whatever_stopped_it_a_released_run_does_what_one_without_a_brake_would_have_done(
    deleted: set[int], lost: set[int], emptied: set[int], share: float, count: int
) -> None:
    braked, free = Damaged(Thresholds(share, count)), Damaged(Thresholds(share, count))
    for world in (braked, free):
        world.suffer(deleted, lost, emptied)
    for _ in range(2):
        braked.archive.braked()
    assert braked.archive.destinations["a"].objects.items() >= braked.copies.items()
    for world in (braked, free):
        assert world.archive.braked(is_released=True)["a"].ending in (Ending.OK, Ending.FAILURES)
    assert braked.known() == free.known()


class Damaged:
    """24 datafiles, the first half of which was copied; then something happens."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.archive = Archive(thresholds=thresholds)
        rows = self.archive.catalogue.rows_now
        for number in [number for number in rows if number > 12]:
            del rows[number]
        self.archive.braked(is_released=True)
        stored = self.archive.destinations["a"].objects
        self.copies = {key: data for key, data in stored.items() if "/18b-" in key}

    def suffer(self, deleted: set[int], lost: set[int], emptied: set[int]) -> None:
        for number in range(13, 25):
            self.archive.has(number, b"new bytes")
        for number in emptied:
            self.archive.store.objects[f"10.5072/FK2/ABCDEF/18b-{number}"] = b""
        for number in lost:
            del self.archive.store.objects[f"10.5072/FK2/ABCDEF/18b-{number}"]
        self.archive.delete(deleted)

    def known(self) -> list[tuple[int, Status, Reason | None]]:
        listed = self.archive.ledger.listed(destination="a")
        return [(one.datafile_id, one.status, one.reason) for one in listed if one.status is not Status.GONE]
