"""What destinations have still to do, batch by batch: what several of them need goes together."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Self

from dataverse_backup.work import Batch, JointBatch, Spool, Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Step = dict[str, Work]
"""One datafile: its work at each destination that needs it."""


class Feed:
    """Merges the works of its destinations, each by ascending `Datafile.place`, and hands out joint batches.

    With several destinations it gives the datafiles that more than one of them needs; what only one needs is spooled,
    until that destination is withdrawn: then it goes on elsewhere and holds up nobody.
    """

    def __init__(self, works: Mapping[str, Iterable[Work]], *, files: int, size: int) -> None:
        """Batches of at most *files* datafiles and about *size* bytes; a larger datafile is alone."""
        self._files, self._size = files, size
        self._least = min(2, len(works))
        self._rest = {name: iter(its) for name, its in works.items()}
        self._heads: Step = {}
        self._apart: dict[str, Spool[Work]] = {}
        self._spools: list[Spool[Work]] = []
        self._group: list[Step] = []
        self._held = 0
        for name in works:
            self._advance(name)

    @property
    def destinations(self) -> set[str]:
        """Those that have still something to do from here."""
        return {*self._heads, *self._apart, *(name for step in self._group for name in step)}

    @property
    def leaving(self) -> list[str]:
        """Those that have still something to do and nothing that another one needs too: to be withdrawn."""
        sharing = self._heads if len(self._heads) >= self._least else {}
        return sorted(name for name in {*self._heads, *self._apart} if name not in sharing)

    def next_batch(self) -> JointBatch | None:
        """The next joint batch; None when nothing more is to be done together."""
        while (step := self._next_step()) is not None:
            length = max(work.datafile.size or 0 for work in step.values())
            if length >= self._size:
                return _joint([step])
            self._group.append(step)
            self._held += length
            if len(self._group) >= self._files or self._held >= self._size:
                break
        return self._take_group()

    def withdraw(self, destination: str) -> Iterator[Work]:
        """What *destination* has still to do, by itself from now on; no batch has any of it afterwards."""
        head = self._heads.pop(destination, None)
        rest = self._rest.pop(destination, iter(()))
        apart = self._apart.pop(destination, ())
        return chain(apart, () if head is None else (head,), rest)

    def discard(self, destination: str) -> None:
        """Forget what *destination* has still to do."""
        self.withdraw(destination)
        self._group = [step for step in self._group if step.pop(destination, None) is None or step]

    def close(self) -> None:
        """Give back the spools, also those that were withdrawn."""
        for spool in self._spools:
            spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next_step(self) -> Step | None:
        """The next datafile that enough of the destinations need."""
        while self._heads and len(self._heads) >= self._least:
            if len(self._heads) == 1:  # with one destination there is nothing to merge
                ((name, work),) = self._heads.items()
                self._advance(name)
                return {name: work}
            lowest = min(work.datafile.place for work in self._heads.values())
            step = {name: work for name, work in self._heads.items() if work.datafile.place == lowest}
            for name in step:
                self._advance(name)
            if len(step) >= self._least:
                return step
            for name, work in step.items():
                self._set_apart(name, work)
        return None

    def _advance(self, name: str) -> None:
        work = next(self._rest[name], None)
        if work is None:
            self._heads.pop(name, None)
        else:
            self._heads[name] = work

    def _set_apart(self, name: str, work: Work) -> None:
        if name not in self._apart:
            self._apart[name] = Spool()
            self._spools.append(self._apart[name])
        self._apart[name].append(work)

    def _take_group(self) -> JointBatch | None:
        group, self._group, self._held = self._group, [], 0
        return _joint(group) if group else None


def _joint(steps: Sequence[Step]) -> JointBatch:
    names = sorted({name for step in steps for name in step})
    return JointBatch(tuple(Batch(name, tuple(step[name] for step in steps if name in step)) for name in names))
