"""A run's own connection to its destination: made while there is other work, and kept for what is written at the end.

Over a slow line a connection takes many round trips, and whoever waits for each of them waits for seconds.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from dataverse_backup.room import left_by_others

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.destinations.base import Destination, Traits

    Reached = tuple[Destination, Traits]


class Contact:
    """Connects in a thread of its own. Used by one thread."""

    def __init__(self, open_destination: Callable[[], Destination]) -> None:
        """Nothing is connected yet."""
        self._open_destination = open_destination
        self._reached: Future[Reached] | None = None
        self._since: float | None = None

    def begin(self) -> Future[Reached]:
        """Connect some time soon, unless that is done, or being done; waits for nothing, and raises nothing."""
        reached = self._reached
        if reached is None or (reached.done() and reached.exception() is not None):
            reached = self._reached = Future()
            arguments = (self._open_destination, reached)
            threading.Thread(target=_connect, args=arguments, daemon=True, name="contact").start()
        return reached

    def made(self) -> Reached:
        """The destination, which stays ours, and what it is like. Raises what connecting raises: DestinationLost."""
        return self._waited_for(self._reached or self.begin())

    def made_at_last(self) -> Reached:
        """The same, where others had the only room, and have just left: a server may notice that a little later."""
        return left_by_others(lambda: self._waited_for(self.begin()))

    def _waited_for(self, reached: Future[Reached]) -> Reached:
        found = reached.result()
        self._since = time.monotonic()
        return found

    @property
    def seconds(self) -> float:
        """How long it is there without being asked for; 0 where it is not, or nobody has asked for it."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def give_back(self) -> None:
        """Be connected no more; waits for nothing. May be begun again, and called twice."""
        reached, self._reached, self._since = self._reached, None, None
        if reached is not None:
            reached.add_done_callback(_close)


def _connect(open_destination: Callable[[], Destination], reached: Future[Reached]) -> None:
    try:
        destination = open_destination()
        try:
            traits = destination.connect()
        except BaseException:
            destination.close()
            raise
    except BaseException as error:  # noqa: BLE001 -- whatever it is: it is raised where somebody waits for it
        reached.set_exception(error)
    else:
        reached.set_result((destination, traits))


def _close(reached: Future[Reached]) -> None:
    if reached.exception() is None:
        destination, _ = reached.result()
        destination.close()
