"""A way on which everything takes its time, and on which any amount may be at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_MOST_ON_THE_WAY = 1 << 26
"""Bytes. It is reached only by a receiver that is slower than the sender, and then the sender is to notice."""


class DelayLine:
    """Sends to a socket what it is given, each piece so many seconds later."""

    def __init__(self, to: socket.socket, seconds: float) -> None:
        self._to, self._seconds = to, seconds
        self._pieces: deque[tuple[float, bytes, Callable[[], None]]] = deque()
        self._on_the_way = 0
        self._is_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._deliver, daemon=True)
        self._thread.start()

    def send(self, data: bytes, on_arrival: Callable[[], None] = lambda: None) -> None:
        """Let *data* set out, and call *on_arrival*. Raises OSError where nobody receives any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._on_the_way < _MOST_ON_THE_WAY or self._is_ended)
            if self._is_ended:
                raise BrokenPipeError
            self._pieces.append((time.monotonic() + self._seconds, data, on_arrival))
            self._on_the_way += len(data)
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more sets out; returns when all has arrived, or nobody receives any more."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()
        self._thread.join()

    def _deliver(self) -> None:
        with suppress(OSError):
            while piece := self._next():
                due, data, on_arrival = piece
                time.sleep(max(0, due - time.monotonic()))
                on_arrival()
                self._to.sendall(data)
                with self._changed:
                    self._on_the_way -= len(data)
                    self._changed.notify_all()
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def _next(self) -> tuple[float, bytes, Callable[[], None]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._is_ended)
            return self._pieces.popleft() if self._pieces else None
