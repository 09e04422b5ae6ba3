"""The demo's sample: what it says of itself is true."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from dataverse_backup.errors import Reason
from dataverse_backup.fixity import Checksum
from dataverse_backup.ledger.base import Status
from demo.contents import AWKWARD, DATASETS, OnDisk
from demo.rows import DatafileRow, datafile_rows, dataset_rows
from demo.sample import SEED


@pytest.fixture(scope="module")
def rows() -> list[DatafileRow]:
    return list(datafile_rows(SEED))


def row(rows: list[DatafileRow], what: str) -> DatafileRow:
    return next(candidate for candidate in rows if candidate.file.what == what)


def test_equal_seeds_give_equal_samples_and_others_do_not(rows: list[DatafileRow]) -> None:
    again = list(datafile_rows(SEED))
    assert rows == again
    assert [one.objects() for one in rows[::10]] == [one.objects() for one in again[::10]]
    assert rows != list(datafile_rows(SEED + 1))


def test_it_is_about_as_large_as_it_says(rows: list[DatafileRow]) -> None:
    sizes = [len(content) for one in rows for content in one.objects().values()]
    assert 280 <= len(rows) <= 320
    assert 28 <= len(dataset_rows(SEED)) <= 34
    assert 20_000_000 < sum(sizes) < 80_000_000
    assert sum(size > 1_000_000 for size in sizes) >= 5


def test_no_two_objects_and_no_two_copies_have_the_same_place(rows: list[DatafileRow]) -> None:
    objects = Counter((one.store_id, path) for one in rows for path in one.objects())
    copies = Counter(one.key for one in rows if one.file.status is Status.OK and one.dataset)
    assert objects.most_common(1)[0][1] == 1
    assert copies.most_common(1)[0][1] == 1


def test_every_dataset_and_every_kind_of_object_is_used() -> None:
    assert {file.dataset for file in AWKWARD if file.dataset} == set(DATASETS)
    assert {file.on_disk for file in AWKWARD} == set(OnDisk)


def test_every_reason_that_needs_no_accident_is_planted() -> None:
    planted = {file.reason for file in AWKWARD}
    assert planted >= {
        Reason.MISSING,
        Reason.SOURCE_DIFFERS,
        Reason.NO_CHECKSUM,
        Reason.SIZE_DIFFERS,
        Reason.NO_DATASET,
        Reason.NO_IDENTIFIER,
        Reason.PREFIX_ONLY,
        Reason.TEMPORARY,
        Reason.REMOTE,
        Reason.GLOBUS,
        Reason.PACKAGE,
    }


def test_awkward_ones_are_told_apart_by_their_words() -> None:
    words = [file.what for file in AWKWARD if file.dataset != "harvested"]
    assert len(set(words)) == len(words)
    assert "" not in words


def test_what_is_registered_is_a_checksum_exactly_where_no_reason_says_otherwise(rows: list[DatafileRow]) -> None:
    for one in rows:
        if one.file.status is Status.OK and one.dataset and not one.dataset.dataset.is_harvested:
            checksum = Checksum.parse(one.file.algorithm.name, one.registered_checksum)
            assert (checksum is None) == (one.file.reason is Reason.NO_CHECKSUM), one.file.what


def test_the_registered_bytes_lie_in_the_store_exactly_where_they_are_not_spoilt(rows: list[DatafileRow]) -> None:
    for one in rows:
        is_there = one.registered_bytes in one.objects().values()
        is_spoilt = one.file.on_disk in (OnDisk.CORRUPTED, OnDisk.TRUNCATED, OnDisk.NOTHING)
        assert is_there != is_spoilt, one.file.what


def test_a_corrupted_object_has_its_old_length_and_other_bytes(rows: list[DatafileRow]) -> None:
    one = row(rows, "one bit is wrong")
    (content,) = one.objects().values()
    assert len(content) == len(one.registered_bytes) == one.registered_size
    assert hashlib.md5(content).hexdigest() != one.registered_checksum


def test_an_ingested_datafile_has_its_original_beside_a_tab_that_is_registered_by_size_only(
    rows: list[DatafileRow],
) -> None:
    one = row(rows, "tabular")
    beside = {f"{one.path}.prov-json.json", f"{one.path}.dpJson_v1"}
    assert set(one.objects()) == {one.path, f"{one.path}.orig"} | beside
    assert hashlib.md5(one.objects()[f"{one.path}.orig"]).hexdigest() == one.registered_checksum
    assert len(one.objects()[one.path]) == one.registered_size


def test_a_package_is_proven_by_its_manifest_which_has_the_checksum_of_each_part(rows: list[DatafileRow]) -> None:
    one = row(rows, "package folder")
    objects = one.objects()
    manifest = objects.pop(f"{one.path}/files.sha")
    assert hashlib.sha1(manifest).hexdigest() == one.registered_checksum
    parts = [f"{hashlib.sha1(part).hexdigest()}  {path.rpartition('/')[2]}" for path, part in objects.items()]
    assert manifest.decode().splitlines() == parts


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("PermaLink without authority", "PERMA1/18b3-1"),
        ("PermaLink", "DANSLINK/ABCDEF/18b3-1"),
        ("Handle, old numeric name", "1902.1/11111/42"),
        ("dataset folder with spaces and accents", "10.18710/AB C/ééé/x y.txt"),
    ],
)
def test_paths_are_those_of_the_storage_pid(rows: list[DatafileRow], what: str, path: str) -> None:
    assert row(rows, what).path == path


def test_a_designated_alternative_pid_names_the_folder_and_another_does_not(rows: list[DatafileRow]) -> None:
    assert row(rows, "storage PID is an alternative PID").path.startswith("1902.1/12345/")
    assert row(rows, "alternative PID that names no folder").path.startswith("10.7910/DVN/XYZ124/")


def test_of_two_datafiles_with_one_key_the_later_one_yields(rows: list[DatafileRow]) -> None:
    first, second = (row(rows, f"key that two stores give, {which}") for which in ("first", "second"))
    assert first.path == second.path
    assert (first.key, second.key) == (first.path, f"{first.path}.datafile-{second.id}")
