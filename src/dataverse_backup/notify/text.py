"""A summary in words: the subject, the text of a mail, the few lines of a chat. No name in it can do any harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import printable
from dataverse_backup.ledger.audits import AUDIT_VERB, LISTING_VERB, name_of_place
from dataverse_backup.ledger.base import RECONCILE_VERB
from dataverse_backup.wording import duration_of, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dataverse_backup.ledger.audits import VerdictRecord
    from dataverse_backup.ledger.base import Listed
    from dataverse_backup.ledger.drills import DrillRecord
    from dataverse_backup.ledger.dumps import DumpRecord
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.notify.summary import Group, Result, Section, Summary

LONGEST_SUBJECT = 200
LONGEST_LINE = 1000
"""Characters of a line that a hostile name may fill."""
WHERE = {
    "failed.csv": "dataverse-backup list --csv --status FAIL_READ (and FAIL_WRITE)",
    "copied.csv": "dataverse-backup report --csv FOLDER",
}
"""How to get each list where it is not attached."""


def subject(summary: Summary) -> str:
    """One line, the outcome first."""
    return one_line(f"Dataverse {summary.verb} {outcome(summary)}: {_headline(summary)} ({summary.host})")[
        :LONGEST_SUBJECT
    ]


def outcome(summary: Summary) -> str:
    """How it came out, in capital letters."""
    if summary.is_well:
        return "STOPPED AT A LIMIT" if summary.is_limited else "OK"
    if summary.damaged:
        return "DAMAGE FOUND"
    if any(section.result.lost for section in summary.sections):
        return "LOSS FOUND"
    if summary.is_braked:
        return "STOPPED BY THE BRAKE"
    return "INTERRUPTED" if summary.is_interrupted else "FAILED"


def _headline(summary: Summary) -> str:
    if summary.trouble is not None:
        return str(summary.trouble)
    failed = sum(section.result.failed for section in summary.sections)
    proven = sum(section.result.proven for section in summary.sections)
    busy = [section.result.name for section in summary.sections if section.result.ending in ("busy", "lost")]
    could_not = f", {', '.join(busy)} could not be used" if busy else ""
    if summary.verb == AUDIT_VERB:
        dumps = f", {summary.damaged_dumps} of the database's dumps damaged" if summary.damaged_dumps else ""
        return f"{proven:,} files intact, {failed:,} not{dumps}{could_not}"
    if summary.verb == RECONCILE_VERB:
        return f"{proven:,} objects in their places, {failed:,} lost{could_not}"
    left = sum(section.result.left_files for section in summary.sections if section.result.limit)
    to_do = f", {left:,} left for the next run" if left else ""
    no_dump = ", the database was not dumped" if summary.lacks_dump else ""
    return f"{proven:,} files backed up, {failed:,} failed{no_dump}{to_do}{could_not}"


def one_line(text: str) -> str:
    """*text* in one line without control characters, as a line end would begin another header."""
    return printable(" ".join(text.split()))


def body(summary: Summary, *, is_attached: bool) -> str:
    """The whole story; *is_attached* says whether the lists of files go with it."""
    lines = [f"Dataverse {summary.verb} on {summary.host}: {outcome(summary)}", ""]
    if summary.trouble is not None:
        lines += [*_trouble(summary.trouble.message, summary.trouble.hint), ""]
    for section in summary.sections:
        lines += _section(section)
    if told := lists(summary, is_attached=is_attached):
        lines += [*told, ""]
    lines += ["What to do next:", *(f"- {line}" for line in advice(summary))]
    return "".join(f"{printable(line)[:LONGEST_LINE]}\n" for line in "\n".join(lines).split("\n"))


def brief(summary: Summary) -> str:
    """A few lines: what a chat or a dead-man service shows."""
    lines = [str(summary.trouble)] if summary.trouble is not None else []
    for section in summary.sections:
        lines.append(describe(section.result))
        lines += [f"  {counted(group)}" for group in section.groups]
        lines += [f"  {trouble.message}" for trouble in section.result.troubles]
    return "".join(f"{one_line(line)[:LONGEST_LINE]}\n" for line in lines)


def describe(result: Result) -> str:
    """One line about a run at one destination."""
    if result.run is None:
        return f"{result.name}: {result.ending}"
    if result.verb == AUDIT_VERB:
        return _describe_audit(result)
    if result.verb == RECONCILE_VERB:
        there = f"{result.proven:,} objects in their places, {result.failed:,} lost"
        return f"{result.name}: {result.ending}; {there}; listed in {duration_of(seconds_of(result))}"
    sent = f"{size_of(result.run.bytes_sent)} in {duration_of(seconds_of(result))}{rate(result)}"
    beside = f" and {result.companions:,} beside them" if result.companions else ""
    did = f"{result.proven:,} copied or proven{beside}, {result.failed:,} failed"
    return f"{result.destination}: {result.ending}; this run: {did}, {sent}{left(result)}"


def dump_line(record: DumpRecord) -> str:
    """One line about a dump of the Dataverse database, or about a try that brought none."""
    when = f"{record.taken:%Y-%m-%d %H:%M} UTC"
    if record.copy is None:
        return f"database: NOT dumped {when}: {one_line(record.message)}"
    parts = [f"database: dumped {when}, {size_of(record.copy.size)}, proven by {record.copy.verified_by}"]
    if record.verdict is not None:
        parts.append(f"{record.verdict} since")
    if record.kept is not None:
        parts.append(f"{record.kept:,} dump{'' if record.kept == 1 else 's'} there")
    return "; ".join([*parts, *([one_line(record.message)] if record.message else [])])


def drill_line(record: DrillRecord) -> str:
    """One line about a drill."""
    when = f"drill {record.started:%Y-%m-%d %H:%M} UTC: {record.outcome}"
    speed = f", {size_of(record.speed)}/s" if record.size else ""
    parts = [
        when,
        f"{files(record.files)}, {size_of(record.size)} restored and proven in {record.seconds:.1f} s{speed}",
        f"{record.failed:,} failed",
        f"dataset {one_line(record.dataset) or '(none was small enough)'}",
    ]
    if record.oldest_proof is not None and record.newest_proof is not None:
        oldest, newest = (_age(record, proof) for proof in (record.oldest_proof, record.newest_proof))
        parts.append(f"oldest proof {oldest} old, newest {newest}")
    return "; ".join([*parts, *([one_line(record.message)] if record.message else [])])


def _age(record: DrillRecord, proof: datetime) -> str:
    return duration_of(max(0.0, (record.started - proof).total_seconds()))


def _describe_audit(result: Result) -> str:
    """One line about an audit of one place."""
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in result.verdicts if count)
    read = f"{size_of(result.run.bytes_read)} read in {duration_of(seconds_of(result))}" if result.run else ""
    how = "only listed, which proves nothing" if result.run is not None and result.run.verb == LISTING_VERB else read
    said = f"{result.name}: {result.ending}; {counts or 'nothing was to be looked at'}; {how}"
    return "; ".join((said, *result.remarks))


def left(result: Result) -> str:
    """``; MaxBytes reached: … left``, where a limit stopped the run, or the brake."""
    if result.ending == "brake" and result.left_files:
        return f"; the brake was pulled: {files(result.left_files)}, {size_of(result.left_size)} not tried"
    if result.limit is None:
        return ""
    return f"; {result.limit} reached: {files(result.left_files)}, {size_of(result.left_size)} left for the next run"


def seconds_of(result: Result) -> float:
    """How long the run took."""
    if result.run is None or result.run.ended is None:
        return 0.0
    return (result.run.ended - result.run.started).total_seconds()


def rate(result: Result) -> str:
    """`` (so much/s)``, where there was enough to measure."""
    seconds = seconds_of(result)
    is_measured = result.run is not None and result.run.bytes_sent and seconds > 1
    return f" ({size_of(result.run.bytes_sent / seconds)}/s)" if result.run and is_measured else ""


def counted(group: Group) -> str:
    """How many files fail for which reason."""
    return f"{group.status} {group.reason or ''}: {files(group.files)}, {size_of(group.size)}"


def files(count: int) -> str:
    """A number of files."""
    return f"{count:,} file{'' if count == 1 else 's'}"


def _trouble(message: str, hint: str) -> list[str]:
    return [message, *([f"hint: {hint}"] if hint else [])]


def _section(section: Section) -> Iterator[str]:
    yield describe(section.result)
    if section.result.run is not None:
        yield f"  run {section.result.run.id}, began {section.result.run.started:%Y-%m-%d %H:%M:%S} UTC"
    if section.result.verb != AUDIT_VERB:  # an audit's are in the line above
        yield from (f"  {remark}" for remark in section.result.remarks)
    for trouble in section.result.troubles:
        yield from (f"  {line}" for line in _trouble(trouble.message, trouble.hint))
    for run in section.killed:
        yield f"  the run that began {run.started:%Y-%m-%d %H:%M:%S} UTC told nobody; what it did is told here"
    yield ""
    yield from _lost(section.result)
    yield from _findings(section)
    for tally in section.tallies:
        yield f"  {tally.status:<10} {tally.reason or '':<16} {tally.files:>10,} files  {size_of(tally.size):>12}"
    yield ""
    if section.groups:
        new = section.changes.began_to_fail
        yield f"Failing at {section.result.name}: {files(section.failing)}{f', {new:,} of them new' * bool(new)}"
        for group in section.groups:
            yield from _group(group)
    yield from _well_again(section)


def _findings(section: Section) -> Iterator[str]:
    """What an audit did not find intact."""
    if not section.findings:
        return
    yield f"Not intact: {files(section.result.failed)}"
    for one in section.findings:
        yield f"  - {one.verdict}: datafile {one.datafile_id}, {one_line(one.dataset)}, {one_line(name_of(one))}"
        yield f"    {name_of_place(one.destination)}: {one_line(one.key)}"
        yield f"    {one_line(one.message)}"
    if section.result.failed > len(section.findings):
        yield f"  … and {section.result.failed - len(section.findings):,} more"
    yield ""


def _lost(result: Result) -> Iterator[str]:
    """What a reconciliation did not find in its place."""
    if not result.lost:
        return
    yield f"Lost: {result.failed:,} objects"
    yield from (f"  - {one_line(line)}" for line in result.lost)
    if result.failed > len(result.lost):
        yield f"  … and {result.failed - len(result.lost):,} more"
    yield ""


def _group(group: Group) -> Iterator[str]:
    yield ""
    yield f"{counted(group)}"
    if group.hint:
        yield f"  what to do: {group.hint}"
    for listed in group.first:
        yield from _failure(listed)
    if group.files > len(group.first):
        yield f"  … and {group.files - len(group.first):,} more"
    yield ""


def _failure(listed: Listed) -> Iterator[str]:
    yield f"  - datafile {listed.datafile_id}, {one_line(listed.dataset)}, {one_line(name_of(listed))}"
    yield f"    {one_line(listed.key or listed.storageidentifier)}"
    if listed.message:
        yield f"    {one_line(listed.message)}"


def name_of(listed: Listed | AttemptRecord | VerdictRecord) -> str:
    """The file name with its folder, as Dataverse shows it."""
    return f"{listed.directory_label}/{listed.label}" if listed.directory_label else listed.label


def _well_again(section: Section) -> Iterator[str]:
    changes = section.changes
    if not changes.well_again:
        return
    yield f"Well again at {section.result.name}: {files(changes.well_again)} that failed before"
    for attempt in changes.first_well_again:
        yield f"  - datafile {attempt.datafile_id}, {one_line(attempt.dataset)}, {one_line(name_of(attempt))}"
    if changes.well_again > len(changes.first_well_again):
        yield f"  … and {changes.well_again - len(changes.first_well_again):,} more"
    yield ""


def lists(summary: Summary, *, is_attached: bool) -> list[str]:
    """Which lists of files are attached, and how to get the others."""
    left_out = [*summary.too_long, *(one.name for one in summary.lists if not is_attached)]
    return [
        *(f"Attached: {one.name}" for one in summary.lists if is_attached),
        *(f"{name} is not attached; its content: {WHERE[name]}" for name in left_out),
    ]


def advice(summary: Summary) -> list[str]:
    """What to do next, a sentence each."""
    if summary.trouble is not None:
        return ["not everything was done: look at the error above, then `dataverse-backup check`"]
    found = []
    if summary.is_braked:
        found.append("look at the files above and at their store, before anything else; every copy is as it was")
        found.append(
            "if all is as it must be: `dataverse-backup backup --release-brake`; otherwise mend it, and back up"
        )
    if summary.is_interrupted:
        found.append(f"start `dataverse-backup {summary.verb}` again: it goes on where this run was stopped")
    found += _advice_on_damage(summary)
    if any(section.result.troubles for section in summary.sections):
        found.append("`dataverse-backup check` tries out everything that a backup needs")
    if any(section.failing for section in summary.sections):
        found.append("`dataverse-backup explain DATAFILE_ID` tells the whole life of one file")
        found.append("every run tries again what failed")
    if summary.is_well and summary.is_limited:
        return ["nothing: the next run goes on where the limit stopped this one"]
    if summary.is_well:
        return [_NOTHING_TO_DO.get(summary.verb, "nothing: every file that can be copied has a proven copy")]
    return found or ["the log of the run says what happened"]


_NOTHING_TO_DO = {
    AUDIT_VERB: "nothing: everything that was looked at is what it was",
    RECONCILE_VERB: "nothing: everything that is known lies where it should; what is dark is for a person to look at",
}
"""What there is to do when all is well, by verb."""


def _advice_on_damage(summary: Summary) -> Iterator[str]:
    if any(section.result.lost for section in summary.sections):
        yield "a copy that is lost: `audit --all` judges it, and the next backup makes it again"
        yield "a file that is lost in Dataverse itself: `repair --stores`, when a person has looked"
    if summary.damaged_dumps:
        yield "the next backup makes another dump; `restore --database-dump --dry-run` lists those that there are"
    if summary.damaged > summary.damaged_dumps:
        yield "`dataverse-backup repair` makes damaged copies again from intact files; the next backup does, too"
        yield "a file that is missing or altered in Dataverse itself: `repair --stores`, when a person has looked"
