"""This project as a contender: the installed command as a whole, with its two databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contender import Contender, Run
from benchmarks.measuring import Command
from tests.acceptance.installation import COMMAND, Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def ours(
    destination: Callable[[Run], Sequence[str]], settings: Sequence[str], *, name: str = "ours", proof: str
) -> Contender:
    """Back up to *destination*, the lines of [Backup]; *settings* are further ones."""

    def command(run: Run) -> Command:
        lines = [*destination(run), *settings]
        site = Installation(run.folder, run.source.dsn, run.source.sample, destination="\n".join(lines))
        return Command([COMMAND, "--config", site.configure(), "backup"])

    return Contender(name, proof, command)
