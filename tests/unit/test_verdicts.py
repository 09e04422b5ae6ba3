"""What is concluded from three witnesses: every line of the truth table in the documentation."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.verdict import NOT_LOOKED, Seen, Sight, Verdict, Witnesses

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "verdicts.md"


class Line(NamedTuple):
    """One line of the table."""

    registered: str
    copy: str
    primary: str
    on_copy: str
    on_primary: str


def lines() -> list[Line]:
    table = PAGE.read_text().partition("## The truth table")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines() if row.startswith("| ")]
    return [Line(*row) for row in cells[1:]]


REGISTERED, PROVEN, OF_COPY, OF_PRIMARY = (Checksum.of(text, Algorithm.MD5) for text in (b"r", b"p", b"c", b"o"))
SIGHTS = {"missing": Sight.MISSING, "unreadable": Sight.UNREADABLE, "unreachable": Sight.UNREACHABLE}
BYTES = {"as registered": REGISTERED, "as proven": PROVEN, "as the copy": OF_COPY}
COPIES = ("as registered", "as proven", "other", *SIGHTS, "none")
PRIMARIES = ("as registered", "as proven", "as the copy", "other", *SIGHTS)


def seen(word: str, other: Checksum) -> Seen:
    if word in SIGHTS:
        return Seen(SIGHTS[word])
    return NOT_LOOKED if word == "none" else Seen(Sight.BYTES, (BYTES.get(word, other),))


def witnesses(registered: str, copy: str, primary: str) -> Witnesses:
    return Witnesses(
        registered=REGISTERED if registered == "usable" else None,
        recorded=None if copy == "none" else PROVEN,
        primary=seen(primary, OF_PRIMARY),
        copy=seen(copy, OF_COPY),
    )


def is_possible(registered: str, copy: str, primary: str) -> bool:
    if registered == "none" and "as registered" in (copy, primary):
        return False
    if copy == "none" and primary == "as proven":
        return False
    return primary != "as the copy" or copy == "other"


POSSIBLE = [each for each in product(("usable", "none"), COPIES, PRIMARIES) if is_possible(*each)]


@pytest.mark.parametrize("line", lines(), ids=lambda line: ", ".join(line[:3]))
def test_a_line_of_the_truth_table_is_what_is_concluded(line: Line) -> None:
    registered = [each for each in ("usable", "none") if line.registered in (each, "any")]
    fitting = [each for each in registered if is_possible(each, line.copy, line.primary)]
    assert fitting
    for each in fitting:
        heard = witnesses(each, line.copy, line.primary)
        assert (heard.on_copy() or "-", heard.on_primary() or "-") == (line.on_copy, line.on_primary)


@pytest.mark.parametrize("combination", POSSIBLE, ids=", ".join)
def test_every_combination_is_in_exactly_one_line(combination: tuple[str, str, str]) -> None:
    registered, copy, primary = combination
    found = [line for line in lines() if line[1:3] == (copy, primary) and line.registered in (registered, "any")]
    assert len(found) == 1


def test_every_verdict_is_explained_and_occurs_in_the_table() -> None:
    explained = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert explained == list(Verdict)
    assert {line.on_copy for line in lines()} | {line.on_primary for line in lines()} == {*Verdict, "-"}


def test_what_was_not_looked_at_has_no_verdict() -> None:
    heard = Witnesses(REGISTERED, PROVEN)
    assert (heard.on_copy(), heard.on_primary()) == (None, None)


def test_checksums_of_different_algorithms_are_compared_each_with_its_own() -> None:
    registered, proven = Checksum.of(b"r", Algorithm.SHA256), Checksum.of(b"r", Algorithm.MD5)
    both = Seen(Sight.BYTES, (proven, registered))
    assert Witnesses(registered, proven, both, both).on_copy() is Verdict.INTACT
    assert Witnesses(registered, proven, both, both).on_primary() is Verdict.INTACT
