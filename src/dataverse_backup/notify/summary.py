"""What there is to tell of a run: gathered from its results and from the ledger, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING

from dataverse_backup.errors import DumpError
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.audits import AUDIT_VERB, name_of_place
from dataverse_backup.ledger.base import BACKUP_VERB, RECONCILE_VERB, Status
from dataverse_backup.notify.lists import (
    COPIED_COLUMNS,
    COPIED_LIST,
    FAILED,
    FAILED_LIST,
    MOST_ATTACHED,
    copied_row,
    failed_list,
    fitting,
)
from dataverse_backup.spreadsheet import BoundedList
from dataverse_backup.verdict import DAMAGE, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.errors import DataverseBackupError, Reason
    from dataverse_backup.ledger.audits import VerdictRecord
    from dataverse_backup.ledger.base import Ledger, Listed, RunRecord, Tally
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.notify.base import Attachment

MOST_NAMED = 50
"""So many files of one reason are named in a text."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run at one destination came out."""

    destination: str
    ending: str
    """One word, as the ledger's ``outcome``; ``busy`` where it did not begin."""
    is_well: bool
    run: RunRecord | None
    proven: int
    """Datafiles that the run copied or proved."""
    failed: int
    """Of an audit, those that are not intact."""
    troubles: tuple[DataverseBackupError, ...] = ()
    """What went wrong with a whole destination or store."""
    limit: str | None = None
    """``MaxDuration`` or ``MaxBytes``, where that stopped it before everything was done."""
    left_files: int = 0
    """What it had planned and did not come to."""
    left_size: int = 0
    verb: str = BACKUP_VERB
    verdicts: tuple[tuple[Verdict, int], ...] = ()
    """How many there were of each, of an audit."""
    damaged_dumps: int = 0
    """Dumps of the database that an audit found missing or altered."""
    remarks: tuple[str, ...] = ()
    """What else is worth knowing of it, a sentence each."""
    lost: tuple[str, ...] = ()
    """The first objects that a reconciliation found lost, in words."""
    companions: int = 0
    """Companions that a run copied or proved; ``failed`` counts those that failed."""

    @property
    def name(self) -> str:
        """The place that it was about, as people read it."""
        return name_of_place(self.destination)

    @property
    def damaged(self) -> int:
        """How many files and dumps an audit found missing or altered."""
        return sum(count for verdict, count in self.verdicts if verdict in DAMAGE) + self.damaged_dumps


