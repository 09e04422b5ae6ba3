"""A destination that has room for fewer workers than it was to have: that is remembered, and tried out again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dataverse_backup.actions.backup import backup
from dataverse_backup.engine import Capacity
from tests.unit.test_backup_several import Campus, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from dataverse_backup.engine import Submit


@dataclass
class Venue:
    """Has room for so many workers, and learns that as a crew does; remembers how many were wanted."""

    most: int
    wanted: list[int] = field(default_factory=list)
    is_tried_out: bool = True

    @contextmanager
    def open_workers(self, make_work: Callable[[], Callable[[Any], Any]], workers: int) -> Iterator[Visitors]:
        self.wanted.append(workers)
        with threads(make_work, 1) as submit:
            yield Visitors(submit, min(workers, self.most) if self.is_tried_out else None)


@dataclass(frozen=True)
class Visitors:
    submit: Submit[Any, Any]
    room: int | None

    def __call__(self, task: Any, /) -> Future[Any]:
        return self.submit(task)


@dataclass
class Place:
    """One destination, and runs that want four workers for it."""

    venue: Venue
    campus: Campus = field(default_factory=lambda: Campus(names=("a",)))

    def run(self) -> int | None:
        """One more file is copied; for how many workers there is room, as far as the ledger knows now."""
        self.campus.has(7 + len(self.venue.wanted))
        capacity = Capacity(4, 2, 1 << 20)
        sites = [replace(s, capacity=capacity, open_workers=self.venue.open_workers) for s in self.campus.sites()]
        list(backup(self.campus.installation, sites, self.campus.stop))
        return self.campus.ledger.room("a")


def test_where_workers_found_no_room_the_next_run_tries_one_more_than_had_some() -> None:
    place = Place(Venue(most=2))
    assert [place.run(), place.run(), place.run()] == [2, 2, 2]
    assert place.venue.wanted == [4, 3, 3]


def test_where_there_is_more_room_again_all_are_back_after_some_runs() -> None:
    place = Place(Venue(most=1))
    place.run()
    place.venue.most = 9
    assert [place.run(), place.run(), place.run()] == [2, 3, None]
    place.run()
    assert place.venue.wanted == [4, 2, 3, 4, 4]


def test_a_run_that_did_not_try_it_out_changes_nothing() -> None:
    place = Place(Venue(most=1))
    place.run()
    place.venue.is_tried_out = False
    assert place.run() == 1
