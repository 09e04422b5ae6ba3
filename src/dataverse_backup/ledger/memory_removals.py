"""Removals, remembered."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.ledger.removals import Gone, Outcome, Removal, Removals
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.ledger.memory_row import MemoryRow
    from dataverse_backup.ledger.records import Kept
    from dataverse_backup.ledger.removals import Aside


class MemoryRemovals(Removals, ABC):
    """A list of removals."""

    _rows: dict[tuple[str, int, str], MemoryRow]
    _removals: list[Removal]

    def _spoil(self, destination: str, rows: Iterable[MemoryRow]) -> None:
        raise NotImplementedError

    def gone(self, destination: str, before: datetime) -> Iterator[Gone]:
        """Every row is looked at."""
        present = ((which, row) for (at, *which), row in self._rows.items() if at == destination and not row.is_gone)
        claimed = {row.key: which for which, row in present}
        found = []
        for (at, *which), row in self._rows.items():
            kept, since = row.kept, row.gone_since
            is_old = at == destination and row.is_gone and since is not None and since < before
            if kept is not None and since is not None and is_old and claimed.get(kept.copy.key, which) == which:
                found.append(Gone(kept, since))
        yield from sorted(found, key=lambda one: (one.kept.datafile.dataset.storage_path.encode(), *_which(one.kept)))

    def begin_removals(
        self, run: str, destination: str, copies: Sequence[Kept], aside: Sequence[Aside] = ()
    ) -> list[Kept]:
        """One after the other."""
        now = datetime.now(UTC)
        gone = {_which(one.kept): one.kept for one in self.gone(destination, datetime.max.replace(tzinfo=UTC))}
        begun = [kept for kept in copies if _is_same(gone.get(_which(kept)), kept)]
        for kept in begun:
            row = self._rows[destination, *_which(kept)]
            self._spoil(destination, [row])
            row.copy, row.verdict, row.judged = None, None, None
            row.status, row.reason, row.message, row.mark = None, None, "", None
            copy, (number, tag) = kept.copy, _which(kept)
            noted = Removal(run, destination, copy.key, copy.size, number, copy, now, None, None, "", tag)
            self._removals.append(noted)
        for one in aside:
            self._removals.append(Removal(run, destination, one.key, one.size, None, None, now, None, None, ""))
        return begun

    def end_removals(self, destination: str, outcomes: Mapping[str, tuple[Outcome, str]]) -> None:
        """One after the other."""
        for number, one in enumerate(self._removals):
            if one.destination == destination and one.ended is None and one.key in outcomes:
                outcome, message = outcomes[one.key]
                ended = replace(one, ended=datetime.now(UTC), outcome=outcome, message=storable(message))
                self._removals[number] = ended
                if outcome is Outcome.STAYS:
                    self._know_again(one)

    def _know_again(self, removal: Removal) -> None:
        if removal.datafile_id is None:
            return
        row = self._rows.get((removal.destination, removal.datafile_id, removal.tag))
        taken = {its.copy.key for (at, *_), its in self._rows.items() if at == removal.destination and its.copy}
        if row is not None and row.copy is None and removal.key not in taken:
            row.copy = removal.copy
            self._spoil(removal.destination, [row])

    def removals(
        self, *, destination: str | None = None, datafile_id: int | None = None, is_unfinished: bool = False
    ) -> Iterator[Removal]:
        """As they were noted."""
        for one in list(self._removals):
            fits = destination in (None, one.destination) and datafile_id in (None, one.datafile_id)
            if fits and not (is_unfinished and one.ended is not None):
                yield one


def _which(kept: Kept) -> tuple[int, str]:
    return kept.datafile.id, kept.datafile.tag


def _is_same(known: Kept | None, kept: Kept) -> bool:
    return known is not None and known.copy == kept.copy
