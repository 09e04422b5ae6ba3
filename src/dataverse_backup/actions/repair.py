"""Make good what audits found: copies from intact primaries, and primaries, by explicit order, from intact copies."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Self

from dataverse_backup.actions.judging import Hearing
from dataverse_backup.actions.proofs import Proofs
from dataverse_backup.datafile import Datafile, fingerprint
from dataverse_backup.destinations.base import Staging
from dataverse_backup.errors import DataverseBackupError, LedgerError, SourceChanged, SourceError
from dataverse_backup.examine import Examiner, WitnessesTask
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger.audits import PRIMARY, Judged, name_of_place
from dataverse_backup.ledger.base import REPAIR_VERB
from dataverse_backup.logos import as_now
from dataverse_backup.stores.restorable import Restorable
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.engine import Stop
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.base import Kept, Ledger
    from dataverse_backup.stores.base import Store
    from dataverse_backup.stores.restorable import PutBack

DAMAGED_COPIES = (Verdict.COPY_MISSING, Verdict.COPY_ALTERED)
DAMAGED_PRIMARIES = (Verdict.PRIMARY_MISSING, Verdict.PRIMARY_ALTERED)
REPAIRABLE_COMPANIONS = (*DAMAGED_PRIMARIES, Verdict.NO_REFERENCE)
"""Of a companion without a registered checksum, a copy tells what it was while Dataverse said the same of it."""


def damaged_copies(
    ledger: Ledger, destinations: Iterable[str], *, dataset: str | None = None, only: Container[int] | None = None
) -> dict[str, set[int]]:
    """The datafiles whose copies audits found missing or altered, by destination; it is `backup` that repairs them."""
    found: dict[str, set[int]] = {}
    for destination in destinations:
        found[destination] = {
            line.datafile_id
            for verdict in DAMAGED_COPIES
            for line in ledger.listed(destination=destination, verdict=verdict, dataset=dataset)
            if line.verdict is verdict and (only is None or line.datafile_id in only)
        }
    return found


# Primaries


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done about one primary, now that all three witnesses were heard."""

    datafile: Datafile
    name: str
    """Its object in the store: where Dataverse looks for the registered bytes."""
    verdict: Verdict | None
    copy: Kept | None
    """Where the bytes come from; None where nothing is to be done, or nothing can be."""
    said: str = ""
    """Why not, or what else to know before it is done."""
    is_elsewhere: bool = False
    """Its bytes are in no store that is read: nothing is to be said of them here."""

    @property
    def checksum(self) -> Checksum | None:
        """What is written back has this one."""
        return self.datafile.checksum or (self.copy.copy.checksum if self.copy else None)


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of one proposal."""

    proposal: Proposal
    done: PutBack | None = None
    trouble: DataverseBackupError | None = None


class PrimariesRepair:
    """Proposes, and carries out what somebody has seen; a block, under the lock of those who look at the primaries."""

    def __init__(self, installation: Installation, sites: Sequence[Site]) -> None:
        """Write back into the installation's stores what lies at *sites*. Entering raises LockHeld."""
        self._installation, self._ledger = installation, installation.ledger
        self._sites = {site.name: site for site in sites}
        self._held = ExitStack()
        self._run = ""
        self._outcome = "ok"

    def __enter__(self) -> Self:
        self._held.enter_context(self._ledger.lock(name_of_place(PRIMARY)))
        self._run = self._ledger.begin_run(REPAIR_VERB, PRIMARY)
        staging = Staging(self._ledger.id, self._run)
        self._make = {name: partial(site.open_destination, staging) for name, site in self._sites.items()}
        self._examiner = Examiner(self._installation.stores, self._make, self._ledger.id)
        self._held.callback(self._examiner.close)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with suppress(LedgerError):
            self._ledger.end_run(self._run, "error" if kind is not None else self._outcome)
        self._held.close()

    def proposals(self, datafile_ids: Iterable[int], stop: Stop) -> Iterator[Proposal]:
        """What would be done about each of these. Raises CatalogueError."""
        for datafile_id in datafile_ids:
            if stop.is_set():
                return
            row = self._installation.catalogue.read([datafile_id]).get(datafile_id)
            if isinstance(row, Datafile):
                proofs = Proofs(self._ledger, self._sites, [row.id])
                if not row.is_dataset:
                    yield self._proposal(row, self._copies_of(row))
                yield from self._beside(row, proofs)

    def _beside(self, row: Datafile, proofs: Proofs) -> Iterator[Proposal]:
        """What would be done about the companions of a datafile, or the logos of a dataset."""
        for tag in proofs.logos_of(row) if row.is_dataset else [one.tag for one in row.companions]:
            one = as_now(row, tag, self._installation.stores)
            if not isinstance(one, Datafile):
                unasked = row.object_of(tag) or row
                yield Proposal(unasked, unasked.location, None, None, "its store cannot say whether it is there")
                continue
            copies = self._copies_of(one)
            if one.checksum is None:
                places = proofs.places_of(one)
                copies = [kept for kept in copies if kept.destination in places]
            proposal = self._proposal(one, copies)
            if copies or proposal.verdict in DAMAGED_PRIMARIES:  # what changed is for the next backup
                yield proposal

    def _copies_of(self, datafile: Datafile) -> list[Kept]:
        known = self._ledger.kept(destinations=sorted(self._sites), datafile_id=datafile.id)
        return [kept for kept in known if kept.datafile.tag == datafile.tag]

    def _proposal(self, datafile: Datafile, copies: Sequence[Kept]) -> Proposal:
        """After hearing it, its copies, and what is registered."""
        return _untouchable(datafile, self._installation.stores) or self._heard(datafile, copies)

    def _heard(self, datafile: Datafile, copies: Sequence[Kept]) -> Proposal:
        store = self._installation.stores.get(datafile.store_id)
        if store is None or not isinstance(store, Restorable):
            return Proposal(datafile, datafile.storageidentifier, None, None, "its store takes nothing back")
        try:
            name = store.names(datafile)[0]
        except SourceError as refused:
            return Proposal(datafile, datafile.storageidentifier, None, None, str(refused))
        examined = self._examiner.examine(WitnessesTask.of(datafile, copies))
        if lost := examined.lost_stores.get(datafile.store_id):
            return Proposal(datafile, name, None, None, str(lost))
        hearing = Hearing.of(datafile, copies, examined)
        verdict = hearing.witnesses.on_primary()
        if verdict not in (REPAIRABLE_COMPANIONS if datafile.is_companion else DAMAGED_PRIMARIES):
            return Proposal(datafile, name, verdict, None, hearing.primary.said)
        if (intact := hearing.intact_copy) is None:
            return Proposal(datafile, name, verdict, None, "no intact copy is known")
        return Proposal(datafile, name, verdict, intact, _why(datafile, verdict, intact))

    def carry_out(self, proposals: Iterable[Proposal], stop: Stop) -> Iterator[Mended]:
        """Write back, one after the other; what is in the ledger when it is yielded."""
        for proposal in proposals:
            if stop.is_set():
                self._outcome = "interrupted"
                return
            try:
                done = self._put_back(proposal)
            except DataverseBackupError as trouble:
                self._outcome = "failures"
                yield Mended(proposal, trouble=trouble)
            else:
                yield Mended(proposal, done)

    def _put_back(self, proposal: Proposal) -> PutBack:
        datafile, kept, checksum = proposal.datafile, proposal.copy, proposal.checksum
        store = self._installation.stores[datafile.store_id]
        if kept is None or checksum is None or not isinstance(store, Restorable):
            raise ValueError(f"nothing can be done about datafile {datafile.id}")
        row = self._installation.catalogue.read([datafile.id]).get(datafile.id)
        its = as_now(row, datafile.tag, self._installation.stores)
        if its is None or fingerprint(its) != fingerprint(datafile):
            raise SourceChanged(
                store.id, proposal.name, "what Dataverse says of it has changed meanwhile", "look again"
            )
        with self._make[kept.destination]() as destination:
            destination.connect()
            done = store.put_back(proposal.name, lambda: destination.open(kept.copy.key), checksum)
        aside = f"; what lay there is kept as {done.aside}" if done.aside else ""
        said = f"written back from the copy at {kept.destination}{aside}"
        now = datetime.now(UTC)
        judged = Judged(datafile, PRIMARY, done.name, Verdict.INTACT, said, VerifiedBy.READ_BACK, now, done.size)
        self._ledger.judge(self._run, [judged])
        return done


def _untouchable(datafile: Datafile, stores: Mapping[str, Store]) -> Proposal | None:
    """What is said of one whose bytes are in no store that is read."""
    store = stores.get(datafile.store_id)
    excluded = None if store is None else store.excludes(datafile)
    if excluded is None:
        return None
    return Proposal(datafile, datafile.storageidentifier, None, None, excluded[1], is_elsewhere=True)


def _why(datafile: Datafile, verdict: Verdict | None, intact: Kept) -> str:
    """What to know before a companion is written back of which nobody else tells what it is to be."""
    if datafile.is_logo and verdict is Verdict.PRIMARY_MISSING:
        return "nothing else tells whether somebody deleted it"
    if verdict is Verdict.NO_REFERENCE:
        return f"nothing is registered; it is not what it was when the copy was proven, {intact.copy.proven:%Y-%m-%d}"
    return ""
