"""Dumps of the Dataverse database, remembered."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import TYPE_CHECKING

from dataverse_backup.ledger.dumps import Dumps
from dataverse_backup.ledger.storable import storable
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dataverse_backup.ledger.dumps import DumpRecord


class MemoryDumps(Dumps, ABC):
    """A list of tries."""

    _dumps: list[DumpRecord]

    def record_dump(self, run: str, record: DumpRecord) -> None:
        """At the end of the list."""
        del run
        self._dumps.append(replace(record, message=storable(record.message), hint=storable(record.hint)))

    def dumps(self, destination: str) -> Iterator[DumpRecord]:
        """From the end of the list."""
        return (record for record in list(reversed(self._dumps)) if record.destination == destination)

    def judge_dump(self, destination: str, key: str, verdict: Verdict, at: datetime) -> None:
        """In its place in the list."""
        for number, record in enumerate(self._dumps):
            if record.destination == destination and record.copy is not None and record.copy.key == key:
                copy = replace(record.copy, proven=at) if verdict is Verdict.INTACT else record.copy
                said = None if verdict is Verdict.INTACT else verdict
                self._dumps[number] = replace(record, copy=copy, verdict=said)
