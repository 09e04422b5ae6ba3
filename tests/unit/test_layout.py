"""Where a copy lives at a destination (design, rule 8)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import KeyRefused
from dataverse_backup.layout import is_beside, key_for, keys_beside, original_key_for, superseded_key
from dataverse_backup.stores.memory import MemoryStore
from tests.contract.ledger_cases import MD5, datafile

STORE = MemoryStore()

KEYS = st.lists(st.text("ab.-", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


def test_a_copy_lies_where_dataverse_keeps_the_file() -> None:
    assert key_for(datafile(1, storageidentifier="file://18b-50e"), STORE) == "10.5072/FK2/ABCDEF/18b-50e"


def test_an_identifier_without_a_store_is_the_name() -> None:
    assert key_for(datafile(1, storageidentifier="18b-50e"), STORE) == "10.5072/FK2/ABCDEF/18b-50e"


def test_an_empty_authority_leaves_no_empty_folder_behind() -> None:
    assert key_for(datafile(1, dataset=Dataset("perma:X", "", "X")), STORE) == "X/18b-1"


def test_a_colon_in_a_file_stores_name_is_kept() -> None:
    file = datafile(1, storageidentifier="file://a:b")
    assert key_for(file, STORE) == "10.5072/FK2/ABCDEF/a:b"
    assert original_key_for(file) == "10.5072/FK2/ABCDEF/b"


@pytest.mark.parametrize(
    ("identifier", "name"),
    [("file://18b-1", "18b-1"), ("s3://bucket:18b-1", "18b-1"), ("18b-1", "18b-1"), ("a:b:c", "c")],
)
def test_the_original_script_took_the_text_after_the_last_colon(identifier: str, name: str) -> None:
    assert original_key_for(datafile(1, storageidentifier=identifier)) == f"10.5072/FK2/ABCDEF/{name}"


@pytest.mark.parametrize("ours", [".dataverse-backup", ".superseded", "README.txt", "verify.sh"])
def test_no_copy_is_put_among_what_the_backup_keeps_for_itself(ours: str) -> None:
    file = datafile(1, dataset=Dataset("doi:x", ours, "staging"))
    with pytest.raises(KeyRefused, match="keeps for itself"):
        key_for(file, STORE)
    with pytest.raises(KeyRefused, match="keeps for itself"):
        original_key_for(file)


def test_no_copy_is_put_among_the_notes_about_its_dataset() -> None:
    with pytest.raises(KeyRefused, match="keeps for itself"):
        key_for(datafile(1, storageidentifier="file://.dataverse-backup/manifest.json"), STORE)
    assert key_for(datafile(1, storageidentifier="file://a/README.txt"), STORE) == "10.5072/FK2/ABCDEF/a/README.txt"


def test_the_keys_beside_mark_the_name_first_and_then_its_folders() -> None:
    assert keys_beside("a/b/c", datafile(7)) == ["a/b/c.datafile-7", "a/b.datafile-7/c", "a.datafile-7/b/c"]


@given(KEYS)
def test_a_key_is_never_beside_itself_and_beside_keys_belong_to_one_datafile(key: str) -> None:
    assert not is_beside(key, key, datafile(7))
    assert all(is_beside(other, key, datafile(7)) for other in keys_beside(key, datafile(7)))
    assert not set(keys_beside(key, datafile(7))) & set(keys_beside(key, datafile(77)))


def test_a_superseded_copy_is_named_for_its_key_its_time_and_its_digest() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert superseded_key("a/b", MD5, when) == ".superseded/a/b/20260102T030405.000006Z-0123456789ab"
