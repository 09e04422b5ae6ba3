"""What every destination promises: one test or more for each clause of the contract.

What is stored, what is read back and what keys are have modules of their own; all of it is here. Whoever imports this
gives a fixture ``place``: a Place with an empty root, a new one for each test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import (
    DATABASE_PREFIX,
    IDENTITY_KEY,
    PRIVATE_MODE,
    SCRATCH_PREFIX,
    STAGING_PREFIX,
    Failure,
    Staging,
)
from dataverse_backup.errors import KeyOccupied
from dataverse_backup.testing.destination_keys import *  # noqa: F403 -- parts of the suite
from dataverse_backup.testing.destination_puts import *  # noqa: F403 -- the same
from dataverse_backup.testing.destination_reads import *  # noqa: F403 -- the same
from dataverse_backup.testing.places import NAME, STAGING
from dataverse_backup.testing.uploads import *  # noqa: F403 -- the fixture `destination`
from dataverse_backup.testing.uploads import KEY, MIB, OTHER, checksum, digest, failed, lying_upload, stored, upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.testing.places import Place

# 7. errors


def errors_of(destination: Destination) -> Sequence[Failure]:
    return [
        result
        for result in (*destination.put([upload(KEY), upload("../up")]), digest(destination, "gone"))
        if isinstance(result, Failure)
    ]


def test_every_error_names_destination_and_key(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    failures = errors_of(destination)
    assert {failure.key for failure in failures} == {KEY, "../up", "gone"}
    for failure in failures:
        assert (failure.error.place, failure.error.key) == (NAME, failure.key)
        assert str(failure.error).startswith(f"{NAME}: {failure.key}: ")


def test_a_lie_names_the_store_its_object_and_both_checksums(destination: Destination) -> None:
    error = failed(destination, lying_upload(KEY))
    assert str(error).startswith("store: 18b3-1: ")
    assert str(checksum(b"good")) in str(error)
    assert str(checksum(b"bad")) in str(error)


# connections, identity, housekeeping


def test_a_destination_that_was_closed_connects_again(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY))
    destination.close()
    destination.close()
    stored(destination, upload(OTHER))
    assert place.final_keys() == {KEY, OTHER}


def test_what_one_run_stored_another_finds(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY))
    with place.destination(Staging("ledger-1", "run-2")) as later:
        later.connect()
        assert later.sizes([KEY]) == {KEY: 4}
        assert type(failed(later, upload(KEY))) is KeyOccupied


def test_a_new_destination_belongs_to_nobody(destination: Destination) -> None:
    assert destination.read_identity() is None


def test_a_destination_knows_whose_it_is(place: Place, destination: Destination) -> None:
    destination.write_identity("ledger-1")
    assert destination.read_identity() == "ledger-1"
    destination.write_identity("ledger-2")
    assert place.everything() == {IDENTITY_KEY}
    with place.destination() as later:
        later.connect()
        assert later.read_identity() == "ledger-2"


def test_a_sweep_takes_what_earlier_runs_of_our_ledger_left_and_nothing_else(
    place: Place, destination: Destination
) -> None:
    keep = {
        f"{STAGING.prefix}/attempt/0",
        f"{STAGING_PREFIX}/ledger-10/run-0/attempt/0",
        f"{STAGING_PREFIX}/ledger-2/run-0/attempt/0",
        KEY,
    }
    for key in keep | {f"{STAGING_PREFIX}/ledger-1/run-0/attempt/0", f"{STAGING_PREFIX}/ledger-1/run-10/a/1"}:
        place.plant(key, b"x")
    destination.sweep()
    assert place.everything() == keep


def test_there_may_be_nothing_to_sweep(place: Place, destination: Destination) -> None:
    destination.sweep()
    assert place.everything() == set()


def test_only_scratch_objects_and_dumps_are_removed(place: Place, destination: Destination) -> None:
    scratch, dump, big = f"{SCRATCH_PREFIX}/check/1", f"{DATABASE_PREFIX}/1.dump", f"{DATABASE_PREFIX}/big.dump"
    stored(destination, upload(scratch), upload(KEY), upload(dump), upload(big, bytes(6 * MIB)))
    for folder in (SCRATCH_PREFIX, DATABASE_PREFIX):
        for key in (KEY, IDENTITY_KEY, folder, f"{folder}/../identity", f"{folder}-x/y", f"{folder}//1.dump"):
            with pytest.raises(ValueError, match="only scratch"):
                destination.remove([scratch, key])
    assert place.read(scratch) == b"data"
    destination.remove([scratch, f"{SCRATCH_PREFIX}/not there", dump, big, f"{DATABASE_PREFIX}/not there"])
    assert place.everything() == {KEY}


# What nobody else may read.


def test_what_is_private_can_be_read_by_its_owner_alone(place: Place, destination: Destination) -> None:
    private = [
        replace(upload(f"{DATABASE_PREFIX}/{number}", data), is_private=True)
        for number, data in enumerate((b"small", b"", bytes(6 * MIB)))
    ]
    stored(destination, upload(KEY), *private)
    assert {place.mode(one.key) for one in private} <= {None, PRIVATE_MODE}
    assert place.mode(KEY) != PRIVATE_MODE
