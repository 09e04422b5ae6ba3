"""What is concluded about a file from its three witnesses: what is registered, the primary now, a copy now.

The truth table with its reasons is in docs/explanation/verdicts.md; a test holds every line of it against this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataverse_backup.fixity import Checksum, VerifiedBy


class Verdict(StrEnum):
    """What is concluded about one copy, or about one primary: Dataverse's own bytes."""

    INTACT = "intact"
    COPY_MISSING = "copy-missing"
    COPY_ALTERED = "copy-altered"
    PRIMARY_MISSING = "primary-missing"
    PRIMARY_ALTERED = "primary-altered"
    CHECKSUM_SUSPECT = "checksum-suspect"  # the bytes agree with each other, and not with what is registered
    NO_REFERENCE = "no-reference"  # nothing is registered, and nothing else can say which bytes are right
    UNREADABLE = "unreadable"  # it is there and its bytes cannot be had
    UNREACHABLE = "unreachable"  # nobody answers: nothing is known


DAMAGE = (
    Verdict.COPY_MISSING,
    Verdict.COPY_ALTERED,
    Verdict.PRIMARY_MISSING,
    Verdict.PRIMARY_ALTERED,
    Verdict.CHECKSUM_SUSPECT,
)
"""Something was lost, or is not what it was."""

ADVICE = {
    Verdict.INTACT: "",
    Verdict.COPY_MISSING: "the next backup makes it again, `repair` does so now; find out who removed it",
    Verdict.COPY_ALTERED: "the next backup makes it again, `repair` does so now; look for damage at the destination",
    Verdict.PRIMARY_MISSING: "look for the file; `repair --stores` writes it back from an intact copy",
    Verdict.PRIMARY_ALTERED: "`repair --stores` writes it back from an intact copy; look for damage in the store",
    Verdict.CHECKSUM_SUSPECT: "find out who changed the registered checksum, or the bytes: nothing is repaired",
    Verdict.NO_REFERENCE: "let Dataverse register a checksum: its admin API has computeDataFileHashValue",
    Verdict.UNREADABLE: "look into the system's log of the place, and at what we may read there",
    Verdict.UNREACHABLE: "the service did not answer; the next audit begins with it",
}
"""What to do about each; a sentence without an end."""


class Sight(Enum):
    """What one look at an object showed."""

    BYTES = auto()
    MISSING = auto()
    UNREADABLE = auto()
    UNREACHABLE = auto()
    NOT_LOOKED = auto()  # it was not needed, or there is no such thing


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a copy or a primary; picklable."""

    sight: Sight
    checksums: tuple[Checksum, ...] = ()
    """Of its bytes, one for each algorithm that was asked for."""
    size: int | None = None
    name: str = ""
    """Its key at the destination, or its name in the store."""
    how: VerifiedBy | None = None
    """None where its bytes were not read: by listing, existence and size are seen."""
    said: str = ""
    """What the place said, where it gave no bytes."""

    def has(self, checksum: Checksum | None) -> bool:
        """Whether it has the bytes of *checksum*."""
        return checksum is not None and checksum in self.checksums

    def is_same_as(self, other: Seen) -> bool:
        """Whether both have bytes, and the same."""
        return not set(self.checksums).isdisjoint(other.checksums)


NOT_LOOKED = Seen(Sight.NOT_LOOKED)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """All three."""

    registered: Checksum | None
    """What Dataverse has registered now; None where that is no usable checksum."""
    recorded: Checksum | None
    """Of the copy when it was proven last, by the ledger; None where there is no copy."""
    primary: Seen = NOT_LOOKED
    copy: Seen = NOT_LOOKED

    def on_copy(self) -> Verdict | None:
        """The verdict on the copy; None where it was not looked at.

        A copy that still is what it was is intact, also when something else was registered since: that is for the next
        backup, which keeps the former one.
        """
        if self.copy.sight is not Sight.BYTES:
            return _WITHOUT_BYTES[self.copy.sight, False]
        if self.copy.has(self.registered):
            return Verdict.INTACT
        if self._agree():
            return Verdict.CHECKSUM_SUSPECT
        if self.copy.has(self.recorded):
            return Verdict.INTACT
        agree_without_reference = self.registered is None and self.copy.is_same_as(self.primary)
        return Verdict.NO_REFERENCE if agree_without_reference else Verdict.COPY_ALTERED

    def on_primary(self) -> Verdict | None:
        """The verdict on the primary; None where it was not looked at."""
        if self.primary.sight is not Sight.BYTES:
            return _WITHOUT_BYTES[self.primary.sight, True]
        reference = self.registered or self.recorded
        if self.primary.has(reference):
            return Verdict.INTACT
        if self.registered is None:
            return Verdict.NO_REFERENCE
        is_as_it_was = self.primary.has(self.recorded)
        return Verdict.CHECKSUM_SUSPECT if self._agree() or is_as_it_was else Verdict.PRIMARY_ALTERED

    def _agree(self) -> bool:
        """Whether primary and copy agree with each other against what is registered."""
        return (
            self.registered is not None
            and self.copy.is_same_as(self.primary)
            and not self.copy.has(self.registered)
            and not self.primary.has(self.registered)
        )


_WITHOUT_BYTES: dict[tuple[Sight, bool], Verdict | None] = {
    (Sight.MISSING, False): Verdict.COPY_MISSING,
    (Sight.MISSING, True): Verdict.PRIMARY_MISSING,
    **{(Sight.UNREADABLE, is_primary): Verdict.UNREADABLE for is_primary in (False, True)},
    **{(Sight.UNREACHABLE, is_primary): Verdict.UNREACHABLE for is_primary in (False, True)},
    **{(Sight.NOT_LOOKED, is_primary): None for is_primary in (False, True)},
}
"""What is concluded, of a copy and of a primary, where there are no bytes to compare."""
