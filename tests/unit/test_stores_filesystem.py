"""Where a file store keeps its bytes (facts 2.10), and what only a file system can do to them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.datafile import PACKAGE_CONTENT_TYPE, Dataset
from dataverse_backup.errors import (
    Reason,
    SourceError,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
)
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.stores.filesystem import FilesystemStore
from tests.contract.ledger_cases import datafile
from tests.ordinary_user import open_folder, ordinary_user

if TYPE_CHECKING:
    from pathlib import Path

WORKED_EXAMPLES = [
    ("10.5072", "FK2/ABCDEF", "18b39722140-50eb7d3c5ece", "10.5072/FK2/ABCDEF/18b39722140-50eb7d3c5ece"),
    ("10.5072", "FK2/ABCDEF", "file://18b39722140-50eb7d3c5ece", "10.5072/FK2/ABCDEF/18b39722140-50eb7d3c5ece"),
    ("10.5072", "FK2/ABCDEF", "local://18b39722140-50eb7d3c5ece", "10.5072/FK2/ABCDEF/18b39722140-50eb7d3c5ece"),
    ("10.5072", "FK2/ABCDEF", "local://subdir/18b39722140", "10.5072/FK2/ABCDEF/subdir/18b39722140"),
    ("1902.1", "11111", "file://42", "1902.1/11111/42"),
    ("DANSLINK", "ABCDEF", "file://18b3-1", "DANSLINK/ABCDEF/18b3-1"),
    ("", "ABCDEF", "file://18b3-1", "ABCDEF/18b3-1"),
    ("1902.1", "12345", "file://18b3-1", "1902.1/12345/18b3-1"),
    ("10.7910", "DVN/XYZ123", "file://18b3-1", "10.7910/DVN/XYZ123/18b3-1"),
    ("10.18710", "AB C/ééé", "file://x y.txt", "10.18710/AB C/ééé/x y.txt"),
    ("10.5072/FK2", "ABCDEF", "file://x", "10.5072/FK2/ABCDEF/x"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "files" / "sub").mkdir(parents=True)
    return tmp_path / "files"


@pytest.fixture
def store(root: Path) -> FilesystemStore:
    return FilesystemStore("file", root)


def error_of(store: FilesystemStore, name: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        store.open(name)
    return caught.value


@pytest.mark.parametrize("example", WORKED_EXAMPLES, ids="|".join)
def test_a_file_lies_where_dataverse_keeps_it(
    store: FilesystemStore, root: Path, example: tuple[str, str, str, str]
) -> None:
    authority, identifier, registered, path = example
    file = datafile(1, dataset=Dataset("doi:x", authority, identifier), storageidentifier=registered)
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(b"data")
    assert store.names(file) == (path, f"{path}.orig")
    stream = store.open(store.names(file)[0])
    assert (stream.size, stream.read(10)) == (4, b"data")
    stream.close()


def test_the_oldest_form_of_an_original_is_the_last_to_be_tried(store: FilesystemStore) -> None:
    file = datafile(1, storageidentifier="file://sub/18b-1", is_tabular=True)
    folder = "10.5072/FK2/ABCDEF/sub"
    assert store.names(file) == (f"{folder}/18b-1.orig", f"{folder}/18b-1", f"{folder}/_18b-1")


def test_a_copy_is_named_by_everything_after_the_prefix(store: FilesystemStore) -> None:
    assert store.object_name(datafile(1, storageidentifier="file://a:b/c://d")) == "a:b/c://d"


def test_a_dataset_that_was_moved_to_another_disk_is_followed(
    store: FilesystemStore, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk2").mkdir()
    (tmp_path / "disk2" / "1").write_bytes(b"far away")
    (root / "ABCDEF").symlink_to(tmp_path / "disk2")
    stream = store.open("ABCDEF/1")
    assert stream.read(100) == b"far away"
    stream.close()


def test_links_that_go_round_in_circles_are_refused(store: FilesystemStore, root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert type(error_of(store, "a")) is SourceRefused


def test_a_link_to_nothing_is_missing(store: FilesystemStore, root: Path) -> None:
    (root / "a").symlink_to("gone")
    assert type(error_of(store, "a")) is SourceMissing


def test_a_pipe_is_unreadable_and_nobody_waits_for_it(store: FilesystemStore, root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert type(error_of(store, "pipe")) is SourceUnreadable


def test_a_folder_is_unreadable(store: FilesystemStore) -> None:
    assert type(error_of(store, "sub")) is SourceUnreadable


def test_a_folder_that_we_may_not_enter_is_refused() -> None:
    with open_folder() as folder:
        (folder / "locked").mkdir()
        (folder / "locked" / "1").touch()
        (folder / "locked").chmod(0)
        with ordinary_user():
            assert type(error_of(FilesystemStore("file", folder), "locked/1")) is SourceRefused


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EIO, SourceUnreadable),
        (errno.ESTALE, SourceUnavailable),
        (errno.ENOTCONN, SourceUnavailable),
        (errno.ETIMEDOUT, SourceUnavailable),
        (errno.EACCES, SourceRefused),
        (errno.ENXIO, SourceUnreadable),
    ],
)
def test_an_error_while_reading_means_what_it_means_on_opening(
    store: FilesystemStore, root: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[SourceError]
) -> None:
    (root / "1").write_bytes(b"data")
    stream = store.open("1")

    def broken(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", broken)
        with pytest.raises(SourceError) as caught:
            stream.read(1)
    stream.close()
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, OSError)


def test_every_opened_file_is_given_back(store: FilesystemStore, root: Path) -> None:
    (root / "1").write_bytes(b"data")
    before = os.listdir("/dev/fd")  # noqa: PTH208 -- descriptors, not paths
    for name in ("sub", "1", "gone"):
        try:
            store.open(name).close()
        except SourceError:
            continue
    assert os.listdir("/dev/fd") == before  # noqa: PTH208 -- descriptors, not paths


@pytest.mark.parametrize("state", ["missing", "empty", "a file"])
def test_a_root_without_anything_is_a_lost_store(tmp_path: Path, state: str) -> None:
    root = tmp_path / "root"
    if state == "empty":
        root.mkdir()
    elif state == "a file":
        root.touch()
    store = FilesystemStore("local", root)
    for call in (store.probe, lambda: store.open("10.5072/x")):
        with pytest.raises(StoreLost) as caught:
            call()
        assert str(root) in str(caught.value)
        assert "'directory' configured for store local" in caught.value.hint


def test_a_root_that_we_may_not_read_is_a_lost_store() -> None:
    with open_folder() as folder:
        (folder / "root").mkdir(mode=0)
        with ordinary_user(), pytest.raises(StoreLost, match="permission denied"):
            FilesystemStore("file", folder / "root").probe()


def test_packages_are_not_backed_up_and_said_so(store: FilesystemStore) -> None:
    excluded = store.excludes(datafile(1, content_type=PACKAGE_CONTENT_TYPE))
    assert excluded is not None
    assert excluded[0] is Reason.PACKAGE
    assert store.excludes(datafile(1)) is None


def test_an_excluded_store_excludes_everything_and_reads_nothing() -> None:
    with ExcludedStore("trsa", Reason.REMOTE, "kept elsewhere") as store:
        store.probe()
        assert store.excludes(datafile(1)) == (Reason.REMOTE, "kept elsewhere")
        with pytest.raises(SourceRefused, match="kept elsewhere"):
            store.names(datafile(1))
        with pytest.raises(SourceRefused, match="kept elsewhere"):
            store.open("x")
