"""How often Python looks for garbage: what refers to itself in a circle, and is not gone with its last user."""

from __future__ import annotations

import gc

_THRESHOLDS = 50_000, 20, 20
"""As for ``gc.set_threshold``. Python's own are 700, 10 and 10, and cost a run a tenth of its processor time; and what
there is by the hundred thousand makes no circles."""


def seldom() -> None:
    """From now on look, but seldom, and never at what there is already: what is imported stays."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()
