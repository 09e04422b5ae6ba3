"""An audit of the copies at one destination."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.actions.audit_run import PlaceAudit
from dataverse_backup.actions.database import dumps_to_audit
from dataverse_backup.actions.judging import judged_copy, judged_primary
from dataverse_backup.actions.possession import take_possession
from dataverse_backup.datafile import Datafile
from dataverse_backup.destinations.base import Listable
from dataverse_backup.examine import CopiesTask, WitnessesTask
from dataverse_backup.logs import facts
from dataverse_backup.verdict import NOT_LOOKED, Seen, Sight, Verdict, Witnesses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dataverse_backup.actions.audit_events import AuditRequest
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.engine import Stop, Submit
    from dataverse_backup.examine import Examined, Task
    from dataverse_backup.ledger.audits import Amount, Choice, Judged
    from dataverse_backup.ledger.base import Copy, Kept

    Rows = Mapping[int, Datafile | NotHere]

log = logging.getLogger(__name__)


class CopiesAudit(PlaceAudit):
    """Copies are read and compared with what they were when they were proven.

    Where one is not, or something else is registered by now, all three witnesses are heard.
    """

    def __init__(self, installation: Installation, site: Site, request: AuditRequest, stop: Stop) -> None:
        """Look at the copies at *site*."""
        super().__init__(installation, site.name, [site], request, stop)
        self._site = site
        self._kept: dict[str, Kept] = {}
        """What workers are looking at, by key."""
        self._dumps: dict[str, Copy] = {}
        """Dumps of the database that are to be looked at, by key."""

    def _reach(self) -> None:
        if self._ledger.knows_destination(self._place):  # otherwise there is nothing of ours, and nothing to look at
            destination = self._workers.opened_for_one(self._run, self._site)
            destination.connect()
            take_possession(self._ledger, destination)
            if self._is_about_everything() and isinstance(destination, Listable):
                self._dumps = dumps_to_audit(
                    self._ledger, self._place, destination, must_be_there=self._site.dumps is not None
                )
        self._has_more = bool(self._dumps)

    def _is_about_everything(self) -> bool:
        return self._request.dataset is None and self._request.share is None and not self._request.is_listing

    def _amount(self, choice: Choice) -> Amount:
        return self._ledger.amount_to_audit(self._place, choice)

    def _tasks(self) -> Iterator[Task]:
        before = self._choice.proven_before
        for dump in sorted(self._dumps.values(), key=lambda copy: copy.proven):
            if before is None or dump.proven < before:
                yield CopiesTask(self._place, (dump,))
        chosen = self._ledger.to_audit(self._place, self._choice)
        for batch in self._batches(chosen, lambda kept: kept.copy.size):
            self._kept |= {kept.copy.key: kept for kept in batch}
            yield CopiesTask(self._place, tuple(kept.copy for kept in batch), self._request.is_listing)

    def _parts(self, task: Task) -> list[Task]:
        if not isinstance(task, CopiesTask) or len(task.copies) < 2:  # noqa: PLR2004 -- alone
            return []
        return [CopiesTask(task.destination, (copy,), task.is_listing) for copy in task.copies]

    def _take(self, task: Task, examined: Examined, submit: Submit[Task, Examined]) -> Iterator[list[Judged]]:
        if not isinstance(task, CopiesTask):
            raise TypeError(f"nobody asked to look at {task}")
        if lost := examined.lost.get(self._place):
            self._lose(lost)
        if task.copies[0].key in self._dumps:
            self._judge_dump(task.copies[0], examined)
            return
        settled: list[Judged | None] = []
        doubtful: list[Kept] = []
        for copy in task.copies:
            kept = self._kept.pop(copy.key)
            seen = examined.copies.get((self._place, copy.key))
            witnesses = Witnesses(kept.datafile.checksum, copy.checksum, copy=seen or NOT_LOOKED)
            if seen is not None and _is_doubtful(witnesses):
                doubtful.append(kept)
            else:
                settled.append(judged_copy(kept, witnesses))
        yield [one for one in settled if one is not None]
        if doubtful and not self._is_over:
            yield from self._heard(doubtful, submit)

    def _judge_dump(self, dump: Copy, examined: Examined) -> None:
        """Its name is the witness: nothing is registered, and no other copy can tell."""
        seen = examined.copies.get((self._place, dump.key), NOT_LOOKED)
        verdict = Witnesses(None, dump.checksum, copy=seen).on_copy()
        if verdict is None or not self._is_still_locked():
            return
        if verdict is not Verdict.UNREACHABLE:  # of which nothing is known
            self._ledger.judge_dump(self._place, dump.key, verdict, datetime.now(UTC))
        if verdict is Verdict.INTACT:
            self._ended.intact_dumps += 1
        else:
            self._ended.bad_dumps.append((dump.key, verdict))
            log.error("a dump of the database is %s", verdict, extra=facts(destination=self._place, key=dump.key))

    def _heard(self, doubtful: Sequence[Kept], submit: Submit[Task, Examined]) -> Iterator[list[Judged]]:
        """What comes of each of *doubtful*, once all three witnesses were heard."""
        rows = self._rows([kept.datafile.id for kept in doubtful])
        if rows is not None:
            self._note_gone(doubtful, rows)
        hearings = {WitnessesTask.of(_still_there(kept, rows), [kept]): kept for kept in doubtful}
        for task, examined in self._answers(submit, hearings):
            yield self._judged(hearings[task], task, examined, is_known=rows is not None)

    def _note_gone(self, doubtful: Sequence[Kept], rows: Rows) -> None:
        gone = [kept.datafile.id for kept in doubtful if kept.datafile.id not in rows]
        there = ((kept.datafile, rows.get(kept.datafile.id)) for kept in doubtful)
        companions = [
            (one.id, one.tag) for one, row in there if isinstance(row, Datafile) and row.object_of(one.tag) is None
        ]
        if gone or companions:
            self._ledger.note(self._place, gone=gone, companions_gone=companions)

    def _judged(self, kept: Kept, task: WitnessesTask, examined: Examined, *, is_known: bool) -> list[Judged]:
        """The verdict on the copy, and that on the primary where something was lost there; nothing in doubt."""
        self._ended.lost_stores |= examined.lost_stores
        if lost := examined.lost.get(self._place):
            self._lose(lost)
            return []
        if is_known and task.datafile is not None and not self._is_unchanged(task.datafile):
            self._ended.undecided += 1
            return []
        datafile = task.datafile or kept.datafile
        witnesses = Witnesses(
            registered=datafile.checksum,
            recorded=kept.copy.checksum,
            primary=_primary_of(datafile, examined),
            copy=examined.copies[self._place, kept.copy.key],
        )
        judged = [judged_copy(replace(kept, datafile=datafile), witnesses, is_gone=is_known and task.datafile is None)]
        if is_known and witnesses.on_primary() in _LOST_PRIMARIES and not datafile.is_companion:
            judged.append(judged_primary(datafile, witnesses))
        return [one for one in judged if one is not None]


_LOST_PRIMARIES = (Verdict.PRIMARY_MISSING, Verdict.PRIMARY_ALTERED)
"""Verdicts on primaries that are recorded although it was the copies that were looked at."""


def _is_doubtful(witnesses: Witnesses) -> bool:
    """Whether the other witnesses must be heard: the copy is not what it was, or something else is registered now."""
    copy, registered, recorded = witnesses.copy, witnesses.registered, witnesses.recorded
    if copy.sight in (Sight.UNREADABLE, Sight.UNREACHABLE, Sight.NOT_LOOKED):
        return False
    if not copy.has(recorded):
        return True
    # A checksum of another algorithm was registered anew: whether it fits is for the next backup to see.
    is_comparable = registered is not None and recorded is not None and registered.algorithm is recorded.algorithm
    return is_comparable and registered != recorded


def _still_there(kept: Kept, rows: Rows | None) -> Datafile | None:
    """What Dataverse says of it now, or said last where it cannot be asked; None where it has nothing of it now."""
    row = kept.datafile if rows is None else rows.get(kept.datafile.id)
    return row.object_of(kept.datafile.tag) if isinstance(row, Datafile) else None


def _primary_of(datafile: Datafile, examined: Examined) -> Seen:
    lost = examined.lost_stores.get(datafile.store_id)
    if lost is not None:
        return Seen(Sight.UNREACHABLE, said=str(lost))
    return examined.primaries.get(datafile.place, NOT_LOOKED)
