"""docs/explanation/performance.md: its tables are written by the command, its prose by people."""

from __future__ import annotations

import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import machine, versions
from benchmarks.measuring import CommandFailed
from benchmarks.table import table_of

if TYPE_CHECKING:
    from benchmarks.bench import Result

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"


def write_result(result: Result, rounds: int, folder: Path) -> None:
    """Put the table of *result* in its place. Raises CommandFailed where the page has none."""
    workload = result.workload
    of = f"Medians of {rounds} rounds" if rounds > 1 else "One round"
    told = f"{of}, {_today()}, load average {os.getloadavg()[2]:.0f}. {machine(folder)}. {versions()}."
    write(f"{workload.name} {workload.round_trip:g}", f"{table_of(result.scores)}\n{told}")


def write_words(place: str, words: str) -> None:
    """Put what was measured without contenders in its place."""
    write(place, f"{words}\n\n{_today()}. {machine(Path(tempfile.gettempdir()))}.")


def write(place: str, text: str) -> None:
    """Let *text* be what stands at *place*, between two comments."""
    pattern = re.compile(rf"(<!-- measured: {re.escape(place)} -->\n).*?(<!-- end -->)", re.DOTALL)
    page, number = pattern.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", PAGE.read_text("utf-8"))
    if number != 1:
        raise CommandFailed(f"{PAGE} has no place for {place}: put <!-- measured: {place} --> and <!-- end --> there")
    PAGE.write_text(page, "utf-8")


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
