"""A destination knows whose it is (design, rule 9)."""

from __future__ import annotations

import pytest

from dataverse_backup.actions.possession import accept, take_possession
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import DestinationRefused
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from tests.contract.ledger_cases import datafile, failed, recorded, succeeded


def test_at_first_use_a_destination_becomes_ours_and_stays_so() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination("vault")
    take_possession(ledger, destination)
    take_possession(ledger, destination)
    assert destination.read_identity() == ledger.id
    assert ledger.knows_destination("vault")


def test_a_destination_whose_identity_has_gone_is_refused_with_the_command_that_accepts_it() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination("vault")
    take_possession(ledger, destination)
    destination.objects.clear()
    with pytest.raises(DestinationRefused, match="is its disk mounted") as refused:
        take_possession(ledger, destination)
    assert "dataverse-backup accept vault" in refused.value.hint
    assert destination.objects == {}


@pytest.mark.parametrize("known", [True, False])
def test_another_ledgers_destination_is_refused_and_left_as_it_is(*, known: bool) -> None:
    ledger, destination = MemoryLedger(), MemoryDestination("vault")
    if known:
        ledger.claim_destination("vault")
    destination.write_identity("theirs")
    with pytest.raises(DestinationRefused, match=r"belongs to another ledger \('theirs'"):
        take_possession(ledger, destination)
    assert destination.read_identity() == "theirs"


class TakenMeanwhile(MemoryDestination):
    """A run beside ours takes it right after we have seen that it is nobody's."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__("vault")
        self._ledger = ledger

    def read_identity(self) -> str | None:
        seen = super().read_identity()
        self.write_identity(self._ledger.id)
        self._ledger.claim_destination("vault")
        return seen


def test_a_destination_that_a_check_beside_us_has_just_made_ours_is_not_refused() -> None:
    ledger = MemoryLedger()
    assert not take_possession(ledger, TakenMeanwhile(ledger))


def test_who_accepts_a_destination_makes_it_ours() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination("vault")
    destination.write_identity("theirs")
    accept(ledger, destination)
    take_possession(ledger, destination)
    assert destination.read_identity() == ledger.id


def test_our_own_identity_without_a_memory_of_it_is_remembered_again() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination("vault")
    destination.write_identity(ledger.id)
    take_possession(ledger, destination)
    assert ledger.knows_destination("vault")


def test_what_was_proven_at_a_place_that_had_to_be_accepted_is_in_doubt() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination("vault")
    take_possession(ledger, destination)
    recorded(ledger, succeeded(datafile(1), destination="vault"), failed(datafile(2), destination="vault"))
    destination.objects.clear()
    assert accept(ledger, destination) == 1
    first, second = ledger.standings("vault")
    assert (first.status, first.copy is None) == (Status.PENDING, False)
    assert second.status is Status.FAIL_READ
    assert accept(ledger, destination) == 0
