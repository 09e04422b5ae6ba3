"""The report as one JSON object; documented in docs/reference/json.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from dataverse_backup.actions.report import PROOF_AGES, SIZE_EDGES
from dataverse_backup.cli.records import drill_object, dump_object, run_object
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.base import Status
from dataverse_backup.verdict import ADVICE
from dataverse_backup.wording import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.actions.report import Place, Report
    from dataverse_backup.ledger.audits import Damage
    from dataverse_backup.ledger.base import Tally
    from dataverse_backup.ledger.history import Band, DatasetTally, Growth, Holding


def report_object(report: Report) -> dict[str, object]:
    """Everything that *report* knows."""
    return {
        "made": iso(report.made),
        "version": report.version,
        "ledger": report.ledger,
        "is_safe": report.is_safe,
        "destinations": {place.name: _place(place) for place in report.places},
        "drills": [drill_object(drill) for drill in report.drills],
        "runs": [run_object(run) for run in report.runs],
        "datasets": [_dataset(dataset) for dataset in report.datasets],
        "takeover": asdict(report.takeover) if report.takeover else None,
        "damage": [_damage(found) for found in report.damage],
        "last_audit_of_primaries": run_object(report.last_audit_of_primaries),
    }


def _place(place: Place) -> dict[str, object]:
    oldest_first = (*(age.days for age in PROOF_AGES), 0)
    return {
        "is_configured": place.is_configured,
        "is_safe": place.is_safe,
        "files": {status.value: place.files(status) for status in Status},
        "bytes": place.size,
        "reasons": [_tally(tally) for tally in place.tallies if tally.reason],
        "last_run": run_object(place.last_run),
        "last_success": run_object(place.last_success),
        "oldest_failure": iso(place.oldest_failure),
        "oldest_proof": iso(place.oldest_proof),
        "newest_proof": iso(place.newest_proof),
        "oldest_unproven": iso(place.oldest_unproven),
        "stores": [_holding(holding) for holding in place.holdings],
        "growth": [_growth(step) for step in place.growth],
        "sizes": _bands("from", (0, *SIZE_EDGES), place.sizes),
        "proofs": _bands("days", oldest_first, place.proofs),
        "last_audit": run_object(place.last_audit),
        "last_dump": dump_object(place.last_dump),
        "last_good_dump": dump_object(place.last_good_dump),
    }


def _damage(found: Damage) -> dict[str, object]:
    return {
        "destination": found.destination,
        "verdict": found.verdict,
        "files": found.files,
        "bytes": found.size,
        "since": iso(found.since),
        "hint": ADVICE[found.verdict],
    }


def _tally(tally: Tally) -> dict[str, object]:
    return {
        "status": tally.status,
        "reason": tally.reason,
        "files": tally.files,
        "bytes": tally.size,
        "hint": HINTS[tally.reason] if tally.reason else "",
    }


def _holding(holding: Holding) -> dict[str, object]:
    return {
        "store": holding.store,
        "status": holding.status,
        "files": holding.files,
        "bytes": holding.size,
        "oldest_proof": iso(holding.oldest_proof),
        "newest_proof": iso(holding.newest_proof),
        "oldest_unproven": iso(holding.oldest_unproven),
    }


def _growth(step: Growth) -> dict[str, object]:
    return {"day": step.day.isoformat(), "files": step.files, "bytes": step.size}


def _bands(name: str, edges: Iterable[int], bands: Iterable[Band]) -> list[dict[str, object]]:
    return [{name: edge, "files": band.files, "bytes": band.size} for edge, band in zip(edges, bands, strict=True)]


def _dataset(dataset: DatasetTally) -> dict[str, object]:
    return {
        "dataset": dataset.dataset,
        "destination": dataset.destination,
        "files": dataset.files,
        "failed": dataset.failed,
        "pending": dataset.pending,
        "bytes": dataset.size,
    }
