"""The program that takes batches and gives names over there, run here."""

from __future__ import annotations

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
from dataverse_backup.destinations.ssh.probing import PROBE, known_by_probe
from dataverse_backup.destinations.ssh.shell import ENGLISH, Revealed

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(remote_agent.__file__).read_text()
COMMAND = [sys.executable, "-I", "-S", "-c", PROGRAM]
WITHOUT_CALLS = [*COMMAND[:-1], f"import sys; sys.modules['ctypes'] = None\n{PROGRAM}"]
"""Where nothing but Python's own calls of the system can be had."""


def told(
    root: Path, *requests: bytes, mode: str = "750", sync: str = "true", command: list[str] = COMMAND
) -> list[str]:
    given = b"".join([f"{mode}\n{sync}\n".encode(), *requests])
    done = subprocess.run(command, input=given, cwd=root, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


BEGIN = b"begin staging\n"
END = b"end\n"


def sent(name: str, data: bytes, mode: str = "640", algorithm: str = "md5") -> bytes:
    return f"file {algorithm} {name} {mode} {len(data)}\n".encode() + data


def sent_in_pieces(name: str, key: str, *pieces: bytes) -> bytes:
    opened = f"open md5 {name} {len(key)}\n{key}".encode()
    return opened + b"".join(b"data %d\n%s" % (len(piece), piece) for piece in pieces)


def about(request: str, *words: str) -> bytes:
    given = b"".join(word.encode() + b"\0" for word in words)
    return f"{request} {len(given)}\n".encode() + given


def named(pairs: dict[str, str]) -> bytes:
    return about("name", *(word for pair in pairs.items() for word in pair))


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_batch_is_stored_and_hashed_as_it_lies_there(tmp_path: Path, algorithm: str) -> None:
    data = {"t0": b"", "t1": b"file md5 t2 640 3\n.\n", "t2": os.urandom(3_000_001)}
    files = [sent(name, content, algorithm=algorithm) for name, content in data.items()]
    answer = told(tmp_path, b"begin a/staging\n", *files, b"prove\n", named({n: f"k/{n}" for n in data}), END)
    digests = [f"{name} {hashlib.new(algorithm, content).hexdigest()}" for name, content in data.items()]
    assert answer == ["synced", *digests, ".", "t0 0", "t1 0", "t2 0", ".", "removed", "synced", "."]
    assert {path.name: path.read_bytes() for path in (tmp_path / "k").iterdir()} == data
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "k").iterdir()} == {0o640}


def test_one_batch_follows_the_other(tmp_path: Path) -> None:
    first = [BEGIN, sent("t0", b"one"), b"prove\n", named({"t0": "a"}), END]
    answer = told(tmp_path, *first, BEGIN, sent("t0", b"two", "600"), b"prove\n", named({"t0": "b"}), END)
    digests = [hashlib.md5(data).hexdigest() for data in (b"one", b"two")]
    both = [["synced", f"t0 {digest}", ".", "t0 0", ".", "removed", "synced", "."] for digest in digests]
    assert answer == both[0] + both[1]
    assert [(tmp_path / key).read_bytes() for key in "ab"] == [b"one", b"two"]
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_each_proof_is_of_what_came_since_the_last_one(tmp_path: Path) -> None:
    flights = [sent("t0", b"one"), b"prove\n", sent("t1", b"two"), named({"t0": "a"}), b"prove\n"]
    answer = told(tmp_path, BEGIN, *flights, named({"t1": "b"}), END)
    one, two = (hashlib.md5(data).hexdigest() for data in (b"one", b"two"))
    proofs = ["synced", f"t0 {one}", ".", "t0 0", ".", "synced", f"t1 {two}", "."]
    assert answer == [*proofs, "t1 0", ".", "removed", "synced", "."]


def test_a_big_object_comes_in_pieces(tmp_path: Path) -> None:
    pieces = [os.urandom(1 << 20), b"", os.urandom(7)]
    requests = [BEGIN, sent_in_pieces("t0", "a/b", *pieces), b"close 604\n", b"prove\n", named({"t0": "a/b"}), END]
    answer = told(tmp_path, *requests)
    digest = hashlib.md5(b"".join(pieces)).hexdigest()
    assert answer == ["synced", f"t0 {digest}", ".", "t0 0", ".", "removed", "synced", "."]
    assert (tmp_path / "a/b").read_bytes() == b"".join(pieces)
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o604


