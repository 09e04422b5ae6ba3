"""Cuts long lists into statements that every database takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

STATEMENT = 400
"""How many values one statement names."""


def chunks(items: Sequence[T], size: int = STATEMENT) -> Iterator[Sequence[T]]:
    """*items* in pieces of *size*."""
    return (items[start : start + size] for start in range(0, len(items), size))
