"""`status` and `list`: questions that the ledger answers, also while a backup runs and when Dataverse is gone."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from dataverse_backup.actions.events import Ending
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.cli.records import LISTED_COLUMNS, drill_object, dump_object, listed_object, run_object
from dataverse_backup.cli.terminal import out, plain, size_of
from dataverse_backup.datafile import LOGOS, MAIN
from dataverse_backup.errors import printable
from dataverse_backup.ledger.base import Status
from dataverse_backup.notify.text import drill_line, dump_line
from dataverse_backup.spreadsheet import cell
from dataverse_backup.wording import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.text import Text

    from dataverse_backup.config import Settings
    from dataverse_backup.errors import Reason
    from dataverse_backup.ledger.base import Ledger, Listed, Tally
    from dataverse_backup.ledger.dumps import DumpRecord
    from dataverse_backup.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files `list` shows; None is any."""

    destination: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    dataset: str | None = None
    verdict: Verdict | None = None


def status(settings: Settings, *, as_json: bool) -> None:
    """Where the files stand, per destination."""
    with ledger_to_read(settings) as ledger:
        names = sorted({*settings.destinations, *ledger.destinations()})
        tallies = {name: ledger.tallies(name) for name in names}
        if as_json:
            print(json.dumps(_status_object(ledger, tallies), indent=2))  # noqa: T201 -- the command's answer
        else:
            _show_status(ledger, tallies)


def _status_object(ledger: Ledger, tallies: Mapping[str, list[Tally]]) -> dict[str, object]:
    return {
        "destinations": {name: _destination_object(ledger, name, rows) for name, rows in tallies.items()},
        "catalogue": {"datafiles": max((_in_catalogue(rows) for rows in tallies.values()), default=0)},
        "last_run": run_object(ledger.last_run()),
    }


def _destination_object(ledger: Ledger, name: str, rows: list[Tally]) -> dict[str, object]:
    files, reasons = Counter[Status](), Counter[str]()
    for tally in rows:
        files[tally.status] += tally.files
        if tally.reason is not None:
            reasons[tally.reason] += tally.files
    return {
        **{member.value: files[member] for member in Status},
        "companions": _companions_object(ledger.tallies(name, companions=True)),
        "bytes": sum(tally.size for tally in rows if tally.status is Status.OK),
        "reasons": dict(sorted(reasons.items())),
        "last_run": run_object(ledger.last_run(name)),
        "oldest_failure": iso(ledger.oldest_failure(name)),
        "last_dump": dump_object(ledger.last_dump(name)),
        "last_good_dump": dump_object(ledger.last_good_dump(name)),
        "last_drill": drill_object(ledger.last_drill(name)),
    }


def _companions_object(tallies: list[Tally]) -> dict[str, int]:
    files = Counter[Status]()
    for tally in tallies:
        files[tally.status] += tally.files
    return {member.value: files[member] for member in Status if member is not Status.NOT_HERE}


def _in_catalogue(rows: list[Tally]) -> int:
    return sum(tally.files for tally in rows if tally.status is not Status.GONE)


def _show_status(ledger: Ledger, tallies: Mapping[str, list[Tally]]) -> None:
    for name, rows in tallies.items():
        out.print(tally_table(name, rows, ledger.tallies(name, companions=True)))
        run = ledger.last_run(name)
        said = "no run yet" if run is None else f"last run {iso(run.started)}: {run.outcome or 'not ended'}"
        failing = ledger.oldest_failure(name)
        out.print(plain(said + (f", oldest failure since {iso(failing)}" if failing else "")))
        for line in run.message.splitlines() if run is not None else ():
            out.print(plain(f"  {printable(line)}"))
        if run is not None and run.outcome == Ending.BRAKE:
            out.print("  after somebody has looked: `dataverse-backup backup --release-brake`")
        for dump in _dumps_to_tell(ledger, name):
            out.print(plain(dump_line(dump)))
        if (drill := ledger.last_drill(name)) is not None:
            out.print(plain(drill_line(drill)))
    if (takeover := ledger.takeover()) is not None:
        out.print(
            plain(
                f"original script's table: {takeover.rows} rows, {takeover.matched} matched, "
                f"{takeover.ambiguous} ambiguous, {takeover.unmatched} unmatched"
            )
        )


def _dumps_to_tell(ledger: Ledger, name: str) -> list[DumpRecord]:
    """The last try to dump the database, and before that the last one that brought a dump, if that is another."""
    found = (ledger.last_good_dump(name), ledger.last_dump(name))
    return list(dict.fromkeys(dump for dump in found if dump is not None))


def tally_table(name: str, rows: list[Tally], companions: Sequence[Tally] = ()) -> Table | Text:
    """Files and bytes of a destination, by status and reason; below them what lies beside the files."""
    title = f"destination {printable(name)}"
    if not rows and not companions:
        return plain(title)
    table = Table("status", "reason", title=title, box=box.SIMPLE, title_justify="left")
    table.add_column("files", justify="right")
    table.add_column("bytes", justify="right")
    _add_tallies(table, rows, "")
    if companions:
        table.add_section()
        _add_tallies(table, companions, "beside them, ")
    return table


def _add_tallies(table: Table, rows: Sequence[Tally], prefix: str) -> None:
    order = list(Status)
    for tally in sorted(rows, key=lambda tally: (order.index(tally.status), tally.reason or "")):
        style = {"OK": "green", "FAIL_READ": "red", "FAIL_WRITE": "red"}.get(tally.status, "")
        word = f"{prefix}{tally.status}"
        table.add_row(word, tally.reason or "", f"{tally.files:,}", size_of(tally.size), style=style)


def list_files(settings: Settings, chosen: Selection, *, as_json: bool, as_csv: bool) -> None:
    """The files that fit, one a line."""
    writer = csv.writer(sys.stdout)
    if as_csv:
        writer.writerow(LISTED_COLUMNS)
    with ledger_to_read(settings) as ledger:
        for listed in ledger.listed(
            destination=chosen.destination,
            status=chosen.status,
            reason=chosen.reason,
            dataset=chosen.dataset,
            verdict=chosen.verdict,
        ):
            fields = listed_object(listed)
            if as_json:
                print(json.dumps(fields))  # noqa: T201 -- the command's answer
            elif as_csv:
                writer.writerow([cell(fields[column]) for column in LISTED_COLUMNS])
            else:
                print(_line(listed))  # noqa: T201 -- the command's answer


def _line(listed: Listed) -> str:
    word = f"{listed.status}{f' ({listed.reason})' if listed.reason else ''}"
    where = listed.key or listed.storageidentifier
    said = f"  {listed.message}" if listed.message else ""
    verdicts = ", ".join(verdict for verdict in (listed.verdict, listed.primary_verdict) if verdict)
    word += f" [{verdicts}]" if verdicts else ""
    which = f"{listed.datafile_id}" if listed.tag == MAIN else f"{listed.datafile_id} {listed.tag}"
    return printable(f"{which}  {listed.destination}  {word}  {listed.dataset}  {where}{said}")


def which(number: int, tag: str) -> str:
    """Which object people read of: a datafile, something beside one, or the logo of a dataset."""
    if tag in LOGOS:
        return f"dataset {number} {tag}"
    return f"datafile {number}" if tag == MAIN else f"datafile {number} {tag}"
