"""What every ledger keeps of copies that are deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.removals import PRUNE_VERB, Aside, Outcome
from tests.contract.ledger_cases import HERE, copied, datafile, key_of, planned, recorded, succeeded

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Kept, Ledger

SOON = datetime.now(UTC) + timedelta(days=1)
PATH = "10.5072/FK2/ABCDEF"


@pytest.fixture
def run(ledger: Ledger) -> str:
    """A run that prunes: three copies, of which two datafiles are gone."""
    recorded(ledger, *(succeeded(datafile(number)) for number in (1, 2, 3)))
    ledger.note(HERE, gone=[1, 2])
    ledger.manifests_written(HERE, [PATH])
    return ledger.begin_run(PRUNE_VERB, HERE)


def gone(ledger: Ledger, before: datetime = SOON) -> list[Kept]:
    return [one.kept for one in ledger.gone(HERE, before)]


def ids(kept: list[Kept]) -> list[int]:
    return [one.datafile.id for one in kept]


def known(ledger: Ledger) -> list[int]:
    return ids(list(ledger.kept(destinations=[HERE])))


def unfinished(ledger: Ledger) -> list[str]:
    return [one.key for one in ledger.removals(destination=HERE, is_unfinished=True)]


def test_what_left_the_catalogue_is_told_with_since_when(ledger: Ledger, run: str) -> None:
    del run
    found = list(ledger.gone(HERE, SOON))
    assert ids([one.kept for one in found]) == [1, 2]
    assert all(abs(datetime.now(UTC) - one.since) < timedelta(minutes=5) for one in found)
    assert found[0].kept.copy == copied(datafile(1))
    assert gone(ledger, before=found[0].since) == []
    assert list(ledger.gone("elsewhere", SOON)) == []


def test_it_is_gone_since_the_first_time_that_it_was_missed(ledger: Ledger, run: str) -> None:
    del run
    (first, _) = ledger.gone(HERE, SOON)
    ledger.note(HERE, gone=[1])
    assert next(iter(ledger.gone(HERE, SOON))).since == first.since


def test_what_came_back_is_not_gone(ledger: Ledger, run: str) -> None:
    del run
    ledger.note(HERE, refreshed=[datafile(1)])
    assert ids(gone(ledger)) == [2]


def test_a_key_that_another_datafile_is_to_get_is_not_told(ledger: Ledger, run: str) -> None:
    before = gone(ledger)
    ledger.note(HERE, planned=[planned(datafile(9), key=key_of(datafile(1)))])
    assert ids(gone(ledger)) == [2]
    assert ids(ledger.begin_removals(run, HERE, before)) == [2]
    assert known(ledger) == [1, 3]


def test_from_the_moment_that_a_removal_begins_nobody_believes_in_the_copy(ledger: Ledger, run: str) -> None:
    assert ids(ledger.begin_removals(run, HERE, gone(ledger))) == [1, 2]
    assert known(ledger) == [3]
    assert gone(ledger) == []
    assert unfinished(ledger) == [key_of(datafile(1)), key_of(datafile(2))]
    assert {standing.copy for standing in ledger.standings(HERE, [1, 2])} == {None}
    assert list(ledger.stale_manifests(HERE)) == [PATH]
    assert len(list(ledger.attempts(datafile_id=1))) == 1  # history stays


def test_it_comes_back_as_one_that_has_no_copy(ledger: Ledger, run: str) -> None:
    ledger.begin_removals(run, HERE, gone(ledger))
    ledger.note(HERE, refreshed=[datafile(1)])
    (line,) = ledger.listed(destination=HERE, datafile_id=1)
    assert (line.status, line.verified_by, line.proven) == (Status.PENDING, None, None)
    (standing,) = ledger.standings(HERE, [1])
    assert (standing.status, standing.copy) == (Status.PENDING, None)
    assert [mark[:2] for mark in ledger.marks(HERE, "") if mark[0] == 1] == [(1, None)]


def test_what_is_not_as_it_was_told_is_not_begun(ledger: Ledger, run: str) -> None:
    one, two = gone(ledger)
    ledger.note(HERE, refreshed=[datafile(1)])
    other = replace(two, copy=replace(two.copy, size=two.copy.size + 1))
    never = replace(one, datafile=datafile(99))
    present = next(kept for kept in ledger.kept(destinations=[HERE]) if kept.datafile.id == 3)
    assert ledger.begin_removals(run, HERE, [one, other, never, present]) == []
    assert known(ledger) == [1, 2, 3]
    assert unfinished(ledger) == []


def test_what_was_removed_is_remembered_with_its_proof(ledger: Ledger, run: str) -> None:
    kept = gone(ledger)
    ledger.begin_removals(run, HERE, kept)
    ledger.end_removals(HERE, {key_of(datafile(1)): (Outcome.REMOVED, "")})
    assert unfinished(ledger) == [key_of(datafile(2))]
    (removal,) = ledger.removals(datafile_id=1)
    assert (removal.run, removal.destination, removal.key) == (run, HERE, key_of(datafile(1)))
    assert (removal.copy, removal.size, removal.outcome) == (kept[0].copy, 5, Outcome.REMOVED)
    assert removal.ended is not None
    assert removal.begun <= removal.ended


def test_a_copy_that_stays_is_known_again(ledger: Ledger, run: str) -> None:
    kept = gone(ledger)
    ledger.begin_removals(run, HERE, kept)
    ledger.manifests_written(HERE, [PATH])
    ledger.end_removals(HERE, {key_of(datafile(1)): (Outcome.STAYS, "it is locked\0")})
    assert known(ledger) == [1, 3]
    assert gone(ledger) == [kept[0]]
    assert list(ledger.stale_manifests(HERE)) == [PATH]
    assert ledger.begin_removals(run, HERE, kept[:1]) == kept[:1]  # once more, another day


def test_a_copy_that_stays_takes_nothing_from_another(ledger: Ledger, run: str) -> None:
    """The datafile has another copy by now, or another datafile has the key."""
    ledger.begin_removals(run, HERE, gone(ledger))
    recorded(ledger, succeeded(datafile(1), key="a/new/key"), succeeded(datafile(9), key=key_of(datafile(2))))
    stays = (Outcome.STAYS, "")
    ledger.end_removals(HERE, {key_of(datafile(1)): stays, key_of(datafile(2)): stays})
    found = {kept.datafile.id: kept.copy.key for kept in ledger.kept(destinations=[HERE])}
    assert found == {1: "a/new/key", 9: key_of(datafile(2)), 3: key_of(datafile(3))}


def test_copies_that_were_moved_aside_are_noted_too(ledger: Ledger, run: str) -> None:
    aside = Aside(".superseded/a/b/c", 7)
    assert ledger.begin_removals(run, HERE, [], [aside]) == []
    assert unfinished(ledger) == [aside.key]
    ledger.end_removals(HERE, {aside.key: (Outcome.REMOVED, ""), "no/such": (Outcome.REMOVED, "")})
    (removal,) = ledger.removals(destination=HERE)
    assert (removal.datafile_id, removal.copy, removal.size, removal.outcome) == (None, None, 7, Outcome.REMOVED)


def test_nothing_is_begun_for_nothing(ledger: Ledger, run: str) -> None:
    assert ledger.begin_removals(run, HERE, []) == []
    ledger.end_removals(HERE, {})
    assert list(ledger.removals()) == []


def test_other_destinations_know_nothing_of_it(ledger: Ledger, run: str) -> None:
    elsewhere = succeeded(datafile(1), destination="offsite")
    recorded(ledger, elsewhere)
    ledger.note("offsite", gone=[1])
    ledger.begin_removals(run, HERE, gone(ledger))
    assert ids(list(ledger.kept(destinations=["offsite"]))) == [1]
    assert list(ledger.removals(destination="offsite")) == []
