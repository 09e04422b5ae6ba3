"""How an upload to Swift is cut into requests, and when its last bytes are given away."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.destinations.swift.attempt import Limits
from dataverse_backup.errors import SourceDiffers
from dataverse_backup.fixity import Algorithm, BytesStream, Checksum, HashingReader
from dataverse_backup.services.withheld import Body, Part

GIB = 1 << 30


@pytest.mark.parametrize(
    ("size", "wanted", "given_size"),
    [
        (0, GIB, GIB),
        (10 * GIB, GIB, GIB),
        (10 * GIB, 9 * GIB, 5 * GIB),  # the service takes no more in one object
        (2000 * GIB, GIB, 2 * GIB),  # it takes no more than 1,000 segments
        (5000 * GIB, GIB, 5 * GIB),
        (5001 * GIB, GIB, None),
    ],
)
def test_segments_are_as_big_as_they_must_be(size: int, wanted: int, given_size: int | None) -> None:
    assert Limits(5 * GIB, 1000).segment_size(size, wanted) == given_size


def test_a_service_without_large_objects_takes_what_fits_in_one() -> None:
    assert Limits(5 * GIB, 0).segment_size(5 * GIB, GIB) == 5 * GIB
    assert Limits(5 * GIB, 0).segment_size(5 * GIB + 1, GIB) is None


def body(data: bytes, promised: bytes, algorithm: Algorithm = Algorithm.MD5) -> Body:
    digest = algorithm.new()
    digest.update(promised)
    reader = HashingReader(BytesStream(data, place="store", key="x"), algorithm)
    return Body(reader, algorithm, Checksum(algorithm, digest.hexdigest()))


def read_into(pieces: list[bytes], source: Body | Part, length: int) -> None:
    while piece := source.read(length):
        pieces.append(piece)


@given(st.binary(), st.integers(1, 20), st.integers(1, 7), st.sampled_from(Algorithm))
def test_parts_are_the_whole_and_know_their_md5(data: bytes, part_size: int, read: int, algorithm: Algorithm) -> None:
    source, sent = body(data, data, algorithm), b""
    while len(sent) < len(data):
        part = Part(source, min(part_size, len(data) - len(sent)))
        pieces: list[bytes] = []
        read_into(pieces, part, read)
        assert part.etag == hashlib.md5(b"".join(pieces)).hexdigest()
        sent += b"".join(pieces)
    assert sent == data


@given(st.binary(min_size=1), st.integers(1, 20))
def test_the_last_bytes_of_a_lie_are_never_given(data: bytes, read: int) -> None:
    pieces: list[bytes] = []
    with pytest.raises(SourceDiffers):
        read_into(pieces, body(data, data + b"!"), read)
    assert sum(map(len, pieces)) < len(data)
