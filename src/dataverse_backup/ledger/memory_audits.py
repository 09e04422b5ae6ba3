"""Audits, as the ledger in memory knows them."""

from __future__ import annotations

from abc import ABC
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataverse_backup.datafile import LOGO, MAIN
from dataverse_backup.ledger.audits import PRIMARY, Amount, Audits, Damage, VerdictRecord
from dataverse_backup.ledger.rules import (
    FAILS_BY_VERDICT,
    check_judged,
    in_order_of_damage,
    is_worth_keeping,
    judged_counts,
    what_stands,
)
from dataverse_backup.ledger.storable import storable
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.audits import Choice, Judged
    from dataverse_backup.ledger.memory_row import MemoryRow
    from dataverse_backup.ledger.records import Kept, RunRecord


@dataclass(slots=True)
class Primary:
    """One primary."""

    store: str
    size: int | None
    proven: datetime | None = None
    verdict: Verdict | None = None
    judged: datetime | None = None


class MemoryAudits(Audits, ABC):
    """What audits ask and tell; every row is looked at."""

    _rows: dict[tuple[str, int, str], MemoryRow]
    _runs: dict[str, RunRecord]
    _primaries: dict[tuple[int, str], Primary]
    _verdicts: list[VerdictRecord]

    def to_audit(self, destination: str, choice: Choice) -> Iterator[Kept]:
        """As they are when it is asked for."""
        yield from self._to_audit(destination, choice)

    def _to_audit(self, destination: str, choice: Choice) -> list[Kept]:
        copies = [one for place, row in self._rows.items() if place[0] == destination and (one := row.kept)]
        wanted = [one for one in copies if choice.dataset in (None, one.datafile.dataset.persistent_id)]
        return sorted(
            (one for one in wanted if _is_wanted(one.copy.proven, choice)),
            key=lambda one: _order(one.copy.proven, (one.datafile.id, one.datafile.tag), choice),
        )

    def amount_to_audit(self, destination: str, choice: Choice) -> Amount:
        """Counted one by one."""
        copies = [one.copy for one in self._to_audit(destination, choice)]
        return _amount([(copy.proven, copy.size) for copy in copies], choice)

    def note_primaries(self, datafiles: Sequence[Datafile]) -> None:
        """One after the other."""
        for file in datafiles:
            known = self._primaries.setdefault((file.id, file.tag), Primary(storable(file.store_id), file.size))
            known.store = storable(file.store_id)
            known.size = known.size if known.size is not None else file.size

    def primaries_to_audit(self, choice: Choice) -> Iterator[int]:
        """As they are when it is asked for."""
        found = [
            (place, one)
            for place, one in self._primaries.items()
            if place[1] in (MAIN, LOGO) and _is_wanted(one.proven, choice)
        ]
        in_order = sorted(found, key=lambda each: _order(each[1].proven, each[0], choice))
        yield from (number for (number, _), _ in in_order)

    def amount_of_primaries(self, choice: Choice) -> Amount:
        """Counted one by one."""
        primaries = (one for (_, tag), one in self._primaries.items() if tag == MAIN)
        wanted = (one for one in primaries if _is_wanted(one.proven, choice))
        return _amount([(one.proven, one.size or 0) for one in wanted], choice)

    def doubtful_companions(self) -> list[tuple[int, str]]:
        """One after the other."""
        return sorted(place for place, one in self._primaries.items() if place[1] != MAIN and one.verdict)

    def forget_primaries(self, datafile_ids: Sequence[int], companions: Sequence[tuple[int, str]] = ()) -> None:
        """What was said of them stays among the verdicts."""
        for place in [place for place in self._primaries if place[0] in datafile_ids or place in companions]:
            del self._primaries[place]

    # Verdicts

    def judge(self, run: str, judged: Sequence[Judged]) -> None:
        """Checked first, so that it is all or nothing."""
        check_judged(judged)
        for one in judged:
            before = self._judge_primary(one) if one.destination == PRIMARY else self._judge_copy(one)
            if is_worth_keeping(one, before):
                self._verdicts.append(_record(run, one))
        known = self._runs[run]
        added = judged_counts(judged)
        self._runs[run] = replace(known, **{name: getattr(known, name) + count for name, count in added.items()})

    def _judge_primary(self, judged: Judged) -> Verdict | None:
        known = self._primaries.setdefault((judged.datafile.id, judged.datafile.tag), Primary("", None))
        before, known.verdict = known.verdict, what_stands(judged, known.verdict)
        known.store, known.judged = storable(judged.datafile.store_id), judged.at
        known.size = known.size if judged.size is None else judged.size
        if judged.verdict is Verdict.INTACT and judged.how is not None:
            known.proven = judged.at
        return before

    def _judge_copy(self, judged: Judged) -> Verdict | None:
        row = self._rows[judged.destination, judged.datafile.id, judged.datafile.tag]
        before = row.verdict
        if judged.proof is not None:
            row.copy, row.verdict, row.judged = judged.proof, None, None
        stands = what_stands(judged, before)
        if stands is not None and row.copy is not None and row.copy.key == judged.key:
            row.verdict, row.judged = stands, judged.at
        if judged.verdict in FAILS_BY_VERDICT:
            row.fail(FAILS_BY_VERDICT[judged.verdict], judged.message, judged.at)
        elif judged.verdict is Verdict.INTACT and judged.proof is not None and before in FAILS_BY_VERDICT:
            row.recover(judged.proof)
        return before

    def verdicts(self, *, run: str | None = None, datafile_id: int | None = None) -> Iterator[VerdictRecord]:
        """One after the other."""
        for record in list(self._verdicts):
            if run in (None, record.run) and datafile_id in (None, record.datafile_id):
                yield record

    def damage(self) -> list[Damage]:
        """Grouped."""
        groups: dict[tuple[str, Verdict], list[tuple[int, datetime]]] = defaultdict(list)
        for (destination, *_), row in self._rows.items():
            if row.copy and row.verdict and row.judged:
                groups[destination, row.verdict].append((row.copy.size, row.judged))
        for primary in self._primaries.values():
            if primary.verdict and primary.judged:
                groups[PRIMARY, primary.verdict].append((primary.size or 0, primary.judged))
        return in_order_of_damage(
            Damage(*kind, len(found), sum(size for size, _ in found), min(since for _, since in found))
            for kind, found in groups.items()
        )


