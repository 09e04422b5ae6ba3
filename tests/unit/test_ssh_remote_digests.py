"""The program that hashes stored objects over there, run here."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from dataverse_backup.destinations.base import Failure, Staging, StoredDigest
from dataverse_backup.destinations.ssh import SshSettings, remote_digests
from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.carried import CarriedSshDestination
from dataverse_backup.destinations.ssh.connection import Answer
from dataverse_backup.destinations.ssh.shell import Shell, Stored
from dataverse_backup.errors import CopyMissing
from dataverse_backup.fixity import Algorithm, Checksum, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.ssh.connection import Connection


def told(root: Path, *words: str) -> list[str]:
    command = [sys.executable, "-I", "-S", "-c", Path(remote_digests.__file__).read_text()]
    given = b"".join(word.encode() + b"\0" for word in words)
    done = subprocess.run(command, input=given, cwd=root, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_size_and_digest_are_those_of_the_bytes(tmp_path: Path, algorithm: Algorithm) -> None:
    name = algorithm.lower().replace("-", "")
    data = {"empty": b"", "line\nbreak": b"small", "big": os.urandom(3_000_001)}
    for key, content in data.items():
        (tmp_path / key).write_bytes(content)
    assert told(tmp_path, name, *data) == [f"{len(one)} {hashlib.new(name, one).hexdigest()}" for one in data.values()]


def test_what_is_not_there_is_missing_and_of_what_is_no_file_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    keys = ["nothing", "file/below", "folder", "link", "pipe"]
    assert told(tmp_path, "md5", *keys) == ["missing", "missing", "?", "?", "?"]


class Answering:
    """A connection whose commands all answer the same."""

    def __init__(self, output: bytes) -> None:
        self.output = output

    async def run(self, command: str, given: bytes) -> Answer:
        assert command
        assert given.startswith(b"/backup\n")
        return Answer(0, self.output, "")


@pytest.mark.parametrize(
    ("output", "believed"),
    [
        (b"3 abc\nmissing\n?\n", {b"a": Stored(3, "abc"), b"b": None}),
        (b"3 abc\nmissing\n5 ab", {b"a": Stored(3, "abc"), b"b": None}),  # cut off
        (b"welcome!\n3 ABC\n-1 abc\n", {}),
        (b"", {}),
    ],
)
def test_only_what_is_whole_and_well_formed_is_believed(output: bytes, believed: dict[bytes, Stored | None]) -> None:
    shell = Shell("sync", has_python=True)
    connection = cast("Connection", Answering(output))
    assert asyncio.run(shell.stored(connection, b"/backup", [b"a", b"b", b"c"], Algorithm.MD5)) == believed


class Babbling:
    """A program over there whose answers make no sense."""

    is_over = False

    def ask(self, *request: bytes) -> list[bytes]:
        assert request
        return [b"3 abc", b"three abc"]

    def kill(self) -> None:
        self.is_over = True


class Others:
    """The way over asyncssh."""

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[Failure]:
        assert algorithm is Algorithm.MD5
        return (Failure(key, CopyMissing("offsite", key, "asked elsewhere")) for key in keys)


def test_a_worker_asks_elsewhere_about_what_it_was_told_no_sense_of(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SshSettings(host="offsite.example.edu", directory="/backup")
    shell = Shell("sync", has_python=True)
    flags = {"can_fsync": True, "rename_overwrites": False, "folds_case": False}
    abilities = Abilities(settings.where, "/backup", "SSH-2.0-OpenSSH_9", **flags, shell=shell)
    one = CarriedSshDestination("offsite", settings, Staging("ledger", "run", abilities.to_text()))
    monkeypatch.setattr(one, "_carrier", Babbling())
    monkeypatch.setattr(one, "_others", Others)
    first, *rest = one.digests(["a", "b", "c"], Algorithm.MD5)
    assert first == StoredDigest("a", 3, Checksum(Algorithm.MD5, "abc"), VerifiedBy.REMOTE_HASH)
    assert [result.key for result in rest] == ["b", "c"]
    assert all(isinstance(result, Failure) for result in rest)
