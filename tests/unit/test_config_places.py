from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.config_files import BACKUP, REPOSITORY, REST, loaded, mistakes

if TYPE_CHECKING:
    from pathlib import Path

DAMAGE = "the folder of store file: a backup there would damage it"
TWICE = "the place of destination default too: one copy would count as two"


def folder(destination: str, directory: object) -> str:
    return f"[{destination}]\nStorageType: filesystem\nDirectory: {directory}\n"


def server(destination: str, host: str, directory: str) -> str:
    return f"[{destination}]\nSshHost: {host}\nBackupDirectory: {directory}\n"


def test_a_backup_into_the_folder_of_a_store_is_refused(tmp_path: Path) -> None:
    assert mistakes(tmp_path, REPOSITORY + folder("Backup", "/data/")) == [f"line 3: [Backup]: {DAMAGE}"]


def test_a_link_to_the_folder_of_a_store_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "backup").symlink_to("data")
    text = "[Repository]\nFileSystemDirectory: data\n" + folder("Backup", "backup")
    assert mistakes(tmp_path, text) == [f"line 3: [Backup]: {DAMAGE}"]


def test_a_link_to_a_folder_that_is_not_mounted_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "backup").symlink_to("data")
    text = "[Repository]\nFileSystemDirectory: data\n" + folder("Backup", "backup")
    assert mistakes(tmp_path, text) == [f"line 3: [Backup]: {DAMAGE}"]


def test_a_backup_beside_or_below_a_store_is_taken(tmp_path: Path) -> None:
    text = REPOSITORY + folder("Backup", "/data/backup") + folder("Backup b", "/database")
    assert set(loaded(tmp_path, text).destinations) == {"default", "b"}


def test_stores_may_share_a_folder(tmp_path: Path) -> None:
    text = f"[Store a]\ntype: file\ndirectory: /data\n{REST}"
    assert set(loaded(tmp_path, text).stores) == {"file", "a"}


def test_two_destinations_in_one_folder_are_refused(tmp_path: Path) -> None:
    text = REPOSITORY + BACKUP + folder("Backup second", "/x/../backup")
    assert mistakes(tmp_path, text) == [f"line 6: [Backup second]: {TWICE}"]


def test_two_destinations_in_one_folder_of_a_server_are_refused(tmp_path: Path) -> None:
    text = REPOSITORY + server("Backup", "h", "/d") + server("Backup b", "H", "/d/")
    assert mistakes(tmp_path, text) == [f"line 6: [Backup b]: {TWICE}"]


def test_two_folders_of_one_server_are_two_destinations(tmp_path: Path) -> None:
    text = REPOSITORY + server("Backup", "h", "/d") + server("Backup b", "h", "/e")
    assert set(loaded(tmp_path, text).destinations) == {"default", "b"}
