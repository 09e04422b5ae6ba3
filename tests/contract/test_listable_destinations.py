"""What every destination of ours promises that can be listed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.testing.listable import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.listable import listed
from dataverse_backup.testing.places import FolderPlace
from tests.contract.destination_cases import CASES, WITH_NOTES_AND_LISTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.testing.places import Place


@pytest.fixture(params=WITH_NOTES_AND_LISTS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One of each kind that can be listed."""
    with CASES[request.param](request) as place:
        yield place


@pytest.fixture(params=["filesystem", "ssh with shell", "ssh without shell"])
def folder(request: pytest.FixtureRequest) -> Iterator[FolderPlace]:
    """A root in which anything can lie that lies in folders."""
    with CASES[request.param](request) as place:
        assert isinstance(place, FolderPlace)
        yield place


def test_only_files_are_objects_and_no_link_is_followed(folder: FolderPlace) -> None:
    folder.plant("a/file", b"123")
    (folder.root / "a" / "link").symlink_to("file")
    (folder.root / "a" / "loop").symlink_to(folder.root)
    (folder.root / "empty").mkdir()
    os.mkfifo(folder.root / "a" / "pipe")
    with folder.destination() as destination:
        destination.connect()
        assert listed(destination) == {"a/file": 3}


def test_a_name_that_is_not_utf_8_comes_as_it_lies_there(folder: FolderPlace) -> None:
    (folder.root / "a").mkdir()
    below = os.fsencode(folder.root / "a") + b"/\xff\xfe"
    os.mkdir(below)  # noqa: PTH102 -- a name in bytes
    with open(below + b"/\x80", "wb") as file:  # noqa: PTH123 -- the same
        file.write(b"12")
    with folder.destination() as destination:
        destination.connect()
        assert listed(destination) == {"a/\udcff\udcfe/\udc80": 2}
