"""A batch may run twice at once: a worker that was cut off goes on with what another one does again.

Whoever comes second finds what the first one stored, proves it and adopts it. Nothing is overwritten or lost. Where
both move the same old copies aside, one of them may fail over what the other one has just moved: the next run adopts.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.transfer import Transfer
from dataverse_backup.work import Batch, Why, Work
from tests.contract.ledger_cases import datafile, key_of
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    import pytest

    from dataverse_backup.conclusion import Outcome
    from dataverse_backup.stores.memory import MemoryStream
    from dataverse_backup.testing.places import Place

FILES = 3
TOGETHER_SECONDS = 5.0


class MeetingStore(MemoryStore):
    """Whoever opens the first object waits until the other one does so too: both have seen what lies under the keys."""

    def __init__(self, first: str, meeting: threading.Barrier) -> None:
        super().__init__()
        self._first, self._meeting, self._has_met = first, meeting, False

    def open(self, name: str) -> MemoryStream:
        if name == self._first and not self._has_met:
            self._has_met = True
            with suppress(threading.BrokenBarrierError):  # a server that lets the other one wait, as rclone does
                self._meeting.wait(TOGETHER_SECONDS)
        return super().open(name)


def test_two_that_store_the_same_files_both_succeed(place: Place, request: pytest.FixtureRequest) -> None:
    said = twice(place)
    if "rclone" in request.node.callspec.params["place"]:  # its renames are not atomic: one of two may see half of one
        assert all(Status.OK in each for each in said)
    else:
        assert said == [{Status.OK}] * FILES
    assert all(place.read(key) == new(key) for key in keys())
    assert {key for key in place.everything() if not key.startswith(".dataverse-backup/")} == keys()
    assert not place.staged()


def test_two_that_supersede_the_same_copies_lose_neither_the_old_nor_the_new(place: Place) -> None:
    for key in keys():
        place.plant(key, b"what was there before")
    assert all(Status.OK in said and said <= {Status.OK, Status.FAIL_WRITE} for said in twice(place))
    aside = {key for key in place.everything() if key.startswith(".superseded/")}
    for key in keys():
        assert place.read(key) == new(key)
        assert b"what was there before" in {place.read(old) for old in aside if key in old}
    assert not place.staged()


def keys() -> set[str]:
    return {key_of(datafile(number)) for number in range(FILES)}


def new(key: str) -> bytes:
    return key.encode() * 50


def twice(place: Place) -> list[set[Status]]:
    """Run one batch in two threads, each with a connection of its own as two workers have; what they say of each."""
    files = [datafile(number) for number in range(FILES)]
    works = [
        Work(datafile(file.id, size=len(data), checksum=checksum_of(data)), key_of(file), None, Why.NEW)
        for file in files
        for data in [new(key_of(file))]
    ]
    batch = Batch("there", tuple(works))
    meeting = threading.Barrier(2)

    def run() -> Outcome:
        store = MeetingStore(key_of(files[0]), meeting)
        store.objects.update({key: new(key) for key in keys()})
        with place.destination() as destination:
            return Transfer({"file": store}, destination, delays=(0.1, 0.3)).copy(batch)

    with ThreadPoolExecutor(2) as threads:
        outcomes = [future.result() for future in [threads.submit(run) for _ in range(2)]]
    assert [outcome.lost_destination for outcome in outcomes] == [None, None]
    attempts = [attempt for outcome in outcomes for attempt in outcome.attempts]
    assert len(attempts) == 2 * FILES
    return [{attempt.status for attempt in attempts if attempt.datafile.id == file.id} for file in files]
