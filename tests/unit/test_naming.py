"""Names of datasets, folders and files from a catalogue become names that do no harm on a file system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.datafile import TAB
from dataverse_backup.destinations.base import MAX_NAME_BYTES, OWN_PREFIX, checked_path_key, folded
from dataverse_backup.naming import DatasetNames, Names, file_paths, safe_name
from tests.contract.ledger_cases import datafile

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = st.text(st.characters(codec=None), max_size=300) | st.sampled_from(
    [
        "",
        ".",
        "..",
        "/",
        "../../etc/passwd",
        OWN_PREFIX,
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "\ud800",
        "A",
        "a",
        "a/b",
        "é",
        "e\u0301",
    ]
)
FEW = st.sampled_from(
    ["a", "A", "a/b", "a/b/c", "b", "", ".", "..", "a (2)", "\u212b", "\xc5", "x" * 300, "x" * 299 + ".csv"]
)


@given(TEXT)
def test_a_safe_name_is_one_part_of_a_path_that_every_file_system_takes(text: str) -> None:
    name = safe_name(text)
    assert checked_path_key("here", name) == name
    assert "/" not in name
    assert name.isprintable()
    assert name != OWN_PREFIX


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=60))
def test_an_ordinary_name_stays_as_it_is(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("data (1).tar.gz", "data (1).tar.gz"),
        ("..", "_"),
        ("a/b", "a_b"),
        ("tab\there", "tab_here"),
        ("x" * 300 + ".csv", "x" * 236 + ".csv"),
        ("é" * 200, "é" * 120),
        (".", "_"),
        ("...", "..."),
    ],
)
def test_names_are_changed_no_more_than_is_needed(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(st.lists(st.tuples(FEW | TEXT, FEW | TEXT), max_size=12))
def test_no_two_files_of_a_dataset_get_the_same_path_nor_one_the_folder_of_another(
    files: Sequence[tuple[str, str]],
) -> None:
    named = [datafile(n, label=label, directory_label=folder) for n, (folder, label) in enumerate(files)]
    paths = file_paths(named)
    assert paths.keys() == {one.place for one in named}
    seen = {folded(path) for path in paths.values()}
    assert len(seen) == len(named)
    for path in paths.values():
        assert checked_path_key("here", path) == path
        assert not {folded(str(folder)) for folder in Path(path).parents} & seen


@given(st.lists(FEW | TEXT, max_size=12))
def test_no_two_datasets_get_the_same_folder(pids: Sequence[str]) -> None:
    names = DatasetNames()
    found = [names.folder_of(pid, f"10.5072/{number}") for number, pid in enumerate(pids)]
    assert len({folded(name) for name in found}) == len(pids)
    assert all(checked_path_key("here", name) == name and len(name.encode()) <= MAX_NAME_BYTES for name in found)


def test_a_dataset_is_called_by_its_pid() -> None:
    assert DatasetNames().folder_of("doi:10.5072/FK2/ABCDEF", "10.5072/FK2/ABCDEF") == "doi_10.5072_FK2_ABCDEF"


def test_equal_names_are_numbered_and_the_lowest_id_keeps_its_own() -> None:
    files = [datafile(n, label=label, directory_label="raw") for n, label in ((3, "a.csv"), (1, "a.csv"), (2, "A.csv"))]
    assert file_paths(files) == {(1, ""): "raw/a.csv", (2, ""): "raw/A (2).csv", (3, ""): "raw/a (3).csv"}


def test_an_ingested_file_is_called_as_its_original_was() -> None:
    file = datafile(1, label="survey.tab", original_name="survey.sav", directory_label="")
    assert file_paths([file, file.beside(TAB)]) == {(1, ""): "survey.sav", (1, TAB): "survey.tab"}


def test_a_file_that_is_called_as_a_folder_is_numbered() -> None:
    files = [datafile(1, label="raw", directory_label=""), datafile(2, label="x", directory_label="raw")]
    assert file_paths(files) == {(1, ""): "raw (2)", (2, ""): "raw/x"}


def test_what_was_taken_is_not_given_out_again() -> None:
    names = Names(["a"])
    assert [names.take("A"), names.take("a"), names.take("b")] == ["A (2)", "a (3)", "b"]
