"""The connection of a run: made while there is other work, kept, given back, and made again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.contact import Contact
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import DestinationLost, DestinationRefused

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Traits


class Watched(MemoryDestination):
    """Tells when it is connected and closed; connects when it may."""

    def __init__(self) -> None:
        super().__init__("offsite")
        self.may_connect, self.closed = threading.Event(), threading.Event()
        self.times_connected = 0

    def connect(self) -> Traits:
        assert self.may_connect.wait(10)
        self.times_connected += 1
        return super().connect()

    def close(self) -> None:
        self.closed.set()
        super().close()


class Crowded(Watched):
    """A server that has no room for one more connection, for a while."""

    refusals = 1
    refusal = DestinationLost("offsite: no room")

    def connect(self) -> Traits:
        self.may_connect.set()
        if self.times_connected < self.refusals:
            self.times_connected += 1
            raise self.refusal
        return super().connect()


def test_what_was_begun_is_connected_once_and_kept() -> None:
    destination = Watched()
    contact = Contact(lambda: destination)
    contact.begin()
    contact.begin()
    destination.may_connect.set()
    assert contact.made()[0] is destination
    contact.begin()
    assert contact.made()[0] is destination
    assert destination.times_connected == 1
    assert not destination.closed.is_set()


def test_what_was_not_begun_is_connected_when_it_is_wanted() -> None:
    destination = Watched()
    destination.may_connect.set()
    contact = Contact(lambda: destination)
    assert contact.seconds == 0
    assert contact.made()[0] is destination
    assert contact.seconds > 0


def test_where_there_is_no_room_it_is_raised_when_it_is_wanted_and_nothing_stays_open() -> None:
    destination = Crowded()
    contact = Contact(lambda: destination)
    contact.begin()
    with pytest.raises(DestinationLost, match="no room"):
        contact.made()
    assert destination.closed.is_set()


@pytest.mark.parametrize("refusals", [0, 1, 2, 3])
def test_where_there_was_no_room_it_is_tried_again_for_a_while(refusals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.room._DELAYS", (0, 0, 0))
    destination = Crowded()
    destination.refusals = refusals
    contact = Contact(lambda: destination)
    contact.begin()
    assert contact.made_at_last()[0] is destination


@pytest.mark.parametrize(("within", "tries"), [(5.0, 4), (-1.0, 1)])
def test_what_has_no_room_for_long_or_is_not_there_is_lost(
    within: float, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataverse_backup.room._DELAYS", (0, 0, 0))
    monkeypatch.setattr("dataverse_backup.room._REFUSES_WITHIN", within)
    destination = Crowded()
    destination.refusals = 9
    with pytest.raises(DestinationLost, match="no room"):
        Contact(lambda: destination).made_at_last()
    assert destination.times_connected == tries


def test_what_waits_for_somebodys_decision_is_not_tried_again() -> None:
    destination = Crowded()
    destination.refusals, destination.refusal = 9, DestinationRefused("offsite: another host key")
    with pytest.raises(DestinationRefused):
        Contact(lambda: destination).made_at_last()
    assert destination.times_connected == 1


@pytest.mark.parametrize("is_connected_first", [True, False])
def test_what_is_given_back_is_closed_whenever_it_was_connected(*, is_connected_first: bool) -> None:
    destination = Watched()
    contact = Contact(lambda: destination)
    contact.begin()
    if is_connected_first:
        destination.may_connect.set()
        contact.made()
    contact.give_back()
    contact.give_back()
    destination.may_connect.set()
    assert destination.closed.wait(10)


def test_what_was_given_back_may_be_begun_again() -> None:
    made: list[Watched] = []

    def open_destination() -> Watched:
        made.append(Watched())
        made[-1].may_connect.set()
        return made[-1]

    contact = Contact(open_destination)
    contact.made()
    contact.give_back()
    assert contact.made()[0] is made[1]
    assert made[0].closed.is_set()
    assert not made[1].closed.is_set()
