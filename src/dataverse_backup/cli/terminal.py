"""How things are said on a terminal: tables, errors, sizes. Names from a catalogue are hostile: never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from dataverse_backup.errors import printable

if TYPE_CHECKING:
    from dataverse_backup.errors import DataverseBackupError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say_error(error: DataverseBackupError) -> None:
    """An error and its hint, on standard error."""
    err.print(Text("error: ", style="bold red") + plain(error.message))
    if error.hint:
        err.print(Text("hint: ", style="bold") + plain(error.hint))


def warn(message: str) -> None:
    """A warning, on standard error."""
    err.print(Text("warning: ", style="bold yellow") + plain(message))


def plain(text: str) -> Text:
    """*text* as it stands, line breaks kept, with control characters made visible."""
    return Text("\n".join(printable(line) for line in text.split("\n")))


def size_of(count: float) -> str:
    """A number of bytes for people, in decimal units."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000:  # noqa: PLR2004 -- decimal units
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} PB"
