"""What every destination of ours promises that continues big objects."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.destinations.base import Failure, Receipt
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.destinations.s3 import parts
from dataverse_backup.destinations.ssh.destination import SshDestination
from dataverse_backup.errors import Unavailable
from dataverse_backup.testing.places import NAME, STAGING, FolderPlace
from dataverse_backup.testing.resumable import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.resumable import LATER, break_off, proven, whole
from dataverse_backup.testing.uploads import KEY, OTHER
from tests.contract.destination_cases import BucketPlace
from tests.servers.carrying import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.destinations.s3 import S3Settings
    from dataverse_backup.destinations.ssh import SshSettings
    from dataverse_backup.testing.places import Place
    from tests.servers.rclone import RcloneServer
    from tests.servers.sshd import SshServer

BIG = 1 << 17
PART = 5 << 20
"""The least that S3 takes."""


@contextmanager
def filesystem(request: pytest.FixtureRequest) -> Iterator[Place]:
    sandbox: Path = request.getfixturevalue("tmp_path")
    make = partial(FilesystemDestination, NAME, resumes_from=BIG)
    yield FolderPlace(sandbox, make)


@contextmanager
def ssh_with_shell(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("ssh_server"))


@contextmanager
def ssh_program(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("ssh_server"), carried)


@contextmanager
def ssh_without_shell(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("sftp_server"))


@contextmanager
def rclone(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("rclone_server"))


def _folder_of(
    server: SshServer | RcloneServer, kind: Callable[[str, SshSettings, Staging], Destination] = SshDestination
) -> FolderPlace:
    def make(root: Path, staging: Staging) -> Destination:
        return kind(NAME, replace(server.settings(root), big_file=BIG, resumes_from=BIG), staging)

    return FolderPlace(server.sandbox(), make)


@contextmanager
def s3(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield BigBucketPlace(request.getfixturevalue("s3_server"))


@contextmanager
def s3_of_swift(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield BigBucketPlace(request.getfixturevalue("swift_s3"))


class BigBucketPlace(BucketPlace):
    """A bucket where more than one part is a big object."""

    def settings(self, **other: Any) -> S3Settings:
        return super().settings(**({"resumes_from": PART, "part_size": PART} | other))

    def only_upload(self) -> dict[str, Any]:
        """What a request says of the only upload that is not complete."""
        (found,) = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{self.prefix}/")["Uploads"]
        return {"Bucket": self.bucket, "Key": found["Key"], "UploadId": found["UploadId"]}


CASES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Place]]] = {
    "filesystem": filesystem,
    "ssh with shell": ssh_with_shell,
    "ssh program": ssh_program,
    "ssh without shell": ssh_without_shell,
    "rclone serve sftp": rclone,
    "s3": s3,
    "s3 of swift": s3_of_swift,
}
BUCKETS = ("s3", "s3 of swift")
in_folders = pytest.mark.parametrize("place", [case for case in CASES if case not in BUCKETS], indirect=True)
in_buckets = pytest.mark.parametrize("place", BUCKETS, indirect=True)


@pytest.fixture(params=CASES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty root, where objects are big early."""
    with CASES[request.param](request) as place:
        yield place


@pytest.fixture
def folder(place: Place) -> FolderPlace:
    """The place, whose objects we can lay hands on."""
    assert isinstance(place, FolderPlace)
    return place


@in_folders
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


@in_folders
def test_more_bytes_than_there_should_be_become_no_part_of_a_copy(
    folder: FolderPlace, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    folder.plant(left, data + b"more")
    results = [result for _ in range(2) for result in destination.put([whole(data)])]
    assert any(isinstance(result, Receipt) for result in results)
    assert folder.read(KEY) == data


@in_folders
def test_all_of_it_may_lie_there(folder: FolderPlace, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    (left,) = folder.staged()
    folder.plant(left, data)
    assert proven(folder, destination, data) == len(data)


@in_folders
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


@in_folders
def test_after_two_weeks_it_is_swept(folder: FolderPlace, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    break_off(destination, data, OTHER)
    young, old = sorted(folder.staged())
    for key, days in ((young, 13), (old, 15)):
        at = time.time() - days * 86400
        os.utime(folder.root / key, (at, at))
    destination.sweep()
    assert folder.staged() == {young}


@in_folders
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


@in_buckets
def test_a_part_of_other_bytes_is_sent_again(place: Place, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    assert isinstance(place, BigBucketPlace)
    upload = place.only_upload()
    place.client.upload_part(**upload, PartNumber=2, Body=data[:PART])
    # SeaweedFS keeps both parts of a number and tells of one of them; the one that is named is completed.
    assert proven(place, destination, data) in (2 * PART, 3 * PART)
    assert place.staged() == set()


@in_buckets
def test_an_upload_that_somebody_aborted_is_begun_anew(place: Place, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    assert isinstance(place, BigBucketPlace)
    place.client.abort_multipart_upload(**place.only_upload())
    assert proven(place, destination, data) == 0


@in_buckets
def test_after_two_weeks_an_upload_is_swept(
    place: Place, destination: Destination, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(destination, data)
    began = time.time()
    monkeypatch.setattr(parts, "time", SimpleNamespace(time=lambda: began + 13 * 86400))
    destination.sweep()
    assert place.staged()
    monkeypatch.setattr(parts, "time", SimpleNamespace(time=lambda: began + 15 * 86400))
    destination.sweep()
    assert place.staged() == set()
