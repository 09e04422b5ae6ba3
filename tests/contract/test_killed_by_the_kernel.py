"""A worker process that the kernel itself ends, because its memory is used up."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import WorkerDied
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORY = 200 << 20
_CONTROLLERS = {
    Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes",
    Path("/sys/fs/cgroup"): "memory.max",
}
"""Where memory is allotted, with versions 1 and 2 of the kernel's control groups, and the file that says how much."""


@contextmanager
def allotment(size: int) -> Iterator[Path]:
    """A group of processes that have so many bytes of memory together; skips where we may not make one."""
    for controller, limit in _CONTROLLERS.items():
        try:
            group = Path(tempfile.mkdtemp(prefix="dataverse-backup-", dir=controller))
        except OSError:
            continue
        try:
            (group / limit).write_text(str(size))
            yield group
        except FileNotFoundError:
            continue
        else:
            return
        finally:
            group.rmdir()
    pytest.skip("control groups of memory cannot be made here: that takes root, and a kernel that has them")


@dataclass(frozen=True)
class Filling:
    """Work that fills so many bytes of memory, in *group*."""

    group: Path

    def __call__(self) -> Callable[[int], int]:
        (self.group / "cgroup.procs").write_text(str(os.getpid()))
        return lambda size: len(bytearray(b"x") * size)


def kills(group: Path) -> int:
    """How many processes of *group* the kernel has killed for memory."""
    told = next(group / name for name in ("memory.oom_control", "memory.events") if (group / name).exists())
    return next(int(line.split()[1]) for line in told.read_text().splitlines() if line.startswith("oom_kill "))


def test_what_the_kernel_kills_a_worker_for_is_found_and_all_else_is_done() -> None:
    with allotment(MEMORY) as group:
        with processes(Filling(group), 2) as submit:
            futures = [submit(size) for size in (5, 2 * MEMORY, 6, 7)]
            with pytest.raises(WorkerDied, match="SIGKILL"):
                futures[1].result(60)
            assert [futures[at].result(60) for at in (0, 2, 3)] == [5, 6, 7]
        assert kills(group) >= 2
