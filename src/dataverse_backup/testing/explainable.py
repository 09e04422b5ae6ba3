"""What every destination promises that keeps notes of ours.

Whoever imports this gives a fixture ``place``: a Place with an empty root, whose destination is Explainable.
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
    Explainable,
    note_key,
)
from dataverse_backup.testing.uploads import KEY, stored, upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataverse_backup.destinations.base import Destination, Failure
    from dataverse_backup.testing.places import Place

DATASET = KEY.rpartition("/")[0]
NOTE = note_key(DATASET, "manifest.json")


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``, which is ours."""
    with place.destination() as destination:
        destination.connect()
        destination.write_identity("ledger-1")
        yield destination


def write(destination: Destination, notes: Mapping[str, bytes | None]) -> list[Failure]:
    assert isinstance(destination, Explainable)
    return destination.write_notes(notes)


def test_notes_are_written_and_written_over(place: Place, destination: Destination) -> None:
    notes = {
        NOTE: b"first",
        note_key("other/set", "md5sum.txt"): b"",
        README_KEY: b"read me",
        VERIFY_KEY: b"#!/bin/sh\n",
    }
    assert write(destination, notes) == []
    assert {key: place.read(key) for key in notes} == notes
    assert write(destination, {NOTE: b"second, which is longer"}) == []
    assert {key: place.read(key) for key in notes} == notes | {NOTE: b"second, which is longer"}
    assert place.staged() == set()


def test_a_note_that_is_none_is_taken_away_and_one_that_is_not_there_is_no_error(
    place: Place, destination: Destination
) -> None:
    write(destination, {NOTE: b"note"})
    gone = {NOTE: None, note_key(DATASET, "sha1sum.txt"): None, note_key("no/such", "x"): None, README_KEY: None}
    assert write(destination, gone) == []
    assert place.everything() == {IDENTITY_KEY}


def test_copies_beside_notes_stay_as_they_are(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"data"))
    write(destination, {NOTE: b"note"})
    assert place.read(KEY) == b"data"
    write(destination, {NOTE: None})
    assert place.read(KEY) == b"data"


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "plain",
        IDENTITY_KEY,
        f"{SCRATCH_PREFIX}/x",
        f"{STAGING_PREFIX}/x/y",
        f"{DATASET}/{README_KEY}",
        "a/.dataverse-backup/b/.dataverse-backup/c",
    ],
)
def test_only_notes_are_written_over(place: Place, destination: Destination, key: str) -> None:
    before = place.everything()
    with pytest.raises(ValueError, match="only notes"):
        write(destination, {NOTE: b"note", key: b"note"})
    assert place.everything() == before


def test_a_note_that_cannot_be_stored_stops_no_other(place: Place, destination: Destination) -> None:
    hostile = [note_key("../up", "x"), note_key("a", "nul\0"), note_key("x" * 256, "y")]
    failures = write(destination, {**dict.fromkeys(hostile, b"note"), NOTE: b"note"})
    assert {failure.key for failure in failures} == set(hostile)
    assert place.read(NOTE) == b"note"
    assert place.everything() == {IDENTITY_KEY, NOTE}
    assert place.strays() == set()


def test_a_hundred_notes_are_written_at_once(place: Place, destination: Destination) -> None:
    notes: dict[str, bytes | None] = {note_key(f"10.5072/FK2/{n}", "manifest.json"): b"%d" % n for n in range(100)}
    assert write(destination, notes) == []
    assert {key: place.read(key) for key in notes} == notes
