"""An audit of the primaries: Dataverse's own bytes, in all of its stores."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from dataverse_backup.actions.audit_run import PlaceAudit
from dataverse_backup.actions.judging import Hearing, judged_primary
from dataverse_backup.actions.proofs import Proofs, datasets_with_logos, left_behind
from dataverse_backup.actions.repair import DAMAGED_PRIMARIES, REPAIRABLE_COMPANIONS
from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import LOGO, Datafile, fingerprint
from dataverse_backup.errors import StoreLost
from dataverse_backup.examine import PrimariesTask, WitnessesTask
from dataverse_backup.fixity import OWN_ALGORITHM
from dataverse_backup.ledger.audits import PRIMARY, Amount
from dataverse_backup.logos import LogoAnswers, as_now
from dataverse_backup.verdict import NOT_LOOKED, Verdict, Witnesses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.actions.audit_events import AuditRequest
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.engine import Stop, Submit
    from dataverse_backup.examine import Examined, Task
    from dataverse_backup.fixity import Algorithm, Checksum
    from dataverse_backup.ledger.audits import Choice, Judged
    from dataverse_backup.ledger.base import Kept

_TOGETHER = 500
"""Rows that are noted, and read again, at a time."""
_CONCLUSIVE = (Verdict.INTACT, Verdict.UNREADABLE, Verdict.UNREACHABLE)
"""Verdicts for which no copy has to be heard."""


class PrimariesAudit(PlaceAudit):
    """Primaries are read and compared with what is registered; where one differs, all three witnesses are heard."""

    def __init__(self, installation: Installation, sites: Sequence[Site], request: AuditRequest, stop: Stop) -> None:
        """Look at the primaries; *sites* have the copies that are heard as witnesses."""
        super().__init__(installation, PRIMARY, sites, request, stop)
        self._stores = installation.stores
        self._logos_now = LogoAnswers(installation.stores)
        self._dataset: list[int] = []
        """Datafiles of the dataset that was asked for, and itself where it has a logo."""

    def _reach(self) -> None:
        """Find out what there is and in which stores it can be read."""
        with_logos = datasets_with_logos(self._ledger, self._sites, self._request.dataset)
        self._has_more = bool(with_logos)
        if self._request.dataset is not None:
            self._dataset = [*self._installation.catalogue.named(self._request.dataset), *with_logos]
            return
        for few in chunks(with_logos, _TOGETHER):
            datasets = self._installation.catalogue.read(few).values()
            here = [row for row in datasets if isinstance(row, Datafile) and self._is_readable(row)]
            self._ledger.note_primaries([row.logo(LOGO) for row in here])
        self._ledger.forget_primaries([], left_behind(self._ledger, self._sites, self._installation.catalogue))
        unknown: Counter[str] = Counter()
        seen: set[str] = set()
        with closing(self._installation.catalogue.rows()) as rows:
            while some := list(islice(rows, _TOGETHER * 10)):
                known = [row for row in some if isinstance(row, Datafile)]
                unknown.update(row.store_id for row in known if row.store_id not in self._stores)
                seen |= {row.store_id for row in known}
                self._ledger.note_primaries([row for row in known if self._is_readable(row)])
        self._ended.unknown_stores |= unknown
        for store_id in sorted(seen & self._stores.keys()):
            try:
                self._stores[store_id].probe()
            except StoreLost as lost:
                self._ended.lost_stores[store_id] = lost

    def _is_readable(self, datafile: Datafile) -> bool:
        """Whether its bytes are in a store that is read."""
        store = self._stores.get(datafile.store_id)
        return store is not None and store.excludes(datafile) is None

    def _amount(self, choice: Choice) -> Amount:
        if self._request.dataset is None:
            return self._ledger.amount_of_primaries(choice)
        rows = self._installation.catalogue.read(self._dataset).values()
        sizes = [row.size or 0 for row in rows if isinstance(row, Datafile) and not row.is_dataset]
        return Amount(len(sizes), sum(sizes), None)

    def _tasks(self) -> Iterator[Task]:
        ids = iter(self._dataset) if self._request.dataset else self._ledger.primaries_to_audit(self._choice)
        for batch in self._batches(self._datafiles(ids), lambda datafile: datafile.size or 0):
            yield PrimariesTask(tuple((datafile, (self._algorithm_for(datafile),)) for datafile in batch))

    def _datafiles(self, ids: Iterable[int]) -> Iterator[Datafile]:
        """Those of *ids* that Dataverse still has, in a store that is read and not lost; others are forgotten.

        Each with those of its companions that can be held to something.
        """
        remaining = iter(ids)
        while some := list(islice(remaining, _TOGETHER)):
            rows = self._installation.catalogue.read(some)
            here = [row for row in map(rows.get, some) if isinstance(row, Datafile) and self._is_readable(row)]
            self._ledger.forget_primaries(sorted(set(some) - {row.id for row in here}))
            here = [row for row in here if row.store_id not in self._ended.lost_stores]
            proofs = Proofs(self._ledger, self._sites, [row.id for row in here if row.companions or row.is_dataset])
            without = [row.id for row in here if row.is_dataset and not proofs.logos_of(row)]
            self._ledger.forget_primaries(without)
            for row in here:
                if row.is_dataset:
                    yield from self._logos(row, proofs)
                    continue
                yield row
                for one in row.companions:
                    if one.checksum is not None or proofs.places_of(one):
                        yield one

    def _logos(self, dataset: Datafile, proofs: Proofs) -> Iterator[Datafile]:
        """Those of *dataset* that a copy can speak for; where its store cannot be asked, those that it should have."""
        for tag in proofs.logos_of(dataset):
            now = self._logos_now.now(dataset, tag)
            if now is None or proofs.places_of(now):  # why it cannot be asked, a worker finds out
                yield now or dataset.logo(tag)

    def _algorithm_for(self, datafile: Datafile) -> Algorithm:
        reference = datafile.checksum or self._recorded(self._copies_of(datafile))
        return reference.algorithm if reference else OWN_ALGORITHM

    def _copies_of(self, datafile: Datafile) -> list[Kept]:
        known = self._ledger.kept(destinations=sorted(self._sites), datafile_id=datafile.id)
        return [kept for kept in known if kept.datafile.tag == datafile.tag]

    def _recorded(self, copies: Sequence[Kept]) -> Checksum | None:
        return copies[0].copy.checksum if copies else None

    def _parts(self, task: Task) -> list[Task]:
        if not isinstance(task, PrimariesTask) or len(task.primaries) < 2:  # noqa: PLR2004 -- alone
            return []
        return [PrimariesTask((one,)) for one in task.primaries]

    def _take(self, task: Task, examined: Examined, submit: Submit[Task, Examined]) -> Iterator[list[Judged]]:
        if not isinstance(task, PrimariesTask):
            raise TypeError(f"nobody asked to look at {task}")
        self._ended.lost_stores |= examined.lost_stores
        settled: list[Judged | None] = []
        doubtful: list[Datafile] = []
        for datafile, _ in task.primaries:
            seen = examined.primaries.get(datafile.place, NOT_LOOKED)
            recorded = None if datafile.checksum else self._recorded(self._copies_of(datafile))
            witnesses = Witnesses(datafile.checksum, recorded, primary=seen)
            if witnesses.on_primary() in (*_CONCLUSIVE, None):
                settled.append(judged_primary(datafile, witnesses))
            else:
                doubtful.append(datafile)
        yield [one for one in settled if one is not None]
        if doubtful:
            yield from self._heard(doubtful, submit)

    def _heard(self, doubtful: Sequence[Datafile], submit: Submit[Task, Examined]) -> Iterator[list[Judged]]:
        """What comes of each of *doubtful*, once all three witnesses were heard."""
        ids = sorted({datafile.id for datafile in doubtful})
        rows = self._rows(ids)
        if rows is None:  # no verdict on a primary whose row cannot be read again
            self._ended.undecided += len(doubtful)
            return
        here = {row.id: row for row in rows.values() if isinstance(row, Datafile)}
        self._ledger.forget_primaries(sorted(set(ids) - here.keys()))
        there = (one if one.is_logo else here[one.id].object_of(one.tag) for one in doubtful if one.id in here)
        known = [(one, self._copies_of(one)) for one in there if one is not None]
        hearings = {WitnessesTask.of(row, copies): copies for row, copies in known}
        for task, examined in self._answers(submit, hearings):
            yield self._judged(task, hearings[task], examined)

    def _is_unchanged(self, datafile: Datafile) -> bool:
        """Of a logo, whether its store still has the same one."""
        if not datafile.is_logo:
            return super()._is_unchanged(datafile)
        rows = self._rows([datafile.id]) or {}
        its = as_now(rows.get(datafile.id), datafile.tag, self._stores)
        return its is not None and fingerprint(its) == fingerprint(datafile)

    def _judged(self, task: WitnessesTask, copies: Sequence[Kept], examined: Examined) -> list[Judged]:
        datafile = task.datafile
        self._ended.lost_stores |= examined.lost_stores
        if datafile is None or datafile.store_id in examined.lost_stores:
            return []
        if not self._is_unchanged(datafile):
            self._ended.undecided += 1
            return []
        hearing = Hearing.of(datafile, copies, examined)
        judged = judged_primary(datafile, hearing.witnesses, _advice(hearing))
        return [] if judged is None else [judged]


_DELETED = "nothing else tells whether somebody deleted it: then the next backup notes that it is gone; "


def _advice(hearing: Hearing) -> str:
    """What can be done about a primary that is missing or altered, or of a companion is not what was proven."""
    file, verdict = hearing.datafile, hearing.witnesses.on_primary()
    if verdict not in REPAIRABLE_COMPANIONS if file.is_companion else verdict not in DAMAGED_PRIMARIES:
        return ""
    if (intact := hearing.intact_copy) is None:
        return "no intact copy is known"
    unless = _DELETED if file.is_logo and verdict is Verdict.PRIMARY_MISSING else ""
    order = f"`dataverse-backup repair --stores --file {file.id}`"
    return f"{unless}the copy at {intact.destination} is intact: {order} writes it back"
