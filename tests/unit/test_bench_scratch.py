"""A benchmark waits until what another one has removed is forgotten."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.scratch import MARK, REMEMBERED_SECONDS, scratch, seconds_to_wait

if TYPE_CHECKING:
    from pathlib import Path


def test_the_next_one_waits_also_where_the_last_one_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds_to_wait(tmp_path) == 0
    with pytest.raises(SystemExit), scratch(tmp_path, is_quick=False):
        sys.exit()
    assert seconds_to_wait(tmp_path) > 0
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with scratch(tmp_path, is_quick=False):
        assert REMEMBERED_SECONDS - 60 < waited[0] <= REMEMBERED_SECONDS + 1


def test_a_quick_one_neither_waits_nor_lets_wait(tmp_path: Path) -> None:
    with scratch(tmp_path, is_quick=True):
        pass
    assert seconds_to_wait(tmp_path) == 0
    (tmp_path / MARK).touch()
    began = time.monotonic()
    with scratch(tmp_path, is_quick=True):
        assert time.monotonic() - began < 60
