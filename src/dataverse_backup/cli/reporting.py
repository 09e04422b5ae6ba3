"""`report`: a summary on the terminal, pages, lists or JSON; from the ledger alone, also when Dataverse is down."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from dataverse_backup.actions.report import IN_DANGER, gather
from dataverse_backup.cli.answers import tally_table
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.cli.records import (
    ATTEMPT_COLUMNS,
    LISTED_COLUMNS,
    attempt_object,
    listed_object,
    run_object,
    verdict_object,
)
from dataverse_backup.cli.report_object import report_object
from dataverse_backup.cli.terminal import out, plain, size_of
from dataverse_backup.errors import DataverseBackupError, Reason, printable
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.audits import name_of_place
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.rules import FAILED
from dataverse_backup.notify.text import drill_line, dump_line
from dataverse_backup.spreadsheet import cell
from dataverse_backup.verdict import ADVICE
from dataverse_backup.wording import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dataverse_backup.actions.report import Place, Report
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger, RunRecord
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.pages.folder import Publication

FEW_RUNS = 5
"""So many runs are named on the terminal."""
LENGTH_OF_RUN_ID = 24
FEW_FAILURES = 50
"""So many failed files of a run are named on the terminal."""


def report(settings: Settings, run: str | None, *, html: Path | None, lists: Path | None, as_json: bool) -> None:
    """Answer in every form that was asked for; on the terminal where none was. Raises ReportError."""
    with ledger_to_read(settings) as ledger:
        chosen = None if run is None else _known_run(ledger, run)
        if html is not None:
            write_folder(settings, ledger, html)
        if lists is not None:
            _write_lists(ledger, chosen, lists)
        if as_json:
            _print_json(settings, ledger, chosen)
        elif html is None and lists is None:
            _show(settings, ledger, chosen)
        else:
            _show_where(html, lists)


def write_folder(settings: Settings, ledger: Ledger, folder: Path) -> None:
    """Write the pages of the report into *folder*, which must exist. Raises ReportError and LedgerError."""
    from dataverse_backup.pages import write_pages  # noqa: PLC0415 -- templates are slow to load

    write_pages(gather(ledger, settings.destinations), ledger, folder)


def _show_where(html: Path | None, lists: Path | None) -> None:
    if html is not None:
        out.print(plain(f"the report begins with {html / 'index.html'}"))
    if lists is not None:
        out.print(plain(f"the lists are in {lists}"))


def _known_run(ledger: Ledger, run: str) -> RunRecord:
    found = ledger.run(run)
    if found is None:
        hint = "`dataverse-backup report` names the newest runs"
        raise DataverseBackupError(f"the ledger knows no run {printable(run)}", hint)
    return found


# JSON


def _print_json(settings: Settings, ledger: Ledger, run: RunRecord | None) -> None:
    if run is None:
        print(json.dumps(report_object(gather(ledger, settings.destinations)), indent=2))  # noqa: T201 -- the answer
        return
    for piece in _run_json(ledger, run):
        print(piece)  # noqa: T201 -- the answer


def _run_json(ledger: Ledger, run: RunRecord) -> Iterator[str]:
    """One object, piece by piece: a run may have a million attempts."""
    yield f'{{"run": {json.dumps(run_object(run))}, "attempts": ['
    separator = " "
    for attempt in ledger.attempts(run=run.id):
        yield separator + json.dumps(attempt_object(attempt))
        separator = ","
    yield '], "verdicts": ['
    separator = " "
    for verdict in ledger.verdicts(run=run.id):
        yield separator + json.dumps(verdict_object(verdict))
        separator = ","
    yield "]}"


# Lists


def _write_lists(ledger: Ledger, run: RunRecord | None, folder: Path) -> None:
    """``failed.csv`` and ``copied.csv`` of a run; or of all as it is now, and ``files.csv`` too."""
    from dataverse_backup.pages.folder import publication  # noqa: PLC0415 -- when used

    with publication(folder) as new:
        if run is not None:
            failed = (a for status in FAILED for a in ledger.attempts(run=run.id, status=status))
            _write_csv(new, "failed.csv", ATTEMPT_COLUMNS, map(attempt_object, failed))
            copied: Iterable[AttemptRecord] = ledger.attempts(run=run.id, status=Status.OK)
        else:
            failing = (listed for status in FAILED for listed in ledger.listed(status=status))
            _write_csv(new, "failed.csv", LISTED_COLUMNS, map(listed_object, failing))
            copied = _copied_last(ledger)
            _write_csv(new, "files.csv", LISTED_COLUMNS, map(listed_object, ledger.listed()))
        _write_csv(new, "copied.csv", ATTEMPT_COLUMNS, map(attempt_object, copied))


def _copied_last(ledger: Ledger) -> Iterator[AttemptRecord]:
    for destination in ledger.destinations():
        run = ledger.last_run(destination)
        if run is not None:
            yield from ledger.attempts(run=run.id, status=Status.OK)


def _write_csv(new: Publication, name: str, columns: tuple[str, ...], rows: Iterable[dict[str, object]]) -> None:
    """Rows with a hint for the reason of each; no cell is a formula."""
    with new.file(name) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow((*columns, "hint"))
        for row in rows:
            hint = HINTS[Reason(str(row["reason"]))] if row["reason"] else ""
            writer.writerow([cell(value) for value in (*(row[column] for column in columns), hint)])
        text.detach()


# The terminal


def _show(settings: Settings, ledger: Ledger, run: RunRecord | None) -> None:
    if run is None:
        _show_report(gather(ledger, settings.destinations))
    else:
        _show_run(ledger, run)


def _show_report(report: Report) -> None:
    if report.is_braked:
        out.print("The brake was pulled: the newest run stopped, because so much was wrong at once.")
        out.print("After somebody has looked: `dataverse-backup backup --release-brake`")
    out.print(_safety(report))
    if report.lost_primaries:
        out.print(f"{report.lost_primaries:,} files are missing or altered in Dataverse itself.")
    for place in report.places:
        out.print(tally_table(place.name, list(place.tallies)))
        for line in _place_lines(place):
            out.print(plain(f"  {line}"))
    for found in report.damage:
        said = f"{name_of_place(found.destination)}: {found.files:,} {found.verdict}, {size_of(found.size)}"
        out.print(plain(f"{said}, since {found.since:%Y-%m-%d %H:%M} UTC: {ADVICE[found.verdict]}"))
    if report.runs:
        out.print(_runs_table(report.runs[:FEW_RUNS]))


def _safety(report: Report) -> str:
    if report.is_safe:
        return "Every file is safe."
    lacking = sum(place.lacking for place in report.in_use)
    return f"{lacking:,} copies are missing or failing." if lacking else "No backup has run yet."


def _place_lines(place: Place) -> Iterator[str]:
    yield _last_success(place)
    if place.oldest_proof:
        yield f"every copy was proven since {place.oldest_proof:%Y-%m-%d %H:%M} UTC"
    if place.last_audit is not None:
        yield f"the last audit began {place.last_audit.started:%Y-%m-%d %H:%M} UTC: {place.last_audit.outcome}"
    for dump in dict.fromkeys((place.last_good_dump, place.last_dump)):
        if dump is not None:
            yield dump_line(dump)
    if place.last_drill is not None:
        yield drill_line(place.last_drill)
    for tally in place.tallies:
        if tally.status in IN_DANGER and tally.reason:
            yield f"{tally.reason}: {HINTS[tally.reason]}"


def _last_success(place: Place) -> str:
    if place.last_run is None:
        return "no run yet"
    if place.last_success is None or place.last_success.ended is None:
        return "no run was without a failure yet"
    return f"the last run without a failure ended {place.last_success.ended:%Y-%m-%d %H:%M} UTC"


def _runs_table(runs: Iterable[RunRecord]) -> Table:
    table = Table(title="newest runs", box=box.SIMPLE, title_justify="left")
    table.add_column("run", min_width=LENGTH_OF_RUN_ID)  # whole, as --run wants it
    table.add_column("verb")
    table.add_column("destination")
    table.add_column("outcome")
    for heading in ("ok", "failed", "sent", "duration"):
        table.add_column(heading, justify="right")
    for run in runs:
        ended = "" if run.ended is None else duration_of((run.ended - run.started).total_seconds())
        counts = f"{run.files_ok:,}", f"{run.files_failed:,}", size_of(run.bytes_sent), ended
        table.add_row(run.id, run.verb, printable(name_of_place(run.destination)), run.outcome or "not ended", *counts)
    return table


def _show_run(ledger: Ledger, run: RunRecord) -> None:
    out.print(_runs_table([run]))
    for one in islice(ledger.verdicts(run=run.id), FEW_FAILURES):
        place = name_of_place(one.destination)
        out.print(plain(printable(f"  {one.verdict}: datafile {one.datafile_id}, {place}, {one.key}: {one.message}")))
    reasons: Counter[str] = Counter()
    for status in FAILED:
        for attempt in ledger.attempts(run=run.id, status=status):
            reasons[attempt.reason or ""] += 1
            if reasons.total() <= FEW_FAILURES:
                out.print(plain(f"  {_failure(attempt)}"))
    if reasons.total() > FEW_FAILURES:
        out.print(plain(f"  … and {reasons.total() - FEW_FAILURES:,} more; --csv and --html name all"))
    for reason, hint in HINTS.items():
        if reason in reasons:
            out.print(plain(f"{reasons[reason]:,} {reason}: {hint}"))


def _failure(attempt: AttemptRecord) -> str:
    return printable(
        f"{attempt.status} {attempt.reason}: datafile {attempt.datafile_id}, {attempt.dataset}, {attempt.label}: "
        f"{attempt.message}"
    )
