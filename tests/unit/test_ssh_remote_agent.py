"""The program that takes batches and gives names over there, run here."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dataverse_backup.destinations.ssh import remote_agent
from dataverse_backup.destinations.ssh.connection import Answer
from dataverse_backup.destinations.ssh.shell import Revealed

COMMAND = [sys.executable, "-I", "-S", "-c", Path(remote_agent.__file__).read_text()]


def told(root: Path, *requests: bytes, mode: str = "750", sync: str = "true") -> list[str]:
    given = b"".join([f"{mode}\n{sync}\n".encode(), *requests])
    done = subprocess.run(COMMAND, input=given, cwd=root, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def sent(name: str, data: bytes, mode: str = "640") -> bytes:
    return f"file {name} {len(data)} {mode}\n".encode() + data


def named(pairs: dict[str, str]) -> bytes:
    words = b"".join(word.encode() + b"\0" for pair in pairs.items() for word in pair)
    return b"name %d staging\n%s" % (len(words), words)


def staged(root: Path, *names: str) -> None:
    (root / "staging").mkdir()
    for name in names:
        (root / "staging" / name).write_text(name)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_batch_is_stored_and_hashed_as_it_lies_there(tmp_path: Path, algorithm: str) -> None:
    data = {"t0": b"", "t1": b"file t2 3 640\n.\n", "t2": os.urandom(3_000_001)}
    files = [sent(name, content) for name, content in data.items()]
    answer = told(tmp_path, f"begin {algorithm} a/staging\n".encode(), *files, b"prove\n")
    digests = [f"{name} {hashlib.new(algorithm, content).hexdigest()}" for name, content in data.items()]
    assert answer == ["synced", *digests, "."]
    assert {path.name: path.read_bytes() for path in (tmp_path / "a" / "staging").iterdir()} == data
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "staging").iterdir()} == {0o640}


def test_one_batch_follows_the_other(tmp_path: Path) -> None:
    first = [b"begin md5 staging\n", sent("t0", b"one"), b"prove\n", named({"t0": "a"})]
    answer = told(tmp_path, *first, b"begin md5 staging\n", sent("t0", b"two", "600"), b"prove\n", named({"t0": "b"}))
    digests = [hashlib.md5(data).hexdigest() for data in (b"one", b"two")]
    both = [["synced", f"t0 {digest}", ".", "t0 0", "removed", "synced", "."] for digest in digests]
    assert answer == both[0] + both[1]
    assert [(tmp_path / key).read_bytes() for key in "ab"] == [b"one", b"two"]
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "staging" / "t0").mkdir(parents=True)
    answer = told(tmp_path, b"begin md5 staging\n", sent("t0", b"prove\n" * 3), sent("t1", b"one"), b"prove\n")
    assert answer[0] == "synced"
    assert answer[1].startswith("! t0 [Errno 17] File exists")
    assert answer[2:] == [f"t1 {hashlib.md5(b'one').hexdigest()}", "."]


def test_an_algorithm_that_is_not_there_leaves_the_proof_to_somebody_else(tmp_path: Path) -> None:
    answer = told(tmp_path, b"begin md6 staging\n", sent("t0", b"one"), b"prove\n")
    assert answer[1].startswith("! t0 unsupported hash type")


def test_what_is_not_on_the_disk_is_not_said_to_be(tmp_path: Path) -> None:
    answer = told(tmp_path, b"begin md5 staging\n", sent("t0", b"one"), b"prove\n", sync="ls nowhere")
    assert answer[0].startswith("not synced: ls: ")


@pytest.mark.parametrize("length", range(1, 40, 3))
def test_a_request_for_names_that_is_cut_off_gives_none(tmp_path: Path, length: int) -> None:
    staged(tmp_path, "t0", "t1")
    request = named({"t0": "first/key", "t1": "second/key"})
    assert length < len(request)
    answer = subprocess.run(
        COMMAND, input=b"750\ntrue\n" + request[:length], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert answer.stdout == b""
    assert [path.name for path in tmp_path.iterdir()] == ["staging"]


def test_every_object_gets_its_name_and_staging_is_gone(tmp_path: Path) -> None:
    staged(tmp_path, "t0", "t1")
    names = {"t0": "10.5072/FK2/ABC/one", "t1": "10.5072/FK2/line\nbreak 'and' \"quotes\" $(rm -r .)/ü"}
    assert told(tmp_path, named(names)) == ["t0 0", "t1 0", "removed", "synced", "."]
    assert {name: (tmp_path / key).read_text() for name, key in names.items()} == {"t0": "t0", "t1": "t1"}
    assert not (tmp_path / "staging").exists()


def test_folders_have_the_mode_that_was_asked_for_all_the_way_down(tmp_path: Path) -> None:
    staged(tmp_path, "t0")
    told(tmp_path, named({"t0": "a/b/c/one"}), mode="770")
    assert {stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in ("a", "a/b", "a/b/c")} == {0o770}


def test_a_taken_name_is_left_alone_and_what_wanted_it_stays_in_staging(tmp_path: Path) -> None:
    staged(tmp_path, "t0", "t1", "t2")
    (tmp_path / "taken").write_text("theirs")
    answer = told(tmp_path, named({"t0": "taken", "t1": "taken/below", "t2": "free"}))
    assert answer == [f"t0 {errno.EEXIST}", f"t1 {errno.ENOTDIR}", "t2 0", "synced", "."]
    assert (tmp_path / "taken").read_text() == "theirs"
    assert sorted(path.name for path in (tmp_path / "staging").iterdir()) == ["t0", "t1"]


def test_an_answer_that_was_cut_off_says_what_it_says_and_no_more() -> None:
    told = Revealed.parse(Answer(None, b"t0 0\nt1 17\nt2 0\nt3", ""))
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0", b"t2"}), False, False)
    told = Revealed.parse(Answer(0, b"t0 0\nremoved\nsynced\n", ""))
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0"}), True, True)
