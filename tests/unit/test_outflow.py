"""What is sent to a destination: one bandwidth for all processes of a run, and how far each batch has come."""

from __future__ import annotations

import os
import pickle
import signal
import time
from concurrent.futures import wait
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest

from dataverse_backup import outflow, workers
from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Ended, Ending, Moving
from dataverse_backup.actions.sites import Installation, Site
from dataverse_backup.bandwidth import Timetable
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.engine import Capacity, Stop
from dataverse_backup.errors import NoWorkSpace
from dataverse_backup.fixity import Algorithm, BytesStream, Checksum, HashingReader
from dataverse_backup.joint import JointTransferFactory
from dataverse_backup.ledger.base import Attempt
from dataverse_backup.outflow import Meter, Notes, Outflow, Pace
from dataverse_backup.services.origin import Origin, origin_of
from dataverse_backup.stores.memory import MemoryStore
from tests.unit.memory_world import World
from tests.unit.test_backup_deadly import MakeTransfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.stores.base import Store
    from dataverse_backup.transfer import Transfer

RATE = 100_000
ALWAYS = Timetable(((0, RATE),))


@pytest.fixture
def pace() -> Iterator[Pace]:
    """RATE bytes a second, always."""
    made = Pace(ALWAYS)
    yield made
    made.close()


@pytest.fixture
def meter() -> Iterator[Meter]:
    """Reads notes."""
    made = Meter()
    yield made
    made.close()


class Placed(BytesStream):
    origin = Origin("service", "bucket", "name", '"etag"')


def test_what_lies_in_a_service_is_known_to_lie_there_when_it_is_sent() -> None:
    assert origin_of(Outflow().stream(Placed(b"data", place="s3", key="name"))) is Placed.origin
    assert origin_of(Outflow().stream(BytesStream(b"data", place="s3", key="name"))) is None


def send(through: Outflow, size: int) -> float:
    """Send so many bytes; how many seconds that took."""
    began = time.monotonic()
    stream = through.stream(BytesStream(bytes(size), place="here", key="key"))
    sent = 0
    while data := stream.read(1 << 20):
        sent += len(data)
    stream.close()
    assert sent == size
    return time.monotonic() - began


def sending(through: Outflow) -> Callable[[int], float]:
    """What a worker process does: it sends so many bytes; none is what kills it."""

    def do(size: int) -> float:
        return send(through, size) if size else die()

    return do


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


