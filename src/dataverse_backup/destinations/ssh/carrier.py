"""Our program over there (`remote_agent`), behind an ``ssh`` process of ours: blocking calls, no event loop."""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import subprocess
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from dataverse_backup.destinations.ssh.program import command_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.ssh.settings import SshSettings

_PIPE_SIZE = 1 << 20
_READ_SIZE = 1 << 16
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)
_COMPLAINT_LENGTH = 400
_CONNECTION_OVER = 255
"""What ``ssh`` ends with where the connection failed, and not the remote command."""
_CLOSING_TIMEOUT = 5.0
"""Seconds that it has for ending by itself."""
_NOISE = 1 << 16
"""So many bytes a login shell may print before our program begins."""


class Lost(ConnectionError):
    """The connection is over, or nothing comes over it any more."""


class Gone(Exception):
    """Our program over there ended, and said why on its error output."""


class NotOurs(Gone):
    """It ended because the root does not carry our identity."""


class Carrier:
    """Used by one thread. After Lost or Gone it is of no use any more."""

    def __init__(self, command: Sequence[str], patience: float) -> None:
        """Start *command*. Whatever takes and says nothing for *patience* seconds is given up."""
        self._patience = patience
        self._process = subprocess.Popen(  # noqa: S603 -- the ssh program, with our own arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # the terminal's Ctrl-C is for us
        )
        assert self._process.stdin is not None  # noqa: S101 -- a pipe was asked for
        assert self._process.stdout is not None  # noqa: S101
        assert self._process.stderr is not None  # noqa: S101
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._err = self._process.stderr.fileno()
        for number in (self._in, self._out, self._err):
            os.set_blocking(number, False)
        if _SET_PIPE_SIZE is not None:
            with suppress(OSError):
                fcntl.fcntl(self._in, _SET_PIPE_SIZE, _PIPE_SIZE)
        self._unfinished, self._complaint = b"", b""
        self._lines: list[bytes] = []
        """Of the answer that is coming."""
        self._answers: deque[list[bytes]] = deque()
        self.news: dict[bytes, str] = {}
        """By staged name, what was said of big objects before anybody asked."""
        self._taken = 0
        """How many bytes it said."""
        self._resources = ExitStack()
        """What it needs until it runs."""
        self.is_over = False

    @classmethod
    def launched(cls, settings: SshSettings, command: str) -> Self:
        """One that is on its way to run the remote *command*, which is `remote_agent`. Raises NoProgram, OSError."""
        with ExitStack() as resources:
            arguments = resources.enter_context(command_to(settings, command))
            carrier = cls(arguments, 2 * settings.connect_timeout)  # for the connection and for the login, each
            carrier._resources = resources.pop_all()
        return carrier

    def begin(self, given: bytes, patience: float) -> bytes:
        """Let the program begin to read with *given*, and have *patience* from then on; what it says of the identity.

        What a login shell prints before is skipped. Raises Lost and Gone.
        """
        token = secrets.token_hex(16).encode()
        self.tell(given, b"hello %s\n" % token)
        while token not in (lines := self._answers.popleft() if self._answers else []):
            self._await(select.POLLIN)
            if self._taken > _NOISE:
                raise Gone("a login shell prints without end")
        self._resources.close()
        self._patience = patience
        return lines[-1]

    def tell(self, *parts: bytes) -> None:
        """Give it input. Raises Lost and Gone."""
        left = [memoryview(part) for part in parts if part]
        while left:
            try:
                written = os.writev(self._in, left)
            except BlockingIOError:
                self._await(select.POLLOUT)
                continue
            except OSError as error:
                raise self._ended() from error
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if written:
                left[0] = left[0][written:]

    @property
    def has_answer(self) -> bool:
        """Whether `answer` need not wait."""
        self.listen()
        return bool(self._answers)

    def answer(self) -> list[bytes]:
        """The lines of the next answer. Raises Lost and Gone."""
        while not self._answers:
            self._await(select.POLLIN)
        return self._answers.popleft()

    def ask(self, *request: bytes) -> list[bytes]:
        """The answer to a *request*, where no other answer is waited for."""
        self.tell(*request)
        return self.answer()

    def listen(self) -> None:
        """Take in what has come. Raises Lost and Gone."""
        if self._polled(select.POLLIN, 0):
            self._take()

    def _await(self, event: int) -> None:
        """Wait until something can be given or taken, and take it."""
        if not self._polled(event | select.POLLIN, self._patience):
            self.kill()
            raise Lost(f"the server is there, and did nothing for {self._patience:g} s")
        self._take()

    def _polled(self, event: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if event & select.POLLOUT:
            poll.register(self._in, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    def _take(self) -> None:
        with suppress(BlockingIOError):
            self._complaint = (self._complaint + os.read(self._err, _READ_SIZE))[-_COMPLAINT_LENGTH:]
        try:
            data = os.read(self._out, _READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            raise self._ended()
        self._taken += len(data)
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        if line == b".":
            self._answers.append(self._lines)
            self._lines = []
        elif line[:2] == b"^ ":
            name, _, said = line[2:].partition(b" ")
            self.news[name] = said.decode(errors="replace")
        elif line != b"~":
            self._lines.append(line)

    def _ended(self) -> Lost | Gone:
        """Why nothing more is taken or said."""
        self.is_over = True
        self._close_input()
        last, said = self._rest(self._out), self._complaint + self._rest(self._err)
        words = said[-_COMPLAINT_LENGTH:].decode(errors="replace").strip()
        if (status := self._wait(_CLOSING_TIMEOUT)) is None or status < 0 or status == _CONNECTION_OVER:
            return Lost(words or "the connection ended")
        lines = self._lines + (self._unfinished + last).splitlines()
        if lines[-1:] == [b"not ours"]:
            return NotOurs("the root does not carry our identity")
        return Gone(words or "our program over there ended without a word")

    def _rest(self, number: int) -> bytes:
        """What was said last, up to its end or as long as is waited for that."""
        said, deadline = b"", time.monotonic() + _CLOSING_TIMEOUT
        os.set_blocking(number, True)
        while select.select([number], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not (data := os.read(number, _READ_SIZE)):
                break
            said = (said + data)[-_READ_SIZE:]
        return said

    def close(self) -> None:
        """End it: what was told is done over there before this returns, unless that takes long. May be called twice."""
        self.is_over = True
        self._resources.close()
        self._close_input()
        if self._wait(_CLOSING_TIMEOUT) is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self.close()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _wait(self, seconds: float) -> int | None:
        """The exit status, or None where it does not end."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
