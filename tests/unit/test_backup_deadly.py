"""A whole run over real worker processes, some of which are killed by what they copy."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.actions.sites import Installation, Site
from dataverse_backup.destinations.base import is_own
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.engine import Capacity, Stop
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.transfer import Transfer
from tests.contract.ledger_cases import datafile, key_of
from tests.unit.memory_world import World, checksum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.stores.base import Store
    from dataverse_backup.stores.memory import MemoryStream

DEADLY = b"whoever reads this dies of it"
GREEDY = b"whoever reads this gets no more memory"


class DeadlyStore(MemoryStore):
    """Some of its objects are not read by anybody who lives."""

    def open(self, name: str) -> MemoryStream:
        if self.objects[name] == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.objects[name] == GREEDY:
            raise MemoryError
        return super().open(name)


@dataclass(frozen=True)
class MakeTransfer:
    name: str
    root: Path
    staging: Staging

    def __call__(self, stores: Mapping[str, Store]) -> Transfer:
        return Transfer(stores, FilesystemDestination(self.name, self.root, self.staging))


def stores(objects: Mapping[str, bytes]) -> dict[str, Store]:
    return {"file": DeadlyStore("file", dict(objects))}


def site(root: Path) -> Site:
    def make_transfer(staging: Staging) -> Callable[[Mapping[str, Store]], Transfer]:
        return MakeTransfer(root.name, root, staging)

    return Site(
        root.name,
        "filesystem",
        lambda staging: FilesystemDestination(root.name, root, staging),
        make_transfer,
        Capacity(2, 4, 1 << 20),
    )


def run(world: World, *roots: Path) -> dict[str, Ended]:
    installation = Installation(world.catalogue, world.ledger, world.stores, partial(stores, dict(world.store.objects)))
    events = list(backup(installation, [site(root) for root in roots], Stop()))
    return {event.destination: event for event in events if isinstance(event, Ended)}


def copied(root: Path) -> Counter[bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return Counter(path.read_bytes() for path in found if not is_own(str(path.relative_to(root))))


@pytest.mark.parametrize("deadly", [DEADLY, GREEDY])
def test_a_file_that_kills_whoever_copies_it_fails_and_all_others_are_copied(tmp_path: Path, deadly: bytes) -> None:
    world = World()
    for number in range(1, 11):
        world.has(number, deadly if number == 5 else b"%d" % number)
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        root.mkdir()
    results = run(world, *roots)
    for root in roots:
        assert copied(root) == Counter(b"%d" % number for number in range(1, 11) if number != 5)
        assert results[root.name].ending is Ending.FAILURES
        assert results[root.name].lost is None
        assert results[root.name].tried == {Status.OK: 9, Status.FAIL_WRITE: 1}
        (failed,) = world.ledger.listed(destination=root.name, status=Status.FAIL_WRITE)
        assert (failed.datafile_id, failed.reason) == (5, Reason.WORKER_DIED)
        assert "journalctl" in failed.message

    changed = datafile(5, size=4, checksum=checksum_of(b"good"))
    world.catalogue.rows_now[5], world.store.objects[key_of(changed)] = changed, b"good"
    assert [ended.ending for ended in run(world, *roots).values()] == [Ending.OK, Ending.OK]


def test_more_destinations_than_processors_all_get_everything(tmp_path: Path) -> None:
    world = World()
    for number in range(1, 7):
        world.has(number, b"%d" % number)
    roots = [tmp_path / str(number) for number in range((os.cpu_count() or 1) + 3)]
    for root in roots:
        root.mkdir()
    results = run(world, *roots)
    assert {ended.ending for ended in results.values()} == {Ending.OK}
    assert {ended.record.files_ok for ended in results.values() if ended.record} == {6}
    assert all(copied(root) == Counter(b"%d" % number for number in range(1, 7)) for root in roots)
    assert sum(ended.bytes_read for ended in results.values()) == 6
