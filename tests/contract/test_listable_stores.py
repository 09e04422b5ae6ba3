"""What every store of ours promises that can be listed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import StoreLost
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.testing.listable_stores import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.listable_stores import listed
from tests.contract.store_cases import RESTORABLE_SHELVES, SHELVES
from tests.ordinary_user import open_folder, ordinary_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.testing.shelves import Shelf


@pytest.fixture(params=sorted(RESTORABLE_SHELVES))
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    """One of each kind of store."""
    with SHELVES[request.param](request) as shelf, shelf.store:
        if hasattr(shelf.store, "_page"):
            shelf.store._page = 7
        yield shelf


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with one file."""
    with open_folder() as folder:
        (folder / "a").mkdir()
        (folder / "a" / "file").write_bytes(b"123")
        yield folder


def test_links_are_followed_and_what_is_no_file_is_no_object(folder: Path, tmp_path: Path) -> None:
    """Administrators move datasets to other disks and leave a link behind."""
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "there").write_bytes(b"12345")
    (folder / "b").symlink_to(tmp_path / "moved")
    (folder / "a" / "link").symlink_to("file")
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "a" / "self").symlink_to("self")
    (folder / "a" / "nowhere").symlink_to("no such file")
    (folder / "empty").mkdir()
    os.mkfifo(folder / "a" / "pipe")
    found = listed(FilesystemStore("file", folder))
    assert {name: one.size for name, one in found.items()} == {"a/file": 3, "a/link": 3, "b/there": 5}


def test_a_name_that_is_not_utf_8_comes_as_it_lies_there(folder: Path) -> None:
    with open(os.fsencode(folder / "a") + b"/\x80", "wb") as file:  # noqa: PTH123 -- a name in bytes
        file.write(b"12")
    assert listed(FilesystemStore("file", folder)).keys() == {"a/file", "a/\udc80"}


def test_what_a_file_system_keeps_at_its_root_is_not_of_the_store(folder: Path) -> None:
    (folder / "lost+found").mkdir(mode=0o700)
    (folder / ".snapshot" / "daily" / "a").mkdir(parents=True)
    (folder / ".snapshot" / "daily" / "a" / "file").write_bytes(b"123")
    with ordinary_user():
        assert listed(FilesystemStore("file", folder)).keys() == {"a/file"}


def test_a_folder_that_may_not_be_read_loses_the_listing(folder: Path) -> None:
    (folder / "secret").mkdir(mode=0o700)
    with ordinary_user(), pytest.raises(StoreLost, match=r"secret cannot be listed: permission denied") as lost:
        listed(FilesystemStore("file", folder))
    assert "may we read every folder" in lost.value.hint


def test_stores_that_share_a_directory_are_one_place(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    one, same = FilesystemStore("one", folder), FilesystemStore("same", tmp_path / "link")
    assert one.place == same.place
    assert one.place != FilesystemStore("other", folder / "a").place
