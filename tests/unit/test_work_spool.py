"""A plan that the disk has no room for."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import DataverseBackupError
from dataverse_backup.work import Spool, Why, Work
from tests.contract.ledger_cases import datafile, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK = Work(datafile(1), key_of(datafile(1)), None, Why.NEW)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk that is nearly full; Python ignores the signal that comes with this limit."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def fill(spool: Spool[Work], number: int) -> None:
    for _ in range(number):
        spool.append(WORK)
    list(spool)


@pytest.mark.parametrize("number", [1, 1_000])
def test_a_full_disk_is_said_in_words_when_it_is_written_or_at_the_latest_when_it_is_read(number: int) -> None:
    spool = Spool[Work]()
    with files_of_at_most(100):
        with pytest.raises(DataverseBackupError, match="the plan of the run cannot be kept") as full:
            fill(spool, number)
        spool.close()
    assert "TMPDIR" in full.value.hint


def test_a_machine_without_a_folder_for_temporary_files_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(DataverseBackupError, match="no such file or directory"):
        Spool()
