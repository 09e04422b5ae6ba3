"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, Self

from dataverse_backup.actions.events import WELL, Ending

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """What the command line answers to the shell; the texts go into every ``--help``."""

    OK = 0, "all well"
    COULD_NOT_RUN = 1, "could not run"
    USAGE = 2, "configuration or usage"
    FAILURES = 3, "ran, some files or destinations failed"
    DAMAGE = 4, "damage or loss was found"
    BRAKE = 5, "brake pulled"
    BUSY = 11, "another run holds the lock"
    LIMIT = 12, "stopped at a limit"
    INTERRUPTED = 130, "interrupted"

    said: str

    def __new__(cls, code: int, said: str) -> Self:
        """A number that carries its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.said = said
        return member


EPILOG = "Exit codes: " + " · ".join(f"{code.value} {code.said}" for code in ExitCode)


class _HasEnding(Protocol):
    @property
    def ending(self) -> Ending:
        """How it ended."""


def code_of(results: Iterable[_HasEnding]) -> ExitCode:
    """The one answer for runs at several places.

    Damage and the brake are told whatever else went wrong, an interruption whatever else but these, and a limit only
    where nothing did.
    """
    endings = {result.ending for result in results}
    for ending, code in _WHATEVER_ELSE.items():
        if ending in endings:
            return code
    if endings <= WELL:
        return ExitCode.LIMIT if Ending.LIMIT in endings else ExitCode.OK
    return _OF_ALL.get(next(iter(endings)), ExitCode.FAILURES) if len(endings) == 1 else ExitCode.FAILURES


_WHATEVER_ELSE = {
    Ending.DAMAGE: ExitCode.DAMAGE,
    Ending.BRAKE: ExitCode.BRAKE,
    Ending.INTERRUPTED: ExitCode.INTERRUPTED,
}
"""What is told whatever else went wrong, the first that fits."""
_OF_ALL = {Ending.BUSY: ExitCode.BUSY, Ending.LOST: ExitCode.COULD_NOT_RUN}
"""What is told where all of them ended so."""
