"""What workers of a cluster do in tests: factories that a worker can import."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger("dataverse_backup.cluster_work")


def nothing() -> None:
    """What every worker can make."""


def pids() -> Callable[[float], int]:
    """Sleeps for so many seconds, and says in which process."""

    def do(seconds: float) -> int:
        time.sleep(seconds)
        return os.getpid()

    return do


def gated(folder: Path) -> Callable[[None], int]:
    """Notes in *folder* that it has begun, and says in which process once there is a file ``gate``."""

    def do(_: None) -> int:
        (folder / f"begun-{os.getpid()}").touch()
        while not (folder / "gate").exists():
            time.sleep(0.05)
        return os.getpid()

    return do


def talkative() -> Callable[[str], None]:
    def do(text: str) -> None:
        log.warning("worked on %s", text, extra={"facts": {"key": text}})

    return do


@dataclass
class Progressing:
    """Says how far its work has come, wherever that is done."""

    known: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self) -> ProgressingWork:
        return ProgressingWork()

    def heard(self, name: str, first: int, count: int) -> None:
        self.known.append((name, first, count))


class ProgressingWork:
    def tell(self, hear: Callable[[str, int, int], object]) -> None:
        self._hear = hear

    def __call__(self, name: str) -> None:
        self._hear(name, 7, 1 << 40)


def failing() -> Callable[[str], None]:
    def do(text: str) -> None:
        raise ValueError(text)

    return do


def deadly() -> Callable[[None], None]:
    def do(_: None) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    return do


@dataclass
class Noted:
    """Notes in *folder* that it was made and closed."""

    folder: Path
    title: str = "noted"

    def __call__(self) -> NotedWork:
        return NotedWork(self.folder)


class NotedWork:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / f"made-{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, seconds: float) -> int:
        (self._folder / f"begun-{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(seconds)
        (self._folder / f"ended-{os.getpid()}-{time.monotonic_ns()}").touch()
        return os.getpid()

    def share(self, sharers: int) -> None:
        (self._folder / f"one-of-{sharers}").touch()

    def close(self) -> None:
        (self._folder / f"closed-{os.getpid()}").touch()
