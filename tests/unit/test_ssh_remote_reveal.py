"""The program that gives staged objects their names over there, run here."""

from __future__ import annotations

import errno
import stat
import subprocess
import sys
from pathlib import Path

from dataverse_backup.destinations.ssh import remote_reveal
from dataverse_backup.destinations.ssh.connection import Answer
from dataverse_backup.destinations.ssh.shell import Revealed


def revealed(root: Path, pairs: dict[str, str], mode: str = "750") -> list[str]:
    words = [str(root / "staging"), mode, *(word for pair in pairs.items() for word in pair)]
    given = b"".join(word.encode() + b"\0" for word in words)
    command = [sys.executable, "-I", "-S", "-c", Path(remote_reveal.__file__).read_text()]
    done = subprocess.run(command, input=given, cwd=root, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def staged(root: Path, *names: str) -> None:
    (root / "staging").mkdir()
    for name in names:
        (root / "staging" / name).write_text(name)


def test_every_object_gets_its_name_and_staging_is_gone(tmp_path: Path) -> None:
    staged(tmp_path, "t0", "t1")
    names = {"t0": "10.5072/FK2/ABC/one", "t1": "10.5072/FK2/line\nbreak 'and' \"quotes\" $(rm -r .)/ü"}
    assert revealed(tmp_path, names) == ["t0 0", "t1 0", "removed"]
    assert {name: (tmp_path / key).read_text() for name, key in names.items()} == {"t0": "t0", "t1": "t1"}
    assert not (tmp_path / "staging").exists()


def test_folders_have_the_mode_that_was_asked_for_all_the_way_down(tmp_path: Path) -> None:
    staged(tmp_path, "t0")
    revealed(tmp_path, {"t0": "a/b/c/one"}, mode="770")
    assert {stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in ("a", "a/b", "a/b/c")} == {0o770}


def test_a_taken_name_is_left_alone_and_what_wanted_it_stays_in_staging(tmp_path: Path) -> None:
    staged(tmp_path, "t0", "t1", "t2")
    (tmp_path / "taken").write_text("theirs")
    told = revealed(tmp_path, {"t0": "taken", "t1": "taken/below", "t2": "free"})
    assert told == [f"t0 {errno.EEXIST}", f"t1 {errno.ENOTDIR}", "t2 0"]
    assert (tmp_path / "taken").read_text() == "theirs"
    assert sorted(path.name for path in (tmp_path / "staging").iterdir()) == ["t0", "t1"]


def test_an_answer_that_was_cut_off_says_what_it_says_and_no_more() -> None:
    told = Revealed.parse(Answer(None, b"t0 0\nt1 17\nt2 0\nt3", ""))
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0", b"t2"}), False, False)
    told = Revealed.parse(Answer(0, b"t0 0\nremoved\nsynced\n", ""))
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0"}), True, True)
