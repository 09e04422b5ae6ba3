"""A connection made ahead of its use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.ahead import Ahead
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import DestinationLost

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Traits


class Watched(MemoryDestination):
    """Tells when it is connected and closed; connects when it may."""

    def __init__(self) -> None:
        super().__init__("offsite")
        self.may_connect, self.closed = threading.Event(), threading.Event()
        self.is_connected = False

    def connect(self) -> Traits:
        assert self.may_connect.wait(10)
        self.is_connected = True
        return super().connect()

    def close(self) -> None:
        self.closed.set()
        super().close()


class Refusing(Watched):
    """A server that has no room for one more connection."""

    def connect(self) -> Traits:
        raise DestinationLost("offsite: no room")


def test_what_is_taken_is_connected_and_belongs_to_the_taker() -> None:
    destination = Watched()
    ahead = Ahead(lambda: destination)
    destination.may_connect.set()
    assert ahead.take() is destination
    assert destination.is_connected
    ahead.close()
    assert not destination.closed.is_set()


def test_nothing_is_taken_twice() -> None:
    destination = Watched()
    destination.may_connect.set()
    ahead = Ahead(lambda: destination)
    assert ahead.take() is destination
    assert ahead.take() is None


def test_where_there_is_no_room_there_is_none_and_that_is_no_failure() -> None:
    destination = Refusing()
    assert Ahead(lambda: destination).take() is None
    assert destination.closed.is_set()


@pytest.mark.parametrize("is_connected_first", [True, False])
def test_what_nobody_takes_is_closed_whenever_it_was_connected(*, is_connected_first: bool) -> None:
    destination = Watched()
    ahead = Ahead(lambda: destination)
    if is_connected_first:
        destination.may_connect.set()
        ahead._thread.join(10)
    ahead.close()
    destination.may_connect.set()
    assert destination.closed.wait(10)
