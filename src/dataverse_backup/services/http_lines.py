"""Connections to a web server that are kept open for short requests, and nothing more than those need.

What `http.client` does to read an answer takes longer than sending an object of 16 KiB.
"""

from __future__ import annotations

import socket
import ssl
from collections import defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from urllib3.util import wait_for_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_LONGEST_HEAD = 1 << 16
_MOST_HEADERS = 100
"""As many as Python's own client takes."""
_LONGEST_BODY = 1 << 16
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
    is_last: bool
    """Nothing more can be asked on the same connection."""


class Lines:
    """Connections for several threads, of which as many are kept as were used at once."""

    def __init__(self, connect_timeout: float, read_timeout: float, authorities: Callable[[], str | None]) -> None:
        """Seconds to wait at most; *authorities* gives the file of those who may vouch for a server (https)."""
        self._connect_timeout, self._read_timeout, self._authorities = connect_timeout, read_timeout, authorities
        self._idle: defaultdict[Origin, deque[socket.socket]] = defaultdict(deque)

    def ask(self, origin: Origin, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What *origin* answers; *headers* have ``host``. Raises OSError, and ValueError where it is no HTTP/1.x."""
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        head.append(f"content-length: {len(body)}")
        if not "".join(head).isprintable():
            raise ValueError("a header that is none")
        with self._line(origin) as line:
            line.sendall("\r\n".join((*head, "", "")).encode("latin-1") + body)
            answer = _answer(line)
            if not answer.is_last:
                self._idle[origin].append(line)
            else:
                line.close()
        return answer

    def close(self) -> None:
        """End all that are not in use."""
        for lines in self._idle.values():
            while lines:
                lines.pop().close()

    @contextmanager
    def _line(self, origin: Origin) -> Iterator[socket.socket]:
        """A connection that nobody else uses."""
        line = self._kept(origin) or self._new(origin)
        try:
            yield line
        except BaseException:
            line.close()
            raise

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


def _answer(line: socket.socket) -> Answer:
    """The next final answer, its body read and dropped where that is short."""
    version, status, headers, rest = "", 0, dict[str, str](), b""
    while status < _FINAL:
        head, rest = _head(line, rest)
        first, *others = head.split("\r\n")
        version, status = _status(first)
        headers = _headers(others)
    length = headers.get("content-length", "")
    is_short = "transfer-encoding" not in headers and length.isdecimal() and int(length) <= _LONGEST_BODY
    is_whole = is_short and _body(line, rest, int(length)) == int(length)
    goes_on = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Answer(status, headers, is_last=not (goes_on and is_whole))


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


def _body(line: socket.socket, said: bytes, length: int) -> int:
    """How many bytes came of a body of *length*, of which *said* came already; more than that is none of it."""
    count = len(said)
    while count < length and (more := line.recv(length - count)):
        count += len(more)
    return count


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
