"""Big objects that were broken off: which are kept, what they are called in staging, and for how long they lie there.

The bytes of a big object are written to ``<run>/<attempt>/<name>``, where *name* tells for which key and registered
checksum they are. What is broken off there is moved to ``partial/<name>``: at once by the attempt itself, or by the
sweep of the next run where a process was killed or a connection lost. Who continues it moves it into the folder of its
own attempt first: nobody else writes to it then (design, rule 6; docs/decisions/0011).
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC
from typing import TYPE_CHECKING

from dataverse_backup.errors import SourceUnavailable, StoreLost, Unavailable

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Staging, Upload

RESUMES_FROM = 64 << 20
"""Bytes from which an object is continued where it was broken off; smaller ones are sent again."""
KEPT_SECONDS = 14 * 86400.0
"""How long it is kept after the last byte was written: a run each week, and one that failed."""

_NAME = re.compile(r"big-[0-9a-f]{40}")
_PASSING = (Unavailable, SourceUnavailable, StoreLost)


class Resumable(ABC):
    """A destination that continues big objects. One may lack it: ask ``isinstance(it, Resumable)``.

    Promises, each a test of the suite ``testing.resumable``:

    1. a big object that was broken off is continued, by the next try and by the next run, and the receipt tells how
       many of its bytes were not sent again;
    2. what lies there is compared with what is read, never trusted: other bytes become no part of a copy;
    3. it is continued for the same key and the same registered checksum only; without a checksum, never;
    4. a failure that will not pass leaves nothing behind;
    5. ``sweep`` keeps what our ledger's runs broke off for two weeks, and leaves other ledgers' alone.
    """

    resumes_from: int
    """Bytes from which an object is big."""


def partial_name(upload: Upload, size: int, resumes_from: int) -> str | None:
    """What the object of *size* bytes is called in staging, to be found again; None where it is not continued.

    What is private is not: no part of it shall lie about.
    """
    if upload.promised is None or upload.is_private or size < resumes_from:
        return None
    told = f"{upload.key}\0{upload.promised}".encode("utf-8", "surrogatepass")
    return f"big-{hashlib.sha256(told).hexdigest()[:40]}"


def is_partial_name(name: str) -> bool:
    """Whether *name* is one that ``partial_name`` gives."""
    return _NAME.fullmatch(name) is not None


def partials_prefix(staging: Staging) -> str:
    """Where lies what the runs of one ledger have broken off."""
    return f"{staging.ledger_prefix}/partial"


def may_pass(error: BaseException | None) -> bool:
    """Whether what was broken off by *error* may be continued later: also by somebody who stops us."""
    return isinstance(error, _PASSING) or (error is not None and not isinstance(error, Exception))