def _is_wanted(proven: datetime | None, choice: Choice) -> bool:
    return proven is None or proven > choice.now or choice.proven_before is None or proven < choice.proven_before


def _order(proven: datetime | None, place: tuple[int, str], choice: Choice) -> tuple[float, int, str]:
    counts = proven is not None and proven <= choice.now
    return (proven.timestamp() if counts and proven else 0.0), *place


def _amount(found: Iterable[tuple[datetime | None, int]], choice: Choice) -> Amount:
    wanted = list(found)
    proofs = [proven if proven and proven <= choice.now else None for proven, _ in wanted]
    known = [proven for proven in proofs if proven]
    oldest = min(known) if known and len(known) == len(proofs) else None
    return Amount(len(wanted), sum(size for _, size in wanted), oldest)


def _record(run: str, judged: Judged) -> VerdictRecord:
    file = judged.datafile
    return VerdictRecord(
        run=run,
        destination=judged.destination,
        datafile_id=file.id,
        dataset=storable(file.dataset.persistent_id),
        directory_label=storable(file.directory_label),
        label=storable(file.label),
        store=storable(file.store_id),
        storageidentifier=storable(file.storageidentifier),
        key=judged.key,
        verdict=judged.verdict,
        message=storable(judged.message),
        how=judged.how,
        at=judged.at,
        size=judged.size,
        tag=file.tag,
    )
