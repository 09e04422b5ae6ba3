"""Who keeps pace with the others, and who would hold them up."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from dataverse_backup.stores.sharing import SLOWER

if TYPE_CHECKING:
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch

MEASURED_BATCHES = 5
"""One slow batch says nothing."""

NOTICEABLE_SECONDS = 2.0
"""Over those batches a slow destination must have cost the others so much; less is not worth reading twice for."""


class Pace:
    """How long destinations take for the same datafiles, over the last few batches."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=MEASURED_BATCHES))

    def slow(self, joint: JointBatch, outcomes: Outcomes) -> list[str]:
        """The destinations that take more than SLOWER times as long as the fastest one, now that *joint* is done."""
        most = max(len(batch.works) for batch in joint.batches)
        whole = [batch.destination for batch in joint.batches if len(batch.works) == most]
        seconds = {name: outcomes[name].seconds for name in whole if outcomes[name].lost_destination is None}
        if len(seconds) < 2:  # noqa: PLR2004 -- nobody to be compared with
            return []
        fastest = min(seconds.values())
        for name, taken in seconds.items():
            self._recent[name].append((taken, fastest))
        return [name for name in seconds if self._is_slow(self._recent[name])]

    def _is_slow(self, recent: deque[tuple[float, float]]) -> bool:
        own, fastest = (sum(column) for column in zip(*recent, strict=True))
        return len(recent) == MEASURED_BATCHES and own > SLOWER * fastest and own - fastest > NOTICEABLE_SECONDS
