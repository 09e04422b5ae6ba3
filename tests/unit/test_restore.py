"""`restore`: which datafiles, from where, to which place; how it ends; and whose the folder is."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.actions.folder import claimed
from dataverse_backup.actions.restore import Ending, Restored, restore
from dataverse_backup.actions.restore_layouts import KeyLayout, NamedLayout
from dataverse_backup.actions.restore_plan import RestorePlan, Shelves, Wanted, make_plan
from dataverse_backup.allowance import NO_LIMITS, Limit, Limits
from dataverse_backup.assembly import FolderTargetFactory
from dataverse_backup.datafile import Dataset
from dataverse_backup.destinations.base import IDENTITY_KEY
from dataverse_backup.destinations.memory import Faults, MemoryDestination
from dataverse_backup.engine import Stop
from dataverse_backup.errors import LockHeld, RestoreError, WorkerDied
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.retrieval import Came, FolderTarget, Retrieved, Retriever
from tests.contract.ledger_cases import datafile, failed, key_of, recorded, succeeded
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.engine import Submit
    from dataverse_backup.ledger.base import Attempt
    from dataverse_backup.retrieval import Haul, Retrieval

EVERYTHING = Wanted(everything=True)
OTHER = Dataset("doi:10.5072/FK2/OTHER", "10.5072", "FK2/OTHER")


@contextmanager
def at_once(
    make_work: Callable[[], Callable[[Sequence[Retrieval]], Haul]], workers: int
) -> Iterator[Submit[Sequence[Retrieval], Haul]]:
    """A worker that does each task when it is given."""
    del workers
    work = make_work()

    def submit(task: Sequence[Retrieval], /) -> Future[Haul]:
        future: Future[Haul] = Future()
        try:
            future.set_result(work(task))
        except Exception as error:  # noqa: BLE001 -- as an executor does
            future.set_exception(error)
        return future

    yield submit


@dataclass
class Archive:
    """Datafiles that were backed up to two destinations and a folder for them. Change anything before ``restore``."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    destinations: dict[str, MemoryDestination] = field(
        default_factory=lambda: {name: MemoryDestination(name) for name in ("near", "far")}
    )
    folder: MemoryDestination = field(default_factory=lambda: MemoryDestination("/folder"))
    stop: Stop = field(default_factory=Stop)

    def has(self, number: int, data: bytes = b"", at: Sequence[str] = ("near", "far"), **changes: Any) -> Datafile:
        """Datafile *number* was copied *at* these destinations."""
        data = data or b"bytes of %d" % number
        file = datafile(number, **{"checksum": checksum_of(data), "size": len(data), **changes})
        for name in at:
            self.destinations[name].objects[key_of(file)] = data
            recorded(self.ledger, self.attempt(file, data, name))
        return file

    def attempt(self, file: Datafile, data: bytes, name: str) -> Attempt:
        made = succeeded(file, destination=name)
        assert made.copy is not None
        return replace(made, copy=replace(made.copy, size=len(data), checksum=checksum_of(data)))

    def plan(self, wanted: Wanted = EVERYTHING, *, is_named: bool = False) -> RestorePlan:
        layout = NamedLayout() if is_named else KeyLayout()
        return make_plan(self.ledger, wanted, Shelves(("near", "far"), ("near", "far")), layout)

    def restore(
        self, wanted: Wanted = EVERYTHING, *, is_named: bool = False, limits: Limits = NO_LIMITS
    ) -> tuple[list[Retrieved], Restored]:
        with self.plan(wanted, is_named=is_named) as plan:
            *results, restored = restore(
                plan, lambda: self.retriever.fetch, self.stop, workers=1, limits=limits, open_workers=at_once
            )
        assert isinstance(restored, Restored)
        return [result for result in results if isinstance(result, Retrieved)], restored

    @property
    def retriever(self) -> Retriever:
        places = {name: partial(self.destinations.__getitem__, name) for name in self.destinations}
        return Retriever(places, FolderTarget(self.folder), delays=())

    @property
    def restored_files(self) -> dict[str, bytes]:
        return self.folder.objects


@pytest.fixture
def archive() -> Archive:
    return Archive()


# What is chosen


def test_everything_comes_back_under_its_key(archive: Archive) -> None:
    files = [archive.has(1), archive.has(2, dataset=OTHER), archive.has(3, at=["far"])]
    _, restored = archive.restore()
    assert archive.restored_files == {key_of(file): b"bytes of %d" % file.id for file in files}
    assert (restored.ending, restored.files[Came.RESTORED]) == (Ending.OK, 3)


def test_files_and_datasets_are_chosen_by_id_and_pid(archive: Archive) -> None:
    first, *_ = [archive.has(number) for number in (1, 2, 3)]
    others = [archive.has(number, dataset=OTHER) for number in (4, 5)]
    archive.restore(Wanted(files=(1, 4), datasets=(OTHER.persistent_id,)))
    assert archive.restored_files.keys() == {key_of(file) for file in (first, *others)}


