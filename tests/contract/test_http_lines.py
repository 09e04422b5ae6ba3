"""Short requests over connections that are kept, and answers of every kind."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.services.http_lines import Lines, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = {"host": "localhost"}


class Speaker:
    """Whoever connects hears *answer* after each request, all of which have a body of four bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.origin = Origin("http", "127.0.0.1", self.listener.getsockname()[1])

    def listen(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(ConnectionError), line, line.makefile("rb") as reader:  # it need not hear all
                while head := b"".join(takewhile(b"\r\n".__ne__, reader)):
                    self.requests.append(head + reader.read(4))
                    line.sendall(self.answer)
                    if self.answer.endswith(CUT):
                        break


CUT = b"..."
"""What ends with this is cut there."""


@contextmanager
def speaking(answer: bytes) -> Iterator[tuple[Speaker, Lines]]:
    speaker = Speaker(answer)
    thread = threading.Thread(target=speaker.listen)
    thread.start()
    lines = Lines(2.0, 2.0, lambda: None)
    try:
        yield speaker, lines
    finally:
        lines.close()
        speaker.listener.shutdown(socket.SHUT_RDWR)
        speaker.listener.close()
        thread.join(10)


def test_a_connection_is_kept() -> None:
    with speaking(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 5\r\n\r\nhello') as (speaker, lines):
        for _ in range(3):
            answer = lines.ask(speaker.origin, "PUT", "/a", {**HOST, "x-amz-a": "b"}, b"data")
            assert (answer.status, answer.headers["etag"], answer.length) == (200, '"a"', 5)
    assert speaker.connections == 1
    assert speaker.requests == [b"PUT /a HTTP/1.1\r\nhost: localhost\r\nx-amz-a: b\r\ncontent-length: 4\r\ndata"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nlong",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + CUT,
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_is_not_kept_where_the_next_answer_may_not_be_found(answer: bytes) -> None:
    with speaking(answer) as (speaker, lines):
        for _ in range(2):
            assert lines.ask(speaker.origin, "PUT", "/a", HOST, b"data").status == 200
    assert speaker.connections == 2


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_a_body_is_read_to_its_end_and_not_further(at_once: int) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as (speaker, lines):
        for _ in range(3):
            reading = lines.open(speaker.origin, "PUT", "/a", HOST, b"data")
            assert b"".join(iter(lambda: reading.read(at_once), b"")) == b"hello"  # noqa: B023 -- it is used at once
            reading.close()
            reading.close()
    assert speaker.connections == 1


@pytest.mark.parametrize("rest", [b"hel" + CUT, b"hello, and more"])
def test_a_connection_whose_body_is_not_what_it_was_said_to_be_is_not_kept(rest: bytes) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + rest) as (speaker, lines):
        for _ in range(2):
            reading = lines.open(speaker.origin, "PUT", "/a", HOST, b"data")
            assert rest.startswith(b"".join(iter(lambda: reading.read(2), b"")))  # noqa: B023 -- it is used at once
            reading.close()
    assert speaker.connections == 2


def test_a_connection_whose_body_was_not_read_to_its_end_is_not_kept() -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as (speaker, lines):
        for _ in range(2):
            reading = lines.open(speaker.origin, "PUT", "/a", HOST, b"data")
            assert reading.read(2) == b"he"
            reading.close()
    assert speaker.connections == 2


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    with speaking(interim + b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n") as (speaker, lines):
        answer = lines.ask(speaker.origin, "PUT", "/a", HOST, b"data")
    assert (answer.status, answer.headers) == (503, {"content-length": "0"})


@pytest.mark.parametrize(
    "answer",
    [
        CUT,
        b"HTTP/1.1 200 OK\r\nContent-Le" + CUT,
        b"HTTP/1.1 100 Continue\r\n\r\n" + CUT,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        b"HTTP/1.1 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * (1 << 17) + b"\r\n\r\n",
        b"\0" * 100 + CUT,
    ],
)
def test_what_is_no_answer_is_an_error_and_ends_the_connection(answer: bytes) -> None:
    with speaking(answer) as (speaker, lines):
        for _ in range(2):
            with pytest.raises((OSError, ValueError)):
                lines.ask(speaker.origin, "PUT", "/a", HOST, b"data")
    assert speaker.connections == 2


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\n", "a\0", "ü\u2028", "\u20ac"])
def test_a_header_never_becomes_another_one(value: str) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\n\r\n") as (speaker, lines), pytest.raises(ValueError, match=r"header|codec"):
        lines.ask(speaker.origin, "PUT", "/a", {**HOST, "a": value}, b"data")
    assert speaker.requests == []


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one() -> None:
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with speaking(one + b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as (speaker, lines):
        for _ in range(3):
            assert lines.ask(speaker.origin, "PUT", "/a", HOST, b"data").status == 200
