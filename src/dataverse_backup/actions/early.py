"""Workers that connect to destinations while their runs still look at these: over a slow line either takes a while.

What they copy comes later, when it is known what there is to do, and that the destinations are ours.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataverse_backup.engine import Capacity, Eager, Roomy
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from dataverse_backup.actions.run import Run
    from dataverse_backup.engine import Submit
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch

    CopyWorkers = AbstractContextManager[Submit[JointBatch, Outcomes]]


class EarlyWorkers:
    """Opens workers for destinations, some of them before they are asked for."""

    def __init__(self, open_workers: Callable[[Sequence[str], int], CopyWorkers], runs: Mapping[str, Run]) -> None:
        """Open those that *open_workers* gives for some destinations and so many workers, for *runs* by their names."""
        self._open_workers, self._runs = open_workers, runs
        self._begun: dict[tuple[tuple[str, ...], int], tuple[Submit[JointBatch, Outcomes], ExitStack]] = {}
        """The workers that are there already, by what they are for."""

    def begin(self, names: Sequence[str]) -> None:
        """Have workers for the destinations called *names* get ready; waits for nothing.

        Not for destinations that somebody has copied to before, where there may be nothing to do, nor workers that are
        shared with others, as those of a cluster are.
        """
        runs = [self._runs[name] for name in names]
        if not all(run.is_first and run.site.open_workers is processes for run in runs):
            return
        workers = Capacity.together([run.capacity for run in runs]).workers
        opened = ExitStack()
        submit = opened.enter_context(self._open_workers(sorted(names), workers))
        self._begun[tuple(sorted(names)), workers] = submit, opened
        if isinstance(submit, Eager):
            submit.get_ready()
        for run in runs:
            run.make_room = self.close

    @contextmanager
    def opened(self, names: Sequence[str], workers: int) -> Iterator[Submit[JointBatch, Outcomes]]:
        """Those that were begun for this, or others."""
        if (begun := self._begun.pop((tuple(sorted(names)), workers), None)) is not None:
            submit, opened = begun
            with opened:
                yield _Informing(submit, self._runs)
        else:
            with self._open_workers(names, workers) as submit:
                yield submit

    def close(self) -> bool:
        """Give back those that nobody has asked for; whether there were any. May be called again and again."""
        begun, self._begun = self._begun, {}
        for _, opened in begun.values():
            opened.close()
        return bool(begun)


@dataclass(frozen=True, slots=True)
class _Informing:
    """Tells workers, with each batch, what was found out about its destinations since they were made."""

    submit: Submit[JointBatch, Outcomes]
    runs: Mapping[str, Run]

    def __call__(self, joint: JointBatch, /) -> Future[Outcomes]:
        told = {name: self.runs[name].abilities for name in joint.destinations}
        return self.submit(replace(joint, abilities=told))

    @property
    def room(self) -> int | None:
        """For how many workers there is room, where that was tried out."""
        return self.submit.room if isinstance(self.submit, Roomy) else None
