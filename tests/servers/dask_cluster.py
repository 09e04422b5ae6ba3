"""A real Dask scheduler, and workers that can be killed; each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_STARTING_TIMEOUT = 60.0


class DaskScheduler:
    """A scheduler on a free port of 127.0.0.1, and the workers that are started for it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, scheme: str = "tcp") -> None:
        """Keep logs in *folder*; *environment* is what all have beside our own."""
        self._folder, self._environment, self._scheme = folder, environment, scheme
        self._process: subprocess.Popen[bytes] | None = None
        self.workers: list[DaskWorker] = []
        self._numbers = count(1)
        self.address = ""

    def __enter__(self) -> Self:
        said = self._folder / "scheduler.json"
        options: list[str | Path] = [
            "--protocol",
            self._scheme,
            "--scheduler-file",
            said,
            "--no-dashboard",
            "--no-show",
        ]
        self._process = _started(
            "dask_scheduler", [*options, "--host", "127.0.0.1", "--port", "0"], self._folder, self._environment
        )
        deadline = time.monotonic() + _STARTING_TIMEOUT
        while not self.address:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text(errors="replace"))
            with suppress(FileNotFoundError, ValueError):  # not yet written, or not to its end
                self.address = json.loads(said.read_text())["address"]
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self.kill()

    def start_worker(self, *options: str, **environment: str) -> DaskWorker:
        """One more worker, with a nanny that starts it again when it dies; it may be a while before it is ready."""
        folder = self._folder / f"worker-{next(self._numbers)}"
        folder.mkdir()
        worker = DaskWorker(self.address, folder, options, {**self._environment, **environment})
        self.workers.append(worker)
        return worker

    def kill(self) -> None:
        """Let it die now."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)


class DaskWorker:
    """A worker process below its nanny."""

    def __init__(self, scheduler: str, folder: Path, options: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.folder = folder
        arguments: list[str | Path] = [
            scheduler,
            "--host",
            "127.0.0.1",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--local-directory",
            folder,
        ]
        self._process = _started("dask_worker", [*arguments, *options], folder, environment)

    @property
    def log(self) -> str:
        """What it and its nanny have said."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pids(self) -> list[int]:
        """The processes below the nanny that do tasks: one, or none when it has just died."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self._process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if "spawn_main" in line]

    def kill_process(self) -> None:
        """Kill the process that does tasks, as the kernel does when there is no memory; its nanny starts another."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Let all of it die now, as a machine does that loses its power."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _started(
    module: str, arguments: list[str | Path], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *map(str, arguments)],
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
