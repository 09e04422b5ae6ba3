"""Worker processes of this machine: what hands them tasks, and what runs in each of them.

They are forked, but not from the run, whose threads, locks and connections must not be copied into another process:
from a fork server. That is a process of one thread which was itself spawned, which has imported what workers need, and
has nothing of the run but its environment: no connection, no file, and no secret that it has read. So a worker is there
in a hundredth of a second, and all of them share the memory of what is imported. Where there can be no fork server,
workers are spawned one by one.
Why so: docs/decisions/0006.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import select
import signal
import socket
import threading
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from logging import LogRecord
from multiprocessing import forkserver
from multiprocessing.connection import wait as wait_for
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, runtime_checkable

from dataverse_backup import garbage, logs
from dataverse_backup.crew import SECONDS_TO_END, Crew, Died

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

    from dataverse_backup.engine import Submit

Task = TypeVar("Task")
Result = TypeVar("Result")

log = logging.getLogger(__name__)

PRELOADED = ("dataverse_backup.preload", __name__)
"""What the fork server imports in any case, in this order."""

OUT_OF_MEMORY = 99
"""The exit status of a worker that got no more memory: what is left of it is not trusted with a further task."""

UNKNOWN = 255
"""The exit status that multiprocessing has for a worker whose fork server, which would know it, has gone."""

multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))  # where nobody says more


def get_ready(modules: Iterable[str] = ()) -> None:
    """Start the fork server, unless it is running, and let it import *modules*; waits for nothing.

    To be called as soon as it is known that there will be work: else the first worker waits for the server, and every
    worker imports what it needs by itself.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOADED, *modules])
    _context()


@contextmanager
def processes(make_work: Callable[[], Callable[[Task], Result]], workers: int) -> Iterator[Submit[Task, Result]]:
    """What hands tasks to *workers* processes of this machine, each of which makes its own way to do them.

    *make_work* is picklable and is called once in each process; what it gives does the tasks there, one after the
    other. Processes come from a fork server, leave Ctrl-C and SIGTERM to the run that started them, log through it, and
    end when it does, however it ends. One that dies is made again; what becomes of its task is said in `crew`.
    """
    crew: Crew[Task, Result] = Crew(lambda: _Process(make_work), workers)
    try:
        yield crew
    finally:
        crew.close()


@runtime_checkable
class Closeable(Protocol):
    """Work that has connections to give back."""

    def close(self) -> None:
        """Give them back."""


@runtime_checkable
class Flowing(Protocol):
    """Work that may begin with the next task before it is done with the last one."""

    def all(self, task: Any, more: Callable[[], Any], /) -> Iterator[Any]:
        """The result of *task*, and of each further one that *more* gives, in this order; it gives None in the end."""


class _Word(Enum):
    """What else a worker process says."""

    MORE = "more"
    """It can begin with another task: it is given one, or None."""
    OVER = "over"
    """There is nothing that it has not said of what it was given."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker process says when it is ready, and about each task."""

    result: Any = None
    error: BaseException | None = None
    trace: str = ""
    """Where *error* was raised."""

    def value(self) -> Any:
        """The result. Raises the error."""
        if self.error is not None:
            raise self.error from _InWorker(self.trace)
        return self.result


class _InWorker(Exception):
    """Where something was raised in a worker process."""


