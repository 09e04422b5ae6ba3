"""Writing a file back beside those of Dataverse: whose it is, links, and what a file system lacks."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.errors import CopyRefused, KeyOccupied, NoSpace, StoreLost
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.testing.restorable import BAD, GOOD, copy_of, never, sha1
from dataverse_backup.testing.stores import NAME
from tests.ordinary_user import open_folder, ordinary_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
USER, GROUP = 4711, 4712


@pytest.fixture
def root() -> Iterator[Path]:
    with open_folder() as folder:
        (folder / "files").mkdir()
        yield folder / "files"


@pytest.fixture
def store(root: Path) -> FilesystemStore:
    return FilesystemStore("file", root)


def planted(path: Path, data: bytes = BAD, mode: int = 0o640) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, USER, GROUP)
    return path


def rights(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


@needs_root
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_it_belongs_to_whom_the_damaged_one_belonged(store: FilesystemStore, root: Path, mode: int) -> None:
    path = planted(root / NAME, mode=mode)
    done = store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert done.aside is not None
    assert rights(path) == rights(root / done.aside) == (USER, GROUP, mode)
    assert path.read_bytes() == GOOD


@needs_root
def test_where_nothing_lay_there_it_belongs_to_whom_its_neighbours_belong(store: FilesystemStore, root: Path) -> None:
    neighbour = planted((root / NAME).with_name("other"), mode=0o604)
    store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert rights(root / NAME) == rights(neighbour)


@needs_root
def test_folders_that_are_missing_are_made_like_those_above(store: FilesystemStore, root: Path) -> None:
    os.chown(root, USER, GROUP)
    root.chmod(0o2750)
    store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    for folder in (root / NAME).parents:
        if folder == root:
            break
        assert rights(folder) == (USER, GROUP, 0o750)
    assert rights(root / NAME) == (USER, GROUP, 0o640)


@needs_root
def test_who_may_not_give_files_away_is_told_and_leaves_nothing(store: FilesystemStore, root: Path) -> None:
    path = planted(root / NAME, mode=0o644)
    path.parent.chmod(0o777)
    with ordinary_user(), pytest.raises(CopyRefused, match=f"user {USER} and group {GROUP}") as refused:
        store.put_back(NAME, never, sha1(GOOD))
    assert "root" in refused.value.hint
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_datasets_that_were_moved_to_another_disk_are_followed(store: FilesystemStore, root: Path) -> None:
    disk = root.parent / "disk2"
    planted(disk / "18b-1")
    (root / NAME).parent.parent.mkdir(parents=True)
    (root / NAME).parent.symlink_to(disk)
    done = store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert (disk / "18b-1").read_bytes() == GOOD
    assert done.aside is not None
    assert (root / done.aside).read_bytes() == BAD


def test_a_link_that_leads_nowhere_may_be_a_disk_that_is_not_mounted(store: FilesystemStore, root: Path) -> None:
    (root / "10.5072").symlink_to(root.parent / "not mounted")
    with pytest.raises(CopyRefused, match="leads to what is not there"):
        store.put_back(NAME, never, sha1(GOOD))
    assert not (root.parent / "not mounted").exists()


def test_what_is_no_file_stays(store: FilesystemStore, root: Path) -> None:
    (root / NAME).parent.mkdir(parents=True)
    (root / NAME).symlink_to(planted(root / "elsewhere"))
    (root / "10.5072/FK2/ABCDEF/folder").mkdir()
    for name in (NAME, "10.5072/FK2/ABCDEF/folder"):
        with pytest.raises(KeyOccupied, match="not a file"):
            store.put_back(name, never, sha1(GOOD))


def test_an_empty_store_is_filled_and_a_missing_one_is_lost(root: Path) -> None:
    FilesystemStore("file", root).put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert (root / NAME).read_bytes() == GOOD
    with pytest.raises(StoreLost, match="is not there"):
        FilesystemStore("file", root / "no").put_back(NAME, never, sha1(GOOD))


def test_a_full_disk_changes_nothing(store: FilesystemStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = planted(root / NAME)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("dataverse_backup.services.files.os.write", full)
        with pytest.raises(NoSpace):
            store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == BAD


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_system_without_hard_links_will_do(
    store: FilesystemStore, root: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    def no_links(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if is_there:
        planted(root / NAME)
    monkeypatch.setattr("dataverse_backup.services.tree.os.link", no_links)
    done = store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert (root / NAME).read_bytes() == GOOD
    assert (done.aside is not None) is is_there


def test_what_a_rotten_disk_no_longer_gives_is_replaced(
    store: FilesystemStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(root / NAME)
    reading = os.read
    inode = (root / NAME).stat().st_ino

    def rotten(descriptor: int, length: int) -> bytes:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(errno.EIO, "Input/output error")
        return reading(descriptor, length)

    with monkeypatch.context() as patched:
        patched.setattr("dataverse_backup.services.files.os.read", rotten)
        done = store.put_back(NAME, copy_of(GOOD), sha1(GOOD))
    assert (root / NAME).read_bytes() == GOOD
    assert done.aside is not None
    assert (root / done.aside).stat().st_ino == inode


def test_a_long_name_is_shortened_where_it_is_kept_aside(store: FilesystemStore, root: Path) -> None:
    name = "10.5072/FK2/" + "é" * 120
    planted(root / name)
    done = store.put_back(name, copy_of(GOOD), sha1(GOOD))
    assert done.aside is not None
    assert (root / done.aside).read_bytes() == BAD
