"""What only a destination in a folder can meet: links, modes, lost disks, full disks, missing hard links."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest

from dataverse_backup.destinations.base import (
    OWN_PREFIX,
    SCRATCH_PREFIX,
    TRIAL_PREFIX,
    Failure,
    Receipt,
    Staging,
    StoredDigest,
    Upload,
)
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.errors import (
    CopyDiffers,
    CopyError,
    CopyFailed,
    CopyMissing,
    CopyRefused,
    DestinationLost,
    KeyOccupied,
    NoSpace,
    Unavailable,
)
from dataverse_backup.fixity import Algorithm, Durability
from dataverse_backup.services.tree import Tree
from dataverse_backup.stores.memory import MemoryStream
from tests.ordinary_user import open_folder, ordinary_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "10.5072/FK2/ABCDEF/1"
STAGING = Staging("ledger", "run")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def destination(root: Path) -> Iterator[FilesystemDestination]:
    with FilesystemDestination("offsite", root, STAGING) as destination:
        destination.connect()
        yield destination


def upload(key: str = KEY, data: bytes = b"new", supersede_to: str | None = None) -> Upload:
    return Upload(key, partial(MemoryStream, data), Algorithm.MD5, None, supersede_to)


def put(destination: FilesystemDestination, one: Upload) -> Receipt | CopyError:
    """The receipt, or the error."""
    (result,) = destination.put([one])
    if isinstance(result, Receipt):
        return result
    assert isinstance(result.error, CopyError)
    return result.error


def digested(destination: FilesystemDestination, key: str = KEY) -> StoredDigest | CopyError:
    (result,) = destination.digests([key], Algorithm.MD5)
    if isinstance(result, StoredDigest):
        return result
    assert isinstance(result.error, CopyError)
    return result.error


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}


def failing(monkeypatch: pytest.MonkeyPatch, function: str, number: int) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, function, fail)


def test_the_way_to_a_folder_is_gone_once_for_many_files_of_it(
    destination: FilesystemDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    really_open = os.open

    def counted(path: str | bytes, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        opened.append(path)
        return really_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", counted)
    keys = [f"10.5072/FK2/{dataset}/{number}" for dataset in ("A", "B") for number in range(50)]
    uploads = [Upload(key, partial(MemoryStream, b"x"), Algorithm.MD5, None) for key in keys]
    results = list(destination.put(uploads))
    assert [type(result) for result in results] == [Receipt] * len(keys)
    assert len(opened) < 8 * len(keys)


def test_a_root_is_never_made(tmp_path: Path) -> None:
    with FilesystemDestination("offsite", tmp_path / "no where", STAGING) as destination:
        with pytest.raises(DestinationLost, match="no such file") as caught:
            destination.connect()
        assert f"mkdir -p '{tmp_path}/no where'" in caught.value.hint
        assert type(put(destination, upload())) is Unavailable
        assert type(digested(destination)) is Unavailable
    assert not (tmp_path / "no where").exists()


def test_a_root_that_goes_away_is_lost_and_may_come_back(destination: FilesystemDestination, root: Path) -> None:
    elsewhere = root.rename(root.with_name("elsewhere"))
    assert type(put(destination, upload())) is Unavailable
    assert type(digested(destination)) is Unavailable
    for call in (
        partial(destination.sizes, [KEY]),
        partial(destination.open, KEY),
        partial(destination.supersede, KEY, "x"),
        destination.read_identity,
        partial(destination.write_identity, "ledger"),
        destination.sweep,
        destination.connect,
    ):
        with pytest.raises(DestinationLost, match="offsite"):
            call()
    elsewhere.rename(root)
    assert isinstance(put(destination, upload()), Receipt)


def test_the_empty_folder_below_a_disk_that_was_unmounted_is_never_written_to(
    destination: FilesystemDestination, root: Path
) -> None:
    destination.write_identity("ledger")
    root.rename(root.with_name("unmounted"))
    root.mkdir()
    assert type(put(destination, upload())) is Unavailable
    assert list(root.iterdir()) == []


def test_a_folder_that_was_removed_says_nothing_about_its_copies(
    destination: FilesystemDestination, root: Path
) -> None:
    put(destination, upload())
    shutil.rmtree(root)
    assert type(digested(destination)) is Unavailable


@pytest.mark.parametrize("part", ["10.5072", "10.5072/FK2/ABCDEF", KEY])
def test_no_planted_link_leads_out_of_the_root(destination: FilesystemDestination, root: Path, part: str) -> None:
    outside = root.with_name("outside")
    outside.mkdir()
    (root / part).parent.mkdir(parents=True, exist_ok=True)
    (root / part).symlink_to(outside)
    assert type(put(destination, upload())) is KeyOccupied
    assert type(put(destination, upload(supersede_to="aside/1"))) is KeyOccupied
    assert list(outside.iterdir()) == []
    assert files(root) == {part}


@pytest.mark.parametrize("part", [".dataverse-backup", ".dataverse-backup/staging"])
def test_no_planted_link_leads_staging_out_of_the_root(
    destination: FilesystemDestination, root: Path, part: str
) -> None:
    outside = root.with_name("outside")
    outside.mkdir()
    shutil.rmtree(root / ".dataverse-backup", ignore_errors=True)
    (root / part).parent.mkdir(exist_ok=True)
    (root / part).symlink_to(outside)
    assert isinstance(put(destination, upload()), CopyError)
    assert list(outside.iterdir()) == []


def test_nothing_is_read_or_swept_through_a_planted_link(destination: FilesystemDestination, root: Path) -> None:
    outside = root.with_name("outside")
    (outside / "run-0").mkdir(parents=True)
    (outside / "run-0" / "1").write_bytes(b"precious")
    (root / "link").symlink_to(outside / "run-0")
    (root / "file").symlink_to(outside / "run-0" / "1")
    assert type(digested(destination, "link/1")) is CopyMissing
    assert type(digested(destination, "file")) is CopyRefused
    assert destination.sizes(["link/1", "file"]) == {}
    (root / ".dataverse-backup" / "staging" / "ledger").mkdir(parents=True)
    (root / ".dataverse-backup" / "staging" / "ledger" / "run-9").symlink_to(outside / "run-0")
    destination.sweep()
    assert files(root) == {"link", "file"}
    assert (outside / "run-0" / "1").read_bytes() == b"precious"


def test_a_key_below_a_file_and_a_key_that_is_a_folder_are_occupied(
    destination: FilesystemDestination, root: Path
) -> None:
    (root / "sub").write_bytes(b"old")
    (root / "folder").mkdir()
    for key in ("sub/x", "folder"):
        assert type(put(destination, upload(key))) is KeyOccupied
        assert type(put(destination, upload(key, supersede_to="aside/1"))) is KeyOccupied
    assert files(root) == {"sub"}


def test_a_pipe_under_a_key_is_no_copy_and_nobody_waits_for_it(destination: FilesystemDestination, root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert type(digested(destination, "pipe")) is CopyFailed
    assert destination.sizes(["pipe"]) == {}


def test_modes_are_as_configured_whatever_the_umask_is(root: Path) -> None:
    (root / "10.5072").mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        with FilesystemDestination("offsite", root, STAGING, file_mode=0o664, dir_mode=0o2775) as destination:
            put(destination, upload())
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o664
    assert stat.S_IMODE((root / "10.5072/FK2").stat().st_mode) == 0o2775
    assert stat.S_IMODE((root / "10.5072").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "trouble",
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EROFS, CopyRefused),
        (errno.ESTALE, Unavailable),
        (errno.EIO, CopyFailed),
    ],
)
@pytest.mark.parametrize("function", ["write", "fsync", "link", "mkdir"])
def test_an_error_of_the_disk_means_one_thing_and_stores_nothing_unproven(
    destination: FilesystemDestination,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    trouble: tuple[int, type[CopyError]],
) -> None:
    number, kind = trouble
    with monkeypatch.context() as patched:
        failing(patched, function, number)
        error = put(destination, upload())
    assert type(error) is kind
    assert (error.place, error.key) == ("offsite", KEY)
    assert files(root) == set()
    assert isinstance(put(destination, upload()), Receipt)


def test_what_the_disk_did_not_keep_is_never_visible(
    destination: FilesystemDestination, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def rotten(descriptor: int, data: bytes) -> int:
        return write(descriptor, bytes(byte ^ 1 for byte in data))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", rotten)
        assert type(put(destination, upload())) is CopyDiffers
    assert files(root) == set()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_without_hard_links_nothing_is_overwritten_either(
    destination: FilesystemDestination, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    failing(monkeypatch, "link", number)
    assert isinstance(put(destination, upload(data=b"first")), Receipt)
    results = list(destination.put([upload("twice", b"1"), upload("twice", b"2"), upload(data=b"x")]))
    errors = [type(result.error) for result in results if isinstance(result, Failure)]
    assert errors == [KeyOccupied, KeyOccupied]
    assert isinstance(put(destination, upload(data=b"second", supersede_to="aside/1")), Receipt)
    assert type(put(destination, upload(data=b"third", supersede_to="aside/1"))) is KeyOccupied
    assert ((root / KEY).read_bytes(), (root / "aside/1").read_bytes()) == (b"second", b"first")
    destination.supersede(KEY, "aside/2")
    assert files(root) == {"twice", "aside/1", "aside/2"}


def test_a_file_system_that_cannot_sync_folders_is_durable_in_part(
    destination: FilesystemDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    receipt = put(destination, upload())
    assert isinstance(receipt, Receipt)
    assert receipt.durable is destination.connect().durable is Durability.DATA_ONLY


def test_the_bytes_are_synced_before_the_name_and_the_name_before_the_receipt(
    destination: FilesystemDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, link = os.fsync, os.link

    def syncing(descriptor: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "bytes")
        fsync(descriptor)

    def linking(*arguments: str, **options: int) -> None:
        events.append("name")
        link(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "link", linking)
    put(destination, upload())
    assert events[:2] == ["bytes", "name"]
    assert events[2:] == ["folder"] * 4  # the root, 10.5072, FK2, ABCDEF


def test_folders_that_another_worker_made_and_has_not_synced_are_synced_too(
    destination: FilesystemDestination, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / KEY).parent.mkdir(parents=True)
    synced: set[int] = set()
    fsync = os.fsync

    def syncing(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", syncing)
    put(destination, upload())
    assert {folder.stat().st_ino for folder in (root / KEY).parents if folder.is_relative_to(root)} <= synced


@pytest.mark.parametrize("has_links", [True, False])
def test_a_key_that_cannot_be_replaced_reads_as_before(
    destination: FilesystemDestination, root: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    put(destination, upload(data=b"old"))
    replace = os.replace

    def replacing(source: bytes, target: bytes, **folders: int) -> None:
        if source == b"0":  # what is staged; the old object may still move
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target, **folders)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replacing)
        if not has_links:
            failing(patched, "link", errno.EOPNOTSUPP)
        assert type(put(destination, upload(supersede_to="aside/1"))) is CopyFailed
    assert (root / KEY).read_bytes() == b"old"
    assert files(root) == {KEY}


def test_trying_out_takes_no_folder_away_that_another_worker_uses(
    destination: FilesystemDestination, root: Path
) -> None:
    (root / SCRATCH_PREFIX).mkdir(parents=True, exist_ok=True)
    before = (root / SCRATCH_PREFIX).stat().st_ino
    destination.connect()
    assert (root / SCRATCH_PREFIX).stat().st_ino == before
    assert list((root / SCRATCH_PREFIX).iterdir()) == []


def test_a_folder_that_we_may_not_write_to_can_still_be_read() -> None:
    with open_folder() as folder:
        (folder / "1").write_bytes(b"old")
        folder.chmod(0o555)
        with ordinary_user(), FilesystemDestination("offsite", folder, STAGING) as destination:
            destination.connect()
            assert destination.sizes(["1"]) == {"1": 3}
            assert type(put(destination, upload())) is CopyRefused


def test_every_opened_file_is_given_back(destination: FilesystemDestination, root: Path) -> None:
    (root / "old").write_bytes(b"old")
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 -- descriptors, not paths
    list(destination.put([upload(), upload("old"), upload("old/below"), upload("../up")]))
    list(destination.digests([KEY, "gone", "old/below"], Algorithm.MD5))
    destination.open(KEY).close()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208 -- descriptors, not paths


def test_a_folder_that_cannot_be_read_is_never_left_out_of_a_listing(
    destination: FilesystemDestination, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    (root / "a" / "file").write_bytes(b"x")

    def refuse(folder: int) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr("dataverse_backup.services.tree.os.scandir", refuse)
    with pytest.raises(DestinationLost, match="permission denied"):
        list(destination.entries())


def test_trying_out_a_new_folder_takes_nothing_away_that_others_are_about_to_use(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Tree.create

    def create_and_be_not_alone(tree: Tree, key: str) -> int:
        (root / SCRATCH_PREFIX).mkdir(parents=True, exist_ok=True)
        return create(tree, key)

    monkeypatch.setattr(Tree, "create", create_and_be_not_alone)
    with FilesystemDestination("offsite", root, STAGING) as destination:
        destination.connect()
    assert [path.relative_to(root).as_posix() for path in root.rglob("*")] == [OWN_PREFIX, SCRATCH_PREFIX]


def test_trying_out_a_new_folder_leaves_nothing_there(root: Path) -> None:
    with FilesystemDestination("offsite", root, STAGING) as destination:
        destination.connect()
    assert list(root.iterdir()) == []


def test_trying_out_clears_what_a_killed_trial_left_long_ago(root: Path) -> None:
    old, young = root / f"{TRIAL_PREFIX}0", root / f"{TRIAL_PREFIX}1"
    for left in (old, young):
        left.mkdir()
        (left / "a").touch()
    os.utime(old, (1, 1))
    with FilesystemDestination("offsite", root, STAGING) as destination:
        destination.connect()
    assert list(root.iterdir()) == [young]


def test_a_sweep_leaves_a_check_alone_that_is_at_it_beside_the_run(
    destination: FilesystemDestination, root: Path
) -> None:
    at_it, killed = root / Staging.of_check("ledger").prefix, root / Staging.of_check("ledger").prefix
    for check in (at_it, killed):
        (check / "attempt").mkdir(parents=True)
        (check / "attempt" / "0").touch()
    os.utime(killed, (1, 1))
    destination.sweep()
    assert (at_it / "attempt" / "0").exists()
    assert not killed.exists()
