"""Timetables of bandwidths: what they allow at which time, and everything that is wrong with one at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.assembly import make_site
from dataverse_backup.bandwidth import DAYS, MINUTES_OF_DAY, Timetable
from dataverse_backup.config.values import size_from
from tests.unit.config_files import REST, loaded, mistakes

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = datetime(2026, 3, 2)  # noqa: DTZ001 -- the clock on the wall
MEBIBYTE = 1 << 20


def parse(text: str) -> Timetable:
    return Timetable.parse(text, size_from)


def rate(text: str, day: int, hour: int, minute: int = 0) -> int | None:
    return parse(text).rate(MONDAY + timedelta(days=day, hours=hour, minutes=minute))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20M", 20 * MEBIBYTE), ("512k", 512 * 1024), ("2MiB", 2 * MEBIBYTE), ("1048576", MEBIBYTE), ("OFF", None)],
)
def test_one_rate_holds_always(text: str, expected: int | None) -> None:
    assert {rate(text, day, hour) for day in range(7) for hour in range(24)} == {expected}


def test_each_entry_holds_until_the_next_one_and_over_midnight() -> None:
    text = "08:00,20M 18:00,off"
    assert [rate(text, 2, *time) for time in ((7, 59), (8, 0), (17, 59), (18, 0), (0, 0))] == [
        None,
        20 * MEBIBYTE,
        20 * MEBIBYTE,
        None,
        None,
    ]


def test_an_entry_of_a_day_comes_instead_of_one_of_every_day_at_the_same_time() -> None:
    text = "8:00,1M 18:00,off Sat-08:00,off fri-12:00,2M"
    assert rate(text, 5, 9) is None
    assert rate(text, 4, 13) == 2 * MEBIBYTE
    assert rate(text, 4, 9) == rate(text, 6, 9) == MEBIBYTE


def test_the_last_entry_of_a_week_holds_on_its_first_day_too() -> None:
    text = "Tue-10:00,1M Sun-20:00,2M"
    assert [rate(text, 0, 0), rate(text, 1, 9), rate(text, 1, 10), rate(text, 6, 23)] == [
        2 * MEBIBYTE,
        2 * MEBIBYTE,
        MEBIBYTE,
        2 * MEBIBYTE,
    ]


@given(
    st.dictionaries(
        st.integers(0, 7 * MINUTES_OF_DAY - 1),
        st.one_of(st.none(), st.integers(1024, 10**11)),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 7 * MINUTES_OF_DAY - 1),
)
def test_a_timetable_says_what_was_written_into_it(slots: dict[int, int | None], now: int) -> None:
    entries = [
        f"{DAYS[begin // MINUTES_OF_DAY].title()}-{begin // 60 % 24:02}:{begin % 60:02},{allowed or 'off'}"
        for begin, allowed in slots.items()
    ]
    latest = max((begin for begin in slots if begin <= now), default=max(slots))
    assert parse(" ".join(entries)).rate(MONDAY + timedelta(minutes=now)) == slots[latest]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "not a rate: off, or bytes a second such as 20M or 512K"),
        ("20M 30M", "not a rate: off, or bytes a second such as 20M or 512K"),
        ("-1M", "not a rate: off, or bytes a second such as 20M or 512K"),
        ("512", "less than 1K, a kilobyte a second: is its unit missing?"),
        ("0", "less than 1K, a kilobyte a second: is its unit missing?"),
        ("08:00,20M 25:00,1M", "entry 2: its time must be from 00:00 to 23:59"),
        ("08:60,20M", "entry 1: its time must be from 00:00 to 23:59"),
        ("08:00,20M 8:00,off", "entry 2: another entry begins at the same time"),
        ("Mon-08:00,20M mon-08:00,off", "entry 2: another entry begins at the same time"),
        ("xyz-08:00,20M", "entry 1: its day must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
        ("08:00,20M,1M", "entry 1: not a rate: off, or bytes a second such as 20M or 512K"),
        (
            "08.00,20M 12:00,fast 13:00,5 14:00,off",
            (
                "entry 1: must be a time and a rate, such as 08:00,20M or Sat-08:00,off; "
                "entry 2: not a rate: off, or bytes a second such as 20M or 512K; "
                "entry 3: less than 1K, a kilobyte a second: is its unit missing?"
            ),
        ),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- its text is what is tested
        parse(text)
    assert str(caught.value) == said


@given(st.text(max_size=30))
def test_whatever_is_written_is_understood_or_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except ValueError:
        return
    assert parsed.slots


def test_each_destination_has_the_limits_of_its_section(tmp_path: Path) -> None:
    text = f"{REST}BandwidthLimit: 08:00,20M 18:00,off\nMaxBytes: 2T\nMaxDuration: 6h\n"
    settings = loaded(tmp_path, text)
    site = make_site(settings, "default")
    assert site.bandwidth is not None
    assert site.bandwidth.rate(MONDAY + timedelta(hours=9)) == 20 * MEBIBYTE
    assert (site.limits.seconds, site.limits.size) == (6 * 3600, 2 << 40)


def test_mistakes_in_limits_are_told_with_those_of_other_keys(tmp_path: Path) -> None:
    text = f"{REST}BandwidthLimit: 25:00,1M\nMaxBytes: much\nMaxDuration: long\n"
    assert mistakes(tmp_path, text) == [
        "line 6: [Backup] BandwidthLimit: entry 1: its time must be from 00:00 to 23:59",
        "line 7: [Backup] MaxBytes: not a size: a whole number of bytes, or one with K, M, G or T",
        "line 8: [Backup] MaxDuration: not a length of time: a whole number with s, m, h or d, such as 6h",
    ]
