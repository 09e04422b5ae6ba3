"""Reading once, hashing on the way, and noticing what is not as it was said to be."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.errors import SourceChanged, SourceDiffers
from dataverse_backup.fixity import Algorithm, Checksum, HashingReader
from dataverse_backup.stores.memory import Fault, MemoryStream

KEY = "10.5072/FK2/ABCDEF/1"


def md5(data: bytes) -> Checksum:
    return Checksum(Algorithm.MD5, hashlib.md5(data).hexdigest())


def reader_of(data: bytes, claimed_size: int | None = None) -> HashingReader:
    return HashingReader(MemoryStream(data, Fault(claimed_size=claimed_size), place="file", key=KEY), Algorithm.MD5)


@given(st.binary(max_size=300), st.integers(1, 64))
def test_what_was_read_is_what_was_hashed_however_it_was_read(data: bytes, length: int) -> None:
    with reader_of(data) as reader:
        got = b""
        while part := reader.read(length):
            got += part
        assert (got, reader.bytes_read, reader.size) == (data, len(data), len(data))
        assert reader.finish(md5(data)) == md5(data)


@given(st.binary(max_size=50), st.integers(1, 20))
def test_a_source_that_shrinks_is_noticed(data: bytes, missing: int) -> None:
    reader = reader_of(data, len(data) + missing)
    reader.read(1000)
    with pytest.raises(SourceChanged, match=f"shrank from {len(data) + missing} to {len(data)} bytes"):
        reader.finish(md5(data))


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_source_that_grows_is_noticed_even_by_who_reads_no_further_than_its_size(
    data: bytes, choice: st.DataObject
) -> None:
    size = choice.draw(st.integers(0, len(data) - 1))
    reader = reader_of(data, size)
    reader.read(size)
    with pytest.raises(SourceChanged, match=f"grew beyond {size} bytes"):
        reader.finish(None)


def test_a_source_that_grows_is_noticed_while_it_is_read() -> None:
    with pytest.raises(SourceChanged, match="grew beyond 3 bytes"):
        reader_of(b"data", 3).read(4)


def test_other_bytes_than_promised_are_noticed_and_both_checksums_said() -> None:
    reader = reader_of(b"rotten")
    reader.read(100)
    with pytest.raises(SourceDiffers) as caught:
        reader.finish(md5(b"good"))
    assert (caught.value.place, caught.value.key) == ("file", KEY)
    assert f"{md5(b'rotten')} was read, {md5(b'good')} is registered" in str(caught.value)
    assert caught.value.hint


def test_where_nothing_is_promised_what_was_read_counts() -> None:
    reader = reader_of(b"data")
    reader.read(100)
    assert reader.finish(None) == md5(b"data")


def test_an_empty_source_has_a_checksum() -> None:
    assert reader_of(b"").finish(md5(b"")) == md5(b"")
