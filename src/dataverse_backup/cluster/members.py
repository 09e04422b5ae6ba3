"""Which workers of a cluster may do our tasks: those that would do what we would do."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from distributed.versions import get_versions

from dataverse_backup.cluster import versions, worker
from dataverse_backup.errors import WorkersLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.cluster.recipe import Recipe
    from dataverse_backup.cluster.scheduler import Member, Scheduler

log = logging.getLogger(__name__)

FIRST_SECONDS = 60.0
"""So long we wait for the first worker."""

_POLL_SECONDS = 1.0

_SAME = "every machine has the same versions (`pip freeze` here, `pip install -r` there) and names the same places"


class Members:
    """The workers that there are, each examined before it gets its first task."""

    def __init__(self, scheduler: Scheduler, examination: Recipe) -> None:
        """Workers are fit when they can make what *examination* makes."""
        self._scheduler, self._examination = scheduler, examination
        self._lock = threading.Lock()
        self.fit: Mapping[str, Member] = {}
        """By address."""
        self.unfit: Mapping[str, str] = {}
        """Why others are not, by address."""

    @property
    def threads(self) -> int:
        """How many tasks they do at a time."""
        return sum(member.threads for member in self.fit.values())

    def wait(self, is_stopping: Callable[[], bool]) -> None:
        """Wait for workers, but not for ever. Raises WorkersLost where none comes, or one that comes is not fit."""
        deadline = time.monotonic() + FIRST_SECONDS
        is_said = False
        while not self._has_found():
            if time.monotonic() > deadline or is_stopping():
                said = f"the scheduler {self._scheduler.address} has no workers, after {FIRST_SECONDS:.0f} seconds"
                raise WorkersLost(said, f"start some: dask worker {self._scheduler.address} --nworkers 4 --nthreads 1")
            if not is_said:
                log.warning("the scheduler %s has no workers yet: waiting", self._scheduler.address)
                is_said = True
            time.sleep(_POLL_SECONDS)

    def _has_found(self) -> bool:
        self.look()
        if self.unfit:
            raise WorkersLost("\n".join(["workers that cannot be used:", *sorted(self.unfit.values())]), _SAME)
        return bool(self.fit)

    def look(self) -> None:
        """See who is there now; who has come is examined. Raises WorkersLost where the scheduler is gone."""
        there = self._scheduler.members()
        new = {address: member for address, member in there.items() if address not in {*self.fit, *self.unfit}}
        found = self._examined(new) if new else {}
        with self._lock:
            known = {**self.unfit, **{address: why for address, why in found.items() if why is not None}}
            self.unfit = {address: why for address, why in known.items() if address in there}
            self.fit = {
                address: member
                for address, member in there.items()
                if address not in self.unfit and (address in self.fit or address in found)
            }

    def strike(self, address: str, why: str) -> None:
        """Give no further task to that worker."""
        with self._lock:
            self.unfit = {**self.unfit, address: why}
            self.fit = {known: member for known, member in self.fit.items() if known != address}

    def _examined(self, new: Mapping[str, Member]) -> dict[str, str | None]:
        """Why each of *new* cannot be used, or None where it can; those that did not answer are absent."""
        here = get_versions([versions.OURS])["packages"]
        if wrong := "; ".join(versions.differences(here, self._scheduler.packages())):
            raise WorkersLost(f"the scheduler {self._scheduler.address} cannot be used: {wrong}", _SAME)
        reports = self._answers(new, get_versions, [versions.OURS])  # Dask's own: there may be nothing of ours
        found: dict[str, str | None] = {}
        for address, report in reports.items():
            there = report["packages"] if isinstance(report, dict) else None
            if differences := "; ".join(versions.differences(here, there)):
                found[address] = f"{new[address]}: {differences}"
        alike = {address: new[address] for address in reports if address not in found}
        verdicts = self._answers(alike, worker.examine, self._examination)
        return found | {address: _verdict(new[address], said) for address, said in verdicts.items()}

    def _answers(
        self, members: Mapping[str, Member], question: Callable[..., object], *arguments: object
    ) -> dict[str, Any]:
        answers = self._scheduler.ask(question, *arguments, members=members)
        return {address: answer for address, answer in answers.items() if not isinstance(answer, OSError)}


def _verdict(member: Member, answer: object) -> str | None:
    if isinstance(answer, BaseException):
        return f"{member}: {type(answer).__name__}: {answer}"
    return None if answer is None else f"{member}: {answer}"
