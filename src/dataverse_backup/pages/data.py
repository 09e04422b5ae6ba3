"""Data for scripts of pages. Names in them come from a catalogue and are hostile: no text can end its block."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from dataverse_backup.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataverse_backup.pages.folder import Publication

_ROWS = 20_000
"""Rows of one file of data."""
_ESCAPES = {mark: f"\\u{ord(mark):04x}" for mark in "<>&'\u007f"}
"""What could end a block or begin another one, beyond what is not ASCII: that is escaped anyway."""


def block(value: Any) -> str:
    """*value* as JSON that is safe in a script element, in a file of JavaScript, and everywhere in HTML but for quotes.

    Control characters, bidirectional marks and lone surrogates in texts are made visible.
    """
    text = json.dumps(_visible(value), ensure_ascii=True, separators=(",", ":"))
    for mark, escape in _ESCAPES.items():
        text = text.replace(mark, escape)
    return text


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else printable(value)
    if isinstance(value, dict):
        return {printable(key): _visible(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(each) for each in value]
    return value


def write_rows(new: Publication, name: str, rows: Iterable[Sequence[Any]]) -> list[str]:
    """Write *rows* into files called ``<name>-….js``; what they are called, for the page that shows the rows.

    They are JavaScript because a page that is opened as a file may load scripts, and may not fetch. A file is called
    after its content, so that a page never gets the data of another one.
    """
    names: list[str] = []
    remaining = iter(rows)
    while some := list(islice(remaining, _ROWS)):
        content = f"report.add({block(some)});\n"
        names.append(f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.js")
        new.write(names[-1], content)
    return names
