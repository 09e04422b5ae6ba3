"""Scores as a table of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.rounds import Score

HEAD = (
    "",
    "seconds (least to most)",
    "files/s",
    "MB/s",
    "ours is faster by",
    "client CPU s/GiB",
    "peak memory",
    "read per byte",
    "start-up",
    "its copies are proven by",
)
MEGABYTE = 1_000_000
HUNDRED = 100


def table_of(scores: Sequence[Score]) -> str:
    """One line for each contender; ours is what the others are compared with, the first one where ours is not there."""
    ours = scores[0]
    lines = [HEAD, ("---",) + ("---:",) * (len(HEAD) - 2) + ("---",), *(_cells(score, ours) for score in scores)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(score: Score, ours: Score) -> Iterator[str]:
    least, most = score.spread
    yield f"`{score.contender.name}`" + (f" ({score.number:,} files, scaled)" if score.number < score.files else "")
    yield f"{_figures(score.seconds)} ({_figures(least)} to {_figures(most)})"
    yield _figures(score.rate)
    yield f"{score.bytes_per_second / MEGABYTE:,.1f}"
    yield f"x {ours.rate / score.rate:.2f}"
    yield f"{score.processor_per_gibibyte:.1f}"
    yield f"{score.memory / MEGABYTE:,.0f} MB"
    yield "?" if score.read_per_byte is None else f"{score.read_per_byte:.2f}"
    yield f"{score.start.cost.seconds:.1f} s"
    yield score.contender.proof


def _figures(amount: float) -> str:
    """Three figures or so, which is more than such measurements are good for."""
    return f"{amount:,.0f}" if amount >= HUNDRED else f"{amount:.1f}"