def test_what_has_no_copy_is_named_and_the_rest_is_restored(archive: Archive) -> None:
    archive.has(1)
    recorded(archive.ledger, failed(datafile(9), destination="near"))
    wanted = Wanted(files=(1, 9, 4711), datasets=("doi:10.5072/NOT\n",))
    with archive.plan(wanted) as plan:
        assert plan.unknown == ["datafile 9", "datafile 4711", "dataset doi:10.5072/NOT\\n"]
    _, restored = archive.restore(wanted)
    assert (restored.ending, len(archive.restored_files)) == (Ending.FAILURES, 1)


def test_what_dataverse_does_not_have_any_more_comes_only_when_it_is_asked_for(archive: Archive) -> None:
    archive.has(1)
    gone = archive.has(2)
    for name in archive.destinations:
        archive.ledger.note(name, gone=[2])
    with archive.plan() as plan:
        assert (plan.work.files, plan.left_out) == (1, 1)
    archive.restore()
    assert key_of(gone) not in archive.restored_files
    archive.restore(Wanted(files=(2,)))
    assert key_of(gone) in archive.restored_files
    with archive.plan(replace(EVERYTHING, with_gone=True)) as plan:
        assert (plan.work.files, plan.left_out) == (2, 0)


# From where


def sources(archive: Archive) -> list[str]:
    with archive.plan() as plan:
        ((retrieval,),) = plan.batches(10, 1 << 20)
    return [source.destination for source in retrieval.sources]


def test_the_preferred_destination_is_read_first(archive: Archive) -> None:
    archive.has(1)
    assert sources(archive) == ["near", "far"]


def test_a_copy_that_was_found_missing_or_is_in_doubt_is_read_last(archive: Archive) -> None:
    file = archive.has(1)
    archive.ledger.doubt("near")
    assert sources(archive) == ["far", "near"]
    recorded(archive.ledger, replace(failed(file, destination="far"), status=Status.FAIL_WRITE))
    assert sources(archive) == ["near", "far"]


def test_a_copy_of_what_is_registered_now_is_read_before_a_former_one(archive: Archive) -> None:
    archive.has(1, b"new", at=["far"])
    archive.has(1, b"old", at=["near"])
    changed = datafile(1, checksum=checksum_of(b"new"))
    archive.ledger.note("near", refreshed=[changed])
    assert sources(archive) == ["far", "near"]
    archive.restore()
    assert list(archive.restored_files.values()) == [b"new"]


def test_former_content_is_restored_where_there_is_no_other_and_named(archive: Archive) -> None:
    archive.has(1, b"old", at=["near"])
    archive.ledger.note("near", refreshed=[datafile(1, checksum=checksum_of(b"new"))])
    with archive.plan() as plan:
        assert plan.former == [1]
    archive.restore()
    assert list(archive.restored_files.values()) == [b"old"]


# To which place


def test_names_are_those_of_dataverse(archive: Archive) -> None:
    archive.has(1, label="survey.tab", original_name="survey.sav", directory_label="raw/2024")
    archive.has(2, label="a.txt", directory_label="", dataset=OTHER)
    archive.restore(is_named=True)
    assert archive.restored_files.keys() == {
        "doi_10.5072_FK2_ABCDEF/raw/2024/survey.sav",
        "doi_10.5072_FK2_OTHER/a.txt",
    }


def test_a_name_does_not_depend_on_what_else_is_restored(archive: Archive) -> None:
    for number in (1, 2):
        archive.has(number, label="a.txt", directory_label="")
    archive.restore(Wanted(files=(2,)), is_named=True)
    assert archive.restored_files == {"doi_10.5072_FK2_ABCDEF/a (2).txt": b"bytes of 2"}
    archive.restore(is_named=True)
    assert archive.restored_files.keys() == {"doi_10.5072_FK2_ABCDEF/a.txt", "doi_10.5072_FK2_ABCDEF/a (2).txt"}


def test_two_datafiles_whose_copies_have_one_key_at_different_destinations_get_two_places(archive: Archive) -> None:
    archive.has(1, at=["near"])
    archive.has(2, at=["far"], storageidentifier="file://18b-1")
    archive.restore()
    assert sorted(archive.restored_files.values()) == [b"bytes of 1", b"bytes of 2"]


# How it ends


def test_a_second_restore_finds_everything_right(archive: Archive) -> None:
    archive.has(1)
    archive.restore()
    results, restored = archive.restore()
    assert [result.came for result in results] == [Came.RIGHT]
    assert (restored.ending, restored.bytes_restored) == (Ending.OK, 0)


