"""Long iterables, and streams, taken piece by piece."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import binary, integers, lists

from dataverse_backup.chunks import beginning, chunks, sized_chunks

SIZES = lists(integers(0, 20), max_size=30)


@given(SIZES, integers(1, 8))
def test_chunks_hold_everything_in_order_and_only_the_last_is_shorter(items: list[int], length: int) -> None:
    pieces = list(chunks(items, length))
    assert [item for piece in pieces for item in piece] == items
    assert all(len(piece) == length for piece in pieces[:-1])
    assert all(0 < len(piece) <= length for piece in pieces[-1:])


@given(SIZES, integers(1, 8), integers(1, 30))
def test_sized_chunks_are_as_large_as_they_may_be(items: list[int], length: int, size: int) -> None:
    pieces = list(sized_chunks(items, lambda item: item, length=length, size=size))
    assert [item for piece in pieces for item in piece] == items
    for piece in pieces:
        assert len(piece) == 1 or (len(piece) <= length and sum(piece) <= size)
    for piece, after in pairwise(pieces):
        assert len(piece) == length or sum(piece) + after[0] > size


def test_what_is_taken_is_not_read_ahead_of() -> None:
    numbers = iter(range(10))
    assert next(chunks(numbers, 3)) == [0, 1, 2]
    assert next(numbers) == 3


@given(binary(max_size=40), integers(0, 50), integers(1, 5))
def test_the_beginning_of_a_stream_is_whole_however_little_comes_at_a_time(data: bytes, length: int, most: int) -> None:
    stream = BytesIO(data)
    assert beginning(lambda wanted: stream.read(min(wanted, most)), length) == data[:length]
