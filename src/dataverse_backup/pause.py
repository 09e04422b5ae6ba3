"""Waiting before another try."""

from __future__ import annotations

import random
import time


def pause(seconds: float) -> None:
    """Wait for about so long: a half more or less, lest all workers come back to a service at the same moment."""
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 -- nothing is to be kept secret by it
