"""Workers that connect while their runs still look at the destinations."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from dataverse_backup.actions.early import EarlyWorkers
from dataverse_backup.engine import Capacity, Roomy
from dataverse_backup.work import Batch, JointBatch
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.run import Run
    from dataverse_backup.joint import Outcomes


@dataclass
class Hands:
    """Workers that note what happens to them."""

    names: Sequence[str]
    workers: int
    room: int | None = 2
    is_ready: bool = False
    given: list[JointBatch] = field(default_factory=list)

    def get_ready(self) -> None:
        self.is_ready = True

    def __call__(self, joint: JointBatch, /) -> Future[Outcomes]:
        self.given.append(joint)
        return Future()


class Place:
    """Runs, and whoever was opened for them."""

    def __init__(self, *, is_first: bool = True, open_workers: object = processes) -> None:
        self.opened: list[Hands] = []
        self.closed: list[Hands] = []
        site = SimpleNamespace(open_workers=open_workers)
        self.runs = {
            name: SimpleNamespace(
                is_first=is_first, site=site, capacity=Capacity(3, 5, 7), abilities=f"those of {name}", make_room=None
            )
            for name in "ab"
        }
        self.early = EarlyWorkers(self._open, cast("dict[str, Run]", self.runs))

    @contextmanager
    def _open(self, names: Sequence[str], workers: int) -> Iterator[Hands]:
        hands = Hands(names, workers)
        self.opened.append(hands)
        yield hands
        self.closed.append(hands)


def joint(*names: str) -> JointBatch:
    return JointBatch(tuple(Batch(name, ()) for name in names))


def test_those_that_got_ready_are_the_ones_that_work_and_are_told_what_was_found_out() -> None:
    place = Place()
    place.early.begin(["b", "a"])
    (hands,) = place.opened
    assert (hands.names, hands.workers, hands.is_ready) == (["a", "b"], 3, True)
    place.runs["a"].abilities = "more"
    with place.early.opened(["a", "b"], 3) as submit:
        submit(joint("a"))
        assert isinstance(submit, Roomy)
        assert submit.room == 2
        assert not place.early.close()
        assert place.closed == []
    assert place.closed == [hands]
    assert hands.given[0].abilities == {"a": "more"}
    assert place.opened == [hands]


@pytest.mark.parametrize(("names", "workers"), [(["a"], 3), (["a", "b"], 2)])
def test_others_are_opened_for_other_work(names: list[str], workers: int) -> None:
    place = Place()
    place.early.begin(["a", "b"])
    with place.early.opened(names, workers) as submit:
        assert submit is place.opened[1]
    assert place.early.close()
    assert place.closed == place.opened[::-1]


def test_those_that_nobody_asked_for_make_room_for_the_run_itself() -> None:
    place = Place()
    place.early.begin(["a", "b"])
    assert place.runs["a"].make_room()
    assert place.closed == place.opened
    assert not place.runs["b"].make_room()
    with place.early.opened(["a", "b"], 3) as submit:
        assert submit is place.opened[1]


@pytest.mark.parametrize("place", [Place(is_first=False), Place(open_workers=None)], ids=["later", "shared"])
def test_nobody_comes_early_where_there_may_be_nothing_to_do_or_where_others_work_too(place: Place) -> None:
    place.early.begin(["a", "b"])
    assert place.opened == []
