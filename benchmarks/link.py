"""A link of a given round trip and any bandwidth, to a port of this machine; in a process of its own.

``python -m benchmarks.link PORT MILLISECONDS`` passes on what comes to a port that it prints, until its input ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Self

from tests.servers.tcp_proxy import TcpProxy

MEBIBYTE = 1 << 20


class Link:
    """The way to *port* of this machine; without a round trip it is that port itself."""

    def __init__(self, port: int, round_trip: float) -> None:
        """Half of *round_trip*, in milliseconds, is the time of each way."""
        self.port, self.round_trip = port, round_trip
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self.round_trip:
            command = [sys.executable, "-m", "benchmarks.link", str(self.port), str(self.round_trip)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)


def ceiling(round_trip: float, connections: int, size: int = 512 * MEBIBYTE) -> float:
    """MiB in a second that *connections* push through a link, all together, when nothing else is done."""
    with socket.create_server(("127.0.0.1", 0), backlog=connections) as listener:
        port: int = listener.getsockname()[1]
        with Link(port, round_trip) as link:
            receiver = threading.Thread(target=_receive, args=(listener, connections), daemon=True)
            receiver.start()
            started = time.monotonic()
            senders = [
                threading.Thread(target=_send, args=(link.port, size // connections), daemon=True)
                for _ in range(connections)
            ]
            for one in (*senders,):
                one.start()
            for one in (*senders, receiver):
                one.join()
            return size / MEBIBYTE / (time.monotonic() - started)


def _send(port: int, size: int) -> None:
    piece = bytes(MEBIBYTE)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(size // MEBIBYTE):
            connection.sendall(piece)


def _receive(listener: socket.socket, connections: int) -> None:
    threads = []
    for _ in range(connections):
        accepted, _ = listener.accept()
        threads.append(threading.Thread(target=_swallow, args=(accepted,), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _swallow(connection: socket.socket) -> None:
    with connection:
        while connection.recv(MEBIBYTE):
            pass


def main() -> None:
    """Pass on until the input ends."""
    with suppress(OSError):  # a wire does not wait for its turn on a processor; only root may have it so
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    port, milliseconds = int(sys.argv[1]), float(sys.argv[2])
    with TcpProxy(port, delay=milliseconds / 2000) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
