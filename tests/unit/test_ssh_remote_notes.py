"""The program that puts notes of ours where they belong over there, run here."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

from dataverse_backup.destinations.ssh import remote_notes


def put(root: Path, *notes: tuple[str, str, bool]) -> list[str]:
    words = [str(root / "staging"), "750"]
    words += [word for name, key, is_one in notes for word in (name, key, str(int(is_one)))]
    command = [sys.executable, "-I", "-S", "-c", Path(remote_notes.__file__).read_text()]
    given = b"".join(word.encode() + b"\0" for word in words)
    done = subprocess.run(command, input=given, cwd=root, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def staged(root: Path, *names: str) -> None:
    (root / "staging").mkdir()
    for name in names:
        (root / "staging" / name).write_text(name)


def test_notes_come_over_those_that_lay_there_and_others_go(tmp_path: Path) -> None:
    staged(tmp_path, "t0", "t1")
    (tmp_path / "old").write_text("old")
    (tmp_path / "going").write_text("going")
    told = put(
        tmp_path, ("t0", "old", True), ("t1", "a/b/new", True), ("t2", "going", False), ("t3", "no/where", False)
    )
    assert told == ["t0 0", "t1 0", "t2 0", "t3 0", "removed"]
    assert ((tmp_path / "old").read_text(), (tmp_path / "a" / "b" / "new").read_text()) == ("t0", "t1")
    assert not (tmp_path / "going").exists()


def test_what_is_no_file_stays_and_so_does_the_note(tmp_path: Path) -> None:
    staged(tmp_path, "t0", "t1", "t2")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "file").write_text("file")
    told = put(
        tmp_path, ("t0", "folder", True), ("t1", "link", True), ("t2", "file/below", True), ("t3", "folder", False)
    )
    taken = errno.EEXIST
    assert told == [f"t0 {taken}", f"t1 {taken}", f"t2 {errno.ENOTDIR}", f"t3 {taken}"]
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "file"
