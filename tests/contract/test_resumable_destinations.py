"""What every destination of ours promises that continues big objects."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import Failure, Receipt
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.destinations.ssh import SshDestination
from dataverse_backup.errors import Unavailable
from dataverse_backup.testing.destinations import KEY, OTHER
from dataverse_backup.testing.places import NAME, STAGING, FolderPlace
from dataverse_backup.testing.resumable import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.resumable import LATER, break_off, proven, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.testing.places import Place
    from tests.servers.rclone import RcloneServer
    from tests.servers.sshd import SshServer

BIG = 1 << 17


@contextmanager
def filesystem(request: pytest.FixtureRequest) -> Iterator[Place]:
    sandbox: Path = request.getfixturevalue("tmp_path")
    make = partial(FilesystemDestination, NAME, resumes_from=BIG)
    yield FolderPlace(sandbox, make)


@contextmanager
def ssh_with_shell(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("ssh_server"))


@contextmanager
def ssh_without_shell(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("sftp_server"))


@contextmanager
def rclone(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("rclone_server"))


def _folder_of(server: SshServer | RcloneServer) -> FolderPlace:
    def make(root: Path, staging: Staging) -> Destination:
        return SshDestination(NAME, replace(server.settings(root), big_file=BIG, resumes_from=BIG), staging)

    return FolderPlace(server.sandbox(), make)


CASES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Place]]] = {
    "filesystem": filesystem,
    "ssh with shell": ssh_with_shell,
    "ssh without shell": ssh_without_shell,
    "rclone serve sftp": rclone,
}


@pytest.fixture(params=CASES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty root, where objects are big early."""
    with CASES[request.param](request) as place:
        yield place


@pytest.fixture
def folder(place: Place) -> FolderPlace:
    """The place, if we can lay hands on what was broken off."""
    if not isinstance(place, FolderPlace):
        pytest.skip("its objects in parts cannot be touched")
    return place


def test_a_flipped_bit_in_what_lies_there_becomes_no_part_of_a_copy(
    folder: FolderPlace, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    folder.damage(left)
    (result,) = destination.put([whole(data)])
    if isinstance(result, Failure):  # begun anew by the next try
        assert type(result.error) is Unavailable
        assert folder.staged() == folder.final_keys() == set()
    else:
        assert folder.read(KEY) == data


def test_more_bytes_than_there_should_be_become_no_part_of_a_copy(
    folder: FolderPlace, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    folder.plant(left, data + b"more")
    results = [result for _ in range(2) for result in destination.put([whole(data)])]
    assert any(isinstance(result, Receipt) for result in results)
    assert folder.read(KEY) == data


def test_all_of_it_may_lie_there(folder: FolderPlace, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    folder.plant(left, data)
    assert proven(folder, destination, data) == len(data)


def test_the_next_run_finds_what_a_killed_one_was_writing(
    folder: FolderPlace, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    killed = f"{STAGING.prefix}/attempt"
    (folder.root / killed).mkdir(parents=True)
    (folder.root / left).rename(folder.root / killed / left.rpartition("/")[2])
    folder.plant(f"{killed}/0", b"small")
    folder.plant(f"{killed}/big-{'0' * 40}", b"")
    with folder.destination(LATER) as later:
        later.connect()
        later.sweep()
        assert folder.staged() == {left}
        assert proven(folder, later, data) > 0


def test_after_two_weeks_it_is_swept(folder: FolderPlace, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    break_off(destination, data, OTHER)
    young, old = sorted(folder.staged())
    for key, days in ((young, 13), (old, 15)):
        at = time.time() - days * 86400
        os.utime(folder.root / key, (at, at))
    destination.sweep()
    assert folder.staged() == {young}


def test_nothing_is_written_through_a_link_that_somebody_put_there(
    folder: FolderPlace, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    (folder.root / left).unlink()
    folder.plant("theirs", b"theirs")
    (folder.root / left).symlink_to(folder.root / "theirs")
    results = [result for _ in range(2) for result in destination.put([whole(data)])]
    assert any(isinstance(result, Receipt) for result in results)
    assert (folder.read("theirs"), folder.read(KEY)) == (b"theirs", data)
