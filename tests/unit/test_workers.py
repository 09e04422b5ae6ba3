"""Worker processes: each with work of its own, really killed, and never taking the run or each other down with them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup import crew, workers
from dataverse_backup.conclusion import whole
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import CopyFailed, WorkerDied, WorkersLost
from dataverse_backup.joint import JointTransferFactory
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.transfer import Transfer
from dataverse_backup.work import Batch, JointBatch, Why, Work
from tests.contract.ledger_cases import HERE, datafile, key_of
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dataverse_backup.stores.base import Store

FILE = datafile(1, size=4, checksum=checksum_of(b"data"))
WORKS = (Work(FILE, key_of(FILE), None, Why.NEW),)
BATCH = JointBatch((Batch(HERE, WORKS), Batch("there", WORKS)))


def stores() -> dict[str, MemoryStore]:
    return {"file": MemoryStore("file", {key_of(FILE): b"data"})}


def working(stores: Mapping[str, Store]) -> Transfer:
    return Transfer(stores, MemoryDestination())


def test_a_process_copies_with_transfers_of_its_own() -> None:
    with workers.processes(JointTransferFactory(stores, {HERE: working, "there": working}), 1) as submit:
        outcomes = submit(BATCH).result(60)
    told = {batch.destination: whole(outcomes[batch.destination], batch) for batch in BATCH.batches}
    assert {name: [attempt.status for attempt in outcome.attempts] for name, outcome in told.items()} == {
        HERE: [Status.OK],
        "there": [Status.OK],
    }
    assert sum(outcome.bytes_read for outcome in outcomes.values()) == len(b"data")


Task = tuple[str, Any]
"""What to do, and with what."""


def ready() -> Callable[[Task], Any]:
    return perform


def perform(task: Task) -> Any:
    return globals()[f"do_{task[0]}"](task[1])


def do_answer(value: Any) -> Any:
    return value


def do_pid(_: None) -> int:
    return os.getpid()


def do_parent(_: None) -> int:
    return os.getppid()


def do_inherited(_: None) -> tuple[set[str], int]:
    """What is open here, and how many threads there were when the work began: this one, and who waits for the end."""
    return set(opened_by("self")), len(threading.enumerate())


def opened_by(process: int | str) -> Iterator[str]:
    """What *process* has open, as the system calls it."""
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # what the listing itself had open
            yield str(descriptor.readlink())


def do_die(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def do_die_while_answering(_: None) -> None:
    """Die with half an answer in the pipe."""

    def send_half(self: Connection, data: memoryview) -> None:
        os.write(self.fileno(), struct.pack("!i", len(data)) + data[: len(data) // 2])
        os._exit(7)

    Connection._send_bytes = send_half  # type: ignore[attr-defined]


def do_crash(_: None) -> None:
    ctypes.string_at(0)


def do_eat(most: int) -> int:
    """Ask for more memory than there may be."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
    return len(bytearray(most))


def do_fail(message: str) -> None:
    raise CopyFailed("here", "key", message, "a hint")


def do_unpicklable(_: None) -> Any:
    return lambda: None


def do_sleep(seconds: float) -> None:
    time.sleep(seconds)


def do_mark(path: Path) -> str:
    """Kill this process at the first time."""
    if path.exists():
        return "done"
    path.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


def test_a_task_that_kills_its_worker_is_found_and_the_others_are_done() -> None:
    with workers.processes(ready, 2) as submit:
        tasks: list[Task] = [("answer", number) for number in range(6)]
        tasks[2] = ("die", signal.SIGKILL)
        futures = [submit(task) for task in tasks]
        assert [future.result(60) for future in (*futures[:2], *futures[3:])] == [0, 1, 3, 4, 5]
        with pytest.raises(WorkerDied, match=r"died twice.*\(SIGKILL\)"):
            futures[2].result(60)
        assert submit(("answer", "after")).result(60) == "after"


