"""What counts as a checksum, and what does not (facts 5.1, 5.2)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.fixity import Algorithm, Checksum

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@st.composite
def checksums(draw: st.DrawFn) -> Checksum:
    algorithm = draw(st.sampled_from(Algorithm))
    digits = draw(st.text("0123456789abcdef", min_size=algorithm.hex_length, max_size=algorithm.hex_length))
    return Checksum(algorithm, digits)


@given(checksums())
def test_a_checksum_comes_back_from_its_text(checksum: Checksum) -> None:
    assert Checksum.from_text(str(checksum)) == checksum


@given(checksums(), st.text(" \t\n", max_size=3), st.text(" \t\n", max_size=3))
def test_upper_case_and_white_space_around_it_do_not_matter(checksum: Checksum, before: str, after: str) -> None:
    registered = f"{before}{checksum.value.upper()}{after}"
    assert Checksum.parse(checksum.algorithm, registered) == checksum


@given(st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()))
def test_whatever_is_taken_for_a_checksum_has_the_digits_of_its_algorithm(
    algorithm: str | None, value: str | None
) -> None:
    for name in (algorithm, *Algorithm):
        parsed = Checksum.parse(name, value)
        assert parsed is None or len(bytes.fromhex(parsed.value)) == parsed.algorithm.new().digest_size


@given(checksums(), st.sampled_from(Algorithm))
def test_a_value_of_another_length_is_no_checksum(checksum: Checksum, algorithm: Algorithm) -> None:
    fits = algorithm.hex_length == checksum.algorithm.hex_length
    assert (Checksum.parse(algorithm, checksum.value) is not None) == fits
    assert Checksum.parse(checksum.algorithm, checksum.value[:-1]) is None
    assert Checksum.parse(checksum.algorithm, checksum.value + "0") is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "Unknown",
        "Not available in Dataverse",
        "g" * 32,
        "٣" * 32,
        f"{EMPTY_MD5[:-1]}\n0",
        "0x" + "0" * 30,
    ],
    ids=ascii,
)
def test_a_placeholder_is_no_checksum(value: str | None) -> None:
    assert Checksum.parse("MD5", value) is None


@pytest.mark.parametrize("name", [None, "", "CRC32", "SHA", "SHA-224", "MD"])
def test_an_unknown_algorithm_is_no_checksum(name: str | None) -> None:
    assert Checksum.parse(name, EMPTY_MD5) is None


@pytest.mark.parametrize("text", [None, "", "MD5", "MD5:", EMPTY_MD5, f":{EMPTY_MD5}", f"MD5:{EMPTY_MD5}:", "a:b:c"])
def test_a_text_that_is_no_checksum_is_none(text: str | None) -> None:
    assert Checksum.from_text(text) is None


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("MD5", Algorithm.MD5),
        ("SHA-1", Algorithm.SHA1),
        ("SHA1", Algorithm.SHA1),
        ("sha1", Algorithm.SHA1),
        (" SHA-256 ", Algorithm.SHA256),
        ("SHA512", Algorithm.SHA512),
    ],
)
def test_an_algorithm_is_known_as_displayed_and_as_stored(name: str, algorithm: Algorithm) -> None:
    assert Algorithm.parse(name) is algorithm


@pytest.mark.parametrize("algorithm", Algorithm)
def test_an_algorithm_hashes_as_its_name_says(algorithm: Algorithm) -> None:
    digest = algorithm.new()
    digest.update(b"data")
    expected = hashlib.new(algorithm.value.replace("-", ""), b"data").hexdigest()
    assert digest.hexdigest() == expected
    assert algorithm.hex_length == len(expected)
