"""The program that takes batches and gives names over there, run here."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.ssh import remote_agent
from dataverse_backup.destinations.ssh.agent import Look, Trial
from dataverse_backup.destinations.ssh.shell import ENGLISH, PROBE, Revealed, known_by_probe

if TYPE_CHECKING:
    from collections.abc import Callable

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
    told = Revealed.of([b"t0 0", b"t1 17", b"t2 0", b"t3"])
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0", b"t2"}), False, False)
    told = Revealed.of([b"t0 0", b"removed", b"synced"])
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0"}), True, True)


def put(*notes: tuple[str, str, bool]) -> bytes:
    words = b"".join(f"{name}\0{key}\0{is_one:d}\0".encode() for name, key, is_one in notes)
    return b"put %d staging\n%s" % (len(words), words)


def test_notes_come_over_those_that_lay_there_and_others_go(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "going").write_text("going")
    notes = [("t0", "old", True), ("t1", "a/b/new", True), ("t2", "going", False), ("t3", "no/where", False)]
    answer = told(tmp_path, b"begin md5 staging\n", sent("t0", b"0"), sent("t1", b"1"), put(*notes))
    assert answer == ["synced", "t0 0", "t1 0", "t2 0", "t3 0", "removed", "synced", "."]
    assert ((tmp_path / "old").read_text(), (tmp_path / "a" / "b" / "new").read_text()) == ("0", "1")
    assert not (tmp_path / "going").exists()


def test_what_is_no_file_stays_and_so_does_the_note(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "file").write_text("file")
    notes = [("t0", "folder", True), ("t1", "link", True), ("t2", "file/below", True), ("t3", "folder", False)]
    answer = told(tmp_path, b"begin md5 staging\n", *(sent(f"t{number}", b"x") for number in range(3)), put(*notes))
    taken = errno.EEXIST
    assert answer[1:5] == [f"t0 {taken}", f"t1 {taken}", f"t2 {errno.ENOTDIR}", f"t3 {taken}"]
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "file"


def test_a_note_that_is_not_whole_or_not_on_the_disk_takes_no_place(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "staging" / "t0").mkdir(parents=True)
    notes = put(("t0", "old", True))
    assert told(tmp_path, b"begin md5 staging\n", sent("t0", b"new"), notes)[1] == "t0 -1"
    (tmp_path / "staging" / "t0").rmdir()
    answer = told(tmp_path, b"begin md5 staging\n", sent("t0", b"new"), notes, sync="ls nowhere")
    assert answer[0].startswith("not synced")
    assert answer[1:] == ["."]
    assert (tmp_path / "old").read_text() == "old"


def looked(root: Path) -> Look:
    return Look.of([line.encode() for line in told(root, b"look identity\n")[:-1]])


def test_a_look_says_where_it_is_how_much_is_free_and_whose_it_is(tmp_path: Path) -> None:
    nobody = looked(tmp_path)
    assert (nobody.root, nobody.identity, nobody.mark) == (bytes(tmp_path), None, None)
    assert 0 < nobody.free_bytes < 1 << 60
    (tmp_path / "identity").write_text(" ledger-1\n")
    os.utime(tmp_path / "identity", (5, 7.9))
    assert (looked(tmp_path).identity, looked(tmp_path).mark) == ("ledger-1", (10, 7))
    (tmp_path / "identity").write_text("")
    assert looked(tmp_path).identity == ""


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_an_identity_that_is_no_file_is_for_somebody_else_to_judge(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "identity")
    try:
        found = looked(tmp_path)
    except KeyError:
        return
    assert found.identity == ""  # of a pipe that nobody writes to


def test_a_login_shell_that_talks_is_listened_to_for_what_we_asked_only() -> None:
    said = [b"Welcome!", b"", b"last login: never", b"root 2f", b"free 5", b"identity"]
    assert Look.of(said) == Look(b"/", 5, None, None)
    with pytest.raises(KeyError):
        Look.of([b"Welcome!"])
    with pytest.raises(ValueError, match="hex"):
        Look.of([b"root user", b"free 5", b"identity"])


def tried(root: Path, *, clears: bool) -> tuple[Trial, list[str]]:
    command = (ENGLISH + PROBE).encode()
    requests = [b"try %d own/scratch/abc 0123456789\n%s" % (len(command), command), *([b"clear\n"] if clears else [])]
    answer = told(root, *requests)
    end = answer.index(".")
    return Trial.of([line.encode() for line in answer[:end]]), answer[end + 1 :]


def test_what_can_be_done_is_found_out_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    before = int(time.time())
    trial, rest = tried(tmp_path, clears=True)
    assert before <= trial.modified <= time.time()
    assert not trial.folds_case
    shell = known_by_probe(trial.said, b"0123456789")
    assert shell is not None
    assert shell.has_python
    assert known_by_probe(trial.said, b"something else") is None
    assert rest == ["."]
    assert list(tmp_path.iterdir()) == []


def test_in_an_old_place_only_what_was_tried_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    tried(tmp_path, clears=False)
    assert (tmp_path / "own" / "scratch" / "abc" / "probe").read_text() == "0123456789"
    (tmp_path / "own" / "scratch" / "abc").rename(tmp_path / "own" / "scratch" / "abc-of-another")
    tried(tmp_path, clears=True)
    assert [path.name for path in (tmp_path / "own" / "scratch").iterdir()] == ["abc-of-another"]


def test_a_place_where_nothing_can_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("in the way")
    with pytest.raises(KeyError):
        tried(tmp_path, clears=True)
    assert (tmp_path / "own").read_text() == "in the way"


def test_the_command_that_syncs_may_be_told_later(tmp_path: Path) -> None:
    requests = [b"sync echo -n\n", b"begin md5 staging\n", sent("t0", b"x"), b"prove\n"]
    assert told(tmp_path, *requests, sync="false")[0] == "synced"
