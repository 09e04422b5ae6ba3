"""A file for the textfile collector of Prometheus' node_exporter: where every destination stands, from the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.errors import NotificationError, printable
from dataverse_backup.ledger.audits import AUDIT_VERB, PRIMARY
from dataverse_backup.ledger.base import BACKUP_VERB, Status
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry, Gauge

    from dataverse_backup.ledger.audits import Damage
    from dataverse_backup.ledger.base import Ledger, RunRecord
    from dataverse_backup.ledger.history import Holding

PREFIX = "dataverse_backup"
OUTCOMES = ("ok", "limit", "failures", "lost", "interrupted", "brake", "error")
WAITING = (Status.FAIL_READ, Status.FAIL_WRITE, Status.PENDING)
"""Of these a copy is wanted."""
READABLE = 0o644
"""node_exporter is another user."""


def write(path: Path, ledger: Ledger, destinations: Sequence[str], *, now: datetime | None = None) -> None:
    """Write the file at *path* anew, at once: nobody sees half of it.

    Raises NotificationError where that cannot be done, and LedgerError.
    """
    from prometheus_client import CollectorRegistry, write_to_textfile  # noqa: PLC0415 -- when it is asked for

    registry = CollectorRegistry()
    _Figures(registry).fill(ledger, destinations, now or datetime.now(UTC))
    try:
        write_to_textfile(str(path), registry)
        path.chmod(READABLE)
    except OSError as error:
        said = f"PrometheusFile {printable(str(path))} cannot be written: {error.strerror}"
        raise NotificationError(said, "its folder must exist, and the user of the backup must write there") from error


class _Figures:
    """Every figure, by destination; none has a label that grows with the number of files."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._last_success = self._gauge("last_success_timestamp_seconds", "When the last run without failures ended.")
        self._last_start = self._gauge("last_run_start_timestamp_seconds", "When the last run began.")
        self._last_end = self._gauge("last_run_end_timestamp_seconds", "When the last run that ended did so.")
        self._duration = self._gauge("last_run_duration_seconds", "How long that run took.")
        self._sent = self._gauge("last_run_sent_bytes", "Bytes that it sent.")
        self._tried = self._gauge("last_run_files", "Datafiles that it proved, and that failed.", "outcome")
        self._outcome = self._gauge("last_run_outcome", "1 for the outcome of that run, 0 for the others.", "outcome")
        self._files = self._gauge("files", "Datafiles by status.", "status")
        self._bytes = self._gauge("bytes", "Their bytes: of copies, or as registered where there is none.", "status")
        self._unproven = self._gauge(
            "oldest_unproven_age_seconds", "Age of the oldest datafile that has no proven copy; 0 where each has one."
        )
        self._last_audit = self._gauge("last_audit_timestamp_seconds", "When the last audit ended; 0 for never.")
        self._last_dump = self._gauge(
            "last_database_dump_timestamp_seconds",
            "When the last dump of the database that is kept there was begun; 0 for never.",
        )
        self._oldest_proof = self._gauge(
            "oldest_proof_age_seconds", "Age of the proof of the copy that was not proven for longest; 0 for no copy."
        )
        self._not_intact = self._gauge("not_intact_files", "Files by what the last audit of each found.", "verdict")

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        from prometheus_client import Gauge  # noqa: PLC0415 -- when it is asked for

        return Gauge(f"{PREFIX}_{name}", about, ["destination", *labels], registry=self._registry)

    def fill(self, ledger: Ledger, destinations: Sequence[str], now: datetime) -> None:
        holdings = ledger.holdings()
        for destination in destinations:
            self._add_runs(ledger, destination)
            dump = ledger.last_good_dump(destination)
            self._last_dump.labels(destination).set(dump.taken.timestamp() if dump else 0)
            self._add_files(ledger, destination)
            self._add_age(destination, holdings, now)
            self._add_proofs(destination, holdings, now)
        damage = ledger.damage()
        for destination in (*destinations, PRIMARY):
            self._add_audits(ledger, destination, damage)

    def _add_proofs(self, destination: str, holdings: Iterable[Holding], now: datetime) -> None:
        ours = (each for each in holdings if each.destination == destination and each.status is not Status.GONE)
        oldest = min((each.oldest_proof for each in ours if each.oldest_proof is not None), default=now)
        self._oldest_proof.labels(destination).set(max(0.0, (now - oldest).total_seconds()))

    def _add_audits(self, ledger: Ledger, destination: str, damage: Iterable[Damage]) -> None:
        audits = (run.ended for run in ledger.runs(destination) if run.verb == AUDIT_VERB and run.ended is not None)
        newest = next(audits, None)
        self._last_audit.labels(destination).set(newest.timestamp() if newest else 0)
        found = {each.verdict: each.files for each in damage if each.destination == destination}
        for verdict in Verdict:
            if verdict is not Verdict.INTACT:
                self._not_intact.labels(destination, verdict.value).set(found.get(verdict, 0))

    def _add_runs(self, ledger: Ledger, destination: str) -> None:
        first, ended, success = _telling(run for run in ledger.runs(destination) if run.verb == BACKUP_VERB)
        if first is not None:
            self._last_start.labels(destination).set(first.started.timestamp())
        if ended is not None and ended.ended is not None:
            self._add_ended(ended, ended.ended)
        success_time = success.ended.timestamp() if success and success.ended else 0
        self._last_success.labels(destination).set(success_time)

    def _add_ended(self, run: RunRecord, end: datetime) -> None:
        self._last_end.labels(run.destination).set(end.timestamp())
        self._duration.labels(run.destination).set((end - run.started).total_seconds())
        self._sent.labels(run.destination).set(run.bytes_sent)
        self._tried.labels(run.destination, "ok").set(run.files_ok)
        self._tried.labels(run.destination, "failed").set(run.files_failed)
        for outcome in OUTCOMES:
            self._outcome.labels(run.destination, outcome).set(run.outcome == outcome)

    def _add_files(self, ledger: Ledger, destination: str) -> None:
        tallies = ledger.tallies_of_all(destination)
        for status in Status:
            fitting = [tally for tally in tallies if tally.status is status]
            self._files.labels(destination, status.value).set(sum(tally.files for tally in fitting))
            self._bytes.labels(destination, status.value).set(sum(tally.size for tally in fitting))

    def _add_age(self, destination: str, holdings: Iterable[Holding], now: datetime) -> None:
        ours = (holding for holding in holdings if holding.destination == destination)
        waiting = (holding.oldest_unproven for holding in ours if holding.status in WAITING)
        oldest = min((time for time in waiting if time is not None), default=now)
        self._unproven.labels(destination).set(max(0.0, (now - oldest).total_seconds()))


def _telling(runs: Iterable[RunRecord]) -> tuple[RunRecord | None, RunRecord | None, RunRecord | None]:
    """Of *runs*, newest first: the first, the first that ended, and the first that was well."""
    first = ended = None
    for run in runs:
        first = first or run
        ended = ended or (run if run.ended is not None else None)
        if run.outcome == "ok":
            return first, ended, run
    return first, ended, None
