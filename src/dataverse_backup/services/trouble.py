"""What can be wrong with a request to an object service, in words that belong to none of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto


class Trouble(Enum):
    """What a service's error means; stores and destinations make their own errors of it."""

    MISSING = auto()  # the object, or its bucket or container
    OCCUPIED = auto()  # a conditional request found something there, or something else
    REFUSED = auto()  # this request is not allowed to us
    LOGIN_REFUSED = auto()  # nothing is allowed to us: wrong key, unknown user or project
    MISCONFIGURED = auto()  # no request can succeed: another region, another address
    UNAVAILABLE = auto()  # nobody answers, or answers were cut; it may be better later
    THROTTLED = auto()  # too many requests; it is better later
    NO_SPACE = auto()  # full, or a quota is used up
    ARCHIVED = auto()  # in cold storage: it must be brought back before it can be read
    BAD_DIGEST = auto()  # the service computed another digest of what it took, and kept nothing
    BAD_NAME = auto()  # the service takes no such name
    NOT_OFFERED = auto()  # the service does not know this kind of request
    OTHER = auto()


LOST = frozenset({Trouble.LOGIN_REFUSED, Trouble.MISCONFIGURED})
"""Nothing is said about the object: the store or destination as a whole cannot be used."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One error of a service: what it means, what it said (never a secret), and what to check."""

    trouble: Trouble
    said: str
    hint: str = ""
    retry_after: float = 0.0
    """For how many seconds it asked not to be asked again."""


def seconds_of(retry_after: str | None) -> float:
    """What a header Retry-After says, a number or a date (RFC 9110, 10.2.3), in seconds; 0 for anything else."""
    try:
        return max(0.0, float(int(retry_after or "")))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after or "")
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0.0