def test_of_a_big_object_whose_key_is_taken_no_more_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("theirs")
    answer = told(tmp_path, BEGIN, sent_in_pieces("t0", "a", b"one"), b"drop\n", b"prove\n", END)
    assert answer == ["^ t0 EEXIST File exists", "synced", ".", "removed", "synced", "."]
    assert (tmp_path / "a").read_text() == "theirs"


def test_what_is_dropped_leaves_nothing_and_what_is_kept_lies_where_it_is_found_again(tmp_path: Path) -> None:
    dropped = sent_in_pieces("t0", "a", b"one") + b"drop\n"
    kept = sent_in_pieces("big-1", "b", b"two") + b"keep 13\npartial/big-1"
    answer = told(tmp_path, BEGIN, b"listed partial\n", dropped, kept, b"prove\n", END, b"listed partial\n")
    assert answer == [".", "synced", ".", "removed", "synced", ".", "big-1", "."]
    assert (tmp_path / "partial" / "big-1").read_text() == "two"


def test_an_input_that_ends_leaves_in_staging_what_may_be_continued_and_what_others_have_to_do_with(
    tmp_path: Path,
) -> None:
    told(tmp_path, BEGIN, sent("t0", b"one"))
    assert [path.name for path in (tmp_path / "staging").iterdir()] == ["t0"]
    (tmp_path / "staging" / "t0").unlink()
    begun = [b"begin staging alone\n", sent("t0", b"one"), b"prove\n", sent_in_pieces("big-1", "b", b"two")]
    told(tmp_path, *begun, b"data 100\nthr")
    assert [path.name for path in (tmp_path / "staging").iterdir()] == ["big-1"]


def test_a_file_that_cannot_be_written_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "staging" / "t0").mkdir(parents=True)
    answer = told(tmp_path, BEGIN, sent("t0", b"prove\n" * 3), sent("t1", b"one"), b"prove\n")
    assert answer[:2] == ["synced", "! t0 EEXIST File exists"]
    assert answer[2:] == [f"t1 {hashlib.md5(b'one').hexdigest()}", "."]


def test_an_algorithm_that_is_not_there_leaves_the_proof_to_somebody_else(tmp_path: Path) -> None:
    answer = told(tmp_path, BEGIN, sent("t0", b"one", algorithm="md6"), b"prove\n")
    assert answer[1].startswith("! t0 - unsupported hash type")


def test_what_is_not_on_the_disk_is_not_said_to_be(tmp_path: Path) -> None:
    answer = told(tmp_path, BEGIN, sent("t0", b"one"), b"prove\n", sync="ls nowhere")
    assert answer[0].startswith("not synced: ls: ")


@pytest.mark.parametrize("length", range(1, 35, 3))
def test_a_request_for_names_that_is_cut_off_gives_none(tmp_path: Path, length: int) -> None:
    request = named({"t0": "first/key", "t1": "second/key"})
    assert length < len(request)
    begun = b"begin staging alone\n"
    answer = told(tmp_path, begun, sent("t0", b"t0"), sent("t1", b"t1"), request[:length])
    assert answer == []
    assert list(tmp_path.iterdir()) == []


def test_every_object_gets_its_name_and_staging_is_gone(tmp_path: Path) -> None:
    names = {"t0": "10.5072/FK2/ABC/one", "t1": "10.5072/FK2/line\nbreak 'and' \"quotes\" $(rm -r .)/ü"}
    answer = told(tmp_path, BEGIN, sent("t0", b"t0"), sent("t1", b"t1"), named(names), END)
    assert answer == ["t0 0", "t1 0", ".", "removed", "synced", "."]
    assert {name: (tmp_path / key).read_text() for name, key in names.items()} == {"t0": "t0", "t1": "t1"}
    assert not (tmp_path / "staging").exists()


