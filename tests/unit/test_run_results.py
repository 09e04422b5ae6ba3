"""What a run came to, as it is told."""

from __future__ import annotations

from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.brake import pulled_by, vanishing
from dataverse_backup.cli.summary import result_of
from dataverse_backup.errors import DestinationLost, StoreLost
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import gather
from tests.contract.ledger_cases import HERE, datafile
from tests.unit.memory_world import World


def test_whatever_makes_a_run_not_well_is_told_with_what_to_do() -> None:
    world = World()
    world.catalogue.rows_now[1] = datafile(1, store_id="forgotten")
    with world.plan() as plan:
        ended = Ended(HERE, Ending.FAILURES, plan, lost=DestinationLost("the server went away"), unconfirmed=7)
        ended.lost_stores["file"] = StoreLost("its folder is empty")
        result = result_of(ended)
    assert [str(trouble) for trouble in result.troubles] == [
        "the server went away",
        "its folder is empty",
        "store forgotten: 1 datafiles are in it, and the configuration does not know it",
        "7 failures are not recorded: their rows could not be read again",
    ]
    message = compose(gather(world.ledger, [result], "h"), is_attached=True)
    for form in (message.text, message.html):
        assert "[Store forgotten]" in form
        assert "dataverse-backup check" in form
        assert "nothing: every file" not in form


def test_a_pulled_brake_is_told_with_what_to_do() -> None:
    ended = Ended(HERE, Ending.BRAKE, brake=pulled_by([vanishing("file", 120, 200, [])]))
    message = compose(gather(MemoryLedger(), [result_of(ended)], "h"), is_attached=True)
    assert message.subject.startswith("Dataverse backup STOPPED BY THE BRAKE: ")
    for form in (message.text, message.html):
        assert "120 of the 200 datafiles that the ledger knows are gone from the Dataverse database (60 %)" in form
        assert "dataverse-backup backup --release-brake" in form
        assert "\\n" not in form
