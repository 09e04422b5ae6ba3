"""Connections to a web server that are kept open for many requests, and nothing more than those need.

What `http.client` does to read an answer takes longer than sending an object of 16 KiB.
"""

from __future__ import annotations

import socket
import ssl
from collections import defaultdict, deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from urllib3.util import wait_for_read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LONGEST_HEAD = 1 << 16
_MOST_HEADERS = 100
"""As many as Python's own client takes."""
_LONGEST_BODY = 1 << 16
"""Of those that nobody wants to know: it is read where that takes less than another connection."""
_MOST_AT_ONCE = 1 << 18
"""Bytes that are asked of the system: more have seldom come, and memory for them is made and given back each time."""
_FINAL = 200
"""Answers below are interim (RFC 9110, 15.2)."""


class Origin(NamedTuple):
    """Where a web server listens."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says, without the body."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several of one name the last."""
    goes_on: bool
    """The server listens for more on the same connection, once the body is over."""

    @property
    def length(self) -> int | None:
        """Of the body; None where nothing says it beforehand."""
        length = self.headers.get("content-length", "")
        return int(length) if "transfer-encoding" not in self.headers and length.isdecimal() else None


class Reading:
    """An answer whose body is read as it comes. Raises OSError."""

    def __init__(self, line: socket.socket, answer: Answer, said: bytes, keep: Callable[[socket.socket], None]) -> None:
        """The body follows on *line*, *said* came already; *keep* takes a connection on which more can be asked."""
        self.answer = answer
        self._line: socket.socket | None = line
        self._said, self._keep = said, keep
        self._rest = answer.length or 0

    def read(self, length: int) -> bytes:
        """Up to *length* further bytes of a body whose length is known; ``b""`` at its end, and where it was cut."""
        if self._line is None or not self._rest:
            return b""
        wanted = min(length, self._rest)
        data, self._said = self._said[:wanted], self._said[wanted:]
        data = data or self._line.recv(min(wanted, _MOST_AT_ONCE))
        self._rest -= len(data)
        return data

    def drop(self) -> None:
        """Nobody wants to know the body."""
        try:
            if self._rest <= _LONGEST_BODY:
                while self.read(_LONGEST_BODY):
                    pass
        finally:
            self.close()

    def close(self) -> None:
        """Give back the connection, or end it where more may come; may be called twice."""
        line, self._line = self._line, None
        if line is None:
            return
        is_over = self.answer.length is not None and not self._rest and not self._said
        if is_over and self.answer.goes_on:
            self._keep(line)
        else:
            line.close()


class Lines:
    """Connections for several threads, of which as many are kept as were used at once."""

    def __init__(self, connect_timeout: float, read_timeout: float, authorities: Callable[[], str | None]) -> None:
        """Seconds to wait at most; *authorities* gives the file of those who may vouch for a server (https)."""
        self._connect_timeout, self._read_timeout, self._authorities = connect_timeout, read_timeout, authorities
        self._idle: defaultdict[Origin, deque[socket.socket]] = defaultdict(deque)

    def ask(self, origin: Origin, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As ``open``, of an answer whose body nobody wants to know."""
        reading = self.open(origin, method, path, headers, body)
        reading.drop()
        return reading.answer

    def open(
        self, origin: Origin, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reading:
        """What *origin* answers; *headers* have ``host``. Raises OSError, and ValueError where it is no HTTP/1.x."""
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if body is not None:
            head.append(f"content-length: {len(body)}")
        if not "".join(head).isprintable():
            raise ValueError("a header that is none")
        line = self._kept(origin) or self._new(origin)
        try:
            line.sendall("\r\n".join((*head, "", "")).encode("latin-1") + (body or b""))
            return Reading(line, *_answer(line), self._idle[origin].append)
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """End all that are not in use."""
        for lines in self._idle.values():
            while lines:
                lines.pop().close()

    def _kept(self, origin: Origin) -> socket.socket | None:
        idle = self._idle[origin]
        while True:
            try:
                line = idle.pop()
            except IndexError:  # another thread may have been faster
                return None
            if not wait_for_read(line, timeout=0):
                return line
            line.close()  # the server has ended it meanwhile, or says something that nobody asked

    def _new(self, origin: Origin) -> socket.socket:
        line = socket.create_connection((origin.host, origin.port), self._connect_timeout)
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.scheme == "https":
                line = self._trust.wrap_socket(line, server_hostname=origin.host)
            line.settimeout(self._read_timeout)
        except BaseException:
            line.close()
            raise
        return line

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._authorities())


def _answer(line: socket.socket) -> tuple[Answer, bytes]:
    """The next final answer, and what came of its body with it."""
    version, status, headers, rest = "", 0, dict[str, str](), b""
    while status < _FINAL:
        head, rest = _head(line, rest)
        first, *others = head.split("\r\n")
        version, status = _status(first)
        headers = _headers(others)
    goes_on = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Answer(status, headers, goes_on), rest


def _head(line: socket.socket, said: bytes) -> tuple[str, bytes]:
    """What comes before an empty line, and what came after it; *said* came already."""
    while (end := said.find(b"\r\n\r\n")) < 0:
        if len(said) > _LONGEST_HEAD:
            raise ValueError("headers without an end")
        more = line.recv(_LONGEST_HEAD)
        if not more:
            raise ConnectionError("an answer that was cut")
        said += more
    return said[:end].decode("latin-1"), said[end + 4 :]


def _status(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("this is no HTTP/1.x")
    return version, int(rest[:3])


def _headers(lines: Sequence[str]) -> dict[str, str]:
    if len(lines) > _MOST_HEADERS:
        raise ValueError("more headers than an answer has")
    named = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in named}