def test_a_task_whose_worker_somebody_killed_once_is_done(tmp_path: Path) -> None:
    with workers.processes(ready, 1) as submit:
        assert submit(("mark", tmp_path / "mark")).result(60) == "done"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (("crash", None), "SIGSEGV"),
        (("eat", 128 << 20), "out of memory"),
        (("die_while_answering", None), "exit status 7"),
    ],
)
def test_whatever_ends_a_worker_is_said(task: Task, said: str) -> None:
    with workers.processes(ready, 1) as submit:
        futures = [submit(task), submit(("answer", 1))]
        with pytest.raises(WorkerDied, match=said):
            futures[0].result(60)
        assert futures[1].result(60) == 1


def test_a_worker_that_is_killed_while_it_has_nothing_to_do_is_made_again() -> None:
    with workers.processes(ready, 1) as submit:
        pid = submit(("pid", None)).result(60)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert submit(("pid", None)).result(60) != pid


def test_workers_leave_ctrl_c_and_sigterm_to_the_run() -> None:
    with workers.processes(ready, 1) as submit:
        pid = submit(("pid", None)).result(60)
        working = submit(("sleep", 0.3))
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        working.result(60)
        assert submit(("pid", None)).result(60) == pid


def test_what_a_task_raises_comes_back_whole() -> None:
    with workers.processes(ready, 1) as submit:
        error = submit(("fail", "it is full")).exception(60)
        assert isinstance(error, CopyFailed)
        assert (str(error), error.hint) == ("here: key: it is full", "a hint")
        assert "do_fail" in str(error.__cause__)
        with pytest.raises(RuntimeError, match="cannot be sent"):
            submit(("unpicklable", None)).result(60)
        assert submit(("answer", 1)).result(60) == 1


def test_a_task_that_cannot_be_sent_fails_alone() -> None:
    with workers.processes(ready, 1) as submit:
        with pytest.raises(AttributeError):
            submit(("answer", lambda: None)).result(60)
        assert submit(("answer", 1)).result(60) == 1


def not_ready(path: Path) -> Callable[[Task], Any]:
    """Work that cannot be made at the first time."""
    if path.exists():
        return perform
    path.touch()
    raise CopyFailed("here", "key", "not yet")


def test_what_the_making_of_the_work_raises_is_raised_for_the_task(tmp_path: Path) -> None:
    with workers.processes(partial(not_ready, tmp_path / "mark"), 1) as submit:
        with pytest.raises(CopyFailed, match="not yet"):
            submit(("answer", 1)).result(60)
        assert submit(("answer", 1)).result(60) == 1


