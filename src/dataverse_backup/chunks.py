"""Long iterables, and streams, taken piece by piece."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


def chunks(items: Iterable[T], length: int) -> Iterator[list[T]]:
    """*items* in lists of at most *length*."""
    iterator = iter(items)
    while chunk := list(islice(iterator, length)):
        yield chunk


def sized_chunks(items: Iterable[T], size_of: Callable[[T], int], *, length: int, size: int) -> Iterator[list[T]]:
    """*items* in lists of at most *length*, together at most *size* by *size_of*; a larger one is alone."""
    chunk: list[T] = []
    held = 0
    for item in items:
        if chunk and (len(chunk) >= length or held + size_of(item) > size):
            yield chunk
            chunk, held = [], 0
        chunk.append(item)
        held += size_of(item)
    if chunk:
        yield chunk


def beginning(read: Callable[[int], bytes], length: int) -> bytes:
    """The first *length* bytes of what *read* gives, or all where there are fewer.

    One call is not enough: what comes from a network comes in pieces.
    """
    pieces: list[bytes] = []
    while length > 0 and (data := read(length)):
        pieces.append(data)
        length -= len(data)
    return b"".join(pieces)
