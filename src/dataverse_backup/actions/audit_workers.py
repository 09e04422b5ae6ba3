"""Who looks at copies and primaries for an audit."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Staging
from dataverse_backup.engine import Capacity
from dataverse_backup.examine import ExaminerFactory
from dataverse_backup.outflow import Pace
from dataverse_backup.threads import threads
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.engine import Submit
    from dataverse_backup.examine import Examined, Examiner, Task
    from dataverse_backup.ledger.audits import Amount

LITTLE_FILES, LITTLE_SIZE = 20_000, 1 << 30
"""Up to so many files and bytes no worker processes are started: that would take longer than to read them."""


class AuditWorkers:
    """Workers that look at the copies of some sites, or at primaries."""

    def __init__(self, installation: Installation, sites: Sequence[Site]) -> None:
        """Make none yet; they are made as the first of *sites* has it, and look at all of them."""
        self._installation, self._sites = installation, sites
        self.capacity = Capacity.together([site.capacity for site in sites])
        self._reached: list[Destination] = []

    def opened_for_one(self, run: str, site: Site) -> Destination:
        """The destination of *site*, not connected, which is left to the first of them: each connection takes a while.

        As they will see it, where they are on this machine.
        """
        staging = self.staging(run, site)
        is_here = site.open_workers is processes
        destination = site.for_workers(staging)() if is_here else site.open_destination(staging)
        self._reached.append(destination)
        return destination

    def staging(self, run: str, site: Site) -> Staging:
        """For *site* in that *run*, with what is known of its destination."""
        ledger = self._installation.ledger
        return Staging(ledger.id, run, ledger.abilities(site.name))

    def close(self) -> None:
        """Give back what nobody has taken; may be called twice."""
        while self._reached:
            self._reached.pop().close()

    @contextmanager
    def opened(self, run: str, amount: Amount) -> Iterator[Submit[Task, Examined]]:
        """Threads for little work, which is mostly waiting for others to hash it; otherwise what the site has."""
        open_workers = self._sites[0].open_workers
        is_little = amount.files <= LITTLE_FILES and amount.size <= LITTLE_SIZE
        with ExitStack() as held:
            factory, workers = self._factory(run, self._paces(held)), self.capacity.workers
            if not is_little or open_workers is not processes:
                self.close()  # there may be no room for one more than theirs
                self._installation.get_ready()
                yield held.enter_context(open_workers(factory, workers))
                return

            def make() -> Examiner:
                examiner = factory()
                held.callback(examiner.close)
                with suppress(IndexError):  # others came first
                    examiner.take_over(self._reached.pop())
                return examiner

            yield held.enter_context(threads(make, workers))

    def _paces(self, held: ExitStack) -> dict[str, Pace]:
        """How fast may be read back from each destination that is held to a bandwidth."""
        limited = {site.name: site.bandwidth for site in self._sites if site.bandwidth is not None}
        return {name: held.enter_context(closing(Pace(bandwidth))) for name, bandwidth in limited.items()}

    def _factory(self, run: str, paces: Mapping[str, Pace]) -> ExaminerFactory:
        places = {site.name: site.for_workers(self.staging(run, site)) for site in self._sites}
        return ExaminerFactory(self._installation.make_stores, places, self._installation.ledger.id, paces)
