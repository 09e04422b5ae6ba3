"""What the account over there can do, as probed; as text for the ledger, so that not every connection probes again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from dataverse_backup.destinations.ssh.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Abilities:
    """The same for every connection of an account, until somebody changes the machine."""

    where: str
    """The place that it was found out of: account, machine, directory."""
    server: str
    """The server's name and version, as it says them."""
    can_fsync: bool
    rename_overwrites: bool
    """Whether a plain rename takes a name away from what has it; OpenSSH's does not."""
    folds_case: bool
    shell: Shell | None

    def to_text(self) -> str:
        """For `from_text`."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str, where: str) -> Self | None:
        """What *text* says of *where*; None where it says nothing of it, or is not ours: then everything is probed.

        A shell's commands are taken from it only where they are among those that are probed for: nothing that somebody
        wrote into a database is ever run over there.
        """
        try:
            told = json.loads(text)
            if told["where"] != where:
                return None
            flags = {name: _flag(told, name) for name in ("can_fsync", "rename_overwrites", "folds_case")}
            return cls(
                where, str(told["server"]), **flags, shell=None if told["shell"] is None else Shell.known(told["shell"])
            )
        except (ValueError, TypeError, KeyError):
            return None


def _flag(told: Mapping[str, Any], name: str) -> bool:
    value = told[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is not a boolean")
    return value
