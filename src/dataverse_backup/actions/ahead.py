"""A destination that is connected to while there is still other work: over a slow line that takes a while."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from dataverse_backup.errors import DataverseBackupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.destinations.base import Destination

log = logging.getLogger(__name__)


class Ahead:
    """Connects in a thread of its own; that it could not (there may be no room for one more yet) is no failure."""

    def __init__(self, make_destination: Callable[[], Destination]) -> None:
        """Begin at once."""
        self._make_destination = make_destination
        self._lock = threading.Lock()
        self._destination: Destination | None = None
        self._is_unwanted = False
        self._thread = threading.Thread(target=self._connect, daemon=True, name="ahead")
        self._thread.start()

    def take(self) -> Destination | None:
        """The connected destination, which is the caller's from now on; None where there is none."""
        self._thread.join()
        with self._lock:
            destination, self._destination = self._destination, None
            self._is_unwanted = True
            return destination

    def close(self) -> None:
        """Nobody takes it any more; waits for nothing. May be called twice."""
        with self._lock:
            destination, self._destination = self._destination, None
            self._is_unwanted = True
        if destination is not None:
            destination.close()

    def _connect(self) -> None:
        destination = self._make_destination()
        try:
            destination.connect()
        except DataverseBackupError as error:
            log.debug("not connected ahead: %s", error)
            destination.close()
            return
        except BaseException:
            destination.close()
            raise
        with self._lock:
            if not self._is_unwanted:
                self._destination = destination
                return
        destination.close()
