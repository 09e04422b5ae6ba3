"""Connecting where others of ours had the only room."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from dataverse_backup.errors import DestinationLost, DestinationRefused
from dataverse_backup.pause import pause

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

_DELAYS = (0.3, 1.0, 3.0)
"""Seconds before each further try, where there was no room."""
_REFUSES_WITHIN = 5.0
"""Seconds that a server without room takes to say so."""


def left_by_others(connect: Callable[[], Result]) -> Result:
    """What *connect* gives, where others have just left: a server may notice that a little later.

    Raises what *connect* raises: DestinationLost and DestinationRefused.
    """
    for delay in _DELAYS:
        began = time.monotonic()
        try:
            return connect()
        except DestinationRefused:
            raise
        except DestinationLost:
            if time.monotonic() - began > _REFUSES_WITHIN:  # it is not there
                raise
        pause(delay)
    return connect()
