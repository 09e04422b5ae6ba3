"""Cuts long lists into statements that every database takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dataverse_backup.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_STATEMENT = 400
"""How many values one statement names."""


def by_statement(items: Iterable[T]) -> Iterator[list[T]]:
    """*items* in lists, each of as many as one statement may name."""
    return chunks(items, _STATEMENT)
