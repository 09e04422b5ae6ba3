"""What is copied: how many datafiles, how big, in how many datasets."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
SEED = 2026


@dataclass(frozen=True, slots=True)
class Content:
    """The datafiles of one Dataverse."""

    name: str
    what: str
    sizes: Sequence[int]
    """Bytes of each datafile."""
    datasets: int


def _mix(number: int, biggest: int) -> list[int]:
    """Sizes as in a real repository: half of them below 60 kB, most of the bytes in a few."""
    random = Random(SEED)
    return [min(biggest, int(random.lognormvariate(11, 2))) for _ in range(number)]


TINY = Content("tiny", "10 files of one byte in 10 datasets", [1] * 10, 10)
"""Shows what everybody takes to start."""

TINY_SETTINGS = ("BatchFiles: 1",)
"""With them each of our workers gets some of these files."""


def contents(*, quick: bool) -> dict[str, Content]:
    """Every content by its name; *quick* ones show within seconds that all works."""
    made: list[Callable[[], Content]] = (
        [
            lambda: Content("small", "600 files of 4 KiB in 30 datasets", [4 * KIBIBYTE] * 600, 30),
            lambda: Content("big", "2 files of 8 MiB", [8 * MEBIBYTE] * 2, 2),
            lambda: Content("mix", "60 files like those of a real repository", _mix(60, 8 * MEBIBYTE), 6),
        ]
        if quick
        else [
            lambda: Content("small", "10,000 files of 16 KiB in 500 datasets", [16 * KIBIBYTE] * 10_000, 500),
            lambda: Content("big", "4 files of 256 MiB", [256 * MEBIBYTE] * 4, 4),
            lambda: Content("mix", "3,000 files like those of a real repository", _mix(3_000, 256 * MEBIBYTE), 300),
        ]
    )
    return {content.name: content for content in (make() for make in made)}
