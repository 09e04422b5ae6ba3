"""Lists in CSV that people open with a spreadsheet. Text from a catalogue is hostile: it must not become a formula."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, in its wide forms too."""


def cell(value: object) -> object:
    """*value* as a cell of CSV in UTF-8: what would be a formula gets an apostrophe, what is not Unicode is escaped."""
    if not isinstance(value, str):
        return value
    text = value.encode(errors="backslashreplace").decode()
    return f"'{text}" if text.startswith(FORMULA) else text


class BoundedList:
    """A list in CSV that is whole or not there at all: it is dropped when it becomes longer than *most* bytes."""

    def __init__(self, columns: Sequence[str], most: int) -> None:
        self._most = most
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        self._writer.writerow(columns)
        self.rows = 0
        self.is_dropped = False

    def add(self, row: Iterable[object]) -> None:
        """One more line; nothing where the list was dropped."""
        if self.is_dropped:
            return
        self._writer.writerow([cell(value) for value in row])
        self.rows += 1
        if self._text.tell() > self._most:
            self.is_dropped = True
            self._text = io.StringIO()

    def content(self) -> bytes | None:
        """The list in UTF-8; None where it is longer than allowed."""
        data = self._text.getvalue().encode()
        return None if self.is_dropped or len(data) > self._most else data
