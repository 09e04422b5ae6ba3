"""The pictures of the index page: what each shows, and the same numbers as a table for whoever cannot see it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from dataverse_backup.actions.report import PROOF_AGES, SIZE_EDGES
from dataverse_backup.wording import duration_of, size_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.actions.report import Place, Report
    from dataverse_backup.ledger.history import Band, Growth

_MOST_DAYS = 120
"""Growth over more days than these is shown by month."""
_MOST_RUNS = 120
"""So many runs are in a picture."""

Row = tuple[Any, ...]


class Column(NamedTuple):
    """A column of the numbers: its heading, and how a number is written."""

    heading: str
    written: Callable[[Any], str] = str

    @property
    def is_number(self) -> bool:
        """Whether it is aligned to the right."""
        return self.written is not str


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture."""

    kind: str
    """What the pages' script draws it by."""
    title: str
    said: str
    """What can be seen in it."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def written(self) -> list[list[str]]:
        """The rows as people read them."""
        return [[column.written(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]


def charts(report: Report) -> list[Chart]:
    """All pictures for which there is anything to show."""
    every = (_growth(report), _failures(report), _durations(report), _proofs(report), _sizes(report))
    return [chart for chart in every if chart.rows]


def _count(number: int) -> str:
    return f"{number:,}"


_FILES, _BYTES = Column("files", _count), Column("bytes", size_of)


def _growth(report: Report) -> Chart:
    rows = [
        (day.isoformat(), place.name, files, size)
        for place in report.places
        for day, files, size in _cumulated(place.growth, report.made.date())
    ]
    return Chart(
        "growth",
        "Files with a proven copy",
        "How many files had a proven copy, day by day.",
        (Column("until"), Column("destination"), _FILES, _BYTES),
        tuple(rows),
    )


def _cumulated(growth: tuple[Growth, ...], until: date) -> list[tuple[date, int, int]]:
    """Sums by day, or by month where there are many days; from the day before the first, when there was nothing."""
    if not growth:
        return []
    is_monthly = len(growth) > _MOST_DAYS
    sums = {growth[0].day - timedelta(days=1): (0, 0)}
    files = size = 0
    for step in growth:
        files, size = files + step.files, size + step.size
        sums[min(_end_of_month(step.day), until) if is_monthly else step.day] = files, size
    sums[until] = files, size
    return [(day, *sum_) for day, sum_ in sums.items()]


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _failures(report: Report) -> Chart:
    failed: Counter[tuple[str, str]] = Counter()
    for run in report.runs[:_MOST_RUNS]:
        failed[run.started.date().isoformat(), run.destination] += run.files_failed
    return Chart(
        "failures",
        "Failed attempts",
        "How many attempts failed, by the day of the run; no bar is a day without failures.",
        (Column("day"), Column("destination"), Column("failed", _count)),
        tuple((*key, number) for key, number in sorted(failed.items())),
    )


def _durations(report: Report) -> Chart:
    rows = [
        (f"{run.started:%Y-%m-%dT%H:%M:%SZ}", run.destination, (run.ended - run.started).total_seconds())
        for run in reversed(report.runs[:_MOST_RUNS])
        if run.ended is not None
    ]
    return Chart(
        "durations",
        "Duration of runs",
        "How long each run took.",
        (Column("started"), Column("destination"), Column("duration", duration_of)),
        tuple(rows),
    )


def _proofs(report: Report) -> Chart:
    labels = [f"more than {_days(PROOF_AGES[0])} ago"]
    labels += [f"{_days(younger)} to {_days(older)} ago" for older, younger in pairwise(PROOF_AGES)]
    labels += ["in the last day"]
    return Chart(
        "bands",
        "When copies were proven last",
        "How long ago the bytes of each copy were last compared with their checksum.",
        (Column("proven"), Column("destination"), _FILES, _BYTES),
        _banded(report, labels, lambda place: place.proofs),
    )


def _days(age: timedelta) -> str:
    return "a year" if age.days == 365 else "a day" if age.days == 1 else f"{age.days} days"  # noqa: PLR2004 -- a year


def _sizes(report: Report) -> Chart:
    labels = ["empty", f"below {_edge(SIZE_EDGES[1])}"]
    labels += [f"{_edge(low)} to {_edge(high)}" for low, high in pairwise(SIZE_EDGES[1:])]
    labels += [f"{_edge(SIZE_EDGES[-1])} and more"]
    return Chart(
        "bands",
        "Sizes of files",
        "How many files are how large.",
        (Column("size"), Column("destination"), _FILES, _BYTES),
        _banded(report, labels, lambda place: place.sizes),
    )


def _edge(size: int) -> str:
    return size_of(size).replace(".0 ", " ")


def _banded(report: Report, labels: list[str], bands: Callable[[Place], tuple[Band, ...]]) -> tuple[Row, ...]:
    """Every band from the first to the last that has files somewhere."""
    used: defaultdict[int, int] = defaultdict(int)
    for place in report.places:
        for number, band in enumerate(bands(place)):
            used[number] += band.files
    shown = [number for number, files in used.items() if files]
    return tuple(
        (labels[number], place.name, band.files, band.size)
        for place in report.places
        for number, band in enumerate(bands(place))
        if shown and min(shown) <= number <= max(shown)
    )