def test_folders_have_the_mode_that_was_asked_for_all_the_way_down(tmp_path: Path) -> None:
    told(tmp_path, BEGIN, sent("t0", b"one"), named({"t0": "a/b/c/one"}), mode="770")
    assert {stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in ("a", "a/b", "a/b/c")} == {0o770}


def test_a_taken_name_is_left_alone_and_what_wanted_it_stays_in_staging_until_it_is_discarded(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("theirs")
    files = [sent(name, name.encode()) for name in ("t0", "t1", "t2")]
    names = named({"t0": "taken", "t1": "taken/below", "t2": "free"})
    answer = told(tmp_path, BEGIN, *files, names, END, about("discard", "t0", "t1"), END)
    refused = ["t0 EEXIST File exists", "t1 ENOTDIR Not a directory", "t2 0", "."]
    assert answer == [*refused, "synced", ".", "removed", "synced", "."]
    assert (tmp_path / "taken").read_text() == "theirs"


@pytest.mark.parametrize("command", [COMMAND, WITHOUT_CALLS])
def test_whatever_the_system_offers_names_are_given_and_none_is_taken_from_anything(
    tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "taken").write_text("theirs")
    files = [sent(name, name.encode(), "664") for name in ("t0", "t1", "t2")]
    names = named({"t0": "taken", "t1": "new/one", "t2": "new/one"})
    answer = told(tmp_path, BEGIN, *files, b"prove\n", names, END, sync="sync -f .", command=command)
    assert answer[0] == answer[-2] == "synced"
    assert answer[5:8] == ["t0 EEXIST File exists", "t1 0", "t2 EEXIST File exists"]
    assert [(tmp_path / key).read_text() for key in ("taken", "new/one")] == ["theirs", "t1"]
    assert stat.S_IMODE((tmp_path / "new/one").stat().st_mode) == 0o664
    assert sorted(path.name for path in (tmp_path / "staging").iterdir()) == ["t0", "t2"]


def test_sizes_are_told_of_objects_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("a b")
    assert told(tmp_path, about("sizes", "a b", "folder", "link", "a b/c", "no")) == ["5", "-", "-", "-", "-", "."]


def test_what_a_login_shell_printed_is_told_from_the_first_answer(tmp_path: Path) -> None:
    assert told(tmp_path, b"hello 0123\n") == ["", "0123", "-", "."]


IDENTITY = f"{remote_agent.IDENTITY}"


def identified(root: Path, text: str) -> None:
    (root / IDENTITY).parent.mkdir(parents=True)
    (root / IDENTITY).write_text(text)


def test_the_identity_is_told_whatever_it_is(tmp_path: Path) -> None:
    assert told(tmp_path, b"identity\n") == ["-", "."]
    identified(tmp_path, "ledger\n.\n")
    assert told(tmp_path, b"identity\n") == [b"ledger\n.".hex(), "."]


@pytest.mark.parametrize("request_", [BEGIN, about("sizes", "a"), about("digests md5", "a"), END], ids=str)
def test_a_root_that_is_another_one_ends_it_before_anything_is_done(tmp_path: Path, request_: bytes) -> None:
    identified(tmp_path, "ledger-2")
    assert told(tmp_path, b"ours 8\nledger-1", request_, about("sizes", "a")) == ["not ours"]
    assert {path.name for path in tmp_path.iterdir()} == {".dataverse-backup"}
    assert told(tmp_path, b"ours 8\nledger-2", request_, b"hello 0123\n")[-3:] == ["0123", b"ledger-2".hex(), "."]


def test_what_was_begun_in_a_root_that_was_swapped_gets_no_name(tmp_path: Path) -> None:
    root = tmp_path / "root"
    identified(root, "ledger-1")
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"750\ntrue\nours 8\nledger-1" + BEGIN + sent("t0", b"one") + b"prove\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"synced\n"
        root.rename(tmp_path / "unmounted")
        root.mkdir()
        process.stdin.write(named({"t0": "a"}))
        process.stdin.close()
        assert process.stdout.read().splitlines()[2:] == [b"not ours"]
    assert list(root.iterdir()) == []
    assert not (tmp_path / "unmounted" / "a").exists()


def test_an_answer_that_was_cut_off_says_what_it_says_and_no_more() -> None:
    told = Revealed.of([b"t0 0", b"t1 17", b"t2 0", b"t3"])
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0", b"t2"}), False, False)
    told = Revealed.of([b"t0 0", b"removed", b"synced"])
    assert (told.names, told.is_removed, told.is_synced) == (frozenset({b"t0"}), True, True)


def put(*notes: tuple[str, str, bool]) -> bytes:
    words = b"".join(f"{name}\0{key}\0{is_one:d}\0".encode() for name, key, is_one in notes)
    return b"put %d\n%send\n" % (len(words), words)


def test_notes_come_over_those_that_lay_there_and_others_go(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "going").write_text("going")
    notes = [("t0", "old", True), ("t1", "a/b/new", True), ("t2", "going", False), ("t3", "no/where", False)]
    answer = told(tmp_path, BEGIN, sent("t0", b"0"), sent("t1", b"1"), put(*notes))
    assert answer == ["synced", "t0 0", "t1 0", "t2 0", "t3 0", ".", "removed", "synced", "."]
    assert ((tmp_path / "old").read_text(), (tmp_path / "a" / "b" / "new").read_text()) == ("0", "1")
    assert not (tmp_path / "going").exists()


def test_what_is_no_file_stays_and_so_does_the_note(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "file").write_text("file")
    notes = [("t0", "folder", True), ("t1", "link", True), ("t2", "file/below", True), ("t3", "folder", False)]
    answer = told(tmp_path, BEGIN, *(sent(f"t{number}", b"x") for number in range(3)), put(*notes))
    taken = "EEXIST File exists"
    assert answer[1:5] == [f"t0 {taken}", f"t1 {taken}", "t2 ENOTDIR Not a directory", f"t3 {taken}"]
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "file"


def test_a_note_that_is_not_whole_or_not_on_the_disk_takes_no_place(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "staging" / "t0").mkdir(parents=True)
    notes = put(("t0", "old", True))
    assert told(tmp_path, BEGIN, sent("t0", b"new"), notes)[1] == "t0 EEXIST File exists"
    (tmp_path / "staging" / "t0").rmdir()
    answer = told(tmp_path, BEGIN, sent("t0", b"new"), notes, sync="ls nowhere")
    assert answer[0].startswith("not synced")
    assert answer[1] == "."
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
    requests = [b"make trial-abc 0123456789\n", b"try %d\n%s" % (len(command), command)]
    requests += [b"clear\n"] if clears else []
    answer = told(root, *requests)
    end = answer.index(".")
    return Trial.of([line.encode() for line in answer[:end]]), answer[end + 1 :]


def titles(folder: Path, defined: str = "") -> list[str]:
    (folder / "probe").write_bytes(b"0123456789")
    command = ["sh", "-c", defined + PROBE]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    return [line for line in said.splitlines() if line.startswith("> ")]


def test_a_command_for_digests_is_tried_only_where_those_before_it_are_not_there(tmp_path: Path) -> None:
    assert titles(tmp_path)[-4:] == ["> md5sum", "> sha1sum", "> sha256sum", "> sha512sum"]
    tried = titles(tmp_path, "md5sum() { return 127; }; md5() { :; }; ")
    assert tried[-5:] == ["> md5sum", "> md5 -r", "> sha1sum", "> sha256sum", "> sha512sum"]


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


def test_what_others_try_out_stays(tmp_path: Path) -> None:
    (tmp_path / "trial-abc").mkdir()
    (tmp_path / "trial-abc" / "probe").touch()
    with pytest.raises(KeyError):
        tried(tmp_path, clears=True)
    assert (tmp_path / "trial-abc" / "probe").exists()


def test_nothing_is_left_of_a_trial_whose_connection_is_lost(tmp_path: Path) -> None:
    tried(tmp_path, clears=False)
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "trial-abc").write_text("in the way")
    with pytest.raises(KeyError):
        tried(tmp_path, clears=True)
    assert (tmp_path / "trial-abc").read_text() == "in the way"
