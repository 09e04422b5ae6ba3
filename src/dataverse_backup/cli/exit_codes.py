"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from dataverse_backup.actions.events import WELL, Ended, Ending


class ExitCode(IntEnum):
    """What the command line answers to the shell; the texts go into every ``--help``."""

    OK = 0, "all well"
    COULD_NOT_RUN = 1, "could not run"
    USAGE = 2, "configuration or usage"
    FAILURES = 3, "ran, some files or destinations failed"
    DAMAGE = 4, "audit found damage"
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


def code_of(results: list[Ended]) -> ExitCode:
    """The one answer for runs at several destinations; a limit is only told where nothing went wrong."""
    endings = {result.ending for result in results}
    if Ending.INTERRUPTED in endings:
        return ExitCode.INTERRUPTED
    if endings <= {Ending.OK}:
        return ExitCode.OK
    if endings <= WELL:
        return ExitCode.LIMIT
    if endings == {Ending.BUSY}:
        return ExitCode.BUSY
    if endings == {Ending.LOST}:
        return ExitCode.COULD_NOT_RUN
    return ExitCode.FAILURES
