"""Drills, remembered."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import TYPE_CHECKING

from dataverse_backup.ledger.drills import DrillFailure, Drills
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.ledger.drills import DrillRecord


class MemoryDrills(Drills, ABC):
    """A list of drills."""

    _drills: list[DrillRecord]

    def record_drill(self, record: DrillRecord) -> None:
        """At the end of the list."""
        failures = tuple(
            DrillFailure(one.datafile_id, storable(one.key), storable(one.message)) for one in record.failures
        )
        kept = replace(record, dataset=storable(record.dataset), message=storable(record.message), failures=failures)
        self._drills.append(kept)

    def drills(self, destination: str | None = None) -> Iterator[DrillRecord]:
        """From the end of the list."""
        return (record for record in list(reversed(self._drills)) if destination in (None, record.destination))
