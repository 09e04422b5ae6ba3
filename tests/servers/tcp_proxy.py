"""A proxy on the way to a real server that does to the bytes what a test asks for."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.servers.delay_line import DelayLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PIECE = 1 << 20
_LITTLE = 1 << 16


class TcpProxy:
    """Passes every connection to *port* of this machine on. Change what it does at any time."""

    def __init__(self, port: int, *, delay: float = 0) -> None:
        """Listen on a free port of 127.0.0.1, ``port``; everything takes *delay* seconds, each way."""
        self._target, self._delay = port, delay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.requests: Mapping[bytes, bytes] = {}
        """What is replaced on the way to the server; both as long as each other."""
        self.answers: Mapping[bytes, bytes] = {}
        """What is replaced on the way back."""
        self.cut_requests_after: int | None = None
        """Bytes of one connection that reach the server before it is cut."""
        self.cut_answers_after: int | None = None
        """Bytes of one connection that come back before it is cut."""
        self.cuts = 0
        """How many connections may still be cut."""
        self.passed = {True: 0, False: 0}
        """Bytes that went to the server, and bytes that came back."""
        self.most: int | None = None
        """How many connections it passes on at a time; it ends further ones at once."""
        self.is_down = False
        """Nobody answers: every connection is cut, old ones and new ones."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.is_down = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        for thread in self._threads:
            thread.join(10)

    def cut_all(self) -> None:
        """Cut every connection now."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.is_down or (self.most is not None and len(self._open) >= 2 * self.most):
                return
            time.sleep(2 * self._delay)  # the handshake, which is over before we hear of it
            # What is in the system's buffers arrives even after a cut: little shall be.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LITTLE)
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                for one in (client, server):  # what is passed on waits for nothing but its delay
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open |= {client, server}
                try:
                    back = threading.Thread(target=self._pass, args=(server, client, False), daemon=True)
                    back.start()
                    self._pass(client, server, True)
                    back.join()
                finally:
                    with self._lock:
                        self._open -= {client, server}

    def _pass(self, source: socket.socket, to: socket.socket, is_request: bool) -> None:
        """Pass on what *source* sends, until one of the two ends."""
        passed = 0
        line = DelayLine(to, self._delay) if self._delay else None
        send = line.send if line else to.sendall
        with suppress(OSError):
            while (data := source.recv(_PIECE)) and not self.is_down:
                limit = self.cut_requests_after if is_request else self.cut_answers_after
                if limit is not None and passed + len(data) > limit and self._may_cut():
                    send(data[: limit - passed])
                    break
                send(_replaced(data, self.requests if is_request else self.answers))
                passed += len(data)
                with self._lock:
                    self.passed[is_request] += len(data)
        self._end(line, source, to)

    def _end(self, line: DelayLine | None, *sockets: socket.socket) -> None:
        if line:
            line.end()
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _may_cut(self) -> bool:
        with self._lock:
            may = self.cuts > 0
            self.cuts -= may
            return may


def _replaced(data: bytes, replacements: Mapping[bytes, bytes]) -> bytes:
    for old, new in replacements.items():
        if len(old) != len(new):
            raise AssertionError(f"{new!r} is not as long as {old!r}")
        data = data.replace(old, new)
    return data
