"""Reads the INI file as the original script's configparser did, and remembers the line of everything.

No interpolation and no inline comments: a password may hold ``%``, ``;`` and ``#``.
A value is one line; what configparser would take as its continuation is a mistake here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataverse_backup.config.mistakes import Mistakes

HEADER = re.compile(r"\[(\s*[^\[\]\s][^\[\]]*)\]\s*")
PAIR = re.compile(r"([^:=\s]+)\s*[:=]\s*(.*)")
"""A key has no space: in ``Password my=secret``, where the colon is forgotten, no part of the secret becomes a key."""
NAMED_BY_CASE = "store"
"""Dataverse tells store ids apart by case; every other name is the same in any case."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``Key: value``; the value is kept out of the repr, as it may be a secret."""

    key: str
    value: str = field(repr=False)
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One ``[Word Name]`` with its entries by lower-case key."""

    title: str
    line: int
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """What kind of section it is, in lower case."""
        return self.title.partition(" ")[0].lower()

    @property
    def name(self) -> str:
        """Which one of its kind, as written; empty for the only one or the first."""
        return self.title.partition(" ")[2]

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for two headers that mean the same section."""
        return self.word, self.name if self.word == NAMED_BY_CASE else self.name.lower()


def read(text: str, mistakes: Mistakes) -> list[Section]:
    """Every section of *text* in its order; what cannot be read is noted in *mistakes*."""
    sections: list[Section] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        _read_line(line.removesuffix("\r"), number, sections, mistakes)
    return _without_repeated(sections, mistakes)


def _read_line(line: str, number: int, sections: list[Section], mistakes: Mistakes) -> None:
    if not line.strip() or line.lstrip()[0] in ";#":
        return
    if any(not c.isprintable() and c.isascii() and c != "\t" for c in line):
        mistakes.add(number, "holds a control character")
    elif line[0].isspace():
        mistakes.add(number, "starts with a space: a value is one line, and a key starts the line")
    elif line.startswith("["):
        _read_header(line, number, sections, mistakes)
    else:
        _read_entry(line, number, sections, mistakes)


def _read_header(line: str, number: int, sections: list[Section], mistakes: Mistakes) -> None:
    match = HEADER.fullmatch(line)
    if not match:
        mistakes.add(number, "not a section: a section is a line with a name in square brackets and nothing else")
    # Appended even so: the keys below must not count as keys of the section above.
    sections.append(Section(" ".join(match[1].split()) if match else "", number))


def _read_entry(line: str, number: int, sections: list[Section], mistakes: Mistakes) -> None:
    match = PAIR.fullmatch(line)
    if not match:
        mistakes.add(number, "neither a section, nor a key with its value, nor a comment")
        return
    if not sections:
        mistakes.add(number, "comes before the first section")
        return
    section, entry = sections[-1], Entry(match[1], match[2].strip(), number)
    first = section.entries.setdefault(entry.key.lower(), entry)
    if first is not entry:
        mistakes.add(number, f"given a second time, first in line {first.line}", section=section.title, key=entry.key)


def _without_repeated(sections: list[Section], mistakes: Mistakes) -> list[Section]:
    """The first of each; a header that could not be read was noted before and is left out."""
    known: dict[tuple[str, str], Section] = {}
    for section in sections:
        first = known.setdefault(section.identity, section)
        if first is not section and section.title:
            mistakes.add(section.line, f"given a second time, first in line {first.line}", section=section.title)
    return [section for section in known.values() if section.title]
