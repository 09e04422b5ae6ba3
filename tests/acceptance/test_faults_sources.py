"""Files of the store that grow, shrink or vanish under the reader."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import psycopg

from tests.acceptance.freezing import Staged, frozen
from tests.acceptance.small import small_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

SOME_FAILED = 3
SIZE = 120_000_000
"""Bytes of a big file, all of which are a hole: it takes a moment to copy, and no room in the store."""


def make_big(installation: Installation, source: Path) -> None:
    """Let *source* be a big file of zeros, and be registered as such."""
    os.truncate(source, 0)
    os.truncate(source, SIZE)
    zeros = hashlib.md5(bytes(SIZE)).hexdigest()
    with psycopg.connect(installation.dsn) as connection:
        connection.execute(
            "UPDATE datafile SET checksumtype = 'MD5', checksumvalue = %s, filesize = %s"
            " WHERE id = (SELECT id FROM dvobject WHERE storageidentifier = %s)",
            (zeros, SIZE, f"file://{source.name}"),
        )


def is_big(copy: Path) -> bool:
    """Whether *copy* has the bytes that were registered."""
    return copy.stat().st_size == SIZE and not any(copy.read_bytes())


def append(source: Path) -> None:
    with source.open("ab") as file:
        file.write(b"more")


def test_files_that_change_while_they_are_read_fail_alone_and_one_that_vanishes_was_read_to_its_end(
    small: Small,
) -> None:
    installation = small(small_files(5))
    keys = [str(one.key) for one in installation.sample.expected]
    grows, shrinks, vanishes = sources = [installation.sample.stores["file"] / key for key in keys[:3]]
    for source in sources:
        make_big(installation, source)
    run, is_half_staged = installation.start("backup"), Staged(installation.backup, SIZE // 20)
    with frozen(run, is_half_staged):
        append(grows)
    with frozen(run, is_half_staged):
        os.truncate(shrinks, SIZE // 2)
    with frozen(run, is_half_staged):
        vanishes.unlink()
    output, _ = run.communicate(timeout=120)
    assert run.returncode == SOME_FAILED, output

    grown, shrunk, *others = installation.listed()
    assert [(line["status"], line["reason"]) for line in (grown, shrunk)] == [("FAIL_READ", "source-changed")] * 2
    assert "grew beyond 120000000 bytes while it was read" in grown["message"]
    assert "shrank from 120000000 to" in shrunk["message"]
    assert [line["status"] for line in others] == ["OK"] * 3
    assert [(installation.backup / key).exists() for key in keys] == [False, False, True, True, True]
    assert is_big(installation.backup / keys[2])

    for source in (grows, shrinks):
        make_big(installation, source)
    assert installation.run("backup").returncode == 0
    assert all(is_big(installation.backup / key) for key in keys[:3])
