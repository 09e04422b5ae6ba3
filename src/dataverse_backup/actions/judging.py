"""From what was seen to what is recorded: verdicts with their sentences, and proofs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.ledger.audits import PRIMARY, Judged
from dataverse_backup.verdict import NOT_LOOKED, Sight, Verdict, Witnesses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.examine import Examined
    from dataverse_backup.ledger.base import Copy, Kept
    from dataverse_backup.verdict import Seen


def judged_copy(kept: Kept, witnesses: Witnesses, *, is_gone: bool = False) -> Judged | None:
    """What is recorded about a copy; None where it was not looked at."""
    verdict = witnesses.on_copy()
    if verdict is None:
        return None
    now = datetime.now(UTC)
    return Judged(
        datafile=kept.datafile,
        destination=kept.destination,
        key=kept.copy.key,
        verdict=verdict,
        message="" if verdict is Verdict.INTACT else _said_of_copy(kept, witnesses, verdict, is_gone=is_gone),
        how=witnesses.copy.how,
        at=now,
        size=witnesses.copy.size if witnesses.copy.size is not None else kept.copy.size,
        proof=_proof(kept.copy, witnesses, now),
    )


def judged_primary(datafile: Datafile, witnesses: Witnesses, advice: str = "") -> Judged | None:
    """What is recorded about a primary; None where it was not looked at."""
    verdict = witnesses.on_primary()
    if verdict is None:
        return None
    said = "" if verdict is Verdict.INTACT else _said_of_primary(witnesses, verdict)
    return Judged(
        datafile=datafile,
        destination=PRIMARY,
        key=witnesses.primary.name,
        verdict=verdict,
        message=f"{said}; {advice}" if said and advice else said,
        how=witnesses.primary.how,
        at=datetime.now(UTC),
        size=witnesses.primary.size,
    )


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was heard about one primary: with each of its copies, by itself."""

    datafile: Datafile
    primary: Seen
    copies: tuple[tuple[Kept, Seen], ...]
    """Those that were looked at."""

    @classmethod
    def of(cls, datafile: Datafile, copies: Sequence[Kept], examined: Examined) -> Hearing:
        """What *examined* says of *datafile* and *copies*."""
        places = [(kept, examined.copies.get((kept.destination, kept.copy.key))) for kept in copies]
        seen = tuple((kept, each) for kept, each in places if each is not None)
        return cls(datafile, examined.primaries.get(datafile.place, NOT_LOOKED), seen)

    @property
    def witnesses(self) -> Witnesses:
        """With the copy that decides: one that is as registered, else one that agrees with the primary, else any."""
        heard = [
            Witnesses(self.datafile.checksum, kept.copy.checksum, self.primary, seen) for kept, seen in self.copies
        ]
        decisive = next((each for each in heard if each.copy.has(each.registered)), None)
        agreeing = next((each for each in heard if each.copy.is_same_as(self.primary)), None)
        alone = Witnesses(self.datafile.checksum, None, self.primary)
        return decisive or agreeing or next(iter(heard), alone)

    @property
    def intact_copy(self) -> Kept | None:
        """A copy that has the bytes that the primary should have."""
        fitting = (kept for kept, seen in self.copies if seen.has(self.datafile.checksum or kept.copy.checksum))
        return next(fitting, None)


def _proof(known: Copy, witnesses: Witnesses, now: datetime) -> Copy | None:
    """What is known of the copy from now on, if its bytes were read and are those that it was proven with."""
    seen = witnesses.copy
    if seen.sight is not Sight.BYTES or seen.how is None:
        return None
    if seen.has(witnesses.recorded):
        return replace(known, verified_by=seen.how, proven=now)
    if witnesses.registered is not None and seen.has(witnesses.registered):
        checksum = witnesses.registered
        size = known.size if seen.size is None else seen.size
        return replace(known, size=size, checksum=checksum, registered=checksum, verified_by=seen.how, proven=now)
    return None


_REMEDIES = {
    Verdict.INTACT: "the primary is intact: the next backup, or `repair` now, makes the copy again",
    Verdict.PRIMARY_MISSING: "the primary is missing too",
    Verdict.PRIMARY_ALTERED: "the primary is altered too",
    Verdict.CHECKSUM_SUSPECT: "",
    Verdict.NO_REFERENCE: "the primary has changed since, and nothing is registered that could say which is right",
    Verdict.UNREADABLE: "the primary cannot be read",
    Verdict.UNREACHABLE: "the primary cannot be reached now",
}
"""What the verdict on the primary means where the copy is not intact."""


def _said_of_copy(kept: Kept, witnesses: Witnesses, verdict: Verdict, *, is_gone: bool) -> str:
    match verdict:
        case Verdict.CHECKSUM_SUSPECT:
            return _both(witnesses)
        case Verdict.UNREADABLE | Verdict.UNREACHABLE:
            return witnesses.copy.said
        case Verdict.COPY_MISSING:
            said = "there is no object under its key"
        case _:
            said = f"{_bytes(witnesses.copy)}; {kept.copy.size:,} bytes, {kept.copy.checksum} were proven"
    primary = witnesses.on_primary()
    more = "it is no longer in Dataverse" if is_gone else _REMEDIES.get(primary, "") if primary else ""
    return f"{said}; {more}" if more else said


def _said_of_primary(witnesses: Witnesses, verdict: Verdict) -> str:
    match verdict:
        case Verdict.CHECKSUM_SUSPECT:
            return _both(witnesses)
        case Verdict.PRIMARY_ALTERED:
            return f"{_bytes(witnesses.primary)}; {witnesses.registered} is registered"
        case Verdict.NO_REFERENCE:
            known = f"; the copy was proven with {witnesses.recorded}" if witnesses.recorded else ""
            return f"{_bytes(witnesses.primary)}; no usable checksum is registered{known}"
    return witnesses.primary.said


def _both(witnesses: Witnesses) -> str:
    return (
        f"primary and copy agree with each other, {_bytes(witnesses.primary)}; {witnesses.registered} is registered: "
        "was the registered checksum changed, or were both made from altered bytes?"
    )


def _bytes(seen: Seen) -> str:
    size = "" if seen.size is None else f"{seen.size:,} bytes, "
    return f"{size}{', '.join(map(str, seen.checksums))} lie there"
