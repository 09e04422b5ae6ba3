"""The rules that keep copies safe, where bytes are copied and proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import SUPERSEDED_PREFIX, Failure, Staging
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import (
    DestinationLost,
    DestinationRefused,
    Reason,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
    Unavailable,
)
from dataverse_backup.fixity import OWN_ALGORITHM, Algorithm, VerifiedBy
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import Fault, MemoryStore, MemoryStream
from dataverse_backup.transfer import Transfer
from dataverse_backup.work import Batch, Why, Work
from tests.contract.ledger_cases import HERE, datafile, key_of
from tests.unit.memory_world import World, checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dataverse_backup.destinations.base import Receipt, Upload
    from dataverse_backup.ledger.base import Attempt


def verdict(attempt: Attempt) -> tuple[Status, Reason | None]:
    return attempt.status, attempt.reason


def aside(world: World) -> dict[str, bytes]:
    """What was moved aside, by the key that it had."""
    moved = [key for key in world.copies if key.startswith(f"{SUPERSEDED_PREFIX}/")]
    return {key.removeprefix(f"{SUPERSEDED_PREFIX}/").rpartition("/")[0]: world.copies[key] for key in moved}


def test_a_new_datafile_is_copied_and_proven() -> None:
    world = World()
    file = world.has(1, b"data")
    attempt = world.run().only
    assert verdict(attempt) == (Status.OK, None)
    assert attempt.copy is not None
    assert (attempt.copy.key, attempt.copy.checksum) == (key_of(file), file.checksum)
    assert (attempt.bytes_sent, attempt.method, attempt.copy.verified_by) == (4, "memory", VerifiedBy.READ_BACK)
    assert world.copies == {key_of(file): b"data"}


# Rule 1: good copies are never lost.


def test_changed_content_moves_the_old_bytes_aside() -> None:
    world = World()
    world.has(1, b"old")
    world.run()
    file = world.has(1, b"new")
    attempt = world.run().only
    assert verdict(attempt) == (Status.OK, Reason.CONTENT_CHANGED)
    assert world.copies[key_of(file)] == b"new"
    assert aside(world) == {key_of(file): b"old"}
    (moved,) = (key for key in world.copies if key.startswith(SUPERSEDED_PREFIX))
    assert moved in attempt.message
    assert moved.endswith(checksum_of(b"old").value[:12])


def test_every_version_that_there_ever_was_is_kept() -> None:
    world = World()
    for version in (b"1", b"2", b"3"):
        world.has(1, version)
        world.run()
    assert sorted(world.copies.values()) == [b"1", b"2", b"3"]


def test_a_changed_checksum_over_damaged_bytes_keeps_the_good_copy() -> None:
    world = World()
    world.has(1, b"good")
    world.run()
    world.has(1, b"rotten", checksum=checksum_of(b"yet others"))
    assert verdict(world.run().only) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)
    assert list(world.copies.values()) == [b"good"]


def test_a_copy_under_a_former_key_is_moved_aside_only_once_the_new_one_is_proven() -> None:
    world = World()
    former = world.has(1, b"data")
    world.run()
    file = world.has(1, b"data", storageidentifier="file://moved")
    world.store.faults[key_of(file)] = Fault(on_open=SourceUnreadable)
    assert verdict(world.run().only) == (Status.FAIL_READ, Reason.UNREADABLE)
    assert world.copies == {key_of(former): b"data"}
    world.store.faults.clear()
    assert verdict(world.run().only) == (Status.OK, None)
    assert world.copies[key_of(file)] == b"data"
    assert aside(world) == {key_of(former): b"data"}


def test_a_copy_that_has_gone_from_its_former_key_does_not_fail_the_new_one() -> None:
    world = World()
    world.has(1, b"data")
    world.run()
    world.copies.clear()
    world.has(1, b"data", storageidentifier="file://moved")
    assert verdict(world.run().only) == (Status.OK, None)


# Rule 2: a changed checksum is first compared with the copy.


def test_a_changed_checksum_that_fits_the_copy_changes_only_the_record() -> None:
    world = World()
    file = world.has(1, b"data")
    world.run()
    sha = checksum_of(b"data", Algorithm.SHA512)
    world.has(1, b"data", checksum=sha)
    world.store.objects.clear()  # the source is not even read
    attempt = world.run().only
    assert verdict(attempt) == (Status.OK, None)
    assert attempt.bytes_sent == 0
    assert attempt.copy is not None
    assert (attempt.copy.checksum, attempt.copy.registered) == (sha, sha)
    assert attempt.copy.verified_by is VerifiedBy.READ_BACK
    assert world.copies == {key_of(file): b"data"}
    assert world.run().attempts == []


# Rule 3: an occupied key is proven, not overwritten.


def test_an_object_that_fits_the_registered_checksum_is_adopted() -> None:
    world = World()
    file = world.has(1, b"data")
    world.copies[key_of(file)] = b"data"
    world.store.objects.clear()  # it is adopted even where the source has been lost
    attempt = world.run().only
    assert verdict(attempt) == (Status.OK, None)
    assert attempt.copy is not None
    assert (attempt.copy.verified_by, attempt.bytes_sent) == (VerifiedBy.ADOPTED, 0)


def test_without_a_registered_checksum_an_object_is_adopted_if_it_equals_the_source() -> None:
    world = World()
    file = world.has(1, b"data", checksum=None)
    world.copies[key_of(file)] = b"data"
    attempt = world.run().only
    assert verdict(attempt) == (Status.OK, Reason.NO_CHECKSUM)
    assert attempt.copy is not None
    assert attempt.copy.verified_by is VerifiedBy.ADOPTED
    assert attempt.copy.checksum == checksum_of(b"data", OWN_ALGORITHM)
    assert world.copies == {key_of(file): b"data"}


@pytest.mark.parametrize("registered", [True, False])
def test_other_bytes_under_the_key_are_moved_aside(*, registered: bool) -> None:
    world = World()
    file = world.has(1, b"data", checksum=checksum_of(b"data") if registered else None)
    world.copies[key_of(file)] = b"half of an old co"
    assert verdict(world.run().only) == (Status.OK, Reason.CONTENT_CHANGED)
    assert world.copies[key_of(file)] == b"data"
    assert aside(world) == {key_of(file): b"half of an old co"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(SourceUnreadable, Reason.UNREADABLE), (SourceUnavailable, Reason.UNREACHABLE), (None, Reason.MISSING)],
)
def test_without_any_reference_an_occupied_key_is_left_alone(
    fault: type[SourceUnreadable | SourceUnavailable] | None, reason: Reason
) -> None:
    world = World(sleep=lambda _: None)
    file = world.has(1, b"data", checksum=None)
    world.copies[key_of(file)] = b"something"
    if fault is None:
        world.store.objects.clear()
    else:
        world.store.faults[key_of(file)] = Fault(on_open=fault)
    assert verdict(world.run().only) == (Status.FAIL_READ, reason)
    assert world.copies == {key_of(file): b"something"}


def test_an_object_that_we_may_not_read_is_neither_adopted_nor_moved() -> None:
    world = World()
    file = world.has(1, b"data")
    world.copies[key_of(file)] = b"data"
    world.destination.faults.refuses = {key_of(file)}
    assert verdict(world.run().only) == (Status.FAIL_WRITE, Reason.REFUSED)
    assert world.copies == {key_of(file): b"data"}


class Raced(MemoryDestination):
    """Somebody else stores *theirs* under a key after it was seen free."""

    theirs = b""

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        self.objects.update({upload.key: self.theirs for upload in uploads if upload.key not in self.objects})
        yield from super().put(uploads)


@pytest.mark.parametrize("theirs", [b"data", b"others"])
def test_a_key_that_was_taken_meanwhile_is_proven_too(theirs: bytes) -> None:
    world = World(destination=Raced(HERE))
    world.destination.theirs = theirs  # type: ignore[attr-defined]
    file = world.has(1, b"data")
    attempt = world.run().only
    assert attempt.status is Status.OK
    assert world.copies[key_of(file)] == b"data"
    assert aside(world) == ({} if theirs == b"data" else {key_of(file): theirs})


# Rule 4: the registered checksum decides, not the size.


def test_another_size_than_registered_is_fine_where_the_checksum_fits() -> None:
    world = World()
    world.has(1, b"data", size=400)
    attempt = world.run().only
    assert verdict(attempt) == (Status.OK, Reason.SIZE_DIFFERS)
    assert attempt.copy is not None
    assert attempt.copy.size == 4


def test_another_size_than_registered_is_a_failure_without_a_checksum() -> None:
    world = World()
    world.has(1, b"data", size=400, checksum=None)
    attempt = world.run().only
    assert verdict(attempt) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)
    assert "it has 4 bytes, 400 are registered" in attempt.message
    assert world.copies == {}


@pytest.mark.parametrize("changes", [{"size": None}, {"size": 99, "is_tabular": True}])
def test_a_size_that_says_nothing_of_the_bytes_decides_nothing(changes: dict[str, int | bool | None]) -> None:
    world = World()
    world.has(1, b"data", checksum=None, **changes)
    assert verdict(world.run().only) == (Status.OK, Reason.NO_CHECKSUM)


@pytest.mark.parametrize("claimed", [2, 40])
def test_a_source_that_changes_its_length_drops_only_itself(claimed: int) -> None:
    world = World()
    broken, good = world.has(1), world.has(2)
    world.store.faults[key_of(broken)] = Fault(claimed_size=claimed)
    attempts = {attempt.datafile.id: attempt for attempt in world.run().attempts}
    assert verdict(attempts[1]) == (Status.FAIL_READ, Reason.SOURCE_CHANGED)
    assert verdict(attempts[2]) == (Status.OK, None)
    assert world.copies == {key_of(good): b"data"}


def test_bytes_that_are_damaged_on_their_way_are_not_a_copy() -> None:
    world = World()
    world.has(1)
    world.destination.faults.corrupts = {1}
    assert verdict(world.run().only) == (Status.FAIL_WRITE, Reason.COPY_DIFFERS)
    assert world.copies == {}
    assert verdict(world.run().only) == (Status.OK, None)


# Rule 10: which object holds the registered bytes, and what is said where none does.


def test_the_original_of_an_ingested_file_is_copied() -> None:
    world = World()
    file = world.has(1, b"tab", is_tabular=True, checksum=checksum_of(b"original"))
    world.store.objects[f"{key_of(file)}.orig"] = b"original"
    assert verdict(world.run().only) == (Status.OK, None)
    assert world.copies == {key_of(file): b"original"}


def test_an_ingested_file_whose_original_was_never_split_off_is_found_under_its_own_name() -> None:
    world = World()
    file = world.has(1, b"original", is_tabular=True)
    assert verdict(world.run().only) == (Status.OK, None)
    assert world.copies == {key_of(file): b"original"}


def test_a_half_done_ingest_is_seen_through() -> None:
    world = World()
    file = world.has(1, b"tab", checksum=checksum_of(b"original"))
    world.store.objects[f"{key_of(file)}.orig"] = b"original"
    assert verdict(world.run().only) == (Status.OK, Reason.SIZE_DIFFERS)
    assert world.copies == {key_of(file): b"original"}


def test_the_likeliest_name_is_the_one_that_is_reported() -> None:
    world = World()
    file = world.has(1, b"tab", is_tabular=True, checksum=checksum_of(b"original"))
    attempt = world.run().only
    assert verdict(attempt) == (Status.FAIL_READ, Reason.MISSING)
    assert f"{key_of(file)}.orig: " in attempt.message
    world.has(2, b"damaged", checksum=checksum_of(b"data"))
    attempts = {attempt.datafile.id: attempt for attempt in world.run().attempts}
    assert verdict(attempts[2]) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)


def test_an_unexpected_answer_about_a_less_likely_name_is_the_one_that_is_reported() -> None:
    world = World()
    file = world.has(1, b"tab", is_tabular=True)
    world.store.faults[key_of(file)] = Fault(on_open=SourceRefused)
    assert verdict(world.run().only) == (Status.FAIL_READ, Reason.REFUSED)


def test_an_answer_is_not_hidden_by_an_earlier_silence() -> None:
    world = World()
    file = world.has(1, b"damaged", checksum=checksum_of(b"data"))
    world.store.faults[key_of(file)] = Fault(on_open=SourceUnavailable)
    world.sleep = lambda _: world.store.faults.clear()
    assert verdict(world.run().only) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)


def test_a_failure_does_not_take_a_proven_copy_away() -> None:
    world = World(sleep=lambda _: None)
    file = world.has(1, b"data")
    world.run()
    world.has(1, b"changed")
    world.store.faults[key_of(file)] = Fault(on_open=SourceUnavailable)
    assert verdict(world.run().only) == (Status.FAIL_READ, Reason.UNREACHABLE)
    (standing,) = world.ledger.standings(HERE)
    assert standing.copy is not None
    assert standing.copy.checksum == checksum_of(b"data")
    assert world.copies == {key_of(file): b"data"}


# Rule 12: what is lost in mid-batch is not recorded.


class Vanishing(MemoryStore):
    """Lost once so many of its objects were opened."""

    lasts = 0

    def open(self, name: str) -> MemoryStream:
        self.lost = self.lost or self.lasts == 0
        self.lasts -= 1
        return super().open(name)


def test_a_store_that_is_lost_in_mid_batch_records_nothing_of_what_was_not_tried() -> None:
    store = Vanishing()
    store.lasts = 1
    world = World(stores={"file": store, "other": MemoryStore("other")})
    world.has(1)
    world.has(2)
    good = world.has(3, store_id="other", storageidentifier="other://18b-3")
    ran = world.run()
    assert [attempt.datafile.id for attempt in ran.attempts] == [3]
    assert list(ran.outcomes[0].lost_stores) == ["file"]
    assert ran.outcomes[0].lost_destination is None
    assert world.copies == {key_of(good): b"data"}
    assert world.line(1).status is Status.PENDING


def test_a_store_that_is_lost_while_an_occupied_key_is_proven_records_nothing() -> None:
    world = World(sleep=lambda _: None)
    file = world.has(1, checksum=None)
    world.copies[key_of(file)] = b"data"
    world.store.faults[key_of(file)] = Fault(breaks_after=0, breaks_with=StoreLost)
    ran = world.run()
    assert ran.attempts == []
    assert list(ran.outcomes[0].lost_stores) == ["file"]


def test_a_store_that_answers_again_is_tried_again() -> None:
    world = World()
    file = world.has(1)
    world.store.faults[key_of(file)] = Fault(breaks_after=0)
    world.sleep = lambda _: world.store.faults.clear()
    assert verdict(world.run().only) == (Status.OK, None)


def test_a_store_that_answers_again_is_asked_again_about_an_occupied_key() -> None:
    world = World()
    file = world.has(1, checksum=None)
    world.copies[key_of(file)] = b"data"
    world.store.faults[key_of(file)] = Fault(breaks_after=0, breaks_with=StoreLost)
    world.sleep = lambda _: world.store.faults.clear()
    assert verdict(world.run().only) == (Status.OK, Reason.NO_CHECKSUM)


def test_a_store_that_answers_only_when_it_is_probed_takes_nothing_else_with_it() -> None:
    world = World(sleep=lambda _: None)
    broken, good = world.has(1), world.has(2)
    world.store.faults[key_of(broken)] = Fault(breaks_after=0)
    (outcome,) = world.run().outcomes
    assert [attempt.datafile.id for attempt in outcome.attempts] == [2]
    assert list(outcome.lost_stores) == ["file"]
    assert outcome.lost_destination is None
    assert world.copies == {key_of(good): b"data"}


def test_a_store_that_answers_only_when_it_is_probed_does_not_hold_up_the_run_beside_one_that_is_lost() -> None:
    world = World(stores={"file": Vanishing(), "other": MemoryStore("other")}, sleep=lambda _: None)
    world.has(1)
    broken = world.has(2, store_id="other", storageidentifier="other://18b-2")
    world.stores["other"].faults[key_of(broken)] = Fault(breaks_after=0)
    (outcome,) = world.run().outcomes
    assert outcome.attempts == []
    assert sorted(outcome.lost_stores) == ["file", "other"]


# A destination that does not answer is tried again, whole objects at a time.


def test_an_unavailable_destination_is_tried_again() -> None:
    world = World()
    world.has(1, b"a")
    world.has(2, b"b")
    world.destination.faults.down_after = 1
    waited: list[float] = []

    def comes_back(seconds: float) -> None:
        waited.append(seconds)
        world.destination.faults.down_after = None

    world.sleep = comes_back
    assert [attempt.status for attempt in world.run().attempts] == [Status.OK, Status.OK]
    assert waited == [1.0]


def test_a_destination_that_stays_away_is_lost_and_what_was_proven_is_kept() -> None:
    waited: list[float] = []
    world = World(sleep=waited.append)
    first = world.has(1)
    world.has(2)
    world.destination.faults.down_after = 1
    ran = world.run()
    assert [attempt.datafile.id for attempt in ran.attempts] == [1]
    assert isinstance(ran.outcomes[0].lost_destination, DestinationLost)
    assert waited == [1.0, 2.0]
    assert world.copies == {key_of(first): b"data"}
    assert world.line(2).status is Status.PENDING
    world.destination.faults.down_after = None
    assert world.run().only.datafile.id == 2


class Refusing(MemoryDestination):
    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        raise DestinationRefused(f"{self.name}: {len(keys)} keys are not for us")


def test_a_destination_that_refuses_us_is_not_tried_again() -> None:
    world = World(destination=Refusing(HERE))
    world.has(1)
    ran = world.run()
    assert ran.attempts == []
    assert isinstance(ran.outcomes[0].lost_destination, DestinationRefused)


class OnlyAnswering(MemoryDestination):
    """Whatever is sent is not taken, for the moment."""

    tried = 0
    retry_after = 0.0

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        for upload in uploads:
            self.tried += 1
            error = Unavailable(self.name, upload.key, "come back later")
            error.retry_after = self.retry_after
            yield Failure(upload.key, error)


def test_a_destination_that_answers_and_stores_nothing_is_lost_before_each_object_was_tried_in_vain() -> None:
    waited: list[float] = []
    destination = OnlyAnswering(HERE)
    world = World(destination=destination, sleep=waited.append)
    for number in range(9):
        world.has(number)
    (outcome,) = world.run().outcomes
    assert outcome.attempts == []
    assert isinstance(outcome.lost_destination, DestinationLost)
    assert "stores nothing any more" in str(outcome.lost_destination)
    assert destination.tried == 3 * 9 + 1 + 1  # together, one alone, and what was to show whether it stores anything
    assert waited == [1.0, 2.0]


@pytest.mark.parametrize(("asked", "waited"), [(0.5, [1.0, 2.0]), (7.0, [7.0, 7.0]), (9999.0, [120.0, 120.0])])
def test_a_service_that_asks_us_to_wait_is_left_alone_for_so_long(asked: float, waited: list[float]) -> None:
    found: list[float] = []
    world = World(destination=OnlyAnswering(HERE), sleep=found.append)
    world.destination.retry_after = asked  # type: ignore[attr-defined]
    world.has(1)
    world.run()
    assert found == waited


def test_what_takes_minutes_to_fail_is_not_tried_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.transfer.PATIENCE_SECONDS", -1.0)
    destination = OnlyAnswering(HERE)
    world = World(destination=destination)
    world.has(1)
    assert isinstance(world.run().outcomes[0].lost_destination, DestinationLost)
    assert destination.tried == 1 + 1 + 1


def test_an_object_about_which_the_destination_is_silent_fails_alone_and_leaves_nothing_behind() -> None:
    world = World(sleep=lambda _: None)
    silent = world.has(1)
    others = [world.has(number) for number in (2, 3)]
    world.destination.faults.silent = {key_of(silent)}
    attempts = {attempt.datafile.id: verdict(attempt) for attempt in world.run().attempts}
    assert attempts == {1: (Status.FAIL_WRITE, Reason.UNREACHABLE), 2: (Status.OK, None), 3: (Status.OK, None)}
    assert set(world.copies) == {key_of(other) for other in others}


def test_a_full_destination_fails_what_does_not_fit() -> None:
    world = World()
    world.has(1)
    world.has(2)
    world.destination.faults.full_after = 1
    assert [verdict(attempt) for attempt in world.run().attempts] == [
        (Status.OK, None),
        (Status.FAIL_WRITE, Reason.NO_SPACE),
    ]


def test_a_store_that_is_silent_about_one_object_fails_only_that_one() -> None:
    waited: list[float] = []
    world = World(sleep=waited.append)
    silent = world.has(1)
    world.has(2)
    world.store.faults[key_of(silent)] = Fault(on_open=SourceUnavailable)
    attempts = {attempt.datafile.id: verdict(attempt) for attempt in world.run().attempts}
    assert attempts == {1: (Status.FAIL_READ, Reason.UNREACHABLE), 2: (Status.OK, None)}
    assert waited == [1.0, 2.0]


def test_a_hint_travels_with_the_message() -> None:
    world = World()
    file = world.has(1, b"damaged", checksum=checksum_of(b"data"))
    world.store.objects[f"{key_of(file)}.orig"] = b"others"
    assert "; hint: compare with another copy" in world.run().only.message


# New keys are asked about only while there is a reason to.


class Asked(MemoryDestination):
    """Remembers how many keys it was asked about, call by call."""

    def __init__(self) -> None:
        super().__init__(HERE)
        self.asked: list[int] = []

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked.append(len(keys))
        return super().sizes(keys)


def new_batch(numbers: Sequence[int]) -> Batch:
    files = [datafile(number, size=4, checksum=checksum_of(b"data")) for number in numbers]
    return Batch(HERE, tuple(Work(file, key_of(file), None, Why.NEW) for file in files))


def test_new_keys_are_not_asked_about_once_none_of_them_was_taken() -> None:
    destination = Asked()
    store = MemoryStore("file", {key_of(datafile(number)): b"data" for number in range(1, 10)})
    transfer = Transfer({"file": store}, destination)
    for numbers in ([1, 2], [3, 4], [5]):
        assert {attempt.status for attempt in transfer.copy(new_batch(numbers)).attempts} == {Status.OK}
    assert destination.asked == [2]


def test_a_new_key_that_is_taken_is_adopted_and_the_next_ones_are_asked_about() -> None:
    destination = Asked()
    store = MemoryStore("file", {key_of(datafile(number)): b"data" for number in range(1, 10)})
    transfer = Transfer({"file": store}, destination)
    transfer.copy(new_batch([1]))
    for number in (3, 5):
        destination.objects[key_of(datafile(number))] = b"data"
    second, third = (transfer.copy(new_batch(numbers)).attempts for numbers in ([2, 3], [4, 5]))
    assert [attempt.copy.verified_by for attempt in (*second, *third) if attempt.copy] == [
        VerifiedBy.READ_BACK,
        VerifiedBy.ADOPTED,
    ] * 2
    assert [attempt.bytes_sent for attempt in (*second, *third)] == [4, 0, 4, 0]
    assert destination.asked == [1, 1, 2]


def test_of_many_new_keys_a_few_are_asked_about_and_all_of_them_where_one_of_those_is_taken() -> None:
    destination = Asked()
    store = MemoryStore("file", {key_of(datafile(number)): b"data" for number in range(1, 201)})
    for number in range(101, 201):
        destination.objects[key_of(datafile(number))] = b"data"
    free, taken = (Transfer({"file": store}, destination).copy(new_batch(range(n, n + 100))) for n in (1, 101))
    assert [sum(attempt.bytes_sent for attempt in outcome.attempts) for outcome in (free, taken)] == [400, 0]
    assert destination.asked == [17, 17, 100]


def test_only_what_was_sent_of_a_big_object_that_was_continued_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytes(range(256)) * 20
    file = datafile(1, checksum=checksum_of(data), size=len(data))
    key = key_of(file)
    store = MemoryStore("file", {key: data})
    store.faults[key] = Fault(breaks_after=5000, breaks_with=SourceUnavailable)

    def mend(_: float) -> None:
        store.faults.clear()

    staging = Staging("ledger", "run")
    with (
        FilesystemDestination("offsite", tmp_path, staging, resumes_from=1000) as destination,
        caplog.at_level("INFO", "dataverse_backup"),
    ):
        transfer = Transfer({"file": store}, destination, sleep=mend)
        (attempt,) = transfer.copy(Batch(HERE, (Work(file, key, None, Why.NEW),))).attempts
    assert (attempt.status, attempt.bytes_sent) == (Status.OK, len(data) - 5000)
    assert "resumed: 5000 of 5120 bytes lay there already" in caplog.text
    assert (tmp_path / key).read_bytes() == data