@dataclass(frozen=True, slots=True)
class Group:
    """The datafiles that fail for one reason."""

    status: Status
    reason: Reason | None
    files: int
    size: int
    first: tuple[Listed, ...]
    """The first MOST_NAMED of them."""

    @property
    def hint(self) -> str:
        """What to do about them."""
        return HINTS[self.reason] if self.reason else ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is other than before the run."""

    is_other_outcome: bool
    began_to_fail: int
    well_again: int
    first_well_again: tuple[AttemptRecord, ...]

    def __bool__(self) -> bool:
        return self.is_other_outcome or bool(self.began_to_fail or self.well_again)


@dataclass(frozen=True, slots=True)
class Section:
    """What there is to tell of one destination."""

    result: Result
    tallies: tuple[Tally, ...]
    groups: tuple[Group, ...]
    changes: Changes
    killed: tuple[RunRecord, ...]
    """Runs just before this one, killed or ended by an error, that told nobody of their files; they are told now."""
    findings: tuple[VerdictRecord, ...] = ()
    """The first MOST_NAMED files that an audit did not find intact."""

    @property
    def failing(self) -> int:
        """How many datafiles fail now, whichever run found it."""
        return sum(group.files for group in self.groups)


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is told of one invocation."""

    host: str
    sections: tuple[Section, ...]
    trouble: DataverseBackupError | None = None
    """Why there was no run at all, or none to the end."""
    is_interrupted: bool = False
    lists: tuple[Attachment, ...] = ()
    too_long: tuple[str, ...] = ()
    """The names of lists that are not attached because there would be too much."""

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to do anything."""
        return self.trouble is None and all(section.result.is_well for section in self.sections)

    @property
    def verb(self) -> str:
        """What was done."""
        return self.sections[0].result.verb if self.sections else BACKUP_VERB

    @property
    def damaged(self) -> int:
        """How many files an audit found missing or altered."""
        return sum(section.result.damaged for section in self.sections)

    @property
    def is_braked(self) -> bool:
        """Whether so much was wrong at once that the run stopped."""
        return any(section.result.ending == "brake" for section in self.sections)

    @property
    def damaged_dumps(self) -> int:
        """How many dumps of the database an audit found missing or altered."""
        return sum(section.result.damaged_dumps for section in self.sections)

    @property
    def lacks_dump(self) -> bool:
        """Whether a dump of the database was due somewhere and did not come."""
        return any(isinstance(trouble, DumpError) for section in self.sections for trouble in section.result.troubles)

    @property
    def is_limited(self) -> bool:
        """Whether more would have been done, had there been no limit."""
        return any(section.result.limit for section in self.sections)

    @property
    def has_changed(self) -> bool:
        """Whether the outcome or what fails is other than at the run before."""
        return self.trouble is not None or any(section.changes for section in self.sections)


def gather(ledger: Ledger, results: Sequence[Result], host: str, *, most_attached: int = MOST_ATTACHED) -> Summary:
    """What there is to tell of *results*. Raises LedgerError."""
    copied = BoundedList(COPIED_COLUMNS, most_attached)
    sections = tuple(_section(ledger, result, copied) for result in results)
    failed = failed_list(ledger, [result.destination for result in results], most_attached)
    lists, too_long = fitting({FAILED_LIST: failed, COPIED_LIST: copied}, most_attached)
    is_interrupted = any(result.ending == "interrupted" for result in results)
    return Summary(host, sections, is_interrupted=is_interrupted, lists=lists, too_long=too_long)


def without_ledger(results: Sequence[Result], host: str) -> Summary:
    """What there is to tell of *results* when the ledger does not answer."""
    unknown = Changes(is_other_outcome=True, began_to_fail=0, well_again=0, first_well_again=())
    return Summary(host, tuple(Section(result, (), (), unknown, ()) for result in results))


def _section(ledger: Ledger, result: Result, copied: BoundedList) -> Section:
    tallies = tuple(ledger.tallies_of_all(result.destination))
    groups = (_group(ledger, result.destination, tally) for tally in tallies if tally.status in FAILED)
    killed, before = _runs_before(ledger, result)
    runs = [*reversed(killed), *([result.run] if result.run else [])]
    attempts = chain.from_iterable(ledger.attempts(run=run.id) for run in runs)
    is_other = before is None or before.outcome != result.ending
    if result.run is not None and result.verb in (AUDIT_VERB, RECONCILE_VERB):  # these try nothing: what they found
        is_other |= before is None or before.files_failed != result.run.files_failed
    changes = _changes(attempts, copied, is_other_outcome=is_other)
    in_order = tuple(sorted(groups, key=lambda group: -group.files))
    return Section(result, tallies, in_order, changes, tuple(killed), _findings(ledger, result))


def _findings(ledger: Ledger, result: Result) -> tuple[VerdictRecord, ...]:
    if result.run is None or not result.failed:
        return ()
    bad = (one for one in ledger.verdicts(run=result.run.id) if one.verdict is not Verdict.INTACT)
    return tuple(islice(bad, MOST_NAMED))


def _group(ledger: Ledger, destination: str, tally: Tally) -> Group:
    listed = ledger.listed(destination=destination, status=tally.status, reason=tally.reason)
    first = islice((one for one in listed if one.reason is tally.reason), MOST_NAMED)
    return Group(tally.status, tally.reason, tally.files, tally.size, tuple(first))


def _runs_before(ledger: Ledger, result: Result) -> tuple[list[RunRecord], RunRecord | None]:
    """The runs before it that told nobody of their files, newest first; and the last one that ended."""
    if result.run is None:
        return [], None
    killed = list(takewhile(_told_nobody, _former(ledger, result.run)))
    return killed, next((run for run in _former(ledger, result.run) if run.ended is not None), None)


def _told_nobody(run: RunRecord) -> bool:
    return run.ended is None or run.outcome == "error"


def _former(ledger: Ledger, this: RunRecord) -> Iterator[RunRecord]:
    runs = ledger.runs(this.destination)
    return (run for run in runs if run.id != this.id and run.verb == this.verb and run.started <= this.started)


def _changes(attempts: Iterable[AttemptRecord], copied: BoundedList, *, is_other_outcome: bool) -> Changes:
    """One pass over everything that was tried; what was proven goes to *copied*."""
    began_to_fail = well_again = 0
    first: list[AttemptRecord] = []
    for attempt in attempts:
        was_failing = attempt.before in FAILED
        if attempt.status is Status.OK:
            copied.add(copied_row(attempt))
            well_again += was_failing
            if was_failing and len(first) < MOST_NAMED:
                first.append(attempt)
        elif attempt.status in FAILED:
            began_to_fail += not was_failing
    return Changes(is_other_outcome, began_to_fail, well_again, tuple(first))
