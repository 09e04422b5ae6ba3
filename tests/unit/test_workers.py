"""Worker processes: each with a transfer of its own, and never taking the run down with them."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, NoReturn

import pytest

from dataverse_backup import workers
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.joint import JointTransferFactory
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.transfer import Transfer
from dataverse_backup.work import Batch, JointBatch, Why, Work
from tests.contract.ledger_cases import HERE, datafile, key_of
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.stores.base import Store

FILE = datafile(1, size=4, checksum=checksum_of(b"data"))
WORKS = (Work(FILE, key_of(FILE), None, Why.NEW),)
BATCH = JointBatch((Batch(HERE, WORKS), Batch("there", WORKS)))


class Killed(Transfer):
    """Its process is killed as soon as it has something to do."""

    def copy(self, batch: Batch) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
        raise AssertionError(batch)


def stores() -> dict[str, MemoryStore]:
    return {"file": MemoryStore("file", {key_of(FILE): b"data"})}


def working(stores: Mapping[str, Store]) -> Transfer:
    return Transfer(stores, MemoryDestination())


def killed(stores: Mapping[str, Store]) -> Transfer:
    return Killed(stores, MemoryDestination())


def test_a_process_copies_with_transfers_of_its_own() -> None:
    with workers.processes(JointTransferFactory(stores, {HERE: working, "there": working}), 1) as submit:
        outcomes = submit(BATCH).result(60)
    assert {name: [attempt.status for attempt in outcome.attempts] for name, outcome in outcomes.items()} == {
        HERE: [Status.OK],
        "there": [Status.OK],
    }
    assert sum(outcome.bytes_read for outcome in outcomes.values()) == len(b"data")


def test_a_killed_worker_loses_its_batch() -> None:
    with workers.processes(JointTransferFactory(stores, {HERE: killed, "there": working}), 1) as submit:
        with pytest.raises(BrokenProcessPool):
            submit(BATCH).result(60)
        with pytest.raises(BrokenProcessPool):
            submit(BATCH)


def test_only_a_worker_copies() -> None:
    with pytest.raises(RuntimeError, match=r"workers\.processes"):
        workers._done(BATCH)
