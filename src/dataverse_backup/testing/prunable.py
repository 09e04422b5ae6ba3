"""What every destination promises that deletes copies.

Whoever imports this gives a fixture ``place``: a Place with an empty root, whose destination is Prunable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    README_KEY,
    SCRATCH_PREFIX,
    STAGING_PREFIX,
    VERIFY_KEY,
    Failure,
    note_key,
)
from dataverse_backup.destinations.prunable import Doomed, Fate, Prunable
from dataverse_backup.testing.uploads import ASIDE, KEY, OTHER, stored, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.testing.places import Place

BIG = bytes(range(256)) * ((6 << 20) // 256)
"""More than one part, or segment, where a service has those."""


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``, which is ours."""
    with place.destination() as destination:
        destination.connect()
        destination.write_identity("ledger-1")
        yield destination


def fates(destination: Destination, *doomed: Doomed) -> dict[str, str]:
    """What became of each, by its key: a fate, or the reason of a failure."""
    assert isinstance(destination, Prunable)
    results = list(destination.prune(doomed))
    assert len(results) == len(doomed)
    return {result.key: result.error.reason if isinstance(result, Failure) else result.fate.value for result in results}


def test_exactly_what_is_named_is_deleted(place: Place, destination: Destination) -> None:
    stays = {f"{KEY}.orig": b"1", f"{KEY}x": b"2", f"{KEY.rpartition('/')[0]}/other": b"3", OTHER: b"4"}
    stored(destination, upload(KEY, b"data"), *(upload(key, data) for key, data in stays.items()))
    assert fates(destination, Doomed(KEY, 4)) == {KEY: Fate.REMOVED}
    assert place.everything() == {IDENTITY_KEY, *stays}
    assert {key: place.read(key) for key in stays} == stays


def test_a_big_object_goes_with_everything_that_it_is_made_of(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, BIG))
    assert fates(destination, Doomed(KEY, len(BIG))) == {KEY: Fate.REMOVED}
    assert place.everything() == {IDENTITY_KEY}
    assert place.staged() == set()


def test_a_copy_that_was_moved_aside_goes_and_the_one_in_its_place_stays(
    place: Place, destination: Destination
) -> None:
    stored(destination, upload(KEY, BIG))
    destination.supersede(KEY, ASIDE)
    stored(destination, upload(KEY, BIG[::-1]))
    assert fates(destination, Doomed(ASIDE, len(BIG))) == {ASIDE: Fate.REMOVED}
    assert place.final_keys() == {KEY}
    assert place.read(KEY) == BIG[::-1]
    assert place.staged() == set()


def test_and_the_other_way_round(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, BIG))
    destination.supersede(KEY, ASIDE)
    stored(destination, upload(KEY, b"new"))
    assert fates(destination, Doomed(KEY, 3)) == {KEY: Fate.REMOVED}
    assert place.final_keys() == {ASIDE}
    assert place.read(ASIDE) == BIG


def test_what_has_another_size_stays(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"of somebody else"))
    assert fates(destination, Doomed(KEY, 4)) == {KEY: Fate.DIFFERS}
    assert place.read(KEY) == b"of somebody else"


def test_what_is_not_there_is_no_error(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"data"))
    below, beside = f"{KEY}/below", f"{KEY.rpartition('/')[0]}/no-such"
    found = fates(destination, Doomed(beside, 4), Doomed("no/such/folder/x", 0))
    assert found == {beside: Fate.MISSING, "no/such/folder/x": Fate.MISSING}
    assert fates(destination, Doomed(below, 4)) != {below: Fate.REMOVED}
    assert place.read(KEY) == b"data"


def test_a_folder_is_no_object(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"data"))
    folder = KEY.rpartition("/")[0]
    for size in (0, 4, 4096):
        assert fates(destination, Doomed(folder, size)) != {folder: Fate.REMOVED}
    assert place.read(KEY) == b"data"


def test_what_is_our_own_is_never_deleted(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"data"))
    own = [IDENTITY_KEY, README_KEY, VERIFY_KEY, f"{SCRATCH_PREFIX}/x", f"{STAGING_PREFIX}/x/y"]
    for key in (*own, note_key("a", "manifest.json"), "", "/absolute", "a//b"):
        with pytest.raises(ValueError, match="only copies"):
            fates(destination, Doomed(KEY, 4), Doomed(key, 4))
    assert place.everything() == {IDENTITY_KEY, KEY}


def test_one_that_fails_stops_no_other_and_nothing_outside_is_touched(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"data"), upload(OTHER, b"data"))
    before = place.strays()
    hostile = ["../up", "a/../../up", "nul\0", "x" * 256]
    found = fates(destination, Doomed(KEY, 4), *(Doomed(key, 4) for key in hostile), Doomed(OTHER, 4))
    assert {found[key] for key in (KEY, OTHER)} == {Fate.REMOVED}
    assert not {Fate.REMOVED, Fate.MISSING} & {found[key] for key in hostile[:3]}
    assert place.strays() == before


def test_a_key_that_was_freed_takes_another_copy(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"data"))
    fates(destination, Doomed(KEY, 4))
    stored(destination, upload(KEY, b"again"))
    assert place.read(KEY) == b"again"


def test_many_are_deleted_at_once(place: Place, destination: Destination) -> None:
    keys = [f"10.5072/FK2/{number % 7}/{number}" for number in range(30)]
    for key in keys:
        place.plant(key, b"x")
    assert set(fates(destination, *(Doomed(key, 1) for key in keys)).values()) == {Fate.REMOVED}
    assert place.everything() == {IDENTITY_KEY}
