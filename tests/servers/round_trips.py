"""A way to a real server that counts how often somebody waited there for an answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.delay_line import DelayLine
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_DELAY = 0.02
"""Seconds, each way: so much longer than both ends think that what is asked for together sets out together."""
_PIECE = 1 << 18


@dataclass(slots=True)
class _Clock:
    """A logical clock for each end of one connection: what sets out knows of all that has arrived, and no more."""

    client: int = 0
    server: int = 0

    def request(self) -> Callable[[], None]:
        """A request sets out; what is to be called when it arrives."""
        number = self.client + 1

        def arrive() -> None:
            self.server = max(self.server, number)

        return arrive

    def answer(self) -> Callable[[], None]:
        """An answer sets out; what is to be called when it arrives."""
        number = self.server

        def arrive() -> None:
            self.client = max(self.client, number)

        return arrive


class RoundTrips(TcpProxy):
    """Counts the round trips of each connection. A machine that is slow makes no more of them."""

    def __init__(self, port: int) -> None:
        """Pass every connection to *port* of this machine on."""
        super().__init__(port, delay=_DELAY)
        self._clocks: dict[frozenset[socket.socket], _Clock] = {}

    @property
    def counts(self) -> list[int]:
        """Of each connection, in the order in which they were made; without the one of TCP's own handshake."""
        return [clock.server for clock in self._clocks.values()]

    def _pass(self, source: socket.socket, to: socket.socket, is_request: bool) -> None:
        with self._lock:
            clock = self._clocks.setdefault(frozenset({source, to}), _Clock())
        line = DelayLine(to, self._delay)
        with suppress(OSError):
            while data := source.recv(_PIECE):
                line.send(data, clock.request() if is_request else clock.answer())
        self._end(line, source, to)
