"""A ledger in memory: for tests, and for trying things out. It forgets everything at its end."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import getpid
from socket import gethostname
from typing import TYPE_CHECKING

from dataverse_backup.datafile import LOGOS, MAIN, Datafile
from dataverse_backup.errors import LedgerError, LockHeld
from dataverse_backup.ledger.audits import PRIMARY, VerdictRecord
from dataverse_backup.ledger.base import (
    BACKUP_VERB,
    Holder,
    Kept,
    Ledger,
    Listed,
    LogoTurn,
    RunRecord,
    Standing,
    Status,
    Tally,
)
from dataverse_backup.ledger.memory_audits import MemoryAudits, Primary
from dataverse_backup.ledger.memory_destinations import MemoryDestinations
from dataverse_backup.ledger.memory_drills import MemoryDrills
from dataverse_backup.ledger.memory_dumps import MemoryDumps
from dataverse_backup.ledger.memory_history import MemoryHistory
from dataverse_backup.ledger.memory_removals import MemoryRemovals
from dataverse_backup.ledger.memory_row import MemoryRow
from dataverse_backup.ledger.rules import (
    FAILED,
    Counts,
    check_attempts,
    counts,
    described,
    folders,
    in_order,
    lock_held,
    new_run_id,
)
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dataverse_backup.datafile import Mark, NotHere
    from dataverse_backup.errors import Reason
    from dataverse_backup.ledger.base import Attempt, Marked, Planned, Takeover
    from dataverse_backup.ledger.drills import DrillRecord
    from dataverse_backup.ledger.dumps import DumpRecord
    from dataverse_backup.ledger.removals import Removal
    from dataverse_backup.verdict import Verdict


@dataclass
class _Lock:
    destination: str
    is_held: bool = True

    def confirm(self) -> None:
        """Raise LockHeld after the end of the block."""
        if not self.is_held:
            raise LockHeld(f"the lock was lost: destination {self.destination}")


@dataclass
class MemoryLedger(MemoryDestinations, MemoryHistory, MemoryAudits, MemoryDumps, MemoryRemovals, MemoryDrills, Ledger):
    """A ledger in dictionaries."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _rows: dict[tuple[str, int, str], MemoryRow] = field(default_factory=dict)
    _runs: dict[str, RunRecord] = field(default_factory=dict)
    _destinations: dict[str, bool] = field(default_factory=dict)
    _holders: dict[str, Holder] = field(default_factory=dict)
    _stale: set[tuple[str, str]] = field(default_factory=set)
    """Destinations, and storage paths of datasets whose manifest there is not up to date."""
    _tried: list[tuple[str, Attempt]] = field(default_factory=list)
    """Every attempt, with its run."""
    _abilities: dict[str, str] = field(default_factory=dict)
    _rooms: dict[str, int | None] = field(default_factory=dict)
    _layouts: dict[str, str] = field(default_factory=dict)
    _logo_turns: dict[str, LogoTurn] = field(default_factory=dict)
    _primaries: dict[tuple[int, str], Primary] = field(default_factory=dict)
    _verdicts: list[VerdictRecord] = field(default_factory=list)
    _dumps: list[DumpRecord] = field(default_factory=list)
    _removals: list[Removal] = field(default_factory=list)
    _drills: list[DrillRecord] = field(default_factory=list)

    @contextmanager
    def lock(self, destination: str) -> Iterator[_Lock]:
        """A lock within this object."""
        if destination in self._holders:
            raise lock_held(destination, self._holders[destination])
        self._holders[destination] = Holder(described(str(getpid()), gethostname()), datetime.now(UTC))
        lock = _Lock(destination)
        try:
            yield lock
        finally:
            lock.is_held = False
            del self._holders[destination]

    def holder(self, destination: str) -> Holder | None:
        """Who holds it, in this object."""
        return self._holders.get(destination)

    def doubt(self, destination: str) -> int:
        """One after the other."""
        doubted = [row for row in self._of(destination) if row.status is Status.OK]
        for row in doubted:
            row.status, row.reason, row.message, row.mark = None, None, "", None
        self._spoil(destination, self._of(destination))
        return len(doubted)

    def begin_run(self, verb: str, destination: str) -> str:
        """A run without an end."""
        if destination != PRIMARY:
            self._destinations.setdefault(destination, False)
        run = new_run_id()
        self._runs[run] = RunRecord(run, verb, destination, datetime.now(UTC), None, "", 0, 0, 0)
        return run

    def end_run(self, run: str, outcome: str, counted: Counts | None = None, *, message: str = "") -> RunRecord:
        """Its counts were kept by `record`, where it recorded attempts."""
        ended = replace(self._run(run), ended=datetime.now(UTC), outcome=outcome, message=storable(message))
        if counted is not None:
            files_ok, files_failed, bytes_sent = counted
            ended = replace(ended, files_ok=files_ok, files_failed=files_failed, bytes_sent=bytes_sent)
        self._runs[run] = ended
        return self._runs[run]

    def _run(self, run: str) -> RunRecord:
        if run not in self._runs:
            raise LedgerError(f"the ledger knows no run {run}")
        return self._runs[run]

    def last_run(self, destination: str | None = None) -> RunRecord | None:
        """The one that began last."""
        backups = (run for run in reversed(self._runs.values()) if run.verb == BACKUP_VERB)
        return next((run for run in backups if destination in (None, run.destination)), None)

    def _of(self, destination: str) -> list[MemoryRow]:
        return [self._rows[place] for place in sorted(self._rows) if place[0] == destination]

    def keep_layout(self, destination: str, layout: str) -> None:
        """One after the other."""
        if self._layouts.get(destination) != layout:
            self._destinations.setdefault(destination, False)
            self._layouts[destination] = layout
            for row in self._of(destination):
                row.mark = None

    def marks(self, destination: str, layout: str) -> Iterator[Marked]:
        """As they are when they are asked for."""
        holds = self._layouts.get(destination) == layout
        present = [row for row in self._of(destination) if not row.is_gone]
        unsettled = {row.datafile_id for row in present if row.tag != MAIN and row.status is not Status.OK}
        for row in present:
            if row.tag == MAIN:
                is_settled = holds and (row.status is Status.OK or row.not_here is not None)
                why = row.not_here[0] if row.not_here else None
                mark = row.mark if is_settled and row.datafile_id not in unsettled else None
                yield row.datafile_id, mark, row.store, row.size, why

    def standings(self, destination: str, ids: Sequence[int] | None = None) -> Iterator[Standing]:
        """As they are when they are asked for."""
        for row in self._of(destination):
            if ids is None or row.datafile_id in ids:
                yield row.standing

    def with_logos(self, destination: str) -> list[int]:
        """Every row is looked at."""
        return sorted({row.datafile_id for row in self._of(destination) if row.tag in LOGOS and not row.is_gone})

    def occupants(
        self, destination: str, names: Sequence[str], *, folded: Callable[[str], str] | None
    ) -> dict[str, int]:
        """Every key is looked at."""
        fold = folded or str
        held: dict[str, int] = {}
        for row in reversed(self._of(destination)):
            held |= {fold(key): row.datafile_id for key in (row.key, row.copy and row.copy.key) if key}
        found = {name: _in_the_way(fold(name), held) for name in names}
        return {name: datafile_id for name, datafile_id in found.items() if datafile_id is not None}

    def note(
        self,
        destination: str,
        *,
        planned: Sequence[Planned] = (),
        refreshed: Sequence[Datafile] = (),
        not_here: Sequence[NotHere] = (),
        gone: Sequence[int] = (),
        companions_gone: Sequence[tuple[int, str]] = (),
        marked: Sequence[Mark] = (),
    ) -> None:
        """One after the other."""
        self._destinations.setdefault(destination, False)
        for plan in planned:
            row = self._row(destination, *_which(plan.datafile))
            before = row.fingerprint
            row.learn(plan.datafile)
            if plan.datafile.is_companion:  # which is settled only as long as its row says what it said when tried
                row.fingerprint = before or row.fingerprint
            row.key = plan.key
            if row.status is None:
                row.reason, row.message = plan.reason, ""
        seen: tuple[Datafile | NotHere, ...] = (*refreshed, *not_here)
        for row_seen in seen:
            row = self._row(destination, *_which(row_seen))
            row.learn(row_seen)
            row.mark = row_seen.mark
        for datafile_id, mark in marked:
            self._row(destination, datafile_id).mark = mark
        vanished = [row for row in self._of(destination) if _is_gone(row, gone, companions_gone)]
        for row_gone in vanished:
            row_gone.vanish()
        self._spoil(destination, [*(self._row(destination, *_which(one)) for one in refreshed), *vanished])

    def _row(self, destination: str, datafile_id: int, tag: str = MAIN) -> MemoryRow:
        return self._rows.setdefault((destination, datafile_id, tag), MemoryRow(datafile_id, destination, tag))

    def record(self, run: str, attempts: Sequence[Attempt]) -> None:
        """Checked first, so that it is all or nothing."""
        check_attempts(attempts)
        known = self._run(run)
        self._check_keys(attempts)
        for attempt in attempts:
            self._destinations.setdefault(attempt.destination, False)
            self._row(attempt.destination, *_which(attempt.datafile)).conclude(attempt)
        for attempt in attempts:
            if attempt.copy is not None or attempt.status is Status.GONE:
                self._spoil(attempt.destination, [self._row(attempt.destination, *_which(attempt.datafile))])
        self._tried.extend((run, attempt) for attempt in attempts)
        added = counts(attempts)
        self._runs[run] = replace(
            known,
            files_ok=known.files_ok + added.files_ok,
            files_failed=known.files_failed + added.files_failed,
            bytes_sent=known.bytes_sent + added.bytes_sent,
        )

    def _check_keys(self, attempts: Sequence[Attempt]) -> None:
        keys = {place: row.copy.key for place, row in self._rows.items() if row.copy}
        for attempt in attempts:
            if attempt.copy:
                keys[attempt.destination, *_which(attempt.datafile)] = attempt.copy.key
                taken = [
                    place for place, key in keys.items() if (place[0], key) == (attempt.destination, attempt.copy.key)
                ]
                if len(taken) > 1:
                    raise LedgerError(f"two datafiles cannot have their copies under {attempt.copy.key}: {taken}")

    def tallies(self, destination: str, *, companions: bool = False) -> list[Tally]:
        """Counted one by one."""
        sums: dict[tuple[Status, Reason | None], tuple[int, int]] = {}
        for row in self._of(destination):
            if companions is (row.tag == MAIN):
                continue
            kind = row.shown[:2]
            files, size = sums.get(kind, (0, 0))
            sums[kind] = files + 1, size + (row.shown_size or 0)
        return in_order(Tally(*kind, *sum_) for kind, sum_ in sums.items())

    def listed(
        self,
        *,
        destination: str | None = None,
        status: Status | None = None,
        reason: Reason | None = None,
        dataset: str | None = None,
        datafile_id: int | None = None,
        verdict: Verdict | None = None,
    ) -> Iterator[Listed]:
        """Every row is looked at."""
        wanted = {
            "destination": destination,
            "status": status,
            "reason": reason,
            "dataset": dataset,
            "datafile_id": datafile_id,
        }
        for place in sorted(self._rows):
            line = self._rows[place].line
            if primary := self._primaries.get((line.datafile_id, line.tag)):
                line = replace(line, primary_verdict=primary.verdict)
            fits = all(getattr(line, name) == value for name, value in wanted.items() if value is not None)
            if fits and verdict in (None, line.verdict, line.primary_verdict):
                yield line

    def kept(
        self,
        *,
        destinations: Sequence[str] | None = None,
        dataset: str | None = None,
        storage_paths: Sequence[str] | None = None,
        datafile_id: int | None = None,
    ) -> Iterator[Kept]:
        """Every row is looked at."""
        for one in sorted(filter(None, (row.kept for row in self._rows.values())), key=_place_of):
            its = one.datafile.dataset
            fits = dataset in (None, its.persistent_id) and (storage_paths is None or its.storage_path in storage_paths)
            is_there = destinations is None or one.destination in destinations
            if fits and is_there and datafile_id in (None, one.datafile.id):
                yield one

    def note_kept(self, destination: str, kept: Sequence[Kept]) -> None:
        """One after the other."""
        self._destinations.setdefault(destination, False)
        for one in kept:
            keys = {row.copy.key for row in self._of(destination) if row.copy}
            if (destination, *_which(one.datafile)) in self._rows or one.copy.key in keys:
                continue
            row = self._row(destination, *_which(one.datafile))
            row.learn(one.datafile)
            row.key, row.copy = one.copy.key, one.copy
            if one.status is Status.GONE:
                row.vanish()

    def stale_manifests(self, destination: str) -> Iterator[str]:
        """As they are when it is called."""
        return iter(sorted(path for name, path in self._stale if name == destination))

    def manifests_written(self, destination: str, storage_paths: Sequence[str]) -> None:
        """They are forgotten."""
        self._stale -= {(destination, path) for path in storage_paths}

    def _spoil(self, destination: str, rows: Iterable[MemoryRow]) -> None:
        self._stale |= {(destination, row.datafile.dataset.storage_path) for row in rows if row.datafile}

    def oldest_failure(self, destination: str) -> datetime | None:
        """Of those that are still here and failing."""
        failing = (row.failing_since for row in self._of(destination) if row.shown[0] in FAILED)
        return min((since for since in failing if since), default=None)

    def takeover(self) -> Takeover | None:
        """There never was a table."""
        return None

    def match_original(self, candidates: Iterable[tuple[Datafile, Sequence[str]]]) -> set[int]:  # noqa: ARG002 - see takeover
        """There never was a table."""
        return set()

    def close(self) -> None:
        """Nothing to give back."""


def _place_of(kept: Kept) -> tuple[bytes, int, str, str]:
    return kept.datafile.dataset.storage_path.encode(), *_which(kept.datafile), kept.destination


def _which(row: Datafile | NotHere) -> tuple[int, str]:
    """Whose row it is: id and tag."""
    return row.id, row.tag if isinstance(row, Datafile) else MAIN


def _is_gone(row: MemoryRow, gone: Sequence[int], companions_gone: Sequence[tuple[int, str]]) -> bool:
    return row.datafile_id in gone or (row.datafile_id, row.tag) in companions_gone


def _in_the_way(name: str, held: dict[str, int]) -> int | None:
    for key in (name, *folders(name)):
        if key in held:
            return held[key]
    below = min((key for key in held if key.startswith(f"{name}/")), default=None)
    return None if below is None else held[below]