def stillborn() -> Callable[[Task], Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


def test_where_no_worker_gets_ready_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_AFTER_STILLBIRTH", 0.0)
    monkeypatch.setattr(crew, "MOST_STILLBORN", 2)
    with workers.processes(stillborn, 1) as submit:
        futures = [submit(("answer", number)) for number in range(3)]
        for future in futures:
            with pytest.raises(WorkersLost, match=r"2 worker processes died .*SIGKILL"):
                future.result(60)


def test_in_the_end_nothing_is_left_of_the_workers_whatever_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_TO_END", 0.1)
    with workers.processes(ready, 2) as submit:
        submit(("sleep", 60.0))
        assert submit(("answer", 1)).result(60) == 1
        assert {child.name for child in multiprocessing.active_children()} == {"dataverse-backup-worker"}
        began = time.monotonic()
    assert time.monotonic() - began < 30
    assert multiprocessing.active_children() == []


def test_the_end_comes_also_while_a_worker_is_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_TO_END", 0.1)
    is_being_made, is_over = threading.Event(), threading.Event()
    start = BaseProcess.start

    def start_late(process: BaseProcess) -> None:
        is_being_made.set()
        is_over.wait(60)
        start(process)

    monkeypatch.setattr(BaseProcess, "start", start_late)
    with workers.processes(ready, 1) as submit:
        future = submit(("answer", 1))
        assert is_being_made.wait(60)
        threading.Timer(1.0, is_over.set).start()
    assert isinstance(future.exception(0), CancelledError)
    assert multiprocessing.active_children() == []


def test_the_end_comes_also_while_a_worker_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_TO_END", 0.1)
    with workers.processes(ready, 2) as submit:
        submit(("sleep", 60.0))
        suspect = submit(("die", signal.SIGKILL))
        time.sleep(0.5)
    with pytest.raises(CancelledError):
        suspect.result(0)


def test_a_worker_has_nothing_of_the_run(tmp_path: Path) -> None:
    with (
        workers.processes(ready, 1) as submit,
        (tmp_path / "secret").open("w") as file,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        for ours in (file, server, connection):
            os.set_inheritable(ours.fileno(), True)
        has_ended = threading.Event()
        thread = threading.Thread(target=has_ended.wait)
        thread.start()
        open_there, threads = submit(("inherited", None)).result(60)
        has_ended.set()
        thread.join()
        mine = {str(Path(f"/proc/self/fd/{ours.fileno()}").readlink()) for ours in (file, server, connection)}
        assert mine <= set(opened_by("self"))
        assert not mine & open_there
        assert threads == 2


def test_the_fork_server_has_one_thread_and_leaves_ctrl_c_and_sigterm_to_the_run() -> None:
    with workers.processes(ready, 1) as submit:
        parent = submit(("parent", None)).result(60)
        assert parent not in {os.getpid(), 1}
        status = Path(f"/proc/{parent}/status").read_text()
        assert "Threads:\t1\n" in status
        os.kill(parent, signal.SIGINT)
        os.kill(parent, signal.SIGTERM)
        os.kill(submit(("pid", None)).result(60), signal.SIGKILL)
        assert submit(("parent", None)).result(60) == parent


def test_a_fork_server_that_was_killed_is_made_again_and_no_living_worker_is_lost() -> None:
    with workers.processes(ready, 1) as submit:
        pid, parent = submit(("pid", None)).result(60), submit(("parent", None)).result(60)
        working = submit(("sleep", 0.3))
        os.kill(parent, signal.SIGKILL)
        working.result(60)
        assert submit(("pid", None)).result(60) == pid
        os.kill(pid, signal.SIGKILL)
        assert submit(("answer", 1)).result(60) == 1
        assert submit(("parent", None)).result(60) not in {parent, 1}


def test_in_the_end_a_worker_goes_whose_fork_server_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_TO_END", 0.1)
    with workers.processes(ready, 1) as submit:
        pid, parent = submit(("pid", None)).result(60), submit(("parent", None)).result(60)
        submit(("sleep", 60.0))
        os.kill(parent, signal.SIGKILL)
        time.sleep(0.2)
        multiprocessing.active_children()  # asks all of them, and learns that nobody knows what became of this one
    assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """Whether the process *pid* ends within some seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


RUN = """
import os, sys, time
from dataverse_backup import workers
from tests.unit.test_workers import ready
if __name__ == "__main__":
    with workers.processes(ready, 1) as submit:
        print(submit(("pid", None)).result(60), submit(("parent", None)).result(60), flush=True)
        submit(("sleep", 60.0)).result()
"""


def test_nothing_is_left_of_a_run_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=here) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        run.kill()
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_what_lies_in_the_working_directory_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "dataclasses.py").write_text("raise SystemExit('not this one')")
    script = tmp_path / "elsewhere" / "run.py"
    script.parent.mkdir()
    script.write_text(RUN.replace('"sleep", 60.0', '"answer", 1'))
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=here, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_where_there_can_be_no_fork_server_workers_are_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot() -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(forkserver, "ensure_running", cannot)
    workers.get_ready()
    with workers.processes(ready, 1) as submit:
        assert submit(("parent", None)).result(60) == os.getpid()
