"""What lies there against what should, whatever the names are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.actions import inventory as module
from dataverse_backup.actions.inventory import Claim, Inventory
from dataverse_backup.errors import NoWorkSpace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = st.binary(min_size=1, max_size=4).map(lambda name: name.decode("utf-8", "surrogateescape")) | st.sampled_from(
    ["a/b", "a/b/c", "a:b", "a/", "é", "é.orig", "\udcff/x", "A", "a\0b"]
)
OBJECTS = st.dictionaries(NAMES, st.integers(0, 1 << 40), max_size=12)
CLAIMS = st.lists(st.tuples(NAMES, st.sampled_from(Claim)), max_size=12)


@given(OBJECTS, CLAIMS)
def test_what_nothing_owns_is_told_once_in_order_and_all_else_is_counted(
    objects: Mapping[str, int], claims: Sequence[tuple[str, Claim]]
) -> None:
    with Inventory() as inventory:
        for name, claim in claims:
            inventory.claim(name, claim, claim.name)
        inventory.take((name, size, None) for name, size in objects.items())
        inventory.index()
        inventory.settle()
        owned = {name for name, claim in claims if claim is Claim.OWN}
        others = [(one.name, one.size) for one in inventory.others()]
        assert dict(others) == {name: size for name, size in objects.items() if name not in owned}
        assert [name for name, _ in others] == sorted(
            dict(others), key=lambda name: name.encode("utf-8", "surrogateescape")
        )
        known = [size for name, size in objects.items() if name in owned]
        assert inventory.owned() == (len(known), sum(known))
        assert inventory.total() == (len(objects), sum(objects.values()))
        for name in objects:
            first = min((claim for known_name, claim in claims if known_name == name), default=None)
            assert inventory.claimed(name) == (None if first is None else (first, first.name))
            assert inventory.size_of(name) == objects[name]
            assert inventory.has_below(name) == any(
                other.startswith(f"{name}/") and other != f"{name}/" for other in objects
            )


def test_the_dataset_is_that_of_the_longest_folder_that_is_known() -> None:
    with Inventory() as inventory:
        inventory.know_dataset("10.5072/FK2/AB/", "doi:AB")
        inventory.know_dataset("10.5072/FK2/AB/sub/", "doi:AB/sub")
        inventory.know_dataset("end:doi-10:FK2/X/", "doi:X")
        assert inventory.dataset_of("10.5072/FK2/AB/18b.thumb48") == "doi:AB"
        assert inventory.dataset_of("10.5072/FK2/AB/deep/er/18b") == "doi:AB"
        assert inventory.dataset_of("10.5072/FK2/AB/sub/18b") == "doi:AB/sub"
        assert inventory.dataset_of("10.5072/FK2/ABC/18b") is None
        assert inventory.dataset_of("end:doi-10:FK2/X/18b:9") == "doi:X"
        assert inventory.dataset_of("stray") is None


def test_what_is_claimed_by_the_ten_thousand_is_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 3)
    with Inventory() as inventory:
        for number in range(10):
            inventory.read(number, str(number))
            inventory.claim(f"{number}", Claim.OWN)
        assert [inventory.said(number) for number in range(11)] == [*map(str, range(10)), None]
        inventory.take((f"{number}", 1, 0.0) for number in range(12))
        inventory.index()
        inventory.settle()
        assert sorted(one.name for one in inventory.others()) == ["10", "11"]


def test_no_room_for_it_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no such folder"))
    with pytest.raises(NoWorkSpace) as full:
        Inventory()
    assert "TMPDIR" in full.value.hint


def test_nothing_of_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Inventory():
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
