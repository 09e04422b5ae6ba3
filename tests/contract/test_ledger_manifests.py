"""Which manifests at a destination are not as the ledger is any more: every ledger says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from tests.contract.ledger_cases import DATASET, HERE, datafile, failed, not_here, planned, recorded, succeeded

if TYPE_CHECKING:
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Ledger

HOSTILE = sorted(
    ["10.5072/a", "10.5072/B", "10.5072/ä", "10.5072/%_'\"", "10.5072/a b", "/", "/x", "10.5072/a/b", "🎓/1"]
)
"""By code points, which is not how a database sorts words in any language."""
MANY = 2_500


def stale(ledger: Ledger, destination: str = HERE) -> list[str]:
    return list(ledger.stale_manifests(destination))


def of(number: int, path: str) -> Datafile:
    """Datafile *number*, of the dataset that is stored under *path*."""
    return datafile(number, dataset=Dataset.at(f"doi:{path}", path))


def test_a_proven_copy_makes_the_manifest_of_its_dataset_stale_until_it_is_written(ledger: Ledger) -> None:
    assert stale(ledger) == []
    recorded(ledger, succeeded(datafile(1)), succeeded(datafile(2)))
    assert stale(ledger) == [DATASET.storage_path]
    ledger.manifests_written(HERE, [DATASET.storage_path])
    assert stale(ledger) == []
    recorded(ledger, succeeded(datafile(2), minute=1))
    assert stale(ledger) == [DATASET.storage_path]


def test_what_failed_changes_no_manifest(ledger: Ledger) -> None:
    recorded(ledger, failed(datafile(1)), failed(datafile(2), Reason.NO_SPACE))
    assert stale(ledger) == []


def test_a_datafile_that_is_gone_makes_it_stale_however_that_was_found(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    ledger.manifests_written(HERE, [DATASET.storage_path])
    ledger.note(HERE, gone=[1])
    assert stale(ledger) == [DATASET.storage_path]
    ledger.manifests_written(HERE, [DATASET.storage_path])
    recorded(ledger, replace(failed(datafile(2), None), status=Status.GONE))
    assert stale(ledger) == [DATASET.storage_path]


def test_another_name_makes_it_stale_and_a_mark_a_plan_or_what_is_not_here_does_not(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    ledger.manifests_written(HERE, [DATASET.storage_path])
    ledger.note(HERE, marked=[(1, 4711)], planned=[planned(datafile(2))], not_here=[not_here(3)])
    assert stale(ledger) == []
    ledger.note(HERE, refreshed=[datafile(1, label="another name.txt")])
    assert stale(ledger) == [DATASET.storage_path]


def test_a_doubt_makes_all_of_them_stale(ledger: Ledger) -> None:
    paths = ["10.5072/A", "10.5072/B"]
    recorded(ledger, *(succeeded(of(number, path)) for number, path in enumerate(paths, 1)))
    ledger.manifests_written(HERE, paths)
    ledger.doubt(HERE)
    assert stale(ledger) == paths


def test_each_destination_has_its_own(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)), succeeded(datafile(1), destination="there"))
    ledger.manifests_written("there", [DATASET.storage_path])
    assert (stale(ledger), stale(ledger, "there"), stale(ledger, "nowhere")) == ([DATASET.storage_path], [], [])


def test_any_name_of_a_dataset_is_kept_sorted_and_forgotten_as_it_is(ledger: Ledger) -> None:
    recorded(ledger, *(succeeded(of(number, path)) for number, path in enumerate(HOSTILE, 1)))
    assert stale(ledger) == HOSTILE
    ledger.manifests_written(HERE, [HOSTILE[3], "10.5072/no such dataset"])
    assert stale(ledger) == [path for path in HOSTILE if path != HOSTILE[3]]


def test_a_great_many_come_page_by_page_while_they_are_written(ledger: Ledger) -> None:
    paths = [f"10.5072/{number:05}" for number in range(MANY)]
    recorded(ledger, *(succeeded(of(number, path)) for number, path in enumerate(paths, 1)))
    seen = []
    for path in ledger.stale_manifests(HERE):
        seen.append(path)
        if len(seen) % 1000 == 0:
            ledger.manifests_written(HERE, seen)
    assert seen == paths
    ledger.manifests_written(HERE, seen)
    assert stale(ledger) == []