class _Line:
    """One end of a pipe between a run and one of its worker processes. Whatever goes wrong on it is an EOFError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._ending = threading.Lock()

    def send(self, thing: object) -> None:
        data = ForkingPickler.dumps(thing)
        try:
            with self._sending:
                self._connection.send_bytes(data)
        except OSError as error:
            raise EOFError from error

    def receive(self) -> Any:
        return pickle.loads(self.receive_bytes())  # noqa: S301 -- from a process of ours, by a pipe without a name

    def receive_bytes(self) -> bytes:
        try:
            return self._connection.recv_bytes()
        except OSError as error:  # it ended in the middle
            raise EOFError from error

    def is_cut(self) -> bool:
        """Whether there is nobody at the other end any more."""
        watched = select.poll()
        watched.register(self._connection, 0)  # that it hung up is told unasked
        return bool(watched.poll(0))

    def cut(self) -> None:
        """End it for both sides, also for a thread that is waiting here for an answer; may be called by any thread."""
        with self._ending, suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._ending:
            self._connection.close()


class _Process(Generic[Task, Result]):
    """A worker process, and the line on which it gets tasks and says what it logs and what came of them, in this order.

    It shares nothing with others: one that is killed while it writes takes nobody's lock along, and nobody's events.
    """

    def __init__(self, make_work: Callable[[], Callable[[Task], Result]]) -> None:
        self._make_work = make_work
        self._process: BaseProcess | None = None
        self._line: _Line | None = None

    def get_ready(self) -> None:
        if self._line is None:
            self._started()

    def do(self, task: Task, more: Callable[[], Task | None], /) -> Iterator[Result]:
        if self._line is not None and self._line.is_cut():
            self._bury()  # it died since its last task, of nothing that we gave it
        for answer in self._answers(self._line or self._started(), task, more):
            yield cast("Result", answer.value())

    def _answers(self, line: _Line, task: Task, more: Callable[[], Task | None]) -> Iterator[_Answer]:
        try:
            line.send(task)
            while (said := _heard(line)) is not _Word.OVER:
                if isinstance(said, _Answer):
                    yield said
                else:
                    line.send(more())
        except EOFError as lost:
            raise Died(self._bury(), was_ready=True) from lost
        except BaseException:
            self._bury()  # nobody knows what would come next on that line
            raise

    def kill(self) -> None:
        line, process = self._line, self._process
        with suppress(ValueError):  # it has just been buried
            if process is not None:
                process.kill()
        if line is not None:
            line.cut()  # a process whose fork server has gone cannot be killed: it ends when it is buried

    def end(self) -> None:
        self._bury()

    def _started(self) -> _Line:
        """The line of a new process that is ready."""
        context = _context()
        ours, its = context.Pipe()
        self._line = line = _Line(ours)
        try:
            with its:  # when it has ended, nobody holds its end any more
                args = (its, self._make_work, logs.level_for_workers())
                process = context.Process(target=_work, args=args, name="dataverse-backup-worker")
                process.start()
                self._process = process  # only now: before, it cannot be killed
            cast("_Answer", _heard(line)).value()
        except (EOFError, OSError) as lost:
            raise Died(self._bury() or str(lost), was_ready=False) from lost
        except BaseException:
            self._bury()
            raise
        return line

    def _bury(self) -> str:
        """Let the process end, if there is one: what it died of."""
        line, process = self._line, self._process
        self._line = self._process = None
        if line is not None:
            line.close()  # it has nothing more to wait for
        if process is None or process.pid is None:
            return ""
        process.join(SECONDS_TO_END)
        process.kill()
        process.join()
        said = _cause_of_death(process.exitcode)
        process.close()
        return said


def _heard(line: _Line) -> _Answer | _Word:
    """What the process at the other end answers; what it logs before is handled here, as if it had been logged here."""
    while isinstance(said := line.receive(), LogRecord):
        logs.handle(said)
    return cast("_Answer | _Word", said)


def _context() -> ForkServerContext | SpawnContext:
    """Makes processes; the fork server is running, where there can be one."""
    try:
        forkserver.ensure_running()
    except OSError as error:  # as where the folder for temporary files has too long a name for a socket
        log.info("there is no fork server (%s); each worker process is started by itself", error)
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode == OUT_OF_MEMORY:
        return "out of memory"
    if exitcode in (None, UNKNOWN):
        return "it is not known of what"  # None: somebody else asked the system at the same moment
    if exitcode < 0:
        return signal.Signals(-exitcode).name
    return f"exit status {exitcode}"


# What runs in a worker process.


def _work(pipe: Connection, make_work: Callable[[], Callable[[Any], Any]], log_level: int) -> None:
    """Do every task that comes; what ends the line ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True, name="die-with-parent").start()
    line = _Line(pipe)
    logs.send_to(line.send, log_level)
    try:
        with suppress(EOFError):
            _do_all(line, make_work)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _do_all(line: _Line, make_work: Callable[[], Callable[[Any], Any]]) -> None:
    made = _answer(make_work)
    garbage.seldom()
    line.send(replace(made, result=None))
    try:
        while made.error is None:
            _do_some(line, made.result)
    finally:
        if isinstance(made.result, Closeable):
            made.result.close()


def _do_some(line: _Line, work: Callable[[Any], Any]) -> None:
    """Do the next task, and those that are asked for meanwhile."""
    results = _results(line, line.receive_bytes(), work)
    answer = _answer(partial(next, results, _Word.OVER))
    while answer.result is not _Word.OVER:
        _say(line, answer)
        answer = _answer(partial(next, results, _Word.OVER))
    line.send(_Word.OVER)


def _results(line: _Line, task: bytes, work: Callable[[Any], Any]) -> Iterator[Any]:
    def more() -> Any:
        line.send(_Word.MORE)
        return line.receive()

    given, flowing = pickle.loads(task), cast("object", work)  # noqa: S301 -- from our parent
    if isinstance(flowing, Flowing):
        yield from flowing.all(given, more)
    else:
        yield work(given)


def _say(line: _Line, answer: _Answer) -> None:
    try:
        line.send(answer)
    except (pickle.PicklingError, AttributeError, TypeError) as error:  # the three that pickle raises
        line.send(_Answer(error=RuntimeError(f"what came of a task cannot be sent: {error}")))


def _answer(call: Callable[[], Any]) -> _Answer:
    try:
        return _Answer(call())
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 -- whatever it is: it is raised where somebody waits for it
        return _Answer(error=error, trace="".join(traceback.format_exception(error)))


def _die_with_parent() -> None:
    """A run that was killed must not leave workers that go on copying without a lock."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
