"""The past, as the ledger in memory knows it."""

from __future__ import annotations

from abc import ABC
from bisect import bisect_right
from collections import defaultdict
from datetime import UTC
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dataverse_backup.datafile import MAIN
from dataverse_backup.ledger.history import AttemptRecord, Band, DatasetTally, Growth, History, Holding
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.rules import FAILED, goes_by
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from dataverse_backup.ledger.memory_row import MemoryRow
    from dataverse_backup.ledger.records import Attempt, RunRecord


class MemoryHistory(History, ABC):
    """The questions about the past; every row is looked at."""

    _rows: dict[tuple[str, int, str], MemoryRow]
    _runs: dict[str, RunRecord]
    _tried: list[tuple[str, Attempt]]

    def runs(self, destination: str | None = None) -> Iterator[RunRecord]:
        """From the last to the first."""
        for run in reversed(list(self._runs.values())):
            if destination in (None, run.destination):
                yield run

    def run(self, run: str) -> RunRecord | None:
        """By its id."""
        return self._runs.get(run)

    def attempts(
        self,
        *,
        run: str | None = None,
        datafile_id: int | None = None,
        destination: str | None = None,
        status: Status | None = None,
    ) -> Iterator[AttemptRecord]:
        """One after the other."""
        wanted = run, destination, datafile_id, status
        before: dict[tuple[str, int, str], Status] = {}
        for its_run, attempt in list(self._tried):
            place = attempt.destination, attempt.datafile.id, attempt.datafile.tag
            found = its_run, place[0], place[1], attempt.status
            if all(value in (None, its) for value, its in zip(wanted, found, strict=True)):
                yield self._record(its_run, attempt, before.get(place))
            before[place] = attempt.status

    def _record(self, run: str, attempt: Attempt, before: Status | None) -> AttemptRecord:
        row, copy = self._rows[attempt.destination, attempt.datafile.id, attempt.datafile.tag], attempt.copy
        return AttemptRecord(
            run=run,
            destination=attempt.destination,
            datafile_id=attempt.datafile.id,
            dataset=row.dataset,
            directory_label=row.directory_label,
            label=row.label,
            store=row.store,
            storageidentifier=storable(attempt.datafile.storageidentifier),
            key=attempt.key,
            status=attempt.status,
            reason=attempt.reason,
            message=storable(attempt.message),
            size=copy.size if copy else None,
            checksum=copy.checksum if copy else None,
            verified_by=copy.verified_by if copy else None,
            started=attempt.started,
            seconds=attempt.seconds,
            bytes_sent=attempt.bytes_sent,
            method=attempt.method,
            before=before,
            tag=attempt.datafile.tag,
        )

    def holdings(self) -> list[Holding]:
        """Grouped."""
        order = list(Status)

        def kind(row: MemoryRow) -> tuple[str, str, int]:
            return row.destination, row.store, order.index(row.shown[0])

        grouped = groupby(sorted(self._datafiles(), key=kind), kind)
        return [_holding(place, store, order[at], list(rows)) for (place, store, at), rows in grouped]

    def sizes(self, destination: str, edges: Sequence[int]) -> list[Band]:
        """Counted one by one."""
        rows = self._present(destination)
        return _bands(((row.shown_size, row) for row in rows if row.shown_size is not None), edges)

    def proofs(self, destination: str, edges: Sequence[datetime]) -> list[Band]:
        """Counted one by one."""
        return _bands(((row.copy.proven, row) for row in self._present(destination) if row.copy), edges)

    def _present(self, destination: str) -> list[MemoryRow]:
        return [row for row in self._datafiles() if row.destination == destination and not row.is_gone]

    def _datafiles(self) -> list[MemoryRow]:
        return [row for row in self._rows.values() if row.tag == MAIN]

    def growth(self, destination: str) -> list[Growth]:
        """The first success of each datafile."""
        first: dict[int, tuple[datetime, int]] = {}
        for _, attempt in self._tried:
            is_of_interest = attempt.destination == destination and not attempt.datafile.is_companion
            if is_of_interest and attempt.copy is not None:
                known = first.get(attempt.datafile.id, (attempt.started, 0))
                first[attempt.datafile.id] = min(known[0], attempt.started), max(known[1], attempt.copy.size)
        by_day: dict[date, list[int]] = defaultdict(list)
        for started, size in first.values():
            by_day[started.astimezone(UTC).date()].append(size)
        return [Growth(day, len(sizes), sum(sizes)) for day, sizes in sorted(by_day.items())]

    def datasets(self, limit: int) -> list[DatasetTally]:
        """Grouped, and sorted afterwards."""
        place = attrgetter("dataset", "destination")
        present = sorted((row for row in self._datafiles() if not row.is_gone), key=place)
        found = [_dataset(dataset, name, list(rows)) for (dataset, name), rows in groupby(present, place)]
        return sorted(found, key=lambda each: (-each.failed, -each.pending, each.destination, each.dataset))[:limit]

    def named(self, name: str, limit: int) -> list[int]:
        """Every row is asked."""
        return sorted({row.datafile_id for row in self._datafiles() if _goes_by(storable(name), row)})[:limit]


def _goes_by(name: str, row: MemoryRow) -> bool:
    copy_key = row.copy.key if row.copy else None
    return goes_by(name, row.storageidentifier, row.directory_label, row.label, row.dataset, row.key, copy_key)


def _holding(destination: str, store: str, status: Status, rows: Sequence[MemoryRow]) -> Holding:
    proofs = [row.copy.proven for row in rows if row.copy]
    unproven = [row.createdate for row in rows if row.copy is None and row.createdate is not None]
    return Holding(
        destination=destination,
        store=store,
        status=status,
        files=len(rows),
        size=_size(rows),
        oldest_proof=min(proofs, default=None),
        newest_proof=max(proofs, default=None),
        oldest_unproven=min(unproven, default=None),
    )


def _dataset(dataset: str, destination: str, rows: Sequence[MemoryRow]) -> DatasetTally:
    shown = [row.shown[0] for row in rows]
    failed = sum(status in FAILED for status in shown)
    return DatasetTally(dataset, destination, len(rows), failed, shown.count(Status.PENDING), _size(rows))


def _bands(measured: Iterable[tuple[Any, MemoryRow]], edges: Sequence[Any]) -> list[Band]:
    rows: list[list[MemoryRow]] = [[] for _ in range(len(edges) + 1)]
    for measure, row in measured:
        rows[bisect_right(edges, measure)].append(row)
    return [Band(len(some), _size(some)) for some in rows]


def _size(rows: Iterable[MemoryRow]) -> int:
    return sum(row.shown_size or 0 for row in rows)
