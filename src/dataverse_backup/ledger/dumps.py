"""What a ledger keeps of dumps of the Dataverse database: every try, whether it brought one, and what audits said."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dataverse_backup.ledger.records import Copy
    from dataverse_backup.verdict import Verdict


@dataclass(frozen=True, slots=True)
class DumpRecord:
    """One try to have a dump of the Dataverse database at one destination."""

    destination: str
    taken: datetime
    """When it was begun: the database as it was then."""
    copy: Copy | None
    """The proof of what lies there; None where the try failed."""
    message: str = ""
    """Why it failed, or what else went wrong; a sentence."""
    hint: str = ""
    """What to do about that."""
    kept: int | None = None
    """How many generations lay there afterwards; None where nobody could count them."""
    verdict: Verdict | None = None
    """What the last audit found of it, where that was not that it is intact."""

    @property
    def is_ok(self) -> bool:
        """Whether it brought a dump."""
        return self.copy is not None


class Dumps(ABC):
    """The part of the ledger that is about dumps."""

    @abstractmethod
    def record_dump(self, run: str, record: DumpRecord) -> None:
        """Keep *record*, of that run. The caller confirms its lock first."""

    @abstractmethod
    def dumps(self, destination: str) -> Iterator[DumpRecord]:
        """Every try there, the newest first; constant memory."""

    @abstractmethod
    def judge_dump(self, destination: str, key: str, verdict: Verdict, at: datetime) -> None:
        """Keep what an audit found of the dump under *key*; INTACT is a proof of *at*. Nothing, for an unknown key."""

    def last_dump(self, destination: str) -> DumpRecord | None:
        """The newest try there."""
        return next(iter(self.dumps(destination)), None)

    def last_good_dump(self, destination: str) -> DumpRecord | None:
        """The newest try there that brought a dump."""
        return next((record for record in self.dumps(destination) if record.is_ok), None)
