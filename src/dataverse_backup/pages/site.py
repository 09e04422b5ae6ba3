"""The pages themselves: which there are, and what is told to their templates."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from importlib import resources
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from dataverse_backup import __version__
from dataverse_backup.actions.report import IN_DANGER
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.base import BACKUP_VERB, Status
from dataverse_backup.pages.charts import charts
from dataverse_backup.pages.data import write_rows
from dataverse_backup.pages.folder import publication
from dataverse_backup.pages.templating import BEGINNING, render
from dataverse_backup.verdict import ADVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.actions.report import Place, Report
    from dataverse_backup.errors import Reason
    from dataverse_backup.ledger.base import Ledger, Listed, RunRecord
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.pages.folder import Publication

MOST_ROWS = 150_000
"""So many files, or attempts of a run, are in a table that a browser holds; those with problems come first."""
MOST_FINDINGS = 1_000
"""So many files that an audit did not find intact are on its page."""
MOST_PAGES = 200
"""So many of the newest runs have a page each."""
_SHOWN = (".js", ".css", ".svg", ".txt")
"""What a report needs of the assets: scripts, their licences, and how pages look."""
PROBLEMS_FIRST = (*IN_DANGER, Status.NOT_HERE, Status.OK, Status.GONE)

MEANINGS = {
    Status.OK: "a copy is there and was proven",
    Status.FAIL_READ: "it could not be read from its store, or is not what Dataverse registered",
    Status.FAIL_WRITE: "its copy could not be written or not be proven",
    Status.PENDING: "it has not been copied yet",
    Status.NOT_HERE: "its bytes are in no store that can be backed up",
    Status.GONE: "it is no longer in Dataverse; its copy is kept",
}
"""What each status means."""


def write_pages(report: Report, ledger: Ledger, folder: Path) -> None:
    """Write *report*, a table of all files and a page for each run into *folder*, which must exist.

    What was there before is whole until everything new is. Raises ReportError and LedgerError.
    """
    with publication(folder) as new:
        new.replace("data/*")
        new.replace("runs/*")
        _write_assets(new)
        _write_files(new, report, ledger)
        paged = [run for run in report.runs[:MOST_PAGES] if _write_run(new, ledger, run)]
        page = render(
            "index.html",
            report=report,
            charts=charts(report),
            problems=_problems(report),
            paged={run.id for run in paged},
            meanings=MEANINGS,
            advice=ADVICE,
        )
        new.write("index.html", page)


def _write_assets(new: Publication) -> None:
    folder = resources.files("dataverse_backup.pages") / "assets"
    for asset in chain(folder.iterdir(), (folder / "vendored").iterdir()):
        if asset.name.endswith(_SHOWN):
            new.write(f"assets/{asset.name}", asset.read_bytes())


def _problems(report: Report) -> list[tuple[Place, Status, Reason | None, int, int, str]]:
    """What is not safe and why: most files first."""
    found = [
        (place, tally.status, tally.reason, tally.files, tally.size, HINTS[tally.reason] if tally.reason else "")
        for place in report.in_use
        for tally in place.tallies
        if tally.status in IN_DANGER
    ]
    return sorted(found, key=lambda problem: -problem[3])


# The table of files


def _write_files(new: Publication, report: Report, ledger: Ledger) -> None:
    total = sum(place.files(*Status) for place in report.places)
    rows = (_file_row(listed) for listed in islice(_problems_first(report, ledger), MOST_ROWS))
    data = write_rows(new, "data/files", rows)
    new.write("files.html", render("files.html", report=report, data=data, total=total, most=MOST_ROWS))


def _problems_first(report: Report, ledger: Ledger) -> Iterator[Listed]:
    for status in PROBLEMS_FIRST:
        if any(place.files(status) for place in report.places):  # otherwise it would look at every row for nothing
            yield from ledger.listed(status=status)


def _file_row(listed: Listed) -> tuple[Any, ...]:
    return (
        listed.datafile_id,
        listed.dataset,
        f"{listed.directory_label}/{listed.label}" if listed.directory_label else listed.label,
        listed.destination,
        listed.store,
        listed.status,
        listed.reason or "",
        listed.size,
        f"{listed.proven:%Y-%m-%d %H:%M:%S}" if listed.proven else "",
        listed.key or listed.storageidentifier,
        listed.message,
    )


# A page for each run


@dataclasses.dataclass(slots=True)
class _Counted:
    """What is counted while the attempts of a run pass by."""

    files: Counter[tuple[Status, Reason | None]] = dataclasses.field(default_factory=Counter)
    size: Counter[tuple[Status, Reason | None]] = dataclasses.field(default_factory=Counter)
    recovered: int = 0
    """OK now, and failed before."""
    adopted: int = 0
    """OK without a byte sent."""

    def add(self, attempt: AttemptRecord) -> None:
        kind = attempt.status, attempt.reason
        self.files[kind] += 1
        self.size[kind] += attempt.size or 0
        if attempt.status is Status.OK:
            self.recovered += attempt.before in (Status.FAIL_READ, Status.FAIL_WRITE)
            self.adopted += not attempt.bytes_sent

    def rows(self) -> list[tuple[Status, Reason | None, int, int, str]]:
        """By number of files."""
        kinds = sorted(self.files, key=lambda kind: (kind[0] is Status.OK, -self.files[kind]))
        return [(*kind, self.files[kind], self.size[kind], HINTS[kind[1]] if kind[1] else "") for kind in kinds]


def _write_run(new: Publication, ledger: Ledger, run: RunRecord) -> bool:
    """The page of *run*, unless it is there already: what has ended changes no more. Whether there is one now."""
    name = f"runs/{run.id}.html"
    if not _is_file_name(run.id):
        return False
    mark = f"dataverse-backup {__version__}, run ended {run.ended}"
    if run.ended is not None and new.has(name, f"{BEGINNING} {mark} "):
        new.keep(f"runs/{run.id}*")
        return True
    counted = _Counted()
    rows = _attempt_rows(ledger, run, counted)
    data = write_rows(new, f"runs/{run.id}", islice(rows, MOST_ROWS))
    deque(rows, maxlen=0)  # the others are counted too
    findings = list(islice(ledger.verdicts(run=run.id), MOST_FINDINGS))
    told = {"run": run, "counted": counted, "data": data, "most": MOST_ROWS, "meanings": MEANINGS}
    new.write(name, render("run.html", mark, findings=findings, advice=ADVICE, is_backup=_is_backup(run), **told))
    return True


def _is_backup(run: RunRecord) -> bool:
    return run.verb == BACKUP_VERB


def _is_file_name(run: str) -> bool:
    return run.replace("-", "").isalnum() and run.isascii()


def _attempt_rows(ledger: Ledger, run: RunRecord, counted: _Counted) -> Iterator[tuple[Any, ...]]:
    for status in (Status.FAIL_READ, Status.FAIL_WRITE, Status.GONE, Status.OK):
        for attempt in ledger.attempts(run=run.id, status=status):
            counted.add(attempt)
            yield _attempt_row(attempt)


def _attempt_row(attempt: AttemptRecord) -> tuple[Any, ...]:
    return (
        attempt.datafile_id,
        attempt.dataset,
        f"{attempt.directory_label}/{attempt.label}" if attempt.directory_label else attempt.label,
        attempt.status,
        attempt.reason or "",
        attempt.before or "",
        attempt.size,
        round(attempt.seconds, 3),
        attempt.verified_by or "",
        attempt.key or attempt.storageidentifier,
        attempt.message,
    )
