"""Dumps at a destination: what they are called, and which of them are removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.destinations.base import DATABASE_PREFIX, checked_removable, is_note, is_own
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.generations import Generation, Retention, generations

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
DIGEST = "0123456789abcdef" * 4

times = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.timezones())  # noqa: DTZ001 -- given zones
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
many = st.lists(st.builds(Generation, times, digests), max_size=40)
retentions = st.builds(Retention, st.integers(1, 20), st.timedeltas(timedelta(0), timedelta(days=4000)))


def of(days: float) -> Generation:
    """One that was begun so many days before noon."""
    return Generation(NOON - timedelta(days=days), DIGEST)


def test_a_name_tells_when_a_dump_was_begun_and_what_its_bytes_are() -> None:
    one = Generation.of(datetime(2026, 11, 24, 2, 15, 7, 999_999, tzinfo=UTC), Checksum(Algorithm.SHA256, DIGEST))
    assert one.key == f".dataverse-backup/database/20261124T021507Z-{DIGEST}.dump"
    assert str(one.checksum) == f"SHA-256:{DIGEST}"


@given(times, digests)
def test_a_key_comes_back_as_the_generation_that_it_was_made_of(taken: datetime, digest: str) -> None:
    one = Generation.of(taken, Checksum(Algorithm.SHA256, digest))
    assert Generation.from_key(one.key) == one
    assert is_own(one.key)
    assert not is_note(one.key)
    checked_removable([one.key])


def test_a_dump_has_no_name_by_another_algorithm() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        Generation.of(NOON, Checksum(Algorithm.MD5, "0" * 32))


@pytest.mark.parametrize(
    "key",
    [
        "",
        f"{DATABASE_PREFIX}/",
        f"{DATABASE_PREFIX}/notes.txt",
        f"{DATABASE_PREFIX}/20261124T021507Z-{DIGEST}.dump.part",
        f"{DATABASE_PREFIX}/20261124T021507Z-{DIGEST[:-1]}.dump",
        f"{DATABASE_PREFIX}/20261124T021507Z-{DIGEST.upper()}.dump",
        f"{DATABASE_PREFIX}/20261399T021507Z-{DIGEST}.dump",
        f"{DATABASE_PREFIX}/20261124T021507Z-{DIGEST}.dump\n",
        f"{DATABASE_PREFIX}/x/20261124T021507Z-{DIGEST}.dump",
        f"10.5072/FK2/ABCDEF/20261124T021507Z-{DIGEST}.dump",
        f"{DATABASE_PREFIX}/\uff12\uff10261124T021507Z-{DIGEST}.dump",
    ],
)
def test_what_is_called_otherwise_is_no_dump_and_is_never_removed_as_one(key: str) -> None:
    assert Generation.from_key(key) is None
    assert generations([key]) == []


def test_the_newest_are_kept_by_their_number_and_the_young_ones_by_their_age() -> None:
    kept = [of(days) for days in range(10)]
    rule = Retention(3, timedelta(days=5))
    assert rule.superfluous(kept, NOON) == [of(5), of(6), of(7), of(8), of(9)]
    assert Retention(8, timedelta(days=5)).superfluous(kept, NOON) == [of(8), of(9)]
    assert Retention(1, timedelta(days=30)).superfluous(kept, NOON) == []


@given(many, retentions, times)
def test_neither_the_newest_nor_a_young_one_is_ever_removed(
    kept: list[Generation], rule: Retention, now: datetime
) -> None:
    old = rule.superfluous(kept, now)
    left = sorted(kept, reverse=True)[: len(kept) - len(old)]
    assert sorted([*old, *left]) == sorted(kept)
    assert len(left) >= min(rule.number, len(kept))
    assert all(now - one.taken >= rule.age for one in old)
    assert rule.superfluous(left, now) == []


def test_a_clock_that_was_set_back_a_month_removes_nothing_young() -> None:
    """What was made before seems to be of the future."""
    kept = [of(days) for days in range(40)]
    assert all(
        NOON - one.taken >= timedelta(days=35)
        for one in Retention(2, timedelta(days=5)).superfluous(kept, NOON - timedelta(days=30))
    )
