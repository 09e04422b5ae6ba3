"""Checksums of objects in parts, as S3 makes them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.destinations.s3.objects import (
    Part,
    Stored,
    crc64_of,
    crc64_of_parts,
    crc64_text,
    etag_of,
    is_made_of,
    md5_of,
)


def test_the_crc64_is_that_of_s3() -> None:
    """Its check value in the catalogue of CRC algorithms; AWS calls it CRC64NVME."""
    assert crc64_of(b"123456789") == 0xAE8B14860A799888
    assert crc64_text(crc64_of(b"123456789")) == "rosUhgp5mIg="


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=9))
def test_the_crc64_of_parts_is_that_of_the_whole(pieces: list[bytes]) -> None:
    parts = [Part(n, "", len(data), crc64=crc64_of(data)) for n, data in enumerate(pieces, 1)]
    assert crc64_of_parts(parts) == crc64_of(b"".join(pieces))


def test_parts_of_which_one_has_no_checksum_prove_nothing() -> None:
    whole = Stored(2, '"etag"', None, None, crc64_text(crc64_of(b"ab")))
    known = [Part(1, "", 1, crc64=crc64_of(b"a")), Part(2, "", 1, crc64=crc64_of(b"b"))]
    assert is_made_of(known, whole, 2)
    assert not is_made_of([known[0], Part(2, "", 1)], whole, 2)
    assert not is_made_of([known[0], Part(2, "", 1, md5=md5_of(b"b"))], whole, 2)
    assert not is_made_of(known, whole, 3)
    assert not is_made_of([], whole, 2)
    assert etag_of([Part(1, "", 1)]) is None


def test_parts_in_another_order_are_another_object() -> None:
    whole = Stored(2, "", None, None, crc64_text(crc64_of(b"ab")))
    parts = [Part(1, "", 1, crc64=crc64_of(b"b")), Part(2, "", 1, crc64=crc64_of(b"a"))]
    assert not is_made_of(parts, whole, 2)
