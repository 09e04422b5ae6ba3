"""What every destination promises of what it stores: clause 5 of the contract."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.bandwidth import Timetable
from dataverse_backup.destinations.base import Failure, StoredDigest
from dataverse_backup.errors import CopyMissing, KeyRefused
from dataverse_backup.fixity import Algorithm, VerifiedBy
from dataverse_backup.outflow import Pace
from dataverse_backup.testing.uploads import ASIDE, KEY, OTHER, checksum, digest, read_all, stored, upload

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.testing.places import Place

# 5. digests


def test_digests_tell_what_is_stored_now(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY))
    for algorithm in Algorithm:
        now = f"other bytes for {algorithm}".encode()
        place.plant(KEY, now)
        result = digest(destination, KEY, algorithm)
        assert isinstance(result, StoredDigest)
        assert (result.size, result.checksum) == (len(now), checksum(now, algorithm))


class _CountedPace(Pace):
    """Lets everything pass at once, and counts it."""

    def __init__(self) -> None:
        super().__init__(Timetable.parse("1000000000", int))
        self.counted = 0

    def delay(self, count: int) -> float:
        self.counted += count
        return 0.0


def test_what_digests_read_back_is_held_to_a_pace(place: Place, destination: Destination) -> None:
    data = b"0123456789" * 30_000
    place.plant(KEY, data)
    with closing(_CountedPace()) as pace:
        destination.pace = pace
        found = digest(destination, KEY)
    assert isinstance(found, StoredDigest)
    assert found.checksum == checksum(data)
    assert pace.counted == (len(data) if found.verified_by is VerifiedBy.READ_BACK else 0)


def test_one_damaged_bit_is_seen(place: Place, destination: Destination) -> None:
    receipt = stored(destination, upload(KEY, b"x" * 70_000))[KEY]
    place.damage(KEY)
    result = digest(destination, KEY)
    assert isinstance(result, StoredDigest)
    assert (result.size, result.checksum == receipt.checksum) == (70_000, False)


def test_digests_answer_for_each_key_of_many(place: Place, destination: Destination) -> None:
    for number in range(5):
        place.plant(f"a b/{number} ", b"%d" % number)
    keys = [f"a b/{number} " for number in range(7)] + ["../up"]
    results = {result.key: result for result in destination.digests(keys, Algorithm.SHA1)}
    assert results.keys() == set(keys)
    for number in range(5):
        result = results[f"a b/{number} "]
        assert isinstance(result, StoredDigest)
        assert result.checksum == checksum(b"%d" % number, Algorithm.SHA1)
    errors = [type(result.error) for key in keys if isinstance(result := results[key], Failure)]
    assert errors == [CopyMissing, CopyMissing, KeyRefused]


def test_an_empty_object_has_a_digest(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"")
    result = digest(destination, KEY)
    assert isinstance(result, StoredDigest)
    assert (result.size, result.checksum) == (0, checksum(b""))


def test_no_keys_have_no_digests_and_no_sizes(destination: Destination) -> None:
    assert list(destination.digests([], Algorithm.MD5)) == []
    assert destination.sizes([]) == {}


def test_what_is_not_there_is_missing(destination: Destination) -> None:
    result = digest(destination, KEY)
    assert isinstance(result, Failure)
    assert type(result.error) is CopyMissing
    with pytest.raises(CopyMissing):
        read_all(destination, KEY)
    with pytest.raises(CopyMissing):
        destination.supersede(KEY, ASIDE)


def test_sizes_tell_of_what_is_there_and_of_nothing_else(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"12345")
    place.plant("dir with space/é", b"")
    keys = [KEY, "dir with space/é", OTHER, "no/such", "../up", "nul\0", "x" * 256]
    assert destination.sizes(keys) == {KEY: 5, "dir with space/é": 0}


def test_objects_are_read_back_byte_for_byte(destination: Destination) -> None:
    data = bytes(range(256)) * 8200
    stored(destination, upload(KEY, data), upload(OTHER, b""))
    assert read_all(destination, KEY) == data
    assert read_all(destination, OTHER) == b""
