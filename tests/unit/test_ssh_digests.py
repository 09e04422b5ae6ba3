"""What lies at a destination is hashed by our program over there; what it says is believed if it makes sense."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING, Any, cast

import pytest

from dataverse_backup.destinations.base import Failure, Staging, StoredDigest
from dataverse_backup.destinations.ssh import SshSettings
from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.agent import AgentGone
from dataverse_backup.destinations.ssh.audit import Audit
from dataverse_backup.destinations.ssh.carried import CarriedSshDestination
from dataverse_backup.destinations.ssh.shell import Shell, Stored, about, believed, word
from dataverse_backup.errors import CopyMissing
from dataverse_backup.fixity import Algorithm, Checksum, VerifiedBy
from tests.unit.test_ssh_remote_agent import told

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from pathlib import Path

    from dataverse_backup.destinations.ssh.loop import EventLoopThread
    from dataverse_backup.destinations.ssh.session import Session


@pytest.mark.parametrize("algorithm", Algorithm)
def test_size_and_digest_are_those_of_the_bytes(tmp_path: Path, algorithm: Algorithm) -> None:
    name = word(algorithm)
    data = {"empty": b"", "line\nbreak": b"small", "big": os.urandom(3_000_001)}
    for key, content in data.items():
        (tmp_path / key).write_bytes(content)
    digests = [hashlib.new(name.decode(), content).hexdigest() for content in data.values()]
    lines = [f"{len(content)} {digest}" for content, digest in zip(data.values(), digests, strict=True)]
    assert told(tmp_path, about(b"digests %s" % name, list(data))) == [*lines, "."]


def test_what_is_not_there_is_missing_and_of_what_is_no_file_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    keys = ["nothing", "file/below", "folder", "link", "pipe"]
    assert told(tmp_path, about(b"digests md5", keys)) == ["missing", "missing", "?", "?", "?", "."]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([b"3 abc", b"missing", b"?"], {"a": Stored(3, "abc"), "b": None}),
        ([b"3 abc", b"missing"], {"a": Stored(3, "abc"), "b": None}),
        ([b"welcome!", b"3 ABC", b"-1 abc"], {}),
        ([], {}),
    ],
)
def test_only_what_is_well_formed_is_believed(lines: list[bytes], said: dict[str, Stored | None]) -> None:
    assert believed(["a", "b", "c"], lines) == said


class NoFiles:
    def takes(self, key: str) -> bool:
        return bool(key)

    def path(self, key: str) -> bytes:
        return key.encode()

    async def attributes(self, path: bytes) -> None:
        assert path


class Asked:
    """A session whose program over there says *lines*, or is ended; SFTP sees no files."""

    shell = None

    def __init__(self, lines: list[bytes] | None) -> None:
        self.lines, self.files = lines, NoFiles()

    async def agent(self) -> Asked:
        return self

    async def ask(self, request: bytes) -> list[bytes]:
        assert request.startswith(b"digests md5 ")
        if self.lines is None:
            raise AgentGone("it was ended")
        return self.lines


class Loop:
    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(coroutine)


@pytest.mark.parametrize(("lines", "known"), [([b"3 abc", b"abc"], 1), (None, 0)], ids=["no sense", "cut off"])
def test_what_is_not_said_over_there_is_asked_one_by_one(lines: list[bytes] | None, known: int) -> None:
    session = cast("Session", Asked(lines))
    audit = Audit("offsite", cast("EventLoopThread", Loop()), session, Algorithm.MD5, None)
    results = list(audit.digests(["a", "b"]))
    right = StoredDigest("a", 3, Checksum(Algorithm.MD5, "abc"), VerifiedBy.REMOTE_HASH)
    assert results[:known] == [right][:known]
    assert [result.key for result in results[known:]] == ["a", "b"][known:]
    for result in results[known:]:
        assert isinstance(result, Failure)
        assert isinstance(result.error, CopyMissing)


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
