"""What a signal does to a run."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.cli.terminal import err

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.engine import Stop


@contextmanager
def stopping_on_signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and Ctrl-C ask the run to stop; what is in flight is finished or dropped, and recorded."""

    def ask_to_stop(number: int, _frame: object) -> None:
        if not stop.is_set():
            err.print(f"{signal.Signals(number).name}: finishing or dropping what is in flight …")
        stop.set()

    former = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
