"""A datafile comes back from the first good copy, proven before it appears, over nothing that lies there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import IDENTITY_KEY
from dataverse_backup.destinations.memory import Faults, MemoryDestination
from dataverse_backup.errors import (
    CopyMissing,
    CopyRefused,
    KeyOccupied,
    KeyRefused,
    NoSpace,
    SourceDiffers,
    Unavailable,
)
from dataverse_backup.fixity import Algorithm
from dataverse_backup.retrieval import Came, FolderTarget, Haul, Retrieval, Retrieved, Retriever, Source
from tests.contract.ledger_cases import datafile
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = b"the registered bytes"
TO = "10.5072/FK2/ABCDEF/18b-1"


@dataclass
class Scene:
    """Two destinations that have a copy each, and a folder. Change anything before ``fetch``."""

    near: MemoryDestination = field(default_factory=lambda: MemoryDestination("near", objects={"k": DATA}))
    far: MemoryDestination = field(default_factory=lambda: MemoryDestination("far", objects={"k": DATA}))
    folder: MemoryDestination = field(default_factory=lambda: MemoryDestination("/folder"))
    slept: list[float] = field(default_factory=list)
    identity: str | None = None
    on_sleep: Callable[[], None] = lambda: None

    def retrieval(self, number: int = 1, to: str = TO, key: str = "k") -> Retrieval:
        checksum = checksum_of(DATA)
        sources = (Source("near", key, len(DATA), checksum), Source("far", key, len(DATA), checksum))
        return Retrieval(datafile(number), to, sources)

    def fetch(self, *retrievals: Retrieval) -> Haul:
        places = {"near": lambda: self.near, "far": lambda: self.far}
        retriever = Retriever(
            places, FolderTarget(self.folder), identity=self.identity, sleep=self._sleep, delays=(1.0, 3.0)
        )
        return retriever.fetch(retrievals or [self.retrieval()])

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep()

    def only(self, *retrievals: Retrieval) -> Retrieved:
        (result,) = self.fetch(*retrievals).results
        return result


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_datafile_comes_from_the_first_copy(scene: Scene) -> None:
    result = scene.only()
    assert (result.came, result.source and result.source.destination) == (Came.RESTORED, "near")
    assert scene.folder.objects == {TO: DATA}
    assert scene.slept == []


def missing(scene: Scene) -> None:
    scene.near.objects.clear()


def altered(scene: Scene) -> None:
    scene.near.objects["k"] = DATA[:-1] + b"X"


def truncated(scene: Scene) -> None:
    scene.near.objects["k"] = DATA[:-1]


def refused(scene: Scene) -> None:
    scene.near.faults = Faults(refuses=["k"])


def down(scene: Scene) -> None:
    scene.near.faults = Faults(down_after=0)


def not_ours(scene: Scene) -> None:
    scene.identity = "ours"
    scene.near.objects[IDENTITY_KEY] = b"somebody else's"
    scene.far.objects[IDENTITY_KEY] = b"ours"


WRONG = {
    missing: CopyMissing,
    altered: SourceDiffers,
    truncated: SourceDiffers,
    refused: CopyRefused,
    down: Unavailable,
    not_ours: Unavailable,
}


@pytest.mark.parametrize(("spoil", "error"), WRONG.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_where_a_copy_is_no_good_the_next_one_is_taken(
    scene: Scene, spoil: Callable[[Scene], None], error: type[Exception]
) -> None:
    spoil(scene)
    result = scene.only()
    assert (result.came, result.source and result.source.destination) == (Came.RESTORED, "far")
    assert [type(one) for one in result.errors] == [error]
    assert scene.folder.objects == {TO: DATA}
    assert scene.slept == []


def test_an_altered_copy_never_appears_where_there_is_no_other(scene: Scene) -> None:
    altered(scene)
    scene.far.objects.clear()
    result = scene.only()
    assert (result.came, [type(one) for one in result.errors]) == (Came.FAILED, [SourceDiffers, CopyMissing])
    assert scene.folder.objects == {}


def test_what_is_unavailable_is_tried_again(scene: Scene) -> None:
    down(scene)
    scene.far.objects.clear()
    scene.on_sleep = lambda: setattr(scene.near, "faults", Faults())
    assert scene.only().came is Came.RESTORED
    assert scene.slept == [1.0]


def test_what_stays_unavailable_is_given_up_and_the_destinations_are_named(scene: Scene) -> None:
    down(scene)
    scene.far.faults = Faults(down_after=0)
    haul = scene.fetch(scene.retrieval(1), scene.retrieval(2, "other"))
    assert [result.came for result in haul.results] == [Came.FAILED, Came.FAILED]
    assert haul.lost.keys() == {"near", "far"}
    assert scene.slept == [1.0, 3.0]


def test_a_destination_that_does_not_carry_our_identity_is_not_believed(scene: Scene) -> None:
    not_ours(scene)
    scene.near.objects.pop("k")
    haul = scene.fetch()
    assert "is its disk mounted?" in str(haul.lost["near"])
    assert scene.folder.objects == {TO: DATA}


def test_what_lies_there_and_is_right_is_not_fetched(scene: Scene) -> None:
    scene.folder.objects[TO] = DATA
    down(scene)
    scene.far.objects.clear()
    assert scene.only().came is Came.RIGHT


@pytest.mark.parametrize("there", [b"something else", DATA[:-1] + b"X"], ids=["other size", "same size"])
def test_what_lies_there_and_is_something_else_stays(scene: Scene, there: bytes) -> None:
    scene.folder.objects[TO] = there
    result = scene.only()
    assert (result.came, [type(one) for one in result.errors]) == (Came.FAILED, [KeyOccupied])
    assert scene.folder.objects == {TO: there}


@pytest.mark.parametrize("to", ["../up", "/etc/passwd", "a/../../b", "nul\0", "x" * 256])
def test_a_hostile_place_is_refused(scene: Scene, to: str) -> None:
    result = scene.only(scene.retrieval(to=to))
    assert (result.came, [type(one) for one in result.errors]) == (Came.FAILED, [KeyRefused])
    assert scene.folder.objects == {}


def test_a_folder_that_is_full_is_said_to_be(scene: Scene) -> None:
    scene.folder.faults = Faults(full_after=1)
    haul = scene.fetch(scene.retrieval(1), scene.retrieval(2, "other"))
    assert sorted(result.came for result in haul.results) == [Came.FAILED, Came.RESTORED]
    assert haul.is_full
    assert [type(error) for result in haul.results for error in result.errors] == [NoSpace]


def test_two_datafiles_for_one_place_do_not_overwrite_each_other(scene: Scene) -> None:
    other = b"other bytes"
    scene.near.objects["l"] = other
    second = Retrieval(datafile(2), TO, (Source("near", "l", len(other), checksum_of(other, Algorithm.SHA256)),))
    first, last = scene.fetch(scene.retrieval(1), second).results
    assert (first.came, last.came) == (Came.RESTORED, Came.FAILED)
    assert scene.folder.objects == {TO: DATA}


def test_each_of_many_has_a_result(scene: Scene) -> None:
    scene.near.objects.update({f"k{n}": DATA for n in range(0, 20, 2)})
    scene.far.objects.update({f"k{n}": DATA for n in range(0, 20, 3)})
    results = scene.fetch(*(scene.retrieval(n, f"to/{n}", f"k{n}") for n in range(20))).results
    came = {result.retrieval.datafile.id for result in results if result.came is Came.RESTORED}
    assert len(results) == 20
    assert came == {n for n in range(20) if n % 2 == 0 or n % 3 == 0}
    assert scene.folder.objects.keys() == {f"to/{n}" for n in came}
