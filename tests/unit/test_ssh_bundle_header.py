"""The headers of the tar stream, which are written without `tarfile`, are what `tarfile` reads."""

from __future__ import annotations

import tarfile
import time

from hypothesis import given
from hypothesis import strategies as some

from dataverse_backup.destinations.ssh.bundle import _tar_header

CHARACTERS = some.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/")
NAMES = some.text(CHARACTERS, min_size=1, max_size=100)


@given(NAMES, some.integers(0, (1 << 33) - 1), some.integers(0, 0o777))
def test_a_header_says_what_it_was_made_of(name: str, size: int, mode: int) -> None:
    found = tarfile.TarInfo.frombuf(_tar_header(name, size, mode), "ascii", "strict")
    assert (found.name, found.size, found.mode, found.uid, found.gid) == (name, size, mode, 0, 0)
    assert found.isreg()
    assert abs(found.mtime - time.time()) < 60