def test_where_no_destination_can_be_read_it_ends_early(archive: Archive) -> None:
    for number in range(1, 1001):
        archive.has(number, at=["near"])
    archive.destinations["near"].faults = Faults(down_after=0)
    results, restored = archive.restore()
    assert (restored.ending, list(restored.lost)) == (Ending.LOST, ["near"])
    assert len(results) < 1000


def test_it_begins_nothing_more_once_so_many_bytes_are_restored_and_the_next_one_goes_on(archive: Archive) -> None:
    for number in range(1, 1001):
        archive.has(number, b"0123456789", at=["near"])
    limits = Limits(size=2500)
    results, restored = archive.restore(limits=limits)
    assert (restored.ending, restored.limit) == (Ending.LIMIT, Limit.BYTES)
    assert restored.bytes_restored == len(results) * 10
    assert 2500 <= restored.bytes_restored < 2500 + 200 * 10  # what was begun is finished, and no batch is cut
    _, again = archive.restore(limits=limits)
    assert (again.files[Came.RIGHT], again.bytes_restored) == (len(results), restored.bytes_restored)
    while again.ending is Ending.LIMIT:
        _, again = archive.restore(limits=limits)
    assert (again.ending, again.limit, again.files.total()) == (Ending.OK, None, 1000)


def test_it_begins_nothing_more_once_its_time_is_over(archive: Archive) -> None:
    archive.has(1)
    results, restored = archive.restore(limits=Limits(seconds=0.0))
    assert (results, restored.ending, restored.limit) == ([], Ending.LIMIT, Limit.DURATION)


def test_a_limit_that_is_reached_with_the_last_file_stopped_nothing(archive: Archive) -> None:
    archive.has(1, b"0123456789")
    _, restored = archive.restore(limits=Limits(size=1))
    assert (restored.ending, restored.limit) == (Ending.OK, None)


def test_a_file_that_failed_is_told_before_a_limit(archive: Archive) -> None:
    for number in range(1, 1001):
        archive.has(number, b"0123456789", at=["near"])
    del archive.destinations["near"].objects[key_of(datafile(1))]
    _, restored = archive.restore(limits=Limits(size=2500))
    assert (restored.ending, restored.limit) == (Ending.FAILURES, Limit.BYTES)


def test_a_full_folder_ends_it_and_says_so(archive: Archive) -> None:
    for number in range(1, 1001):
        archive.has(number, at=["near"])
    archive.folder.faults = Faults(full_after=3)
    results, restored = archive.restore()
    assert (restored.ending, restored.files[Came.RESTORED]) == (Ending.FAILURES, 3)
    assert "no room" in str(restored.trouble)
    assert len(results) < 1000


def test_a_folder_that_is_gone_ends_it(archive: Archive) -> None:
    archive.has(1)
    archive.folder.faults = Faults(down_after=0)
    _, restored = archive.restore()
    assert restored.ending is Ending.LOST
    assert restored.trouble is not None


def test_a_restore_that_was_asked_to_stop_says_so(archive: Archive) -> None:
    archive.has(1)
    archive.stop.set()
    _, restored = archive.restore()
    assert restored.ending is Ending.INTERRUPTED


def test_a_datafile_that_kills_its_worker_fails_alone(archive: Archive) -> None:
    for number in range(1, 6):
        archive.has(number, at=["near"])

    def deadly(batch: Sequence[Retrieval]) -> Haul:
        if any(retrieval.datafile.id == 3 for retrieval in batch):
            raise WorkerDied("its worker process died twice")
        return archive.retriever.fetch(batch)

    with archive.plan() as plan:
        results = list(restore(plan, lambda: deadly, archive.stop, workers=1, open_workers=at_once))
    failed_ones = [
        one.retrieval.datafile.id for one in results if isinstance(one, Retrieved) and one.came is Came.FAILED
    ]
    assert failed_ones == [3]
    assert len(archive.restored_files) == 4


# The folder


def test_a_folder_is_made_and_nothing_of_our_own_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with claimed(folder, "run") as staging:
        target = FolderTargetFactory(folder, staging)()
        assert list(target.bring([])) == []
        target.close()
    assert list(folder.iterdir()) == []


def test_what_a_killed_restore_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".dataverse-backup" / "staging" / "restore" / "dead" / "x" / "0"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with claimed(tmp_path, "run"):
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_destination_of_a_backup_is_no_place_to_restore_to(tmp_path: Path) -> None:
    (tmp_path / IDENTITY_KEY).parent.mkdir()
    (tmp_path / IDENTITY_KEY).write_text("a ledger")
    with pytest.raises(RestoreError, match="is a destination of a backup"), claimed(tmp_path, "run"):
        pass


def test_two_restores_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with claimed(tmp_path, "one"), pytest.raises(LockHeld), claimed(tmp_path, "two"):
        pass


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RestoreError, match="is not a folder"), claimed(tmp_path / "file", "run"):
        pass
