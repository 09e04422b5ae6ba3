"""How files, runs, attempts and the like look in JSON and CSV; documented in docs/reference/json.md."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from dataverse_backup.actions.reconcile_events import Presence
from dataverse_backup.wording import iso

if TYPE_CHECKING:
    from dataverse_backup.actions.reconcile_events import Amounts, Finding, Reconciled
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.audits import Judged, VerdictRecord
    from dataverse_backup.ledger.base import Listed, RunRecord
    from dataverse_backup.ledger.drills import DrillRecord
    from dataverse_backup.ledger.dumps import DumpRecord
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.ledger.removals import Removal

LISTED_COLUMNS = (
    "datafile_id",
    "object",
    "dataset",
    "label",
    "directory_label",
    "storageidentifier",
    "store",
    "destination",
    "key",
    "status",
    "reason",
    "message",
    "size",
    "checksum_type",
    "checksum_value",
    "verified_by",
    "proven",
    "createdate",
    "lastbackuptime",
    "attempts",
    "verdict",
    "primary_verdict",
)
"""The fields of one file in `list --json` and `list --csv`, in this order; documented in docs/reference/json.md."""

ATTEMPT_COLUMNS = (
    "run",
    "destination",
    "datafile_id",
    "object",
    "dataset",
    "directory_label",
    "label",
    "store",
    "storageidentifier",
    "key",
    "status",
    "reason",
    "message",
    "size",
    "checksum_type",
    "checksum_value",
    "verified_by",
    "started",
    "seconds",
    "bytes_sent",
    "method",
    "before",
)
"""The fields of one attempt, in this order."""

RECONCILE_COLUMNS = (
    "presence",
    "reason",
    "place",
    "is_store",
    "key",
    "dataset",
    "datafile_id",
    "label",
    "size",
    "modified",
    "message",
)
"""The fields of what `reconcile` finds, in this order."""


def checksum_fields(checksum: Checksum | None) -> dict[str, object]:
    """A checksum as two fields."""
    return {
        "checksum_type": checksum.algorithm if checksum else None,
        "checksum_value": checksum.value if checksum else None,
    }


def run_object(run: RunRecord | None) -> dict[str, object] | None:
    """One run."""
    if run is None:
        return None
    return {
        "id": run.id,
        "verb": run.verb,
        "destination": run.destination,
        "started": iso(run.started),
        "ended": iso(run.ended),
        "outcome": run.outcome,
        "files_ok": run.files_ok,
        "files_failed": run.files_failed,
        "bytes_sent": run.bytes_sent,
        "bytes_read": run.bytes_read,
        "message": run.message,
    }


def dump_object(dump: DumpRecord | None) -> dict[str, object] | None:
    """One try to dump the Dataverse database."""
    if dump is None:
        return None
    copy = dump.copy
    return {
        "taken": iso(dump.taken),
        "is_ok": dump.is_ok,
        "key": copy.key if copy else None,
        "size": copy.size if copy else None,
        **checksum_fields(copy.checksum if copy else None),
        "verified_by": copy.verified_by if copy else None,
        "proven": iso(copy.proven) if copy else None,
        "verdict": dump.verdict,
        "kept": dump.kept,
        "message": dump.message,
        "hint": dump.hint,
    }


def drill_object(drill: DrillRecord | None) -> dict[str, object] | None:
    """One drill."""
    if drill is None:
        return None
    return {
        "run": drill.run,
        "destination": drill.destination,
        "started": iso(drill.started),
        "seconds": round(drill.seconds, 3),
        "outcome": drill.outcome,
        "files": drill.files,
        "bytes": drill.size,
        "bytes_per_second": round(drill.speed),
        "failed": drill.failed,
        "dataset": drill.dataset or None,
        "oldest_proof": iso(drill.oldest_proof),
        "newest_proof": iso(drill.newest_proof),
        "message": drill.message,
        "failures": [asdict(failure) for failure in drill.failures],
    }


def listed_object(listed: Listed) -> dict[str, object]:
    """One file as `list --json` shows it."""
    return {
        "datafile_id": listed.datafile_id,
        "object": listed.tag,
        "dataset": listed.dataset,
        "label": listed.label,
        "directory_label": listed.directory_label,
        "storageidentifier": listed.storageidentifier,
        "store": listed.store,
        "destination": listed.destination,
        "key": listed.key,
        "status": listed.status,
        "reason": listed.reason,
        "message": listed.message,
        "size": listed.size,
        **checksum_fields(listed.checksum),
        "verified_by": listed.verified_by,
        "proven": iso(listed.proven),
        "createdate": iso(listed.createdate),
        "lastbackuptime": iso(listed.lastbackuptime),
        "attempts": listed.attempts,
        "verdict": listed.verdict,
        "primary_verdict": listed.primary_verdict,
    }


def attempt_object(attempt: AttemptRecord) -> dict[str, object]:
    """One attempt, with the fields of ATTEMPT_COLUMNS."""
    special = {"object": attempt.tag, **checksum_fields(attempt.checksum), "started": iso(attempt.started)}
    return {name: special[name] if name in special else getattr(attempt, name) for name in ATTEMPT_COLUMNS}


def judged_object(judged: Judged) -> dict[str, object]:
    """One verdict as an audit finds it."""
    file = judged.datafile
    return {
        "destination": judged.destination,
        "datafile_id": file.id,
        "object": file.tag,
        "dataset": file.dataset.persistent_id,
        "directory_label": file.directory_label,
        "label": file.label,
        "store": file.store_id,
        "storageidentifier": file.storageidentifier,
        "key": judged.key,
        "verdict": judged.verdict,
        "message": judged.message,
        "how": judged.how,
        "at": iso(judged.at),
        "size": judged.size,
    }


def verdict_object(verdict: VerdictRecord) -> dict[str, object]:
    """One verdict as the ledger keeps it."""
    told = {field.name: getattr(verdict, field.name) for field in fields(verdict) if field.name != "tag"}
    return told | {"object": verdict.tag, "at": iso(verdict.at)}


def removal_object(removal: Removal) -> dict[str, object]:
    """One copy that was deleted, or was to be."""
    copy = removal.copy
    return {
        "run": removal.run,
        "destination": removal.destination,
        "key": removal.key,
        "size": removal.size,
        **checksum_fields(copy.checksum if copy else None),
        "proven": iso(copy.proven) if copy else None,
        "begun": iso(removal.begun),
        "ended": iso(removal.ended),
        "outcome": removal.outcome,
        "message": removal.message,
    }


def finding_object(finding: Finding) -> dict[str, object]:
    """One object that is dark, lost or beside what is known, with the fields of RECONCILE_COLUMNS."""
    special: dict[str, object] = {
        "reason": finding.why,
        "place": finding.place.name,
        "is_store": finding.place.is_store,
        "modified": iso(finding.modified),
    }
    return {name: special[name] if name in special else getattr(finding, name) for name in RECONCILE_COLUMNS}


def reconciled_object(ended: Reconciled) -> dict[str, object]:
    """What `reconcile` found at one place."""
    found: dict[str, dict[str, dict[str, int]]] = {presence: {} for presence in Presence}
    for (presence, why), amounts in sorted(ended.found.items()):
        found[presence][why] = _amounts(amounts)
    return {
        "place": ended.place.name,
        "is_store": ended.place.is_store,
        "ending": ended.ending,
        "listed": _amounts(ended.listed),
        "known": _amounts(ended.known),
        **found,
        "undecided": ended.undecided,
        "trouble": None if ended.trouble is None else str(ended.trouble),
        "unknown_stores": dict(sorted(ended.unknown_stores.items())),
    }


def _amounts(amounts: Amounts) -> dict[str, int]:
    return {"objects": amounts.objects, "bytes": amounts.size}
