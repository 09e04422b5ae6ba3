"""The demo's judge finds what is wrong, and nothing where all is well."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from demo.proof import Listing, differences, stamps
from demo.sample import Expected, ExpectedCompanion, Sample

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Expected(1, "", Status.OK, None, "a/good", 4, hashlib.sha256(b"good").hexdigest())
FAILED = Expected(2, "object is missing", Status.FAIL_READ, Reason.MISSING, "a/failed", None, None)
ELSEWHERE = Expected(3, "remote", Status.NOT_HERE, Reason.REMOTE, None, None, None)
SAMPLE = Sample({}, (GOOD, FAILED, ELSEWHERE), frozenset({9}), datasets=1)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "good").write_bytes(b"good")
    (tmp_path / ".dataverse-backup").mkdir()
    (tmp_path / ".dataverse-backup" / "identity").write_text("us")
    return tmp_path


def listing(**changes: Listing) -> list[Listing]:
    lines = {
        "good": {"datafile_id": 1, "status": "OK", "reason": None, "key": "a/good"},
        "failed": {"datafile_id": 2, "status": "FAIL_READ", "reason": "missing", "key": "a/failed"},
        "elsewhere": {"datafile_id": 3, "status": "NOT_HERE", "reason": "remote", "key": None},
    }
    return [{"object": "main", **line, **changes.get(name, {})} for name, line in lines.items()]


def test_nothing_is_said_where_all_is_well(backup: Path) -> None:
    assert differences(SAMPLE, listing(), backup) == []


def test_a_copy_with_other_bytes_is_found(backup: Path) -> None:
    (backup / "a" / "good").write_bytes(b"g0od")
    assert differences(SAMPLE, listing(), backup) == ["the copy a/good has other bytes than its original"]


def test_a_copy_that_is_not_there_is_found(backup: Path) -> None:
    (backup / "a" / "good").unlink()
    assert differences(SAMPLE, listing(), backup) == ["there is no copy a/good"]


def test_a_copy_of_what_must_have_failed_is_found(backup: Path) -> None:
    (backup / "a" / "failed").write_bytes(b"made up")
    assert differences(SAMPLE, listing(), backup) == ["a/failed lies in the backup, and nothing says why"]


def test_what_lies_beside_and_is_not_listed_or_not_copied_is_found(backup: Path) -> None:
    tab = ExpectedCompanion(1, "tab", "a/good.tab", 3, hashlib.sha256(b"tab").hexdigest())
    sample = replace(SAMPLE, expected=(replace(GOOD, companions=(tab,)), FAILED, ELSEWHERE))
    line: Listing = {"datafile_id": 1, "object": "tab", "status": "OK", "reason": None, "key": "a/good.tab"}
    (backup / "a" / "good.tab").write_bytes(b"tab")
    assert differences(sample, [*listing(), line], backup) == []
    assert differences(sample, listing(), backup) == ["tab of 1 is listed as None"]
    (backup / "a" / "good.tab").write_bytes(b"tap")
    said = ["tab of 1 has no copy a/good.tab of its bytes", "prov of 1 is listed, and there is none"]
    assert differences(sample, [*listing(), line, line | {"object": "prov"}], backup) == said


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"good": {"status": "FAIL_WRITE"}}, "datafile 1 (ordinary): status is 'FAIL_WRITE', not 'OK'"),
        ({"good": {"reason": "no-checksum"}}, "datafile 1 (ordinary): reason is 'no-checksum', not 'None'"),
        ({"good": {"key": "b/good"}}, "datafile 1 (ordinary): key is 'b/good', not 'a/good'"),
        ({"failed": {"status": "OK"}}, "datafile 2 (object is missing): status is 'OK', not 'FAIL_READ'"),
        ({"elsewhere": {"reason": "globus"}}, "datafile 3 (remote): reason is 'globus', not 'remote'"),
    ],
)
def test_a_line_that_says_something_else_is_found(backup: Path, changes: dict[str, Listing], sentence: str) -> None:
    assert differences(SAMPLE, listing(**changes), backup) == [sentence]


def test_lines_that_are_too_many_or_too_few_are_found(backup: Path) -> None:
    lines = listing()
    harvested = {**lines[0], "datafile_id": 9}
    assert differences(SAMPLE, [*lines, lines[0]], backup) == ["datafile 1 is listed twice"]
    assert differences(SAMPLE, [*lines, harvested], backup) == ["datafile 9 is listed, and it is harvested"]
    assert differences(SAMPLE, lines[1:], backup) == ["datafile 1 (ordinary) is not listed"]


def test_stamps_show_a_file_that_was_written_again_with_the_same_bytes(backup: Path) -> None:
    before = stamps(backup)
    (backup / "a" / "again").write_bytes(b"good")
    (backup / "a" / "again").replace(backup / "a" / "good")
    assert set(before) == {"a/good"}
    assert stamps(backup) != before
