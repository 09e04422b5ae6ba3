"""This project as a contender: the installed command as a whole, with its two databases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.contender import Contender, Run
from benchmarks.measuring import Command, Cost
from tests.acceptance.installation import COMMAND, Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
UNITS = ("B", "kB", "MB", "GB")


def ours(
    name: str, proof: str, destination: Callable[[Run], Sequence[str]], settings: Sequence[str], *, copies: int = 1
) -> Contender:
    """Back up to *destination*, the lines of [Backup]; *settings* are further ones."""

    def command(run: Run) -> Command:
        lines = [*settings, *destination(run)]
        site = Installation(run.folder, run.source.dsn, run.source.sample, destination="\n".join(lines))
        return Command([COMMAND, "--config", site.configure(), "backup"])

    return Contender(name, proof, command, reading=_said, copies=copies)


def _said(_run: Run, cost: Cost) -> int | None:
    """What the command says that it read from the stores."""
    said = re.search(rf"([\d.,]+) ({'|'.join(UNITS)}) read from the stores", cost.output)
    return int(float(said[1].replace(",", "")) * 1000 ** UNITS.index(said[2])) if said else None
