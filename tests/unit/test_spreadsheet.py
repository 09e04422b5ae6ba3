from __future__ import annotations

import csv
import io

import pytest

from dataverse_backup.spreadsheet import BoundedList, cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_what_a_spreadsheet_would_compute_is_text(start: str) -> None:
    assert cell(f"{start}1+1") == f"'{start}1+1"


def test_everything_else_stays_as_it_is() -> None:
    assert [cell(value) for value in ("a=b", "", 3, -1.5, None)] == ["a=b", "", 3, -1.5, None]


def test_what_is_not_unicode_can_be_written_and_read() -> None:
    assert cell("\udcff") == "\\udcff"


def test_a_list_is_csv_in_utf8() -> None:
    made = BoundedList(["a", "b"], 1000)
    made.add(['ü "quoted"\nline', None])
    content = made.content()
    assert content is not None
    assert list(csv.reader(io.StringIO(content.decode(), newline=""))) == [["a", "b"], ['ü "quoted"\nline', ""]]
    assert made.rows == 1


def test_a_list_that_is_too_long_is_dropped_whole() -> None:
    made = BoundedList(["a"], 20)
    for _ in range(10):
        made.add(["üüüüü"])
    assert made.is_dropped
    assert made.content() is None


def test_the_limit_counts_bytes() -> None:
    made = BoundedList(["a"], 15)
    made.add(["üüüüü"])
    assert not made.is_dropped
    assert made.content() == b"a\r\n" + "üüüüü".encode() + b"\r\n"
    made = BoundedList(["a"], 14)
    made.add(["üüüüü"])
    assert made.content() is None
