"""`status --nagios`: one line with figures, and 0 to 3, as Nagios, Icinga and their kin want a check to answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ending
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.errors import DataverseBackupError, printable
from dataverse_backup.ledger.base import BACKUP_VERB, Status
from dataverse_backup.wording import duration_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger, RunRecord

RAN = ("ok", "failures")
"""Outcomes of runs that went through the whole catalogue."""


class Verdict(IntEnum):
    """What such a check may answer, and how bad it is."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of one destination, in words and figures."""

    verdict: Verdict
    said: str
    figures: str = ""


def answer(load: Callable[[], Settings], max_age: timedelta) -> tuple[str, Verdict]:
    """The line and the verdict for every destination that is configured; the worst of them counts."""
    try:
        settings = load()
        with ledger_to_read(settings) as ledger:
            now = datetime.now(UTC)
            answers = [_of_destination(ledger, name, max_age, now) for name in sorted(settings.destinations)]
    except DataverseBackupError as error:
        answers = [Answer(Verdict.UNKNOWN, error.message)]
    verdict = max(one.verdict for one in answers)
    said = "; ".join(one.said for one in answers)
    figures = " ".join(one.figures for one in answers if one.figures)
    return f"DATAVERSE BACKUP {verdict.name} - {_harmless(said)}{f' | {figures}' if figures else ''}", verdict


def _of_destination(ledger: Ledger, name: str, max_age: timedelta, now: datetime) -> Answer:
    files = dict.fromkeys(Status, 0)
    for tally in ledger.tallies_of_all(name):
        files[tally.status] += tally.files
    run = _last_through(ledger, name)
    failing = files[Status.FAIL_READ] + files[Status.FAIL_WRITE]
    figures = " ".join(_figures(name, files, run, max_age, now))
    if run is None or run.ended is None:
        return Answer(Verdict.CRITICAL, f"{name}: no run went through yet", figures)
    age = now - run.ended
    told = f"{name}: {files[Status.OK]} OK, {failing} failing, last run {duration_of(age.total_seconds())} ago"
    if age > max_age:
        return Answer(Verdict.CRITICAL, f"{told}, too long", figures)
    newest = ledger.last_run(name)
    if newest is not None and newest.ended is not None and newest.outcome not in RAN:
        verdict = Verdict.CRITICAL if newest.outcome == Ending.BRAKE else Verdict.WARNING
        return Answer(verdict, f"{told}, and the newest run ended: {newest.outcome}", figures)
    return Answer(Verdict.WARNING if failing or run.outcome != "ok" else Verdict.OK, told, figures)


def _last_through(ledger: Ledger, name: str) -> RunRecord | None:
    runs = (run for run in ledger.runs(name) if run.verb == BACKUP_VERB and run.outcome in RAN)
    return next(runs, None)


def _figures(
    name: str, files: dict[Status, int], run: RunRecord | None, max_age: timedelta, now: datetime
) -> Iterator[str]:
    for status, count in files.items():
        yield f"'{name}_{status.lower()}'={count};;;0"
    if run is not None and run.ended is not None:
        limit = int(max_age.total_seconds())
        yield f"'{name}_age'={(now - run.ended).total_seconds():.0f}s;;{limit};0"
        yield f"'{name}_duration'={(run.ended - run.started).total_seconds():.0f}s;;;0"


def _harmless(text: str) -> str:
    """One line without what parts words from figures."""
    return printable(" ".join(text.split())).replace("|", "/")
