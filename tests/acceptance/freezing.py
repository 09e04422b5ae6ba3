"""Changing the world in the middle of a run, without a race: the run stands still while it happens."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

_PATIENCE = 120.0


@contextmanager
def frozen(run: subprocess.Popen[str], when: Callable[[], bool]) -> Iterator[None]:
    """Stop *run* (of `Installation.start`) and its workers as soon as *when* is true, and let them go on in the end."""
    deadline = time.monotonic() + _PATIENCE
    while not when():
        assert run.poll() is None, f"it ended too early: {run.communicate()[0]}"
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.001)
    os.killpg(run.pid, signal.SIGSTOP)
    try:
        _wait_until_still(run.pid)
        yield
    finally:
        os.killpg(run.pid, signal.SIGCONT)


def _wait_until_still(group: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not all(state in "TZ" for state in _states(group)):
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.001)


def _states(group: int) -> Iterator[str]:
    """The states of the processes of *group*, as ps(1) names them."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group, *_ = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group:
            yield state


def some_copy_in(backup: Path) -> Callable[[], bool]:
    """Whether a copy is to be seen in *backup*."""
    return lambda: any(not name.startswith(".") for name in os.listdir(backup))  # noqa: PTH208 -- names are enough


class Staged:
    """Asked again and again: whether *least* bytes of a further object have arrived in the staging of *backup*."""

    def __init__(self, backup: Path, least: int) -> None:
        self._staging = backup / ".dataverse-backup" / "staging"
        self._least = least
        self._seen: set[Path] = set()

    def __call__(self) -> bool:
        found = {path for path, size in sizes_below(self._staging).items() if size >= self._least} - self._seen
        self._seen |= found
        return bool(found)


def sizes_below(folder: Path) -> dict[Path, int]:
    """The sizes of all files below *folder*, where somebody may be removing some right now: Path.rglob minds that."""
    found = {}
    for above, _, names in os.walk(folder):
        for path in (Path(above, name) for name in names):
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_size
    return found
