"""A disk of a few megabytes, in memory."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """Mounted at ``path``."""

    path: Path

    def grow(self, size: str) -> None:
        """Make room."""
        _mount("remount,rw", f"size={size}", self.path)

    def become_read_only(self) -> None:
        """As the system does with a disk that fails."""
        _mount("remount", "ro", self.path)


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[SmallDisk]:
    """A disk of *size* mounted at the folder *path*; the test is skipped where we may not mount."""
    mounted = _mount(f"size={size}", "mode=0755", path)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True, timeout=10)


def _mount(first: str, second: str, path: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"{first},{second}", "dataverse-backup-test", path]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
