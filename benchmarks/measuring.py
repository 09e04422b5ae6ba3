"""What one command costs: seconds, processor, memory and bytes read, of it and of every process that it starts."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SAMPLING_SECONDS = 0.1
_HINDRANCES = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class CommandFailed(Exception):
    """A command ended otherwise than well, or not in time."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that shall be measured."""

    arguments: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    """What is other than in our own environment."""
    folder: Path | None = None
    """Where it runs."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took."""

    seconds: float
    processor: float
    """Seconds of processors, user and system."""
    memory: int
    """The most bytes that all its processes had together, sampled; a page that several share is counted once (PSS)."""
    read_by_first: int
    """Bytes that its first process read (read(2) and the like, not recv(2)), if that has one thread."""
    read_by_all: int
    """The same of all its processes and threads."""
    output: str


@dataclass(frozen=True, slots=True)
class _Ended:
    """What a process came to that has ended, with all those that it waited for."""

    exit_code: int
    processor: float
    read: int


def cost_of(command: Command, timeout: float) -> Cost:
    """Run *command* to its end. Raises CommandFailed."""
    with _adopting_orphans():
        started = time.monotonic()
        process = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=_without_hindrances(os.environ) | dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _Sampler(process.pid) as sampler, _ended_after(timeout, process.pid):
            output = _output(process)
            seconds = time.monotonic() - started
            read_by_first = read_in(Path(f"/proc/{process.pid}/task/{process.pid}/io"))
            first = _ended(process.pid)
            ended = [first, *_orphans(process.pid)]
    process.returncode = first.exit_code
    if process.returncode:
        said = " ".join(map(str, command.arguments))
        raise CommandFailed(f"{said}\nended with {process.returncode} after {seconds:.0f} s:\n{output[-3000:]}")
    processor, read_by_all = sum(one.processor for one in ended), sum(one.read for one in ended)
    return Cost(seconds, processor, sampler.most, read_by_first, read_by_all, output)


def _without_hindrances(environment: Mapping[str, str]) -> dict[str, str]:
    """What no administrator has set: Python would compile every module anew in each process."""
    return {name: value for name, value in environment.items() if name not in _HINDRANCES}


def _output(process: subprocess.Popen[bytes]) -> str:
    """All that it says until it ends; it is not waited for yet, so that what it took can be looked up."""
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read().decode(errors="replace")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return output


@contextmanager
def _ended_after(timeout: float, session: int) -> Iterator[None]:
    def end() -> None:
        with suppress(OSError):
            os.killpg(session, signal.SIGKILL)

    timer = threading.Timer(timeout, end)
    timer.start()
    try:
        yield
    except BaseException:  # nobody waits for it any more: Ctrl-C reaches us alone
        end()
        raise
    finally:
        timer.cancel()


def _ended(pid: int) -> _Ended:
    """Wait for the end of *pid*, a child of ours."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    read = read_in(Path(f"/proc/{pid}/io"))
    _, status, used = os.wait4(pid, 0)
    return _Ended(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, read)


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Be the parent of processes whose parent ended before them: otherwise nobody could tell what they took."""
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        library.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _orphans(session: int) -> Iterator[_Ended]:
    """What became of the processes of *session* that outlived their parents; waits for them."""
    for pid in _children(os.getpid()):
        with suppress(OSError):
            if os.getsid(pid) == session:
                yield _ended(pid)


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


def read_in(file: Path) -> int:
    """Bytes, as a file like /proc/PID/io says; who was waited for is counted with its parent there (proc(5))."""
    counts = dict(line.split(": ") for line in file.read_text().splitlines())
    return int(counts["rchar"])


class _Sampler(threading.Thread):
    """Looks again and again how much memory a process and its descendants have."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._is_over = pid, threading.Event()
        self.most = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        while not self._is_over.wait(SAMPLING_SECONDS):
            self.most = max(self.most, sum(map(_memory, _tree(self._pid))))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _tree(child)


def _memory(pid: int) -> int:
    """Its proportional set size."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