def test_what_is_limited_takes_its_time(pace: Pace) -> None:
    assert send(Outflow(pace), RATE // 2) >= 0.5 - outflow.SECONDS_OF_PIECE


def test_without_a_limit_nothing_waits() -> None:
    whole = BytesStream(b"x" * 1000, place="here", key="key")
    stream = Outflow().stream(whole)
    assert (stream.size, stream.place, stream.key) == (1000, "here", "key")
    assert stream.read(1 << 20) == b"x" * 1000
    stream.close()
    assert whole.closed


def test_what_lies_there_already_takes_nothing_of_the_bandwidth(pace: Pace) -> None:
    whole = BytesStream(bytes(10 * RATE), place="here", key="key")
    with HashingReader(Outflow(pace).stream(whole), Algorithm.MD5) as reader:
        began = time.monotonic()
        assert len(reader.read_unsent(10 * RATE)) == 10 * RATE
        assert time.monotonic() - began < 1
        assert reader.finish(None) == Checksum.of(bytes(10 * RATE), Algorithm.MD5)


def test_pieces_are_small_so_that_no_connection_waits_long(pace: Pace) -> None:
    stream = Outflow(pace).stream(BytesStream(bytes(RATE), place="here", key="key"))
    assert len(stream.read(1 << 20)) == RATE * outflow.SECONDS_OF_PIECE
    assert len(stream.read(10)) == 10


def test_a_timetable_is_kept_while_something_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    evening = Pace(Timetable(((0, 1 << 20), (18 * 60, None))))
    now = datetime(2026, 3, 2, 17, 59)  # noqa: DTZ001 -- the clock on the wall
    monkeypatch.setattr(outflow, "_now", lambda: now)
    slow = evening.piece(1 << 20)
    now = now.replace(hour=18, minute=0)
    assert (slow, evening.piece(1 << 20)) == ((1 << 20) // 10, 1 << 20)
    began = time.monotonic()
    evening.wait(1 << 40)
    assert time.monotonic() - began < 1
    evening.close()


def test_all_workers_together_have_the_bandwidth_once_and_one_alone_has_all_of_it(pace: Pace) -> None:
    with workers.processes(partial(sending, Outflow(pace)), 3) as submit:
        wait([submit(1) for _ in range(3)], 60)  # they are there
        began = time.monotonic()
        futures = [submit(RATE // 3) for _ in range(3)]
        assert len(wait(futures, 60).done) == 3
        together = time.monotonic() - began
        alone = submit(RATE).result(60)
    assert together >= 1.0 - 2 * outflow.SECONDS_OF_PIECE
    assert 1.0 - 2 * outflow.SECONDS_OF_PIECE <= alone < 2.8  # a third of the rate would take 3 seconds


def test_a_worker_that_is_killed_leaves_its_bandwidth_to_the_others(pace: Pace) -> None:
    with workers.processes(partial(sending, Outflow(pace)), 2) as submit:
        futures = [submit(size) for size in (RATE // 4, 0, RATE // 4)]
        wait(futures, 60)
        assert [future.exception() is None for future in futures] == [True, False, True]


def test_elsewhere_it_is_one_of_several_that_share_by_halves() -> None:
    shared = Pace(ALWAYS)
    sent = pickle.loads(pickle.dumps(shared))
    assert sent.piece(1 << 20) == RATE * outflow.SECONDS_OF_PIECE
    sent.share(2)
    assert sent.piece(1 << 20) == RATE * outflow.SECONDS_OF_PIECE / 2
    assert send(Outflow(sent), RATE // 4) >= 0.5 - outflow.SECONDS_OF_PIECE
    for one in (shared, sent):
        one.close()


def test_where_no_temporary_file_can_be_made_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(NoWorkSpace, match="no space left") as caught:
        Pace(ALWAYS)
    assert "TMPDIR" in caught.value.hint


# How far a batch has come.


def test_notes_say_how_far_a_batch_in_flight_has_come(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "SECONDS_BETWEEN_NOTES", 0.0)
    through = Outflow(None, meter.notes)
    through.notes.begin(7)
    send(through, 1000)
    assert meter.read({7: 5000, 8: 100}) == 1000
    send(through, 1000)
    assert meter.read({7: 5000}) == 2000
    through.notes.begin(9)
    assert meter.read({9: 10}) == 0


def test_what_is_sent_a_second_time_does_not_count_as_more_than_there_is(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outflow, "SECONDS_BETWEEN_NOTES", 0.0)
    meter.notes.begin(7)
    meter.notes.add(150)
    assert meter.read({7: 100}) == 100


def test_a_batch_that_is_not_in_flight_any_more_counts_no_longer(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "SECONDS_BETWEEN_NOTES", 0.0)
    meter.notes.begin(7)
    meter.notes.add(50)
    assert meter.read({}) == 0
    assert meter.read({7: 100}) == 0


def test_notes_are_few_and_nobody_waits_for_who_does_not_read_them(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter.notes.begin(0)
    for _ in range(1000):
        meter.notes.add(1)
    assert meter.read({0: 1000}) == 0
    monkeypatch.setattr(outflow, "SECONDS_BETWEEN_NOTES", 0.0)
    for _ in range(20_000):  # more than a pipe holds
        meter.notes.add(1)
    assert 0 < meter.read({0: 1 << 20}) < 21_000


def test_elsewhere_nothing_is_noted(meter: Meter) -> None:
    sent = pickle.loads(pickle.dumps(meter.notes))
    assert isinstance(sent, Notes)
    sent.begin(1)
    sent.add(1 << 30)
    assert meter.read({1: 1 << 30}) == 0


def stores(objects: Mapping[str, bytes]) -> dict[str, Store]:
    return {"file": MemoryStore("file", dict(objects))}


def test_a_run_tells_how_far_it_has_come_within_a_big_file(tmp_path: Path) -> None:
    world, size = World(), 3 * RATE
    world.has(1, bytes(size))
    installation = Installation(world.catalogue, world.ledger, world.stores, partial(stores, dict(world.store.objects)))

    def make_transfer(staging: Staging) -> Callable[[Mapping[str, Store]], Transfer]:
        return MakeTransfer("a", tmp_path, staging)

    site = Site(
        "a",
        "filesystem",
        partial(FilesystemDestination, "a", tmp_path),
        make_transfer,
        Capacity(1, 4, RATE),
        bandwidth=ALWAYS,
    )
    events = list(backup(installation, [site], Stop()))
    *moving, recorded = [event.size for event in events if isinstance(event, Moving)]
    assert recorded == 0
    assert len(moving) >= 3
    assert moving == sorted(moving)
    assert 0 < moving[0] < size
    kinds = [type(event) for event in events if isinstance(event, Moving | Attempt | Ended)]
    assert kinds[:2] == [Moving, Moving]
    assert [event.ending for event in events if isinstance(event, Ended)] == [Ending.OK]


def test_what_is_noted_far_away_is_heard_and_counted_here(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "SECONDS_BETWEEN_NOTES", 0.0)
    here = JointTransferFactory(dict, {}, {"a": Outflow(notes=meter.notes)})
    far = pickle.loads(pickle.dumps(here))()
    far.tell(here.heard)
    notes = far._outflows["a"].notes
    notes.begin(7)
    notes.add(10)
    notes.add(20)
    here.heard("unknown", 7, 5)
    assert meter.read({7: 100}) == 30
