"""The mistakes of one configuration file, collected so that all of them are told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from pathlib import Path

WHOLE_FILE = 1 << 62
"""The line of a mistake that no line has; it is told last."""


class Mistakes:
    """What is wrong, by line. No value of the file is ever given to it: any value may be a secret."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, what: str, *, section: str = "", key: str = "") -> None:
        """Note one mistake, in words; *section* and *key* are shown as they were written."""
        where = " ".join(part for part in (f"[{section}]" if section else "", key) if part)
        self._found.append((line, printable(f"{where}: {what}" if where else what)))

    def __bool__(self) -> bool:
        return bool(self._found)

    def lines(self) -> list[str]:
        """Every mistake once, in the order of the file."""
        found = sorted(dict.fromkeys(self._found), key=lambda mistake: mistake[0])
        return [what if line == WHOLE_FILE else f"line {line}: {what}" for line, what in found]

    def refuse(self, path: Path) -> None:
        """Raise ConfigurationError with every mistake, if there is one."""
        if self._found:
            message = "\n".join([f"{printable(str(path))} cannot be used:", *self.lines()])
            raise ConfigurationError(message, "dataverse-backup config generate shows every section and key")
