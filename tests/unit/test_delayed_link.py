"""The link with a delay, which benchmarks and tests stand on."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

EACH_WAY = 0.05


@contextmanager
def echo() -> Iterator[socket.socket]:
    """A connection through a link to somebody who sends back what comes."""

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            while data := accepted.recv(1 << 16):
                accepted.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with TcpProxy(listener.getsockname()[1], delay=EACH_WAY) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
                yield connection
            thread.join()


def test_an_answer_takes_a_round_trip_and_pieces_do_not_wait_for_each_other() -> None:
    with echo() as connection:
        connection.sendall(b"a")
        connection.recv(1)  # connected, too
        started = time.monotonic()
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.0005)
        received = b""
        while len(received) < 100:
            received += connection.recv(100)
        seconds = time.monotonic() - started
    assert 2 * EACH_WAY <= seconds < 50 * EACH_WAY


def test_everything_arrives_as_it_was_sent() -> None:
    sent = bytes(range(256)) * 10_000
    with echo() as connection:
        sender = threading.Thread(target=connection.sendall, args=(sent,))
        sender.start()
        received = bytearray()
        while len(received) < len(sent):
            received += connection.recv(1 << 20)
        sender.join()
    assert received == sent
