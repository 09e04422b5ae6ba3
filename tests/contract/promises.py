"""Which destination kept which promise: gathered while the suite runs, written as a page of the reference."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup.testing import destination_keys, destination_puts, destination_reads, destinations
from tests.contract.destination_cases import CASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "promises.md"
"""The page that a run of the suite writes where DATAVERSE_BACKUP_PROMISES is set."""

SUITE = (destination_puts, destination_reads, destination_keys, destinations)

_LAST = 100
"""Clauses without a number come after the others."""

KEPT, BROKEN, NOT_RUN = "✓", "✗", "(not run)"

HEAD = """\
# What every destination promises

Written by the run of the contract suite itself, with `DATAVERSE_BACKUP_PROMISES=1` in its environment:
`scripts/test tests/contract/test_destinations.py`. Each line is a test of that name; the promises themselves are in the
docstring of `Destination` in `destinations/base.py`. ✓: its cases passed, against the real service. ✗: one failed.
"""


class Promises:
    """What came of each test, by the case that it ran against."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bool] = {}

    def note(self, item: pytest.Item, *, passed: bool) -> None:
        """Count a test in, if it is one of the suite that ran against one of our destinations."""
        callspec = getattr(item, "callspec", None)
        case = callspec.params.get("place") if callspec else None
        if isinstance(case, str):
            key = getattr(item, "originalname", item.name), case
            self._kept[key] = self._kept.get(key, True) and passed

    def write(self) -> None:
        """Write the page."""
        PAGE.write_text(page(self._kept), encoding="utf-8")


def page(kept: Mapping[tuple[str, str], bool]) -> str:
    """The page, of what was kept by test and case."""
    lines = [HEAD]
    for clause, tests in sentences().items():
        lines += ["", f"## {clause}", "", _row("", CASES), _row("---", [":-:"] * len(CASES))]
        lines += [_row(_sentence(test), [_mark(kept.get((test, case))) for case in CASES]) for test in tests]
    return "\n".join(lines) + "\n"


def sentences() -> dict[str, list[str]]:
    """The names of the tests, by the clause whose heading they stand under: by number, then those without one."""
    found: dict[str, list[str]] = defaultdict(list)
    for part in SUITE:
        clause = ""
        for line in inspect.getsource(part).splitlines():
            if heading := re.fullmatch(r"# (.+)", line):
                clause = heading[1][0].upper() + heading[1][1:]
            elif test := re.match(r"def (test_\w+)", line):
                found[clause].append(test[1])
    return {clause: found[clause] for clause in sorted(found, key=_number)}


def _number(clause: str) -> int:
    found = re.match(r"\d+", clause)
    return int(found[0]) if found else _LAST


def _sentence(test: str) -> str:
    words = test.removeprefix("test_").replace("_", " ")
    return words[0].upper() + words[1:]


def _mark(kept: bool | None) -> str:
    return NOT_RUN if kept is None else KEPT if kept else BROKEN


def _row(first: str, others: Iterable[str]) -> str:
    return f"| {' | '.join([first, *others])} |"
